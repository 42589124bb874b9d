"""One issued value for everybody who asks for the same identity at about the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from rotator.domain.model import Issued
from rotator.errors import RateLimitedError
from rotator.ports import Clock

REUSE_SECONDS = 60.0
"""How long a value that was just issued serves others: one pass over many due credentials takes less."""

REUSE_LIFE = 0.9
"""Share of its whole life that a value must still have before it to serve others."""

QUIET = timedelta(seconds=5)
"""How long nobody asks again after a vendor said "slow down" without saying for how long."""


@dataclass(frozen=True, slots=True)
class _Landed:
    """How a flight ended, and until when (monotonic seconds) that holds for others."""

    outcome: Issued | RateLimitedError
    until: float


class Shared:
    """Keeps one flight per identity in the air, and its result for a short while afterwards.

    One instance per process; every provider context carries it. Use it from one event loop.

    Args:
        clock: Time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flights: dict[str, asyncio.Task[Issued]] = {}
        self._landed: dict[str, _Landed] = {}

    async def issue(self, identity: str, mint: Callable[[], Awaitable[Issued]]) -> Issued:
        """Return what ``mint`` returns, calling it at most once for all who ask for ``identity`` meanwhile.

        Whoever asks while a call runs waits for that call; whoever asks within `REUSE_SECONDS` after it gets its
        result if that has most of its life before it. An error reaches everybody who waited and is then forgotten,
        except "slow down", which holds for as long as the vendor asked. A caller that is cancelled leaves the call
        to the others.

        Args:
            identity: See `rotator.ports.Provider.identity`.
            mint: Asks the vendor. Must end by itself within its own deadline.

        Raises:
            RotatorError: As ``mint``.
        """
        self._forget()
        landed = self._landed.get(identity)
        if landed is not None:
            return self._again(landed)
        flight = self._flights.get(identity)
        if flight is None:
            flight = self._flights[identity] = asyncio.create_task(self._fly(identity, mint))
            flight.add_done_callback(_mark_seen)
        return await asyncio.shield(flight)

    async def _fly(self, identity: str, mint: Callable[[], Awaitable[Issued]]) -> Issued:
        try:
            issued = await mint()
        except RateLimitedError as error:
            self._land(identity, error, (error.retry_after or QUIET).total_seconds())
            raise
        else:
            self._land(identity, issued, REUSE_SECONDS)
            return issued
        finally:
            del self._flights[identity]

    def _land(self, identity: str, outcome: Issued | RateLimitedError, seconds: float) -> None:
        self._landed[identity] = _Landed(outcome, self._clock.monotonic() + seconds)

    def _again(self, landed: _Landed) -> Issued:
        if isinstance(landed.outcome, Issued):
            return landed.outcome
        wait = timedelta(seconds=landed.until - self._clock.monotonic())
        raise RateLimitedError(landed.outcome.message, hint=landed.outcome.hint, retry_after=wait)

    def _forget(self) -> None:
        """Drop what no longer serves, of every identity: a secret stays in memory no longer than it is of use."""
        now = self._clock.monotonic()
        stale = [key for key, landed in self._landed.items() if landed.until <= now or not self._is_young(landed)]
        for key in stale:
            del self._landed[key]

    def _is_young(self, landed: _Landed) -> bool:
        if isinstance(landed.outcome, RateLimitedError):
            return True
        issued = landed.outcome
        left = issued.expiry.left(self._clock.now())
        if left is None or issued.expiry.at is None:
            return False
        whole = issued.expiry.at - issued.issued_at
        return whole > timedelta() and left >= whole * REUSE_LIFE


def _mark_seen(flight: asyncio.Task[Issued]) -> None:
    """Take note of a failure, so that asyncio does not report it as lost when every caller was cancelled."""
    if not flight.cancelled():
        flight.exception()
