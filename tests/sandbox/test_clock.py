"""The clock that is moved by hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from rotator.ports import Clock
from rotator.sandbox.clock import ManualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_stands_still_and_moves_on_both_sides() -> None:
    """Both clocks move by what they were advanced, and by nothing else."""
    clock = ManualClock(START)
    before = clock.monotonic()
    clock.advance(timedelta(minutes=5))

    assert clock.now() == START + timedelta(minutes=5)
    assert clock.monotonic() - before == 300


def test_wall_clock_alone_can_be_set() -> None:
    """Setting the wall clock, also backwards, leaves the monotonic one alone."""
    clock = ManualClock(START)
    before = clock.monotonic()
    clock.set_wall(START - timedelta(hours=1))

    assert clock.now() == START - timedelta(hours=1)
    assert clock.monotonic() == before


async def test_sleepers_wake_when_their_time_has_come() -> None:
    """A sleeper wakes when the clock was moved far enough, not before, whatever the wall clock shows."""
    clock: ManualClock = ManualClock(START)
    port: Clock = clock
    woken: list[int] = []

    async def sleep(seconds: int) -> None:
        await port.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleep(seconds)) for seconds in (30, 10, 20)]
    await settle()
    clock.set_wall(START + timedelta(days=1))
    clock.advance(timedelta(seconds=9))
    await settle()
    assert woken == []
    assert clock.sleeps == [1, 11, 21]
    clock.advance(timedelta(seconds=11))
    await settle()
    assert woken == [10, 20]
    clock.advance(timedelta(seconds=10))
    await asyncio.gather(*tasks)
    assert woken == [10, 20, 30]


@pytest.mark.parametrize("seconds", [0, -1, -0.5])
async def test_no_time_passes_at_once(seconds: float) -> None:
    """Sleeping for nothing or less does not wait for the clock."""
    await asyncio.wait_for(ManualClock().sleep(seconds), 1)


async def test_cancelled_sleeper_is_forgotten() -> None:
    """A sleeper that was cancelled is not kept, and moving the clock past its time does no harm."""
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(10))
    await settle()
    task.cancel()
    await asyncio.wait([task])

    assert clock.sleeps == []
    clock.advance(timedelta(seconds=20))
