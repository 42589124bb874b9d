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
        others: Of ``placements``, those that hold another login than the one in use.
    """

    target: str
    kind: str
    placements: tuple[str, ...]
    unconfirmed: int
    confirmed_at: datetime | None
    expiries: tuple[Expiry, ...]
    error: str = ""
    others: tuple[str, ...] = ()

    @property
    def using(self) -> int:
        """How many placements hold the login in use."""
        return len(self.placements) - len(self.others)


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
    """Return what stops working, and when, if the login in use dies at the registry now, and if nothing replaces it.

    What holds another login does not depend on the one in use.

    Says nothing of images that are not configured, but that there may be more.
    """
    using, odd = [one for one in holders if one.using], [one for one in holders if one.others]
    doubt = "could not say what it has, so there may be more"
    unlisted = tuple(f"{one.target} {doubt}: {one.error}" for one in holders if one.error)
    apart = tuple(
        f"{counted(len(one.others), 'placement')} of {one.target} hold{'s' if len(one.others) == 1 else ''} "
        "another login than the one in use; that one lives or dies by itself."
        for one in odd
    )
    lasting = tuple(_until(one, now) for one in holders if one.placements)
    if not using:
        nothing = "No place is known to hold it, so nothing that this daemon supplies stops working."
        return (nothing, *apart, *lasting, *unlisted)
    count = sum(one.using for one in using)
    pulled = ", ".join(images) if images else f"images of {registry}"
    more = "" if images else " (none is configured by name)"
    places = f"{counted(count, 'placement')} of {', '.join(one.target for one in using)}"
    hold = "holds" if count == 1 else "hold"
    return (
        f"If it dies now, whatever pulls {pulled}{more} with what {places} {hold} fails from then on.",
        "Containers that run are not touched; started anew where the image is not there yet, they fail.",
        *apart,
        *lasting,
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
