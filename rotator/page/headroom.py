"""What is left of registries' pull limits, and how long it lasts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.domain.headroom import ANONYMOUS, Counted, HeadroomState, LimitStatus
from rotator.domain.words import span
from rotator.page.words import Badge, Moment, Tone, badge, moment, relative

LOW_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Level:
    """One pull limit.

    Args:
        registry: The registry's host.
        who: Whose pulls it counts.
        state: In one word.
        left: ``76 of 100 in 6h``.
        percent: What is left, in [0, 100]; None when that cannot be told.
        forecast: When it will be used up, in a few words.
        told: When the registry said so.
    """

    registry: str
    who: str
    state: Badge
    left: str
    percent: int | None
    forecast: str
    told: Moment


def levels_of(limits: Sequence[LimitStatus], now: datetime) -> tuple[Level, ...]:
    """Return every limit, the emptiest first."""
    levels = [_level(one, now) for one in limits]
    return tuple(sorted(levels, key=lambda one: (101 if one.percent is None else one.percent, one.registry, one.who)))


def _level(limit: LimitStatus, now: datetime) -> Level:
    sample = limit.sample
    return Level(
        registry=sample.registry,
        who=_who(sample.credential, sample.headroom.source),
        state=badge(*_state(limit, now)),
        left=_left(limit),
        percent=_percent(limit),
        forecast=_forecast(limit, now),
        told=moment(sample.at, now),
    )


def _who(credential: str, source: Counted) -> str:
    asked = "without a login" if credential == ANONYMOUS else credential
    of = {Counted.ADDRESS: "of this address", Counted.ACCOUNT: "of its account", Counted.UNKNOWN: ""}[source]
    return f"{asked}, {of}" if of else asked


def _state(limit: LimitStatus, now: datetime) -> tuple[Tone, str]:
    told, percent = limit.sample.headroom, _percent(limit)
    if told.state is HeadroomState.UNLIMITED:
        return Tone.OK, "no limit"
    if told.state is HeadroomState.UNKNOWN:
        return Tone.QUIET, "unknown"
    if told.remaining == 0:
        return Tone.BAD, "used up"
    if limit.exhausted_at is not None and limit.exhausted_at > now:
        return Tone.WARN, "running out"
    return (Tone.WARN, "low") if percent is not None and percent < LOW_PERCENT else (Tone.OK, "enough")


def _left(limit: LimitStatus) -> str:
    told = limit.sample.headroom
    if told.state is not HeadroomState.LIMITED:
        return ""
    whole = "" if told.limit is None else f" of {told.limit:,}"
    window = "" if told.window_seconds is None else f" in {span(timedelta(seconds=told.window_seconds))}"
    return f"{told.remaining:,}{whole}{window}"


def _percent(limit: LimitStatus) -> int | None:
    told = limit.sample.headroom
    if told.remaining is None or not told.limit:
        return None
    return min(100, round(100 * told.remaining / told.limit))


def _forecast(limit: LimitStatus, now: datetime) -> str:
    told, at = limit.sample.headroom, limit.exhausted_at
    if told.state is not HeadroomState.LIMITED:
        return ""
    if at is None:
        return "lasts, at the rate of late"
    if at > now:
        return f"used up {relative(at, now)}, at the rate of late"
    return f"used up since {relative(at, now)}" if told.remaining == 0 else "used up about now"
