"""When a placement may be written: maintenance windows and a shortest time between two writes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from rotator.domain.schedule import left_of_pause

if TYPE_CHECKING:
    from rotator.domain.model import Version

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of each day.

    Where the clocks are put forward, an hour that does not exist begins with the next one that does, and a window that
    would be left without a minute keeps its length. Where they are put back, it opens the first time and closes last.

    Args:
        start: When it opens, in ``zone``.
        end: When it closes; on the next day when that is not later than ``start``.
        zone: Whose hours.
    """

    start: time
    end: time
    zone: tzinfo

    def next_open(self, at: datetime) -> datetime:
        """Return the earliest instant from ``at`` on at which it is open: ``at`` itself while it is. Aware UTC."""
        today = at.astimezone(self.zone).date()
        spans = (self._on(today + DAY * days) for days in (-1, 0, 1))
        return next(max(at, opens) for opens, closes in spans if at < closes)

    def _on(self, day: date) -> tuple[datetime, datetime]:
        """Return when it opens on ``day``, and when it closes then. UTC."""
        nominal = timedelta(hours=self.end.hour - self.start.hour, minutes=self.end.minute - self.start.minute) % DAY
        opens = datetime.combine(day, self.start, self.zone).astimezone(UTC)
        last = day if self.start < self.end else day + DAY
        # Of an hour that comes twice the second one closes it, and so does the later reading of one that never comes.
        ends = (datetime.combine(last, self.end.replace(fold=fold), self.zone).astimezone(UTC) for fold in (0, 1))
        closes = max(ends)
        return opens, closes if closes > opens else opens + nominal

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone}"


@dataclass(frozen=True, slots=True)
class Timing:
    """When placements of one target may be written.

    Args:
        min_interval: Shortest time between two writes to one placement; zero for none.
        windows: Hours in which they may be written; none for any time.
    """

    min_interval: timedelta = timedelta()
    windows: tuple[Window, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is any rule."""
        return bool(self.min_interval or self.windows)

    def earliest(self, written_at: datetime | None, now: datetime) -> datetime:
        """Return when the shortest time since the last write is over; ``now`` where it is."""
        return now if written_at is None else now + left_of_pause(written_at, self.min_interval, now)

    def next_chance(self, written_at: datetime | None, now: datetime) -> datetime:
        """Return when a placement that was last written at ``written_at`` may be written again; ``now`` at once."""
        earliest = self.earliest(written_at, now)
        return min((window.next_open(earliest) for window in self.windows), default=earliest)


@dataclass(frozen=True, slots=True)
class Step:
    """One version taking another one's place.

    Args:
        held: What the placement holds; None when that is not known, or not kept any more.
        wanted: What it is to hold.
        budget: The credential's outage budget.
        written_at: When the placement was last written; None when it is not known to have been.
    """

    held: Version | None
    wanted: Version
    budget: timedelta
    written_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a placement is not written yet.

    Args:
        until: When it may be. Aware UTC.
        message: The same in a sentence.
    """

    until: datetime
    message: str


def wait_for(step: Step, timing: Timing, now: datetime) -> Wait | None:
    """Return how long ``step`` has to wait for its turn; None when it is to be done now.

    Nothing waits that would leave the placement without a valid login: what is held and expires before the next chance,
    or within the outage budget after it; what has leaked, is refused, or was ended or taken back.
    """
    chance = timing.next_chance(step.written_at, now)
    if chance <= now or _is_urgent(step, chance):
        return None
    if chance > timing.earliest(step.written_at, now):
        return Wait(chance, f"waits for its window, which opens at {chance:%Y-%m-%d %H:%M} UTC")
    return Wait(chance, f"waits until {chance:%Y-%m-%d %H:%M} UTC, so that it is not written too often")


def _is_urgent(step: Step, chance: datetime) -> bool:
    held, wanted = step.held, step.wanted
    if held is None or wanted.restores:
        return True
    if any((held.leaked_at, held.rejected_at, held.withdrawn_at, held.ended_at, held.dead_at)):
        return True
    is_overwritten = held.handle != "" and held.handle == wanted.handle
    return is_overwritten or held.expiry.is_past(chance + step.budget)
