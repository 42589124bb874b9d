"""The API's answers about leaks, and the report of one. None holds a secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from rotator.admin.models import Reason
from rotator.domain.leak import LeakProgress, LeakStep, Waits


def _utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this instant is in no year from 1 to 9999 in UTC; write another one") from error


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""An instant with its zone, as UTC."""


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class LeakReport(BaseModel):
    """What happened."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    reason: Annotated[Reason, Field(examples=["the token was pushed to a public repository"])]
    """Kept with the rotation and in the audit; one line, 1 to 500 characters."""
    issued_before: Instant | None = None
    """Only versions that were obtained before it leaked; None for every one that was ever in use."""


class StepView(_View):
    """One thing that must come about."""

    name: str
    """``replaced``, ``delivered``, ``ended`` or ``dead``."""
    is_done: bool
    message: str
    """What is known of it, or what a person must do."""
    waits_for: Waits
    """Who or what brings it about, where it is not done."""

    @classmethod
    def of(cls, step: LeakStep) -> Self:
        """Return the view of ``step``."""
        return cls.model_validate(step, from_attributes=True)


class LeakView(_View):
    """How far the response to a leak has come."""

    credential: str
    reported_at: datetime | None
    """When the leak was reported last; None when none was."""
    is_over: bool
    """Whether every leaked secret is replaced at every required target and was shown to be dead, or has expired."""
    steps: tuple[StepView, ...]
    """In order; none when no leak was reported."""

    @classmethod
    def of(cls, progress: LeakProgress) -> Self:
        """Return the view of ``progress``."""
        return cls(
            credential=progress.credential,
            reported_at=progress.reported_at,
            is_over=progress.is_over,
            steps=tuple(StepView.of(step) for step in progress.steps),
        )


class LeakList(_View):
    """What is not over yet, and what is older than an instant."""

    now: datetime
    credentials: int
    """Configured."""
    older: tuple[str, ...]
    """Whose version in use was obtained before the instant that was asked about, or that have none."""
    open: tuple[LeakView, ...]
    """Responses to leaks that are not over."""
