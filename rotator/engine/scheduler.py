"""Time: an alarm clock that wakes the dispatcher, and a guard that does not trust the alarm clock.

The store is the truth about what is due. APScheduler only rings: it believes the wall clock, so after a step backwards
it is silent until the clock has caught up, and it may drop a call in a burst. Therefore a loop on the monotonic clock
notices steps and looks every `reconcile` for everything overdue, whatever the alarm clock did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from rotator.domain.events import AlarmMissed, ClockStepped, Event
from rotator.engine.dispatch import Dispatcher
from rotator.ports import Clock

GUARD_SECONDS = 5.0
STEP_SECONDS = 2.0
"""A wall clock that moved this much more or less than the monotonic one was set, not slewed."""

SHORTEST_ALARM = timedelta(milliseconds=50)
LONGEST_ALARM = timedelta(days=1)
"""What is due later than this is armed again by a reconciliation pass long before."""


class Scheduler:
    """Wakes the dispatcher when something is due.

    Args:
        dispatcher: Starts what is due.
        clock: Time.
        emit: Told of clock steps and missed alarms.
        reconcile: Longest time between two looks at everything, on the monotonic clock.
    """

    def __init__(
        self, dispatcher: Dispatcher, clock: Clock, emit: Callable[[Event], None], reconcile: timedelta
    ) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._emit = emit
        self._reconcile = reconcile.total_seconds()
        self._woken = asyncio.Event()
        self._freed = asyncio.Event()
        self._armed: datetime | None = None
        self._is_ringing = False
        self.turned_at: datetime | None = None
        self._turned_ticks = clock.monotonic()
        self._alarms = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._alarms.add_listener(self._missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        dispatcher.on_finished = self._finished

    def idle_seconds(self) -> float:
        """Return how long ago everything was looked at, by the clock that nobody sets; since the start, before that."""
        return self._clock.monotonic() - self._turned_ticks

    def wake(self) -> None:
        """Have everything looked at now."""
        self._woken.set()

    async def run(self) -> None:
        """Turn for ever; cancel to stop."""
        self._alarms.start()
        self._is_ringing = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._turn_forever(), name="turns")
                group.create_task(self._refill_forever(), name="refills")
                group.create_task(self._guard_forever(), name="clock guard")
        finally:
            self._is_ringing = False
            self._alarms.shutdown(wait=False)

    async def _turn_forever(self) -> None:
        while True:
            self._woken.clear()
            await self._dispatcher.turn()
            self.turned_at, self._turned_ticks = self._clock.now(), self._clock.monotonic()
            self._armed = None
            self._arm(self._dispatcher.next_wake_at())
            try:
                async with asyncio.timeout(self._reconcile):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _refill_forever(self) -> None:
        while True:
            await self._freed.wait()
            self._freed.clear()
            await self._dispatcher.refill()

    async def _guard_forever(self) -> None:
        """Notice a wall clock that was set; the alarms are then set anew from the store's truth."""
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        while True:
            await self._clock.sleep(GUARD_SECONDS)
            now, ticks = self._clock.now(), self._clock.monotonic()
            step = clock_step(now - wall, ticks - monotonic)
            wall, monotonic = now, ticks
            if step:
                self._emit(ClockStepped(step))
                self._alarms.wakeup()
                self.wake()

    def _finished(self, name: str) -> None:
        """Set the alarm for a credential whose rotation ended, and let a waiting one have its slot."""
        self._arm(self._dispatcher.next_wake_at(name))
        self._freed.set()

    def _arm(self, at: datetime | None) -> None:
        """Have the alarm ring at ``at`` unless it rings earlier already."""
        if at is None or (self._armed is not None and self._armed <= at) or not self._is_ringing:
            return
        self._armed = at
        wait = min(max(at - self._clock.now(), SHORTEST_ALARM), LONGEST_ALARM)
        run_at = datetime.now(UTC) + wait  # noqa: TID251 (APScheduler reads the machine's clock, so this must too)
        self._alarms.add_job(self._ring, "date", run_date=run_at, id="alarm", replace_existing=True)

    async def _ring(self) -> None:
        """Wake up, on the event loop: a plain function would be called on a thread, where no event may be set."""
        self.wake()

    def _missed(self, event: JobExecutionEvent) -> None:
        self._emit(AlarmMissed("late" if event.code == EVENT_JOB_MISSED else "busy"))
        self.wake()


def clock_step(wall: timedelta, monotonic_seconds: float) -> float:
    """Return by how many seconds the wall clock was set while ``monotonic_seconds`` passed; 0 when it was not."""
    step = wall.total_seconds() - monotonic_seconds
    return step if abs(step) >= STEP_SECONDS else 0.0
