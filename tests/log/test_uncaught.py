"""What nobody caught becomes a line of the log, masked like any other."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import warnings
from typing import Any, Protocol

import pytest

from rotator.log import install_hooks
from rotator.secret import MASK, Redactor, Secret

CANARY = "cAnArY-3f9a/7b+2c=="


class Written(Protocol):
    """A log and what it wrote; see `conftest.Log`."""

    redactor: Redactor
    text: str
    lines: list[dict[str, Any]]


PROGRAM = """
import sys, threading
from rotator.log import configure, install_hooks
from rotator.secret import Redactor, Secret
configure("info", sys.argv[1], sys.stderr, Redactor())
install_hooks()
secret = Secret("cAnArY-3f9a/7b+2c==")
def fail():
    canary_local = "local".upper() + secret.reveal()
    raise RuntimeError(f"sent {secret.reveal()}")
if sys.argv[2] == "thread":
    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
else:
    fail()
"""


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(("where", "event"), [("main", "process_crashed"), ("thread", "thread_crashed")])
def test_an_uncaught_exception_is_one_masked_entry(style: str, where: str, event: str) -> None:
    """A crash of the main or another thread is logged with its traceback and without its secret or its locals."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, style, where], capture_output=True, text=True, check=False, timeout=60
    )

    assert result.returncode == (1 if where == "main" else 0)
    assert event in result.stderr
    assert "RuntimeError" in result.stderr
    assert MASK in result.stderr
    assert "cAnArY" not in result.stderr
    assert "LOCAL" not in result.stderr
    if style == "json":
        assert [json.loads(line)["event"] for line in result.stderr.splitlines()] == [event]


def test_an_interruption_by_keyboard_is_no_crash(json_log: Written) -> None:
    """Ctrl-C is told as what it is, without a traceback."""
    install_hooks()

    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)

    assert [(line["event"], line["level"]) for line in json_log.lines] == [("process_interrupted", "info")]


def test_a_thread_that_exits_on_purpose_is_no_crash(json_log: Written) -> None:
    """SystemExit in a thread is its way to end."""
    install_hooks()
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()

    assert json_log.text == ""


def test_a_failing_destructor_is_logged(json_log: Written) -> None:
    """What a destructor raises is logged instead of printed."""
    install_hooks()
    secret = Secret(CANARY)

    class Failing:
        def __del__(self) -> None:
            raise ValueError(secret.reveal())

    Failing()

    (line,) = json_log.lines
    assert line["event"] == "exception_unraisable"
    assert line["where"].endswith("Failing.__del__")
    assert line["exception"][0]["exc_value"] == MASK


@pytest.mark.filterwarnings("default")
def test_warnings_are_logged(json_log: Written) -> None:
    """A warning of the interpreter is a line, not a print."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        install_hooks()
        warnings.warn("this will go away", DeprecationWarning, stacklevel=1)

    (line,) = json_log.lines
    assert line["logger"] == "py.warnings"
    assert "this will go away" in line["event"]


async def test_what_an_event_loop_could_not_hand_over_is_logged(json_log: Written) -> None:
    """The exception of a call that nobody awaits is logged, and the arguments of the call are not."""
    loop = asyncio.get_running_loop()
    install_hooks(loop)

    def fail(argument: str) -> None:
        raise ValueError(len(argument))

    loop.call_soon(fail, CANARY)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    (line,) = json_log.lines
    assert line["event"] == "event_loop_exception_lost"
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert "cAnArY" not in json_log.text


def test_a_lost_task_is_named(json_log: Written, loop: asyncio.AbstractEventLoop) -> None:
    """The name of the task that failed unheard is in the line."""
    install_hooks(loop)

    async def fail() -> None:
        raise ValueError("lost")

    task = loop.create_task(fail(), name="rotation ghcr")
    loop.run_until_complete(asyncio.wait([task]))
    del task

    (line,) = json_log.lines
    assert (line["task"], line["exception"][0]["exc_value"]) == ("rotation ghcr", "lost")
