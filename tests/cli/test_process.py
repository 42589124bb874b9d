"""What a daemon's process does beside its work: noticing changed files, and telling the service manager."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.cli.config_watch import ConfigWatch, signature
from rotator.cli.systemd import notify, report_life, watchdog_seconds


class StepClock:
    """Does something instead of each pause, from a list; then pauses for ever."""

    def __init__(self, *steps: object) -> None:
        self._steps = list(steps)
        self.pauses = 0

    def now(self) -> datetime:
        """Return some instant."""
        return datetime(2026, 11, 23, tzinfo=UTC)

    def monotonic(self) -> float:
        """Return some seconds."""
        return 0.0

    async def sleep(self, _seconds: float, /) -> None:
        """Do the next step."""
        self.pauses += 1
        if not self._steps:
            await asyncio.Event().wait()
        step = self._steps.pop(0)
        if callable(step):
            step()


async def test_a_change_is_noticed_once_it_is_quiet(tmp_path: Path) -> None:
    """A file that changed and then changes again is not read in between."""
    path = tmp_path / "rotator.yaml"
    path.write_text("a")
    clock = StepClock(None, lambda: path.write_text("ab"), lambda: path.write_text("abc"), None)
    await ConfigWatch(path, clock).changed()
    assert clock.pauses == 4


async def test_a_replaced_file_is_a_change(tmp_path: Path) -> None:
    """A file of the same size and time that took the place of the old one is a change."""
    path, other = tmp_path / "rotator.yaml", tmp_path / "new"
    for file in (path, other):
        file.write_text("a")
        os.utime(file, ns=(1, 1))
    clock = StepClock(lambda: other.replace(path), None)
    await ConfigWatch(path, clock).changed()
    assert clock.pauses == 2


async def test_a_file_that_is_gone_is_no_change(tmp_path: Path) -> None:
    """While the file is away nothing is reloaded; its return with other content is a change."""
    path = tmp_path / "rotator.yaml"
    path.write_text("a")
    clock = StepClock(path.unlink, None, lambda: path.write_text("bb"), None)
    await ConfigWatch(path, clock).changed()
    assert clock.pauses == 4


async def test_asking_needs_no_change(tmp_path: Path) -> None:
    """A request to read again is followed at once, and once."""
    path = tmp_path / "rotator.yaml"
    path.write_text("a")
    watch = ConfigWatch(path, StepClock())
    watch.ask()
    await watch.changed()
    again = asyncio.create_task(watch.changed())
    await asyncio.wait({again}, timeout=0.05)
    assert not again.done()
    watch.ask()
    await again


def test_a_directory_is_its_visible_files(tmp_path: Path) -> None:
    """A new file in a directory is a change, an editor's hidden one is not."""
    (tmp_path / "a.yaml").write_text("a")
    before = signature(tmp_path)
    (tmp_path / ".a.yaml.swp").write_text("x")
    assert signature(tmp_path) == before
    (tmp_path / "b.yaml").write_text("b")
    assert signature(tmp_path) != before


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_service_manager_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    """Lines reach the socket that NOTIFY_SOCKET names, in one datagram."""
    name = str(tmp_path / "notify") if kind == "path" else f"@rotator-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0", 1))
        notify("READY=1", "MAINPID=1")
        assert manager.recv(100) == b"READY=1\nMAINPID=1"


@pytest.mark.parametrize("name", ["", "/nonexistent/notify", "relative"])
def test_no_service_manager_is_no_problem(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Where nobody listens, nothing happens."""
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify("READY=1")


@pytest.mark.parametrize(
    ("text", "seconds"), [("30000000", 15.0), ("", None), ("0", None), ("-1", None), ("soon", None)], ids=str
)
def test_the_watchdog_is_fed_twice_as_often(monkeypatch: pytest.MonkeyPatch, text: str, seconds: float | None) -> None:
    """Half of what systemd grants; nothing where it grants nothing sensible."""
    monkeypatch.setenv("WATCHDOG_USEC", text)
    assert watchdog_seconds() == seconds


async def test_the_watchdog_hears_nothing_of_a_scheduler_that_stalled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """F-58: the service manager is told of life at each pause, and no more once the scheduler stands."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    stalled: list[str] = []
    clock = StepClock(None, lambda: stalled.append("the scheduler has not turned for 481 s"), None)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(str(tmp_path / "notify"))
        beat = asyncio.create_task(report_life(lambda: "".join(stalled), clock))
        while clock.pauses <= len(("none", "stalls", "none")):
            await asyncio.sleep(0)
        assert [manager.recv(100) for _ in range(2)] == [b"WATCHDOG=1"] * 2
        with pytest.raises(BlockingIOError):
            manager.recv(100)
        beat.cancel()
