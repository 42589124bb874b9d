"""How things stand: the values that status pages, the CLI and metrics are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rotator.domain.history import OldVersion
from rotator.domain.image import ImageStatus
from rotator.domain.model import Delivery, Record, Version
from rotator.domain.outage import Deadline, outage_deadline
from rotator.domain.privilege import NOT_JUDGED, Privilege
from rotator.domain.rotation import Rotation
from rotator.domain.words import counted


class Health(StrEnum):
    """One word for a credential, worst first. Says nothing that was not confirmed."""

    EXPIRED = "expired"
    """What is in use no longer works: its expiry has come."""
    REJECTED = "rejected"
    """The registry refuses what is in use."""
    FAILING = "failing"
    """The last attempt failed; what is in use still works as far as is known."""
    MISSING = "missing"
    """No version was ever in use."""
    PARTIAL = "partial"
    """In use, but some required placement has not confirmed it."""
    OK = "ok"
    """In use, verified, and confirmed by every required placement."""


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """How far the version in use has come at one target.

    Args:
        target: The target's name.
        kind: Its kind.
        required: Whether a rotation waits for it.
        confirmed: Placements that confirmed the version in use.
        placements: Placements known.
        behind: Deliveries that have not confirmed it, at most 20, oldest generation first.
        expires_at: When the first of the versions that its placements hold stops working, or did: at its expiry, or
            since its registry refused it or its vendor ended it. None when no end is known.
        confirmed_at: The latest confirmation; None when there was none.
        error: Why its placements could not be listed; empty when they could.
        refused: Placements that policy keeps the credential from; they are not counted above.
        contested: Placements that are left alone, since something else keeps writing there.
    """

    target: str
    kind: str
    required: bool
    confirmed: int
    placements: int
    behind: tuple[Delivery, ...]
    expires_at: datetime | None
    confirmed_at: datetime | None
    error: str = ""
    refused: tuple[str, ...] = ()
    contested: int = 0

    @property
    def in_sync(self) -> bool:
        """Whether every placement is known and confirmed."""
        return not self.error and self.confirmed == self.placements


@dataclass(frozen=True, slots=True)
class CredentialStatus:
    """How one credential stands.

    Args:
        name: Its name.
        provider: Its provider's name.
        registry: Its registry's host.
        strategy: How it is replaced.
        health: One word.
        message: One sentence that says why.
        record: Failures, next attempt, last success.
        current: The version in use; None when there never was one.
        pending: The version on its way; None when there is none.
        renewal_at: When it is planned to be replaced; None when nothing is planned.
        running: The rotation that runs now, or waits for stragglers; None when none does.
        last: The rotation that ended last; None when none did.
        targets: One entry per target, in configuration order.
        held: Why its login is not shown to the registry now; empty when it may be.
        images: What the registry last said about each of its images, in configuration order.
        old: Versions that may still work though they are not in use, newest first.
        withdrawn: The generation that was taken back, where the version in use came back in its place; else 0.
        privilege: Whether the version in use may do more than pull.
    """

    name: str
    provider: str
    registry: str
    strategy: str
    health: Health
    message: str
    record: Record
    current: Version | None
    pending: Version | None
    renewal_at: datetime | None
    running: Rotation | None
    last: Rotation | None
    targets: tuple[TargetStatus, ...]
    held: str = ""
    images: tuple[ImageStatus, ...] = ()
    old: tuple[OldVersion, ...] = ()
    withdrawn: int = 0
    privilege: Privilege = NOT_JUDGED

    @property
    def outage_deadline(self) -> Deadline | None:
        """When the first required target is without a valid login if the source is down until then; None: not known."""
        return outage_deadline(self.targets)


def health_of(
    current: Version | None, record: Record, targets: tuple[TargetStatus, ...], now: datetime
) -> tuple[Health, str]:
    """Return the one word for a credential and the sentence that explains it."""
    if current is None:
        failed = f" after {_attempts(record.failures, 'failed ')}" if record.failures else ""
        return Health.MISSING, f"no version is in use yet{failed}"
    if current.expiry.is_past(now):
        return Health.EXPIRED, f"expired at {current.expiry.at:%Y-%m-%d %H:%M:%SZ}"
    if current.rejected_at is not None:
        return Health.REJECTED, f"the registry refuses it since {current.rejected_at:%Y-%m-%d %H:%M:%SZ}"
    if record.failures:
        return Health.FAILING, f"the last {_attempts(record.failures)} failed; generation {current.generation} serves"
    behind = [one for one in targets if one.required and not one.in_sync]
    if behind:
        return Health.PARTIAL, _told(behind)
    return Health.OK, _well(targets)


def _well(targets: Sequence[TargetStatus]) -> str:
    """Return what is known of a version in use that no required placement lacks."""
    refused = sum(len(one.refused) for one in targets)
    kept = f"; policy keeps it from {counted(refused, 'placement')}" if refused else ""
    if not any(one.placements for one in targets):
        return f"in use, and delivered nowhere: no target has a place for it{kept}"
    if not any(one.placements for one in targets if one.required):
        return f"in use; no required target has a place for it{kept}"
    return f"in use, and confirmed by every required placement{kept}"


def _told(behind: Sequence[TargetStatus]) -> str:
    """Return how many placements have not confirmed what is in use, as far as it is known."""
    names = ", ".join(one.target for one in behind)
    missing = sum(one.placements - one.confirmed for one in behind)
    if not missing:
        return f"the placements of {names} cannot be listed"
    return f"{counted(missing, 'placement')} of {names} {'has' if missing == 1 else 'have'} not confirmed it"


def _attempts(count: int, which: str = "") -> str:
    return counted(count, f"{which}attempt")
