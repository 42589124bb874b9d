"""A clock that is moved by hand: for tests, and for trying out what a day does in a second."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class ManualClock:
    """A `rotator.ports.Clock` that stands still until it is moved.

    Args:
        start: Where the wall clock begins, aware UTC.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._wall = start
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the wall-clock time."""
        return self._wall

    def monotonic(self) -> float:
        """Return the monotonic seconds."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved by ``seconds``; 0 lets others run once."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sleeper = (self._monotonic + seconds, future)
        self._sleepers.append(sleeper)
        try:
            await future
        finally:
            if sleeper in self._sleepers:  # it was cancelled
                self._sleepers.remove(sleeper)

    @property
    def is_slept_on(self) -> bool:
        """Whether somebody waits for time to pass."""
        return bool(self._sleepers)

    @property
    def sleeps(self) -> list[float]:
        """The seconds that are left to everybody who waits for time to pass, shortest first."""
        return sorted(until - self._monotonic for until, _ in self._sleepers)

    def advance(self, duration: timedelta) -> None:
        """Let ``duration`` pass on both clocks and wake whoever has slept long enough."""
        self._wall += duration
        self._monotonic += duration.total_seconds()
        due = [future for until, future in self._sleepers if until <= self._monotonic]
        self._sleepers = [(until, future) for until, future in self._sleepers if until > self._monotonic]
        for future in due:
            if not future.done():
                future.set_result(None)

    def set_wall(self, at: datetime) -> None:
        """Set the wall clock as an administrator would; the monotonic one goes on as if nothing had happened."""
        self._wall = at
