"""A clock that stands still until a test moves it, and a plain HTTP client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from rotator.ports import Clock


class HeldClock:
    """Shows one instant until it is told to advance."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the instant."""
        return self._now

    def monotonic(self) -> float:
        """Return the instant as seconds."""
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Advance instead of waiting."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self._now += by


@pytest.fixture(name="held")
def _held() -> HeldClock:
    return HeldClock()


@pytest.fixture
def clock(held: HeldClock) -> Clock:
    """Return the clock that the servers of a test use."""
    return held


@pytest.fixture
def advance(held: HeldClock) -> Callable[[timedelta], None]:
    """Return a function that moves the clock."""
    return held.advance


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a plain client."""
    async with aiohttp.ClientSession() as session:
        yield session
