"""Work on file systems that do not answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from rotator.disk import Disk

AT_ONCE = 0.01
GENEROUS = 60.0


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Return what holds calls fast until it is set; set at the end."""
    gate = threading.Event()
    yield gate
    gate.set()


async def test_a_dead_file_system_holds_up_nothing_else(gate: threading.Event) -> None:
    """However many files do not answer, another one does, and each holds one thread, however often it is asked for."""
    disk, before = Disk(at_once=2), threading.active_count()
    for path in [f"/dead/{number}" for number in range(20)] * 3:
        with pytest.raises(TimeoutError):
            await disk.run(path, gate.wait, AT_ONCE)
    assert threading.active_count() - before == 20
    assert await disk.run("/fine", lambda: "read", GENEROUS) == "read"


async def test_a_call_that_is_held_fast_is_not_made_again(gate: threading.Event) -> None:
    """While a late call has not come back, the next one for its path ends at once; then calls are made again."""
    disk, made = Disk(), []
    ended = threading.Event()

    def held() -> None:
        gate.wait()
        ended.set()

    with pytest.raises(TimeoutError, match=r"no answer in 0\.01 s"):
        await disk.run("/dead", held, AT_ONCE)
    with pytest.raises(TimeoutError, match="an earlier call has not come back yet"):
        await disk.run("/dead", lambda: made.append("again"), GENEROUS)
    assert made == []
    gate.set()
    await asyncio.to_thread(ended.wait)
    for thread in [one for one in threading.enumerate() if one.name == "disk /dead"]:
        await asyncio.to_thread(thread.join)
    await disk.run("/dead", lambda: made.append("again"), GENEROUS)
    assert made == ["again"]


async def test_a_path_has_one_call_at_a_time(gate: threading.Event) -> None:
    """A second call for a path begins when the first has ended, also where whoever made it went away."""
    disk, order = Disk(), list[str]()
    begun = threading.Event()

    def first() -> None:
        begun.set()
        gate.wait()
        order.append("first")

    one = asyncio.create_task(disk.run("/f", first, GENEROUS))
    await asyncio.to_thread(begun.wait)
    one.cancel()
    two = asyncio.create_task(disk.run("/f", lambda: order.append("second"), GENEROUS))
    await disk.run("/other", lambda: None, GENEROUS)
    gate.set()
    await two
    assert order == ["first", "second"]


async def test_what_was_begun_is_waited_for_at_the_end(gate: threading.Event) -> None:
    """A call whose caller went away is waited for, one that is late is not."""
    disk, begun, order = Disk(), threading.Event(), list[str]()

    def work() -> None:
        begun.set()
        gate.wait()
        order.append("work")

    with pytest.raises(TimeoutError):
        await disk.run("/dead", threading.Event().wait, AT_ONCE)
    one = asyncio.create_task(disk.run("/f", work, GENEROUS))
    await asyncio.to_thread(begun.wait)
    one.cancel()
    await asyncio.wait([one])
    settling = asyncio.create_task(disk.settle(GENEROUS))
    await disk.run("/other", lambda: None, GENEROUS)
    assert not settling.done()
    gate.set()
    await settling
    assert order == ["work"]


async def test_what_the_work_raises_is_raised() -> None:
    """An error of the work itself reaches the caller, also one that is a time-out of the file system."""
    disk = Disk()

    def fails(error: OSError) -> None:
        raise error

    for error in (FileNotFoundError(2, "gone"), TimeoutError(110, "Connection timed out")):
        with pytest.raises(type(error)) as caught:
            await disk.run("/f", partial(fails, error), GENEROUS)
        assert str(caught.value) == str(error)
