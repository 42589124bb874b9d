"""How many messages a destination may be sent."""

from __future__ import annotations

BURST = 5
"""Messages in a row before the interval counts."""


class Bucket:
    """Tokens that come back one by one.

    Args:
        interval: Seconds in which one comes back, > 0.
        now: Monotonic seconds.
    """

    def __init__(self, interval: float, now: float) -> None:
        self._interval = interval
        self._tokens = float(BURST)
        self._at = now

    def wait(self, now: float) -> float:
        """Return after how many seconds a token is there; 0 when one is."""
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) * self._interval)

    def take(self, now: float) -> None:
        """Take one; call it when `wait` has said 0."""
        self._fill(now)
        self._tokens = max(0.0, self._tokens - 1.0)

    def _fill(self, now: float) -> None:
        self._tokens = min(float(BURST), self._tokens + max(0.0, now - self._at) / self._interval)
        self._at = now
