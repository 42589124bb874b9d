"""What stops working if a credential dies now, and what it is that depends on it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.domain.image import ImageStatus
from rotator.domain.usage import Holder, Usage
from rotator.page.words import Badge, Moment, Tone, badge, maybe, moment

PLACES_NAMED = 12


@dataclass(frozen=True, slots=True)
class Dependent:
    """One target whose pulls depend on the credential."""

    target: str
    kind: str
    count: int
    named: tuple[str, ...]
    more: int
    unconfirmed: int
    confirmed: Moment | None
    error: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One image."""

    image: str
    state: Badge
    message: str
    looked: Moment | None


@dataclass(frozen=True, slots=True)
class Radius:
    """What stops working if the credential dies now."""

    consequences: tuple[str, ...]
    dependents: tuple[Dependent, ...]
    images: tuple[Picture, ...]


def radius_of(usage: Usage, now: datetime) -> Radius:
    """Return what depends on a credential."""
    return Radius(
        usage.consequences,
        tuple(_dependent(one, now) for one in usage.holders),
        tuple(_picture(one, now) for one in usage.images),
    )


def _dependent(holder: Holder, now: datetime) -> Dependent:
    count = len(holder.placements)
    return Dependent(
        holder.target,
        holder.kind,
        count,
        holder.placements[:PLACES_NAMED],
        max(0, count - PLACES_NAMED),
        holder.unconfirmed,
        maybe(holder.confirmed_at, now),
        holder.error,
    )


def _picture(image: ImageStatus, now: datetime) -> Picture:
    if image.is_pullable is None or image.told_at is None:
        return Picture(image.image, badge(Tone.QUIET, "cannot tell"), image.message, maybe(image.looked_at, now))
    state = badge(Tone.OK, "pulls") if image.is_pullable else badge(Tone.BAD, "does not pull")
    is_old = image.looked_at is not None and image.looked_at - image.told_at > timedelta()
    message = f"cannot tell since: {image.message}" if is_old else ("" if image.is_pullable else image.message)
    return Picture(image.image, state, message, moment(image.told_at, now))
