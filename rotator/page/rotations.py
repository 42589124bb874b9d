"""The latest rotations: why, how far, how long each step took. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.rotation import Rotation, State, Step
from rotator.domain.words import span
from rotator.page.words import Badge, Moment, Tone, badge, brief, moment, of_state

_WENT_WELL = frozenset({State.SUCCEEDED, State.DELIVERING, State.UNCHANGED})


@dataclass(frozen=True, slots=True)
class Stride:
    """One step of a rotation.

    Args:
        name: The step.
        state: ``done``, ``runs``, ``failed`` or ``not reached``.
        seconds: How long it took; empty when that is not known.
    """

    name: str
    state: Badge
    seconds: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One rotation.

    Args:
        id: Its id.
        credential: The credential's name.
        state: In one word.
        reason: Why it was due, CamelCase.
        by: Who asked for it.
        message: Why it was due, or what it came to.
        generation: What it brought; empty for none.
        started: When it began.
        took: How long it took, or has taken; empty where nobody knows.
        strides: Its steps in order; empty where the source had nothing new.
    """

    id: str
    credential: str
    state: Badge
    reason: str
    by: str
    message: str
    generation: str
    started: Moment
    took: str
    strides: tuple[Stride, ...]


def attempts_of(
    rotations: Sequence[Rotation], seconds_of: Callable[[str], Mapping[str, float]], now: datetime
) -> tuple[Attempt, ...]:
    """Return ``rotations`` as they are shown, in the same order.

    Args:
        rotations: Newest first.
        seconds_of: Returns the durations of the steps of a rotation, by its id; of what is not known, nothing.
        now: Aware UTC.
    """
    return tuple(_attempt(one, seconds_of(one.id), now) for one in rotations)


def _attempt(rotation: Rotation, seconds: Mapping[str, float], now: datetime) -> Attempt:
    ended = rotation.finished_at if rotation.finished_at is not None else now
    return Attempt(
        id=rotation.id,
        credential=rotation.credential,
        state=of_state(rotation.state),
        reason=rotation.reason,
        by=rotation.by,
        message=rotation.message,
        generation=str(rotation.generation or ""),
        started=moment(rotation.started_at, now),
        took=span(ended - rotation.started_at),
        strides=tuple(_stride(step, rotation, seconds) for step in Step),
    )


def _stride(step: Step, rotation: Rotation, seconds: Mapping[str, float]) -> Stride:
    took = brief(seconds[step.value]) if step.value in seconds else ""
    return Stride(step.value, badge(*_stride_state(step, rotation)), took)


def _stride_state(step: Step, rotation: Rotation) -> tuple[Tone, str]:
    order = list(Step)
    if order.index(step) < order.index(rotation.step):
        return Tone.OK, "done"
    if order.index(step) > order.index(rotation.step):
        return Tone.QUIET, "not reached"
    if rotation.state is State.RUNNING:
        return Tone.BUSY, "runs"
    if rotation.state in _WENT_WELL:
        return Tone.OK, "done"
    return (Tone.BAD, "failed") if rotation.state is State.FAILED else (Tone.QUIET, "given up")
