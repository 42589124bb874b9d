"""The one way out for log lines: rendered and redacted by the caller, written by a thread that may be stuck.

A line is rendered at once, because a secret can only be recognised while it is alive. It is written elsewhere, because
whoever reads our output may stop reading, and no rotation waits for that.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import TextIO

from rotator.secret import Redactor

MAX_WAITING_LINES = 10_000
CLOSE_SECONDS = 2.0
UNRENDERABLE = "log_line_unrenderable"
"""The event that stands for a line whose values could not be shown."""


class LineHandler(logging.Handler):
    """Writes each record as one redacted text; never raises and never waits for the stream.

    Args:
        stream: Where lines go. Its file descriptor is written to directly where it has one.
        redactor: The last step on every rendered line.
        dropped_line: Renders the line that tells how many lines were dropped.
    """

    def __init__(self, stream: TextIO, redactor: Redactor, dropped_line: Callable[[int], str]) -> None:
        super().__init__()
        self.dropped = 0
        self._stream = stream
        self._redactor = redactor
        self._dropped_line = dropped_line
        self._waiting: queue.SimpleQueue[str | threading.Event | None] = queue.SimpleQueue()
        self._write = _writer(stream)
        self._thread = threading.Thread(target=self._write_forever, name="log writer", daemon=True)
        self._thread.start()

    @property
    def redactions(self) -> int:
        """How many secrets the last step had to mask so far; more than 0 is a defect."""
        return self._redactor.hits

    def emit(self, record: logging.LogRecord) -> None:
        """Render and redact ``record``, and queue it; drop it when too many lines wait."""
        try:
            line = self._redactor(self.format(record))
        except Exception:  # noqa: BLE001 (a value that cannot be shown must not break whoever logs it)
            line = self._redactor(json.dumps({"level": "error", "logger": record.name, "event": UNRENDERABLE}))
        if self._waiting.qsize() >= MAX_WAITING_LINES or not self._thread.is_alive():
            self.dropped += 1
        else:
            self._waiting.put(line)

    def flush(self) -> None:
        """Wait until everything queued so far is written, at most 2 s."""
        if self._thread.is_alive():
            written = threading.Event()
            self._waiting.put(written)
            written.wait(CLOSE_SECONDS)

    def close(self) -> None:
        """Write what waits, at most 2 s, and stop. Safe to repeat."""
        self._waiting.put(None)
        self._thread.join(CLOSE_SECONDS)
        super().close()

    def _write_forever(self) -> None:
        told = 0
        while (item := self._waiting.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            if self.dropped > told:
                missing, told = self.dropped - told, self.dropped
                self._write_line(self._dropped_line(missing))
            self._write_line(item)

    def _write_line(self, line: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._write(f"{line}\n".encode(encoding, "backslashreplace"))
        except (OSError, ValueError):  # closed, full, or nobody reads: there is nowhere to say so
            self.dropped += 1


def _writer(stream: TextIO) -> Callable[[bytes], None]:
    """Return how to write to ``stream``.

    The descriptor is preferred: a thread that is stuck inside a buffered stream holds the stream's lock, and the
    interpreter aborts at its end when it cannot take it.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return lambda data: _write_text(stream, data)
    return lambda data: _write_all(stream, descriptor, data)


def _write_text(stream: TextIO, data: bytes) -> None:
    stream.write(data.decode(getattr(stream, "encoding", None) or "utf-8"))
    stream.flush()


def _write_all(stream: TextIO, descriptor: int, data: bytes) -> None:
    while data:
        if stream.closed:  # the number may stand for another file by now
            raise ValueError("the stream is closed")
        data = data[os.write(descriptor, data) :]
