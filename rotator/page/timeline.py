"""When what is in use ends: one bar per credential on one axis of time, the soonest first. Pure.

The axis is logarithmic around now, so that an hour and a year fit on a telephone and the next hours have most room.
Positions are percentages, so that a drawing is as wide as there is room, and its text stays readable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rotator.domain.attention import Kind, needs_of
from rotator.domain.model import Version
from rotator.domain.status import CredentialStatus
from rotator.domain.words import span
from rotator.page.words import Moment, Tone, maybe, relative

NOW_X = 24.0
"""Where now is, in percent of the width."""
END_X = 97.0
"""Where the furthest expiry is."""
MIN_GAP = 11.0
"""Percent between two marks of the axis."""
MOST_DETAIL = timedelta(minutes=5)
"""Below it the axis is about linear, unless everything shown ends sooner."""
NICE = tuple(
    timedelta(seconds=seconds)
    for seconds in (10, 30, 60, 300, 900, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400, 365 * 86_400)
)
"""Durations that are marked, and that the axis may end with."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of the axis.

    Args:
        x: Percent of the width.
        text: Distance from now.
    """

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The life of one credential's version in use.

    Args:
        name: The credential's name.
        tone: How loudly its end is shown.
        issued_x: Where it begins, in percent; 0 when that is further back than the axis.
        end_x: Where it ends; 100 when it has no known end.
        is_open: Whether it has no known end.
        renewal_x: Where it is planned to be replaced; None when nothing is planned.
        text: All of that in a sentence.
        short: When it ends, in a few words.
        expiry: The instant; None when none is known.
    """

    name: str
    tone: Tone
    issued_x: float
    end_x: float
    is_open: bool
    renewal_x: float | None
    text: str
    short: str
    expiry: Moment | None

    @property
    def past_width(self) -> float:
        """Width of the part that is over, in percent."""
        return max(0.0, round(min(self.end_x, NOW_X) - self.issued_x, 2))

    @property
    def left_x(self) -> float:
        """Where the part that is left begins, in percent."""
        return max(self.issued_x, NOW_X)

    @property
    def left_width(self) -> float:
        """Width of that part, in percent; 0 when nothing is left."""
        return max(0.0, round(self.end_x - self.left_x, 2))


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bars on one axis.

    Args:
        now_x: Where now is, in percent.
        marks: What is written at the axis, left to right.
        bars: The soonest end first; those without a known end last.
    """

    now_x: float
    marks: tuple[Mark, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Maps distances from now to percentages: zero to now, both horizons to the edges.

    Args:
        ahead: The furthest that is shown, > 0.
        back: The same of the past, > 0.
    """

    ahead: timedelta
    back: timedelta

    def x(self, distance: timedelta) -> float:
        if distance >= timedelta():
            return round(NOW_X + (END_X - NOW_X) * _share(distance, self.ahead), 2)
        return round(NOW_X - NOW_X * _share(-distance, self.back), 2)


def timeline_of(statuses: Sequence[CredentialStatus], now: datetime) -> Timeline:
    """Return the bars of all that have a version in use."""
    lives = sorted(((one, one.current) for one in statuses if one.current is not None), key=_soonest_first)
    axis = _Axis(
        _horizon(version.expiry.at - now for _, version in lives if version.expiry.at is not None),
        _horizon(now - version.issued_at for _, version in lives),
    )
    bars = tuple(_bar(status, version, axis, now) for status, version in lives)
    return Timeline(NOW_X, _marks(axis), bars)


def _soonest_first(life: tuple[CredentialStatus, Version]) -> tuple[bool, datetime, str]:
    status, version = life
    return version.expiry.at is None, version.expiry.at or datetime.max.replace(tzinfo=UTC), status.name


def _bar(status: CredentialStatus, version: Version, axis: _Axis, now: datetime) -> Bar:
    expires_at, renewal_at = version.expiry.at, status.renewal_at
    end = _end(version, now)
    renewal = f", renewal {relative(renewal_at, now)}" if renewal_at is not None else ""
    return Bar(
        name=status.name,
        tone=_tone(status, version, now),
        issued_x=axis.x(version.issued_at - now),
        end_x=100.0 if expires_at is None else axis.x(expires_at - now),
        is_open=expires_at is None,
        renewal_x=None if renewal_at is None else axis.x(renewal_at - now),
        text=f"{status.name}: issued {relative(version.issued_at, now)}{renewal}, {end}",
        short=end,
        expiry=maybe(expires_at, now),
    )


def _end(version: Version, now: datetime) -> str:
    at = version.expiry.at
    if at is None:
        return "never expires" if version.expiry.never else "nobody told its end"
    return f"expires in {span(at - now)}" if at > now else f"expired {span(now - at)} ago"


def _tone(status: CredentialStatus, version: Version, now: datetime) -> Tone:
    left = version.expiry.left(now)
    if left is None:
        return Tone.QUIET
    if left <= timedelta():
        return Tone.BAD
    is_overdue = status.renewal_at is not None and status.renewal_at < now
    is_ending = any(one.kind is Kind.EXPIRING for one in needs_of([status], now))
    return Tone.WARN if is_overdue or is_ending else Tone.OK


def _horizon(distances: Iterable[timedelta]) -> timedelta:
    """Return the smallest nice duration that holds all ``distances``; the largest where none does."""
    longest = max(distances, default=timedelta())
    return next((one for one in NICE if one >= longest), NICE[-1])


def _share(distance: timedelta, horizon: timedelta) -> float:
    detail = min(MOST_DETAIL, horizon / 100)
    return min(1.0, math.log1p(distance / detail) / math.log1p(horizon / detail))


def _marks(axis: _Axis) -> tuple[Mark, ...]:
    """Return as many marks as have room, from the far end to now."""
    marks: list[Mark] = []
    for distance in (one for one in reversed(NICE) if one <= axis.ahead):
        x = axis.x(distance)
        if x - NOW_X >= MIN_GAP and (not marks or marks[0].x - x >= MIN_GAP):
            marks.insert(0, Mark(x, span(distance)))
    return tuple(marks)
