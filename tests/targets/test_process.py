"""Running a program of the operator's."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from rotator.errors import PermanentError, UnavailableError
from rotator.secret import Secret, base64_forms
from rotator.targets.process import MAX_OUTPUT_BYTES, SHOWN_CHARS, Ended, Program, run, shown

CANARY = "canary-5d0b71c6a9f2"


async def python(code: str, told: bytes = b"", seconds: float = 20.0, **environment: str) -> Ended:
    """Run a few lines of Python."""
    return await run(Program("edge", (sys.executable, "-c", code), environment, seconds), told)


def is_running(pid: int) -> bool:
    """Tell whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def held_open(fifo: Path) -> threading.Event:
    """Return an event that is set when everybody who holds ``fifo`` open for writing is gone."""
    gone = threading.Event()

    def wait() -> None:
        with fifo.open("rb") as reader:
            reader.read()
        gone.set()

    threading.Thread(target=wait, daemon=True).start()
    return gone


async def test_it_is_told_on_standard_input() -> None:
    """A program reads what it is told from standard input; its two outputs and its status come back apart."""
    ended = await python("import sys; print(sys.stdin.read()); print('done', file=sys.stderr); sys.exit(3)", b"told")
    assert ended == Ended(3, b"told\n", "done")


async def test_arguments_are_not_for_a_shell() -> None:
    """An argument arrives to the letter, whatever a shell would make of it."""
    word = "$(id) `id` ; * 'x'"
    ended = await run(Program("edge", (sys.executable, "-c", "import sys; print(sys.argv[1])", word)), b"")
    assert ended.output.decode() == f"{word}\n"


async def test_the_environment_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program sees a fixed path, a locale and what is configured, and nothing of the daemon's environment."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    ended = await python("import os; print(sorted(os.environ), os.getcwd())", HOST="edge1")
    assert ended.output.decode() == "['HOST', 'LANG', 'PATH'] /\n"


async def test_one_that_does_not_listen() -> None:
    """A program that closes its input at once is no error, however much it was to be told."""
    assert (await python("import os; os.close(0)", b"x" * (1 << 22))).status == 0


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import time; time.sleep(600)", id="itself"),
        pytest.param("import os, time; os.fork() or time.sleep(600)", id="its child"),
        pytest.param("import signal, time; signal.signal(15, lambda *_: 0); time.sleep(600)", id="deaf to SIGTERM"),
    ],
)
async def test_all_it_started_is_killed_in_the_end(code: str, tmp_path: Path) -> None:
    """What does not end in time is killed with everything it started, and counts as unavailable."""
    fifo = tmp_path / "held"
    os.mkfifo(fifo)
    gone = held_open(fifo)

    with pytest.raises(UnavailableError, match=r"edge: .* did not end in 1 s and was killed") as caught:
        await python(f"held = open({str(fifo)!r}, 'wb'); {code}", seconds=1.0)

    assert caught.value.cause == "timeout"
    assert await asyncio.to_thread(gone.wait, 20)


async def test_nothing_it_started_outlives_it(tmp_path: Path) -> None:
    """What a program leaves in the background is ended with it, even when it holds none of its outputs."""
    fifo = tmp_path / "held"
    os.mkfifo(fifo)
    gone = held_open(fifo)
    code = f"import os, time; os.fork() or (open({str(fifo)!r}, 'wb'), [os.close(n) for n in (1, 2)], time.sleep(600))"

    assert (await python(code)).status == 0

    assert await asyncio.to_thread(gone.wait, 20)


async def test_cancelling_ends_it(tmp_path: Path) -> None:
    """A cancelled run leaves nothing behind."""
    note = tmp_path / "pid"
    fifo = tmp_path / "ready"
    os.mkfifo(fifo)
    code = (
        f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); "
        f"open({str(fifo)!r}, 'wb').close(); time.sleep(600)"
    )
    task = asyncio.create_task(python(code))
    await asyncio.to_thread(fifo.read_bytes)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not is_running(int(note.read_text()))


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_who_says_too_much_is_ended(stream: str) -> None:
    """A program that talks without end is killed at the cap, long before its time is over."""
    with pytest.raises(PermanentError, match=f"said more than {MAX_OUTPUT_BYTES} bytes"):
        await python(f"import sys\nwhile True: sys.{stream}.write('x' * 65536)", seconds=60)


async def test_a_signal_is_a_negative_status() -> None:
    """A program that a signal ended has that signal, negative, as its status."""
    ended = await python("import os; os.kill(os.getpid(), 9)")
    assert ended.status == -signal.SIGKILL


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        pytest.param(("/nonexistent/program",), "No such file or directory", id="missing"),
        pytest.param(("/etc",), "Permission denied", id="a directory"),
        pytest.param(("/bin/tr\0ue",), "a NUL in it", id="a NUL"),
    ],
)
async def test_one_that_cannot_be_started(command: tuple[str, ...], reason: str) -> None:
    """What cannot be started says why."""
    with pytest.raises(PermanentError, match=f"cannot be started \\({reason}\\)"):
        await run(Program("edge", command), b"")


async def test_no_secret_is_shown() -> None:
    """A secret that a program prints on standard error is masked, in clear and in base64."""
    secret = Secret(CANARY)
    ended = await python(
        "import sys, base64; t = sys.stdin.read(); sys.stderr.write(t + base64.b64encode(t.encode()).decode())",
        CANARY.encode(),
    )
    assert secret
    assert "********" in ended.said
    assert not [form for form in {CANARY, *base64_forms(CANARY)} if form in ended.said]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"one\n\x1b[31mtwo\x00\r\n", "one [31mtwo", id="control characters"),
        pytest.param(b"\xff ok", "� ok", id="not UTF-8"),
        pytest.param(b"x" * 5000, "..." + "x" * SHOWN_CHARS, id="long"),
    ],
)
def test_what_is_shown_is_one_short_line(said: bytes, line: str) -> None:
    """What a program said is shown as one line of text, its end when it is long."""
    assert shown(said) == line


async def test_the_output_is_in_no_representation() -> None:
    """What a program printed for the daemon is not in the representation of how it ended."""
    assert CANARY not in repr(await python(f"print({CANARY!r})"))
