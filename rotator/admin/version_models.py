"""The API's answers about versions, and the request for an earlier one. None holds a secret."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from rotator.admin.models import ExpiryView, Reason
from rotator.domain.history import HeldAt, KnownVersion
from rotator.domain.model import Stage


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class HeldView(_View):
    """How many placements of a target hold a version, as far as was confirmed."""

    target: str
    placements: int

    @classmethod
    def of(cls, held: HeldAt) -> Self:
        """Return the view of ``held``."""
        return cls.model_validate(held, from_attributes=True)


class VersionView(_View):
    """One issued value of a credential, without the value."""

    generation: int
    stage: Stage
    fingerprint: str
    issued_at: datetime
    age_seconds: float
    expiry: ExpiryView
    verified_at: datetime | None
    rejected_at: datetime | None
    superseded_at: datetime | None = None
    ended_at: datetime | None = None
    """When the vendor confirmed that it was ended."""
    dead_at: datetime | None = None
    """When the registry was last seen to refuse it after that."""
    withdrawn_at: datetime | None = None
    """When it was taken back, by a halted rollout or by a person."""
    leaked_at: datetime | None = None
    """When somebody said that its secret is known to others."""
    restores: int = 0
    """The generation whose secret it carries again; 0 for a secret of its own."""
    held: tuple[HeldView, ...] = ()
    """Where it was confirmed last."""
    fate: str = ""
    """What it is for, or what becomes of it."""

    @classmethod
    def of(cls, known: KnownVersion, now: datetime) -> Self:
        """Return the view of ``known`` at ``now``."""
        version = known.version
        return cls(
            generation=version.generation,
            stage=version.stage,
            fingerprint=version.fingerprint,
            issued_at=version.issued_at,
            age_seconds=(now - version.issued_at).total_seconds(),
            expiry=ExpiryView.of(version.expiry),
            verified_at=version.verified_at,
            rejected_at=version.rejected_at,
            superseded_at=version.superseded_at,
            ended_at=version.ended_at,
            dead_at=version.dead_at,
            withdrawn_at=version.withdrawn_at,
            leaked_at=version.leaked_at,
            restores=version.restores,
            held=tuple(HeldView.of(one) for one in known.held),
            fate=known.fate,
        )


class VersionList(_View):
    """The versions of one credential, newest first, and the daemon's time."""

    credential: str
    now: datetime
    versions: tuple[VersionView, ...]


class RollbackRequest(BaseModel):
    """Why a person wants an earlier version back, and which."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    reason: Annotated[Reason, Field(examples=["the new token may not pull acme/app"])]
    """Kept with the rotation; one line, 1 to 500 characters."""
    generation: Annotated[int, Field(ge=1)] | None = None
    """Which one; None for the newest that was in use before the present one."""
