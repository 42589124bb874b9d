"""What nobody caught still becomes a log line: without local variables, through the redactor."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from types import TracebackType
from typing import Any

import structlog

_log: Any = structlog.get_logger(__name__)


def install_hooks(loop: asyncio.AbstractEventLoop | None = None) -> None:
    """Log uncaught exceptions of the main thread, of other threads and of destructors, and warnings.

    Replaces the interpreter's own hooks, which print to standard error as they please. Safe to repeat.

    Args:
        loop: An event loop whose lost exceptions are logged too; None for none.
    """
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable
    logging.captureWarnings(capture=True)
    if loop is not None:
        loop.set_exception_handler(log_loop_exception)


def log_loop_exception(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what an event loop could not hand to anybody. asyncio's own handler shows arguments of callbacks too."""
    task = context.get("task") or context.get("future")
    name = task.get_name() if isinstance(task, asyncio.Task) else ""
    _log.error(
        "event_loop_exception_lost", message=context.get("message", ""), task=name, exc_info=context.get("exception")
    )


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _log.info("process_interrupted")
        return
    _log.critical("process_crashed", exc_info=(kind, error, trace))


def _log_thread(lost: threading.ExceptHookArgs) -> None:
    if lost.exc_value is None or isinstance(lost.exc_value, SystemExit):
        return
    name = lost.thread.name if lost.thread is not None else ""
    _log.error("thread_crashed", thread=name, exc_info=(lost.exc_type, lost.exc_value, lost.exc_traceback))


def _log_unraisable(lost: sys.UnraisableHookArgs) -> None:
    error = lost.exc_value
    where = getattr(lost.object, "__qualname__", type(lost.object).__qualname__)
    _log.error(
        "exception_unraisable",
        where=where,
        exc_info=(lost.exc_type, error, lost.exc_traceback) if error is not None else None,
    )
