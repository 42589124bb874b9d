"""The machine's clocks, as the rest sees them."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta

from rotator.clock import SystemClock
from rotator.ports import Clock


async def test_system_clock_is_aware_and_goes_forward() -> None:
    """Now is aware UTC, the monotonic seconds do not go back, and sleeping takes at least as long as asked."""
    clock: Clock = SystemClock()
    before, started = clock.now(), clock.monotonic()
    await clock.sleep(0.01)

    assert before.tzinfo is UTC
    assert clock.monotonic() - started >= 0.01
    assert clock.now() - before >= timedelta(seconds=0)


async def test_sleep_is_interrupted_at_once() -> None:
    """Cancelling a sleeper does not wait for the end of its sleep."""
    task = asyncio.create_task(SystemClock().sleep(3600))
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=1)

    assert done == {task}
    assert task.cancelled()
