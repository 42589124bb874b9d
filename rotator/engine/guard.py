"""Stops trying before a registry locks us out: refusals are counted per registry host.

GitLab bans an address after 30 refusals in 3 minutes, Docker Hub locks an account for 10 minutes
(docs.gitlab.com rate limits; docker/hub-feedback issue 2201; read 2026-11). Three in a row is far below both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rotator.errors import RateLimitedError
from rotator.ports import Clock

REFUSALS = 3
PAUSE = timedelta(minutes=10)
LONGEST_PAUSE = timedelta(hours=1)


@dataclass(slots=True)
class _Record:
    refusals: int = 0
    closed_until: float = 0.0


class Guard:
    """Counts refusals in a row per registry host and holds back while it is closed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}

    def check(self, host: str) -> None:
        """Return if ``host`` may be shown a login.

        Raises:
            RateLimitedError: It refused too often of late; ``retry_after`` says when it may be asked again.
        """
        record = self._records.get(host)
        left = record.closed_until - self._clock.monotonic() if record else 0.0
        if record is not None and left > 0:
            raise RateLimitedError(
                f"{host} refused {record.refusals} logins in a row; not asked again, so that it does not lock us out",
                hint="Mend the credential at its source; the next try comes by itself",
                retry_after=timedelta(seconds=left),
            )

    def accepted(self, host: str) -> None:
        """Take note that ``host`` accepted a login."""
        self._records.pop(host, None)

    def refused(self, host: str) -> None:
        """Take note that ``host`` refused a login; the third in a row closes it, for longer each time."""
        record = self._records.setdefault(host, _Record())
        record.refusals += 1
        if record.refusals >= REFUSALS:
            pause = min(PAUSE * int(2 ** min(record.refusals - REFUSALS, 4)), LONGEST_PAUSE)
            record.closed_until = self._clock.monotonic() + pause.total_seconds()

    def closed(self) -> frozenset[str]:
        """Return the hosts that are held back now."""
        now = self._clock.monotonic()
        return frozenset(host for host, record in self._records.items() if record.closed_until > now)
