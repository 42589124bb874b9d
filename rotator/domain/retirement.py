"""How an old version comes to its end at the vendor, and what is to be done about it next. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.domain.model import Stage, Strategy, Version

GRACE = timedelta(days=1)
"""Enough for holders that nobody knows of to show themselves by failing before a person has gone home."""


class Retirement(StrEnum):
    """What was done about an old version, or will happen to it."""

    ENDED = "ended"
    """The vendor was told to end it and said that it did, or that it was gone already."""
    DIES = "dies"
    """The vendor cannot end it; it stops working at its expiry."""
    PERSON = "person"
    """Only a person can end it, where they made it."""


class Action(StrEnum):
    """What is to be done about an old version now."""

    WAIT = "wait"
    """Nothing yet."""
    END = "end"
    """Tell the vendor to end it."""
    PROVE = "prove"
    """Show it to the registry, which must refuse it."""
    FORGET = "forget"
    """Let go of its secret."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """All that the decision about one old version depends on.

    Args:
        version: The old version, of stage ``previous``.
        others: The other live versions of the credential.
        strategy: How the credential is replaced.
        can_end: Whether the vendor can be told to end it.
        grace: How long it stays valid after it was superseded.
        held_by: Required targets that have not confirmed the version in use, or hold this one; empty when none does.
        now: Aware UTC.
        is_elsewhere: Whether it is for another registry than the credential is for now.
    """

    version: Version
    others: Collection[Version]
    strategy: Strategy
    can_end: bool
    grace: timedelta
    held_by: Collection[str]
    now: datetime
    is_elsewhere: bool = False


def next_action(leaving: Leaving) -> tuple[Action, str]:
    """Return what is to be done about an old version now, and why. Never ends what anybody may still need."""
    version = leaving.version
    forgotten = _why_forget(leaving)
    if forgotten:
        return Action.FORGET, forgotten
    if leaving.is_elsewhere:
        return _of_elsewhere(leaving)
    if version.ended_at is not None or _is_overwritten(leaving):
        return Action.PROVE, "it was ended; the registry must refuse it now"
    needed = _why_wait(leaving)
    if needed:
        return Action.WAIT, needed
    if leaving.can_end:
        return Action.END, "leaked" if version.leaked_at is not None else "its grace is over"
    dies_alone = (Action.WAIT, "cannot be ended; dies at its expiry")
    a_person_ends_it = (Action.PROVE, "only a person can end it; whether they did shows at the registry")
    return dies_alone if leaving.strategy is Strategy.EPHEMERAL else a_person_ends_it


def _of_elsewhere(leaving: Leaving) -> tuple[Action, str]:
    """Return what becomes of a login at a registry that the credential is not for any more: nobody is shown it."""
    version = leaving.version
    if version.leaked_at is not None:
        return Action.WAIT, f"it leaked, and is for {version.registry}, which is not asked any more: end it there"
    if leaving.now < _grace_ends(leaving):
        return Action.WAIT, f"it is for {version.registry}, which is not asked any more"
    return Action.FORGET, f"it is for {version.registry}; whether it still works there nobody looks"


def _grace_ends(leaving: Leaving) -> datetime:
    return (leaving.version.superseded_at or leaving.now) + leaving.grace


def _why_forget(leaving: Leaving) -> str:
    version = leaving.version
    reasons = (
        (version.dead_at is not None, "the registry refuses it"),
        (any(_carries_on(other, version) for other in leaving.others), "its secret is in use under a newer generation"),
        (bool(_in_its_place(leaving)) and version.leaked_at is None, "overwritten at the vendor by a newer one"),
        (version.expiry.is_past(leaving.now), "it has expired"),
    )
    return next((reason for is_so, reason in reasons if is_so), "")


def _why_wait(leaving: Leaving) -> str:
    version = leaving.version
    if any(_is_same(version, other) for other in leaving.others):
        return "its secret is in use, or may come into use, under another generation"
    if _in_its_place(leaving):
        return "a newer one is taking its place at the vendor"
    if leaving.held_by:
        return f"may still be needed at {', '.join(sorted(leaving.held_by))}"
    over_at = _grace_ends(leaving)
    if version.leaked_at is None and leaving.now < over_at:
        return f"in its grace until {over_at:%Y-%m-%d %H:%M:%SZ}"
    return ""


def _in_its_place(leaving: Leaving) -> list[Version]:
    return [other for other in leaving.others if _is_in_its_place(other, leaving.version)]


def _is_overwritten(leaving: Leaving) -> bool:
    return any(other.stage is not Stage.PENDING for other in _in_its_place(leaving))


def _is_in_its_place(other: Version, version: Version) -> bool:
    """Return whether ``other`` overwrote ``version`` at the vendor; what carries an old secret again was not made."""
    is_newer = other.generation > version.generation and not _is_same(version, other) and not other.restores
    return is_newer and bool(version.handle) and version.handle == other.handle and version.is_for(other.registry)


def is_alive(version: Version, others: Collection[Version], now: datetime) -> bool:
    """Return whether an old ``version`` may still work: nobody saw it refused, and its time has not come."""
    is_gone = version.dead_at is not None or version.expiry.is_past(now)
    return not is_gone and not any(_is_same(version, other) for other in others)


def _carries_on(other: Version, version: Version) -> bool:
    """Return whether ``version`` lives on as ``other``. One that is pending may still be given up."""
    is_newer = other.generation > version.generation and other.stage is not Stage.PENDING
    return is_newer and _is_same(version, other)


def _is_same(version: Version, other: Version) -> bool:
    return version.has_secret_of(other)
