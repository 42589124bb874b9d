"""The only reader of time. Everything else is given a `Clock`."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's clocks.

    `now` may jump when the machine's time is corrected; `monotonic` never goes back.
    """

    def now(self) -> datetime:
        """Return the wall-clock time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary point; for measuring durations only."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait at least ``seconds``; cancelling the task interrupts it at once."""
        await asyncio.sleep(seconds)
