"""A log of this test's own, in either format, and the process's logging put back afterwards."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from rotator.log import LineHandler, configure
from rotator.secret import Redactor


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, loggers = logging.getLogger(), logging.root.manager.loggerDict
    handlers, raising = list(root.handlers), logging.raiseExceptions
    levels = {name: one.level for name, one in loggers.items() if isinstance(one, logging.Logger)}
    level, hooks = root.level, (sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning)
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
        if isinstance(handler, LineHandler):
            handler.close()
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning = hooks
    root.handlers[:], root.level, logging.raiseExceptions = handlers, level, raising
    for name, one in loggers.items():
        if isinstance(one, logging.Logger):
            one.setLevel(levels.get(name, logging.NOTSET))
    structlog.reset_defaults()


class Log:
    """A configured log and what it wrote."""

    def __init__(self, level: str, style: Literal["json", "console"]) -> None:
        self.redactor = Redactor()
        self.stream = io.StringIO()
        self.handler = configure(level, style, self.stream, self.redactor)

    @property
    def text(self) -> str:
        """Everything written so far."""
        self.handler.flush()
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Everything written so far, from JSON."""
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture(params=["json", "console"])
def log(request: pytest.FixtureRequest) -> Log:
    """Return a log at level debug, in each format."""
    return Log("debug", request.param)


@pytest.fixture
def json_log() -> Log:
    """Return a log at level debug that writes JSON."""
    return Log("debug", "json")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Return an event loop that does not run."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()
