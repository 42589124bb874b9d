"""Whoever reads our lines may stop reading, close, or vanish: nobody who logs waits or fails."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import structlog

from rotator.log import LineHandler, configure
from rotator.log.output import MAX_WAITING_LINES
from rotator.secret import Redactor


class _Stuck(io.StringIO):
    """Takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        self.free.wait()
        return super().write(text)


def _write(handler: LineHandler, count: int) -> None:
    for _ in range(count):
        structlog.get_logger("rotator.test").info("seen")
    assert handler in logging.getLogger().handlers


def test_a_stream_that_is_stuck_costs_lines_but_no_time() -> None:
    """While nobody takes lines, so many wait and the rest are dropped and counted; later that is told."""
    stream = _Stuck()
    handler = configure("info", "json", stream, Redactor())

    _write(handler, MAX_WAITING_LINES + 100)

    assert 90 <= handler.dropped <= 100
    dropped = handler.dropped
    stream.free.set()
    handler.flush()
    _write(handler, 1)
    handler.flush()
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert f"log_lines_dropped: {dropped}, because nobody took them fast enough" in events
    assert len(events) == MAX_WAITING_LINES + 102 - dropped


@pytest.mark.parametrize("close_early", [True, False], ids=["closed before", "closed after"])
def test_a_closed_stream_raises_nothing(close_early: bool) -> None:  # noqa: FBT001 (a parametrized fact)
    """Lines for a stream that is closed are counted as dropped."""
    stream = io.StringIO()
    if close_early:
        handler = LineHandler(stream, Redactor(), str)
        stream.close()
    else:
        handler = LineHandler(stream, Redactor(), str)
        handler.emit(logging.makeLogRecord({"msg": "seen"}))
        handler.flush()
        stream.close()

    handler.emit(logging.makeLogRecord({"msg": "seen"}))
    handler.flush()
    handler.close()

    assert handler.dropped == 1


def test_a_reader_that_went_away_raises_nothing() -> None:
    """A pipe whose other end is closed drops lines."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        handler = LineHandler(stream, Redactor(), str)
        os.close(reading)
        handler.emit(logging.makeLogRecord({"msg": "seen"}))
        handler.flush()
        handler.close()

    assert handler.dropped == 1


def test_lines_reach_a_file_whole_and_in_order(tmp_path: Path) -> None:
    """Lines of several threads do not mix, and each thread's lines stay in order."""
    with (tmp_path / "log").open("w") as stream:
        handler = LineHandler(stream, Redactor(), str)
        threads = [threading.Thread(target=_emit_many, args=(handler, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        handler.close()

    lines = (tmp_path / "log").read_text().splitlines()
    for number in range(4):
        assert [line for line in lines if line.startswith(f"{number} ")] == [f"{number} {n}" for n in range(500)]
    assert len(lines) == 2000
    assert handler.dropped == 0


def _emit_many(handler: LineHandler, number: int) -> None:
    for line in range(500):
        handler.emit(logging.makeLogRecord({"msg": f"{number} {line}"}))


def test_closing_may_be_repeated_and_later_lines_are_dropped() -> None:
    """After it was closed, a handler drops what comes and does not raise."""
    handler = LineHandler(io.StringIO(), Redactor(), str)
    handler.close()
    handler.close()
    handler.flush()

    handler.emit(logging.makeLogRecord({"msg": "seen"}))

    assert handler.dropped == 1


def test_redactions_are_counted() -> None:
    """The handler tells how often its last step had to mask something."""
    handler = LineHandler(io.StringIO(), Redactor(), str)

    handler.emit(logging.makeLogRecord({"msg": "ghp_" + "a1" * 18}))
    handler.close()

    assert handler.redactions == 1


PROGRAM = """
import sys, structlog
from rotator.log import configure
from rotator.secret import Redactor
configure("info", "json", sys.stdout, Redactor())
for number in range(int(sys.argv[1])):
    structlog.get_logger("rotator.test").info("seen", number=number)
"""


def test_everything_is_written_when_the_process_ends() -> None:
    """Lines that still wait are written at the end of the process, without anybody closing the handler."""
    result = subprocess.run([sys.executable, "-c", PROGRAM, "3000"], capture_output=True, text=True, check=True)

    assert [json.loads(line)["number"] for line in result.stdout.splitlines()] == list(range(3000))
    assert result.stderr == ""


def test_a_process_ends_although_nobody_reads_its_lines() -> None:
    """A full pipe holds the end of the process up for seconds only, and the interpreter does not abort."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "5000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.wait(timeout=30) == 0
        stderr = _all(process.stderr)

    assert stderr == b""


def _all(stream: object) -> bytes:
    assert isinstance(stream, io.BufferedReader)
    return stream.read()


def test_a_stream_without_a_descriptor_is_written_to_as_text() -> None:
    """A stream in memory gets the lines too."""
    stream = io.StringIO()
    handler = LineHandler(stream, Redactor(), str)
    handler.emit(logging.makeLogRecord({"msg": "seen"}))
    handler.close()

    assert stream.getvalue() == "seen\n"
