"""What depends on a credential, and what stops working when if it dies now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.image import ImageStatus
from rotator.domain.model import Expiry, Version
from rotator.domain.words import counted


@dataclass(frozen=True, slots=True)
class Holder:
    """One target that holds the credential, as far as was confirmed.

    Args:
        target: The target's name.
        kind: Its kind.
        placements: The spots in it that confirmed any version of it, in the target's own words, sorted.
        unconfirmed: Spots that never confirmed one.
        confirmed_at: The latest confirmation; None when there was none.
        expiries: When what is held stops working, one per version that is held; unknown for one that is not kept.
        error: Why its placements could not be listed; empty when they could.
    """

    target: str
    kind: str
    placements: tuple[str, ...]
    unconfirmed: int
    confirmed_at: datetime | None
    expiries: tuple[Expiry, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What depends on one credential.

    Args:
        credential: Its name.
        registry: Its registry's host.
        current: The version in use; None when there is none.
        images: The images that are configured for it, and what the registry last said of each.
        holders: Its targets, in configuration order.
        consequences: What stops working, and when, if it dies now; one sentence each.
    """

    credential: str
    registry: str
    current: Version | None
    images: tuple[ImageStatus, ...]
    holders: tuple[Holder, ...]
    consequences: tuple[str, ...]


def consequences(registry: str, images: Sequence[str], holders: Sequence[Holder], now: datetime) -> tuple[str, ...]:
    """Return what stops working, and when, if the login dies at the registry now; and what if nothing replaces it.

    Says nothing of images that are not configured, but that there may be more.
    """
    holding = [one for one in holders if one.placements]
    doubt = "could not say what it has, so there may be more"
    unlisted = tuple(f"{one.target} {doubt}: {one.error}" for one in holders if one.error)
    if not holding:
        return ("No place is known to hold it, so nothing that this daemon supplies stops working.", *unlisted)
    count = sum(len(one.placements) for one in holding)
    pulled = ", ".join(images) if images else f"images of {registry}"
    more = "" if images else " (none is configured by name)"
    places = f"{counted(count, 'placement')} of {', '.join(one.target for one in holding)}"
    return (
        f"If it dies now, whatever pulls {pulled}{more} with what {places} hold fails from then on.",
        "Containers that run are not touched; started anew where the image is not there yet, they fail.",
        *(_until(one, now) for one in holding),
        *unlisted,
    )


def _until(holder: Holder, now: datetime) -> str:
    """Return until when what a target holds works by itself, if nothing replaces it."""
    known = [expiry.at for expiry in holder.expiries if expiry.at is not None]
    unknown = any(expiry.at is None and not expiry.never for expiry in holder.expiries)
    if known and min(known) <= now:
        return f"{holder.target}: some of what it holds has expired at {_at(min(known))}."
    if known:
        doubt = ", some of it nobody knows how long" if unknown else ""
        return f"{holder.target}: what it holds works until {_at(min(known))} if nothing replaces it{doubt}."
    if unknown or not holder.expiries:
        return f"{holder.target}: nobody has told when what it holds stops working."
    return f"{holder.target}: what it holds never expires."


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%SZ}"
