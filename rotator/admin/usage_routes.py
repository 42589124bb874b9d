"""The admin API's path about what depends on a credential."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from rotator.admin.models import ExpiryView, ImageView
from rotator.admin.routes import UsedContext
from rotator.domain.usage import Holder, Usage

SHOWN = 1000
"""Placements named per target; of more, the number is told."""


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class HolderView(_View):
    """One target that holds the credential, as far as was confirmed."""

    target: str
    kind: str
    count: int
    """Spots that confirmed any version of it."""
    placements: tuple[str, ...]
    """Of them at most 1000, sorted."""
    unconfirmed: int
    """Spots that never confirmed one."""
    confirmed_at: datetime | None
    expiries: tuple[ExpiryView, ...]
    """When what is held stops working, one per version that is held."""
    error: str
    """Why its placements could not be listed; empty when they could."""
    others: tuple[str, ...] = ()
    """Of the placements, those that hold another login than the one in use; at most 1000."""

    @classmethod
    def of(cls, holder: Holder) -> Self:
        """Return the view of ``holder``."""
        return cls(
            target=holder.target,
            kind=holder.kind,
            count=len(holder.placements),
            placements=holder.placements[:SHOWN],
            unconfirmed=holder.unconfirmed,
            confirmed_at=holder.confirmed_at,
            expiries=tuple(ExpiryView.of(one) for one in holder.expiries),
            error=holder.error,
            others=holder.others[:SHOWN],
        )


class UsageView(_View):
    """What depends on one credential, and the daemon's time."""

    now: datetime
    credential: str
    registry: str
    generation: int
    """Of the version in use; 0 for none."""
    images: tuple[ImageView, ...]
    targets: tuple[HolderView, ...]
    consequences: tuple[str, ...]
    """What stops working, and when, if it dies now; one sentence each."""

    @classmethod
    def of(cls, usage: Usage, now: datetime) -> Self:
        """Return the view of ``usage`` at ``now``."""
        return cls(
            now=now,
            credential=usage.credential,
            registry=usage.registry,
            generation=usage.current.generation if usage.current is not None else 0,
            images=tuple(ImageView.of(one) for one in usage.images),
            targets=tuple(HolderView.of(one) for one in usage.holders),
            consequences=usage.consequences,
        )


router = APIRouter(prefix="/api/v1/credentials/{name}")


@router.get("/usage")
async def read_usage(context: UsedContext, name: Annotated[str, Path(max_length=63)]) -> UsageView:
    """Return what depends on one credential, and what stops working when if it dies now."""
    return UsageView.of(context.surface.usage(name), context.surface.clock.now())
