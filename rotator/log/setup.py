"""Sets up structlog and the standard library's logging to go through one renderer and one handler."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from rotator.errors import ConfigError
from rotator.log.output import LineHandler
from rotator.secret import Redactor

LogFormat = Literal["auto", "json", "console"]

OURS = "rotator"
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
PINNED = (
    "aiohttp",
    "aiosqlite",
    "alembic",
    "apscheduler",
    "asyncio",
    "azure",
    "boto3",
    "botocore",
    "fastapi",
    "google",
    "httpcore",
    "httpx",
    "hvac",
    "kubernetes",
    "msal",
    "psycopg",
    "requests",
    "s3transfer",
    "sqlalchemy",
    "starlette",
    "urllib3",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)
"""Loggers that are never below WARNING. At DEBUG botocore writes whole response bodies, an ECR token among them, and
its maintainers mean it (botocore issue 2626, read 2026-11). Loggers not named here meet the same filter."""


def configure(level: str, format: LogFormat, stream: TextIO, redactor: Redactor) -> LineHandler:  # noqa: A002 (the configuration's word)
    """Send every log line of this process to ``stream``. Repeating it replaces what was set before.

    Other handlers of the root logger are removed: they would not redact.

    Args:
        level: The least level of our own lines: ``debug``, ``info``, ``warning``, ``error`` or ``critical``. Everybody
            else's are shown from ``warning`` upwards, whatever this says.
        format: ``json`` for one JSON object per line, ``console`` for people, ``auto`` for console on a terminal only.
        stream: Where lines go.
        redactor: Masks live secrets in the finished line.

    Returns:
        The handler, for its counters and to close it; closing is also done at the end of the process.

    Raises:
        ConfigError: ``level`` or ``format`` is none of these.
    """
    if level.lower() not in LEVELS or format not in {"auto", "json", "console"}:
        raise ConfigError(
            [f"log: level {level!r} with format {format!r} is not known"],
            hint=f"Use a level of {', '.join(LEVELS)} and a format of auto, json, console",
        )
    threshold = LEVELS[level.lower()]
    is_console = format == "console" or (format == "auto" and stream.isatty())
    formatter = _formatter(_console(stream, redactor) if is_console else _json())
    handler = LineHandler(stream, redactor, lambda missing: _dropped_line(formatter, missing))
    handler.setFormatter(formatter)
    handler.addFilter(is_wanted)
    _replace_root_handlers(handler)
    _set_levels(threshold)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    return handler


def is_wanted(record: logging.LogRecord) -> bool:
    """Return whether ``record`` may be shown: ours, or somebody else's warning."""
    return record.levelno >= logging.WARNING or record.name == OURS or record.name.startswith(f"{OURS}.")


_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def _formatter(processors: list[Processor]) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *processors],
    )


_dissect = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, use_rich=False)


def _json() -> list[Processor]:
    """Render JSON, which escapes line ends itself. structlog's own `dict_tracebacks` would show local variables."""
    return [structlog.processors.ExceptionRenderer(_dissect), structlog.processors.JSONRenderer()]


def _console(stream: TextIO, redactor: Redactor) -> list[Processor]:
    """Render for people. Values are redacted before they are escaped too: afterwards they may look different."""

    def show_exception(exc_info: ExcInfo) -> str:
        return "\n".join(_exception_lines(_dissect(exc_info), redactor, "    "))

    def escape(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
        return {
            key: value if key in _MULTILINE else _escaped(key, value, redactor) for key, value in event_dict.items()
        }

    renderer = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )
    return [structlog.processors.ExceptionRenderer(show_exception), escape, renderer]


def _exception_lines(stacks: Sequence[dict[str, Any]], redactor: Redactor, indent: str) -> Iterator[str]:
    """Yield an exception and its causes for people, indented so that none of it looks like a line of its own."""
    for place, stack in enumerate(stacks):
        link = "" if place == 0 else "caused by " if stack["is_cause"] else "while handling "
        yield f"{indent}{link}{stack['exc_type']}: {_printable(redactor(stack['exc_value']))}"
        yield from (f"{indent}  note: {_printable(redactor(note))}" for note in stack["exc_notes"])
        yield from (f"{indent}  at {_printable('{filename}:{lineno} {name}'.format(**one))}" for one in stack["frames"])
        for inner in stack.get("exceptions", ()):
            yield from _exception_lines(inner, redactor, f"{indent}    ")


_MULTILINE = frozenset({"exception"})
_AS_THEY_ARE = frozenset({"event", "level", "logger", "timestamp"})
"""Keys that the console renderer shows without quotes."""


class _Shown:
    """A value whose ``repr`` is a text that was made printable."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _escaped(key: str, value: object, redactor: Redactor) -> object:
    """Return ``value`` so that it cannot end the line or steer the terminal."""
    if key in _AS_THEY_ARE:
        return _printable(redactor(str(value)))
    if isinstance(value, str):
        text = redactor(value)
        return text if text.isprintable() else _Shown(repr(text))
    return _Shown(_printable(redactor(repr(value))))


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _dropped_line(formatter: logging.Formatter, missing: int) -> str:
    text = f"log_lines_dropped: {missing}, because nobody took them fast enough"
    return formatter.format(logging.LogRecord("rotator.log", logging.WARNING, "", 0, text, None, None))


def _replace_root_handlers(handler: logging.Handler) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        if isinstance(old, LineHandler):
            old.close()
    root.addHandler(handler)


def _set_levels(threshold: int) -> None:
    """Set our level, and at least WARNING for everybody else; a handler of their own would bypass the redactor."""
    others = max(threshold, logging.WARNING)
    logging.getLogger().setLevel(others)
    logging.getLogger(OURS).setLevel(threshold)
    for name in PINNED:
        logger: Any = logging.getLogger(name)
        logger.setLevel(others)
        logger.propagate = True
        logger.handlers.clear()
    logging.raiseExceptions = False
