"""What is due is started, whatever the alarm clock and the wall clock do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobExecutionEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.clock import SystemClock
from rotator.domain.events import AlarmMissed, ClockStepped
from rotator.engine.scheduler import GUARD_SECONDS, STEP_SECONDS, Scheduler, clock_step
from rotator.errors import UnavailableError

HOUR = timedelta(hours=1)
NEVER = timedelta(days=1)
SOON = 10.0
"""Seconds within which something that is meant to happen at once has happened, on the slowest machine."""


@asynccontextmanager
async def running(world: Any, reconcile: timedelta = NEVER) -> AsyncIterator[Scheduler]:
    """Run a scheduler; its end leaves no task behind."""
    before = asyncio.all_tasks()
    scheduler = Scheduler(world.dispatcher, world.clock, world.events.append, reconcile)
    task = asyncio.create_task(scheduler.run())
    try:
        yield scheduler
        assert not task.done(), "the scheduler survived"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await world.dispatcher.stop(grace=SOON)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before


async def idle(rounds: int = 100) -> None:
    """Let everything run that can run while the clock stands still."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def noting(vendor: Any) -> asyncio.Queue[int]:
    """Return a queue that gets the number of each issue of ``vendor``."""
    issues: asyncio.Queue[int] = asyncio.Queue()
    issue = vendor.issue

    async def noted(order: object) -> Any:
        issues.put_nowait(vendor.minted + 1)
        return await issue(order)

    vendor.issue = noted
    return issues


async def next_of(issues: asyncio.Queue[int]) -> int:
    """Return the next issue, soon."""
    async with asyncio.timeout(SOON):
        return await issues.get()


@pytest.mark.parametrize(
    ("wall", "monotonic", "step"),
    [
        (5.0, 5.0, 0.0),
        (6.9, 5.0, 0.0),
        (3.1, 5.0, 0.0),
        (7.0, 5.0, 2.0),
        (3.0, 5.0, -2.0),
        (3605.0, 5.0, 3600.0),
        (-3595.0, 5.0, -3600.0),
        (7205.0, 5.0, 7200.0),
        (5.0 + 10 * 365 * 86400, 5.0, 10 * 365 * 86400.0),
        (0.0, 0.0, 0.0),
    ],
    ids=[
        "none",
        "slewed on",
        "slewed back",
        "just a step",
        "just back",
        "hour",
        "hour back",
        "suspended",
        "10 years",
        "0",
    ],
)
def test_clock_step(wall: float, monotonic: float, step: float) -> None:
    """F-30..F-34: a wall clock that moved two seconds more or less than the monotonic one was set."""
    assert clock_step(timedelta(seconds=wall), monotonic) == step


@settings(deadline=None, max_examples=50)
@given(st.floats(0, 1e6), st.floats(-1e6, 1e6))
def test_small_differences_are_no_step(passed: float, difference: float) -> None:
    """What is called a step is the difference of the clocks, and only when it is at least two seconds."""
    step = clock_step(timedelta(seconds=passed + difference), passed)
    assert step == 0.0 or abs(step) >= STEP_SECONDS
    assert step == 0.0 or step == pytest.approx(difference, abs=1e-4)


async def test_what_is_due_starts_at_once(memory_world: Callable[..., Any]) -> None:
    """At the start everything due is started, and the scheduler says when it turned."""
    world = memory_world()
    issues = noting(world.add("ecr"))
    async with running(world) as scheduler:
        assert await next_of(issues) == 1
        await idle()
        assert scheduler.turned_at == world.clock.now()
        assert world.ledger.current("ecr").generation == 1


async def test_waking_looks_at_everything(memory_world: Callable[..., Any]) -> None:
    """A wake-up starts what became due since, also when it comes in the middle of a turn."""
    world = memory_world()
    issues = noting(world.add("ecr"))
    async with running(world) as scheduler:
        await next_of(issues)
        await idle()
        world.clock.advance(7 * HOUR)
        scheduler.wake()
        scheduler.wake()
        assert await next_of(issues) == 2


