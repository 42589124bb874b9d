"""One daemon per state."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rotator.errors import ConfigError
from rotator.store.lock import StateLock

HOLD = """
import sys
from pathlib import Path
from rotator.store.lock import StateLock
StateLock(Path(sys.argv[1])).take("rotator, process 77 on elsewhere")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold the lock."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    """Who comes second is told which process is first, and what to do."""
    path = tmp_path / "rotator.db.lock"
    with held_elsewhere(path), pytest.raises(ConfigError) as raised:
        StateLock(path).take("rotator, process 78 on here")

    assert str(raised.value) == (
        f"the state {tmp_path}/rotator.db is in use by rotator, process 77 on elsewhere\n"
        "Only one daemon may run on one state. Stop that one first, or give this one another store.url"
    )


def test_refused_one_leaves_the_holders_name(tmp_path: Path) -> None:
    """Being refused changes nothing: the next one reads the same name."""
    path = tmp_path / "lock"
    with held_elsewhere(path):
        for _ in range(2):
            with pytest.raises(ConfigError, match="process 77"):
                StateLock(path).take("rotator, process 78 on here")


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """A process that was killed holds nothing, whatever its file says; the new holder's name replaces it whole."""
    path = tmp_path / "lock"
    with held_elsewhere(path) as process:
        process.kill()
        process.wait()
        lock = StateLock(path)
        lock.take("me")
    assert path.read_text() == "me"
    with pytest.raises(ConfigError, match="in use by me"):
        StateLock(path).take("other")
    lock.release()


def test_released_lock_is_free(tmp_path: Path) -> None:
    """Letting go, twice if need be, frees it for others and for ourselves; taking it twice is taking it once."""
    lock, other = StateLock(tmp_path / "lock"), StateLock(tmp_path / "lock")
    lock.take("a")
    lock.take("a")
    lock.release()
    lock.release()
    other.take("b")
    with pytest.raises(ConfigError, match="in use by b"):
        lock.take("a")
    other.release()


def test_no_descriptor_is_left_by_a_refusal(tmp_path: Path) -> None:
    """A refusal leaves no open file behind."""
    lock = StateLock(tmp_path / "lock")
    lock.take("a")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (of the process, not of a path)
    for _ in range(5):
        with pytest.raises(ConfigError):
            StateLock(tmp_path / "lock").take("b")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 (as above)
    lock.release()


@pytest.mark.parametrize(
    ("path", "reason"),
    [("none/lock", "No such file or directory"), ("", "Is a directory"), ("file/lock", "Not a directory")],
    ids=["no folder", "a folder", "under a file"],
)
def test_lock_that_cannot_be_made_is_told(tmp_path: Path, path: str, reason: str) -> None:
    """A path where no lock can be is named with the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as raised:
        StateLock(tmp_path / path).take("a")

    assert raised.value.mistakes == [f"state lock {tmp_path / path}: {reason}"]
    assert "must be able to write" in raised.value.hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_disk_is_told() -> None:
    """A lock whose holder cannot be noted, for want of room, is no lock; the reason is told."""
    with pytest.raises(ConfigError, match=r"/dev/full: (No space left on device|Invalid argument)"):
        StateLock(Path("/dev/full")).take("a")
