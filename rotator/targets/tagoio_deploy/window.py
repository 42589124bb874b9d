"""A maintenance window: hours of the day in which something may be deployed. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_WRITTEN = re.compile(r"(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)(?: (?P<zone>[A-Za-z0-9_+/-]{1,64}))?", re.ASCII)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of each day.

    Args:
        start: When it opens, in ``zone``.
        end: When it closes; on the next day when that is not later than ``start``.
        zone: Whose hours.
    """

    start: time
    end: time
    zone: ZoneInfo

    def opens_in(self, now: datetime) -> timedelta:
        """Return how long it is until the window opens; zero while it is open.

        Args:
            now: Aware.
        """
        local = now.astimezone(self.zone)
        at = local.time()
        is_open = self.start <= at < self.end if self.start < self.end else at >= self.start or at < self.end
        if is_open:
            return timedelta()
        opening = datetime.combine(local.date(), self.start, self.zone)
        if at >= self.start:
            opening = datetime.combine(local.date() + DAY, self.start, self.zone)
        return opening.astimezone(UTC) - now


def parse_window(text: str) -> Window:
    """Return the window that ``text`` writes, such as ``02:00-04:00 Europe/Berlin``; without a zone in UTC.

    Raises:
        ValueError: It does not; or nobody on this machine knows the zone.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a window; write hours of the day, such as 02:00-04:00 Europe/Berlin")
    try:
        start, end = time.fromisoformat(found["start"]), time.fromisoformat(found["end"])
    except ValueError as error:
        raise ValueError(f"{text!r}: an hour is from 00 to 23, a minute from 00 to 59") from error
    try:
        zone = ZoneInfo(found["zone"] or "UTC")
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"{found['zone']} is not a time zone that this machine knows; leave it out for UTC") from error
    return Window(start, end, zone)