async def test_a_freed_slot_is_filled(memory_world: Callable[..., Any]) -> None:
    """What waits for a slot is started as soon as one is free, without an alarm."""
    world, gate = memory_world(), asyncio.Event()
    queues = [noting(world.add(f"c{number}")) for number in range(20)]
    hang = world.registry.verify

    async def held(*arguments: Any) -> Any:
        await gate.wait()
        return await hang(*arguments)

    world.registry.verify = held
    async with running(world):
        await idle()
        assert len(world.dispatcher.running) == 4
        gate.set()
        assert [await next_of(queue) for queue in queues] == [1] * 20


async def test_the_reconciliation_pass_needs_no_alarm(memory_world: Callable[..., Any]) -> None:
    """F-31: with an alarm clock that never rings, what is overdue is started by the pass."""
    world = memory_world()
    issues = noting(world.add("ecr"))
    async with running(world, reconcile=timedelta(milliseconds=20)) as scheduler:
        await next_of(issues)
        await idle()
        scheduler._alarms.pause()
        world.clock.advance(7 * HOUR)
        assert await next_of(issues) == 2


async def test_the_alarm_rings(memory_world: Callable[..., Any]) -> None:
    """An instant in the future is woken for by the alarm clock alone, in real time."""
    world = memory_world()
    world.clock = SystemClock()
    world._wire()
    vendor = world.add("ecr")
    vendor.clock = world.clock
    vendor.lifetime = timedelta(milliseconds=600)
    issues = noting(vendor)
    async with running(world):
        assert await next_of(issues) == 1
        begun = world.clock.monotonic()
        assert await next_of(issues) == 2
        assert world.clock.monotonic() - begun >= 0.2, "not before it was due"


async def test_the_alarm_rings_for_a_back_off(memory_world: Callable[..., Any]) -> None:
    """The end of a failure's pause is an alarm like any other."""
    world = memory_world()
    world.clock = SystemClock()
    world._wire()
    vendor = world.add("ecr")
    vendor.clock = world.clock
    vendor.fault = UnavailableError("down")
    asked: asyncio.Queue[int] = noting(vendor)
    world.surroundings = type(world.surroundings)(
        world.clock, lambda: 0.0, world.registry, world.surroundings.fingerprint, world.events.append
    )
    world.rotator._world = world.surroundings
    async with running(world):
        await next_of(asked)
        vendor.fault = None
        await next_of(asked)
        await idle()
    assert world.ledger.current("ecr").generation == 1


async def test_a_far_alarm_is_no_error(memory_world: Callable[..., Any]) -> None:
    """F-14: a token that is to be renewed in the year 9999 is no problem for the alarm clock."""
    world = memory_world()
    vendor = world.add("ecr")
    credential = world.credentials["ecr"]
    config = credential.config.model_copy(update={"renew_before": HOUR})
    world.credentials["ecr"] = replace(credential, config=config)
    vendor.lifetime = datetime(9999, 12, 31, tzinfo=UTC) - world.clock.now()
    issues = noting(vendor)
    async with running(world) as scheduler:
        await next_of(issues)
        await idle()
        assert world.dispatcher.next_wake_at() == datetime(9999, 12, 30, 23, tzinfo=UTC)
        assert len(scheduler._alarms.get_jobs()) == 1


@pytest.mark.parametrize("back", [HOUR, timedelta(days=1)], ids=["hour", "day"])
async def test_a_clock_set_back_is_noticed_and_overdue_work_starts(memory_world: Any, back: timedelta) -> None:
    """F-31: a wall clock set back is told, and what failed before the step is tried now, not an hour later."""
    world = memory_world()
    vendor = world.add("ecr")
    vendor.fault = UnavailableError("down")
    issues = noting(vendor)
    async with running(world):
        await next_of(issues)
        await idle()
        vendor.fault = None
        world.clock.set_wall(world.clock.now() - back)
        world.clock.advance(timedelta(seconds=GUARD_SECONDS))
        await next_of(issues)
        await idle()

    assert world.ledger.current("ecr").generation == 1
    assert [event.seconds for event in world.events if isinstance(event, ClockStepped)] == [-back.total_seconds()]


