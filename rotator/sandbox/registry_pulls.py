"""Docker Hub's pull limit, as the sandbox registry imitates it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.ports import Clock


@dataclass(frozen=True, slots=True)
class _Window:
    began_at: datetime
    pulls: int


class PullMeter:
    """Counts pulls per source in a window that begins with the first of them.

    Headers as Docker documents them (https://docs.docker.com/docker-hub/usage/pulls/, read 2026-11-23).

    Args:
        clock: Decides when a window is over.
        limit: Pulls per window, >= 0; None for no limit and no headers.
        window: Length of a window.
    """

    def __init__(self, clock: Clock, *, limit: int | None, window: timedelta) -> None:
        self._clock = clock
        self._limit = limit
        self._window = window
        self._windows: dict[str, _Window] = {}

    def take(self, source: str) -> bool:
        """Count one pull of ``source``; return False, and count nothing, when its limit is reached."""
        window = self._current(source)
        if self._limit is not None and window.pulls >= self._limit:
            return False
        self._windows[source] = _Window(window.began_at, window.pulls + 1)
        return True

    def headers(self, source: str) -> dict[str, str]:
        """Return the headers that tell ``source`` what it has left; none without a limit."""
        if self._limit is None:
            return {}
        suffix = f";w={int(self._window.total_seconds())}"
        left = max(0, self._limit - self._current(source).pulls)
        return {
            "ratelimit-limit": f"{self._limit}{suffix}",
            "ratelimit-remaining": f"{left}{suffix}",
            "docker-ratelimit-source": source,
        }

    def _current(self, source: str) -> _Window:
        now = self._clock.now()
        window = self._windows.get(source)
        return window if window is not None and now < window.began_at + self._window else _Window(now, 0)


def source_of(username: str, address: str) -> str:
    """Return whose limit a pull counts against: an account's id, or the caller's address without a login."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{username}.accounts.sandbox")) if username else address
