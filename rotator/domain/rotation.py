"""One rotation as a value: the steps it takes and the moves that are allowed between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Step(StrEnum):
    """Where a rotation stands. Each is journalled before it begins."""

    ISSUE = "issue"
    VERIFY = "verify"
    DELIVER = "deliver"
    PROMOTE = "promote"


class State(StrEnum):
    """Whether a rotation still runs, and how it ended."""

    RUNNING = "running"
    DELIVERING = "delivering"
    """Its version is in use; some placements still wait and are tried again alone, with the same generation."""
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    """The source still holds the value in use; nothing had to be delivered."""
    FAILED = "failed"
    ABANDONED = "abandoned"
    """Given up without a failure of its own: interrupted before it had a version, or overtaken by a newer one."""


ENDED = frozenset({State.SUCCEEDED, State.UNCHANGED, State.FAILED, State.ABANDONED})
_NEXT = {Step.ISSUE: Step.VERIFY, Step.VERIFY: Step.DELIVER, Step.DELIVER: Step.PROMOTE}


@dataclass(frozen=True, slots=True)
class Rotation:
    """One attempt to bring a new version into use.

    Args:
        id: Unique text, sortable by time.
        credential: The credential's name.
        reason: Why it was due, CamelCase.
        message: Why it was due, or what it came to once it ended.
        step: The step it is in, or ended in.
        state: Whether it still runs.
        started_at: Aware UTC.
        finished_at: Aware UTC; None while it runs.
        generation: Of the version it brings; 0 until one is issued.
        error: ``code`` of the error it ended with; empty when there was none.
        by: Who asked for it; ``schedule`` when nobody did.
        restores: The generation that is to be put back; 0 for a new version.
    """

    id: str
    credential: str
    reason: str
    message: str
    step: Step
    state: State
    started_at: datetime
    finished_at: datetime | None = None
    generation: int = 0
    error: str = ""
    by: str = "schedule"
    restores: int = 0

    @property
    def is_running(self) -> bool:
        """Whether steps remain."""
        return self.state is State.RUNNING


def advance(rotation: Rotation) -> Rotation:
    """Return ``rotation`` in its next step.

    Raises:
        ValueError: It does not run, or it is in its last step.
    """
    if not rotation.is_running or rotation.step not in _NEXT:
        raise ValueError(f"rotation {rotation.id} cannot go on from {rotation.step}, {rotation.state}")
    return replace(rotation, step=_NEXT[rotation.step])


def end(rotation: Rotation, state: State, message: str, *, at: datetime, error: str = "") -> Rotation:
    """Return ``rotation`` ended, or in ``delivering``, where its version is in use and only stragglers remain.

    Raises:
        ValueError: It had ended already, or ``state`` says that it runs.
    """
    if rotation.state in ENDED or state is State.RUNNING:
        raise ValueError(f"rotation {rotation.id} cannot go from {rotation.state} to {state}")
    return replace(rotation, state=state, message=message, error=error, finished_at=at)