async def test_a_clock_set_forward_starts_what_is_due_by_it(memory_world: Callable[..., Any]) -> None:
    """F-30, F-33: after a jump forward, as after a suspension, what is overdue by the new time is started."""
    world = memory_world()
    issues = noting(world.add("ecr"))
    async with running(world):
        await next_of(issues)
        await idle()
        world.clock.set_wall(world.clock.now() + 7 * HOUR)
        world.clock.advance(timedelta(seconds=GUARD_SECONDS))
        assert await next_of(issues) == 2


async def test_steady_clocks_are_no_news(memory_world: Callable[..., Any]) -> None:
    """While both clocks go alike, nothing is said and nothing is started."""
    world = memory_world()
    issues = noting(world.add("ecr"))
    async with running(world):
        await next_of(issues)
        for _ in range(100):
            await idle(5)
            world.clock.advance(timedelta(seconds=GUARD_SECONDS))
        assert issues.empty()
        assert not [event for event in world.events if isinstance(event, ClockStepped)]


@pytest.mark.parametrize(
    ("code", "reason"), [(EVENT_JOB_MISSED, "late"), (EVENT_JOB_MAX_INSTANCES, "busy")], ids=["late", "busy"]
)
async def test_a_missed_alarm_is_told_and_made_good(memory_world: Any, code: int, reason: str) -> None:
    """An alarm that was dropped is said so, and everything is looked at."""
    world = memory_world()
    issues = noting(world.add("ecr"))
    async with running(world) as scheduler:
        await next_of(issues)
        await idle()
        world.clock.advance(7 * HOUR)
        scheduler._missed(JobExecutionEvent(code, "alarm", "default", None))
        assert await next_of(issues) == 2
    assert AlarmMissed(reason) in world.events


async def test_an_earlier_instant_moves_the_alarm(memory_world: Callable[..., Any]) -> None:
    """An alarm is set for the earliest instant known, and only moved when a rotation brings an earlier one."""
    world = memory_world()
    world.add("long").lifetime = 9 * HOUR
    world.add("short").lifetime = HOUR
    async with running(world) as scheduler:
        await idle(300)
        assert scheduler._armed == min(world.dispatcher.next_wake_at(name) for name in ("long", "short"))
        armed = scheduler._armed
        await world.rotate("long")
        await idle()
        assert scheduler._armed == armed
        assert len(scheduler._alarms.get_jobs()) == 1


async def test_a_rotation_that_outlives_the_scheduler_sets_no_alarm(memory_world: Callable[..., Any]) -> None:
    """I9: a rotation that ends after the scheduler was stopped neither fails nor leaves a timer."""
    world = memory_world()
    vendor, gate = world.add("ecr"), asyncio.Event()
    issue = vendor.issue

    async def held(order: object) -> Any:
        await gate.wait()
        return await issue(order)

    vendor.issue = held
    scheduler = Scheduler(world.dispatcher, world.clock, world.events.append, NEVER)
    running = asyncio.create_task(scheduler.run())
    await idle()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    gate.set()
    await world.dispatcher.stop(grace=SOON)
    scheduler.wake()
    await idle()

    assert world.ledger.current("ecr").generation == 1
    assert scheduler._alarms.get_jobs() == []


async def test_a_daemon_can_be_stopped_at_once(memory_world: Callable[..., Any]) -> None:
    """I9: a scheduler that is stopped before or right after it began leaves nothing behind."""
    for rounds in range(4):
        world = memory_world()
        world.add("ecr")
        async with running(world):
            await idle(rounds)
