"""The API's answers about plans. No field holds a secret; versions are told apart by keyed fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from rotator.domain.plan import CredentialPlan, digest, lines

Names = Annotated[tuple[Annotated[str, Field(max_length=63)], ...], Field(max_length=500)]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True)


class OddView(_View):
    """A placement that is not as it should be."""

    placement: str
    what: str


class TargetPlanView(_View):
    """What would happen to one credential at one target."""

    target: str
    kind: str
    placements: int
    canaries: int
    """Of them, those that a person named to be first."""
    waves: tuple[int, ...]
    """How many of the others are written in each wave; 0 in some, where small targets share their waves."""
    read: int
    """Of them, those that were read for this plan."""
    odd: tuple[OddView, ...]
    """Behind, changed by somebody else, or unreadable; at most 20."""
    odd_count: int
    refused: tuple[str, ...]
    """Where policy keeps the credential from; at most 20."""
    refused_count: int
    error: str
    """Why its placements could not be listed; empty when they could."""


class EndingView(_View):
    """What would be done about an old version now."""

    generation: int
    fingerprint: str
    action: str
    why: str


class CredentialPlanView(_View):
    """What would happen to one credential."""

    name: str
    rotates: bool
    reason: str
    """Empty when nothing is due."""
    message: str
    not_before: datetime | None
    """Until when an attempt by schedule is held back."""
    step: str
    """Where the rotation would begin: ``verify`` adopts what is pending, ``issue`` asks for a new version."""
    next_generation: int
    generation: int
    """Of the version in use; 0 for none."""
    fingerprint: str
    pending: int
    pending_fingerprint: str
    source: str
    """What its source holds now, as a fingerprint of its revision, or why that is not known; empty for none."""
    running: str
    """Id of the rotation that runs now."""
    targets: tuple[TargetPlanView, ...]
    endings: tuple[EndingView, ...]


class PlanView(_View):
    """What would happen, and everything that it depends on."""

    made_at: datetime
    names: tuple[str, ...]
    """What was asked about; empty for all credentials."""
    asked: tuple[str, ...]
    """Those that are rotated though nothing is due."""
    digest: str
    """Stands for ``lines``; whoever applies the plan sends it back."""
    lines: dict[str, str]
    """All that the plan depends on; equal as long as nothing of it changes."""
    credentials: tuple[CredentialPlanView, ...]

    @classmethod
    def of(cls, plans: Sequence[CredentialPlan], made_at: datetime, names: Sequence[str], asked: Sequence[str]) -> Self:
        """Return the view of ``plans``."""
        all_lines = lines(plans)
        return cls(
            made_at=made_at,
            names=tuple(names),
            asked=tuple(asked),
            digest=digest(all_lines),
            lines=all_lines,
            credentials=tuple(CredentialPlanView.model_validate(one) for one in plans),
        )


class Application(BaseModel):
    """A plan that is to be done."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    names: Names = ()
    """As in the plan."""

    asked: Names = ()
    """As in the plan."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """As in the plan."""


class Started(_View):
    """A rotation that a plan asked for."""

    credential: str
    rotation: str
    joined: bool


class AppliedPlan(_View):
    """What was started; empty when the plan had nothing to rotate."""

    rotations: tuple[Started, ...]
