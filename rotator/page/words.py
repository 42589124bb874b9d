"""How instants, durations and states are put: complete without colour, and never surer than what is known. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.domain.rotation import State
from rotator.domain.status import Health
from rotator.domain.words import span


class Tone(StrEnum):
    """How loudly something is shown; beside its word and its shape, never instead of them."""

    BAD = "bad"
    WARN = "warn"
    BUSY = "busy"
    OK = "ok"
    QUIET = "quiet"
    """Nothing is to be said of it, or nothing is known."""


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in one word.

    Args:
        tone: How loudly.
        shape: One character, different for each tone, for whoever sees no colours. Not read aloud.
        word: The state.
    """

    tone: Tone
    shape: str
    word: str


SHAPES = {
    Tone.BAD: "\N{MULTIPLICATION X}",
    Tone.WARN: "\N{BLACK UP-POINTING TRIANGLE}",
    Tone.BUSY: "\N{BLACK RIGHT-POINTING TRIANGLE}",
    Tone.OK: "\N{CHECK MARK}",
    Tone.QUIET: "\N{EN DASH}",
}

HEALTHS = {
    Health.EXPIRED: Tone.BAD,
    Health.REJECTED: Tone.BAD,
    Health.MISSING: Tone.BAD,
    Health.FAILING: Tone.WARN,
    Health.PARTIAL: Tone.WARN,
    Health.OK: Tone.OK,
}

STATES = {
    State.RUNNING: Tone.BUSY,
    State.DELIVERING: Tone.WARN,
    State.SUCCEEDED: Tone.OK,
    State.UNCHANGED: Tone.OK,
    State.FAILED: Tone.BAD,
    State.ABANDONED: Tone.QUIET,
}


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as it is shown.

    Args:
        iso: For machines, RFC 3339.
        utc: The same for people: ``12:04 UTC``, with the date on another day.
        relative: ``4m ago``, ``in 2h 5m``, ``now``.
    """

    iso: str
    utc: str
    relative: str


def badge(tone: Tone, word: str) -> Badge:
    """Return the badge of a state."""
    return Badge(tone, SHAPES[tone], word)


def of_health(health: Health) -> Badge:
    """Return the badge of a credential's health."""
    return badge(HEALTHS[health], health.value)


def of_state(state: State) -> Badge:
    """Return the badge of a rotation's state."""
    return badge(STATES[state], state.value)


def moment(at: datetime, now: datetime) -> Moment:
    """Return how ``at`` is shown at ``now``, both aware UTC."""
    text = f"{at:%H:%M} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M} UTC"
    return Moment(f"{at:%Y-%m-%dT%H:%M:%SZ}", text, relative(at, now))


def maybe(at: datetime | None, now: datetime) -> Moment | None:
    """Return how ``at`` is shown; None when it is None."""
    return None if at is None else moment(at, now)


def relative(at: datetime, now: datetime) -> str:
    """Return how far ``at`` is from ``now``."""
    if abs(at - now) < timedelta(seconds=1):
        return "now"
    return f"in {span(at - now)}" if at > now else f"{span(now - at)} ago"


def brief(seconds: float) -> str:
    """Return a measured duration: ``0.42 s`` below ten seconds, else as `span`."""
    return f"{seconds:.2f} s" if seconds < 10 else span(timedelta(seconds=seconds))  # noqa: PLR2004
