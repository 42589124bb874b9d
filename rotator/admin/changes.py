"""What a person who looks should look at again: the daemon's events, reduced to a few words and their names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rotator.domain.events import (
    AccessRefused,
    AlarmMissed,
    AlertHandled,
    Audited,
    AuditFailed,
    ClockStepped,
    ConfigReloaded,
    Crashed,
    DeliveryFinished,
    DeliveryRefused,
    DriftFound,
    DriftRepaired,
    Event,
    HeadroomAsked,
    ImageLookedAt,
    Notified,
    OperatorActed,
    OrphansSwept,
    RotationFinished,
    RotationStarted,
    SourceFailed,
    StepFinished,
    StoreFailed,
    TargetFailed,
    VersionEnded,
    VersionInspected,
    VersionProbed,
    VersionPromoted,
    WaveFinished,
)


class Kind(StrEnum):
    """What may have changed."""

    ROTATION = "rotation"
    """A rotation began, went on or ended."""
    DELIVERY = "delivery"
    """What a placement of a target holds of a credential, or a person's part in that."""
    VERSION = "version"
    """Which versions a credential has, or what is known of the one in use."""
    TARGET = "target"
    """How a target as a whole stands."""
    SOURCE = "source"
    """Whether a credential's source can be asked."""
    IMAGE = "image"
    """Whether an image pulls with a credential."""
    LIMIT = "limit"
    """What is left of a pull limit."""
    AUDIT = "audit"
    """The audit has new records, or could not be written."""
    DAEMON = "daemon"
    """The daemon itself: its state, its clock, its configuration."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that may be different from before.

    Args:
        kind: What.
        credential: Of which credential; empty when it is not about one.
        target: At which target; empty when it is not about one.
        rotation: By which rotation, its id; empty when it is not about one.
    """

    kind: Kind
    credential: str = ""
    target: str = ""
    rotation: str = ""


_KINDS: dict[type[Event], Kind] = {
    AccessRefused: Kind.DAEMON,
    AlarmMissed: Kind.DAEMON,
    AlertHandled: Kind.ROTATION,
    AuditFailed: Kind.AUDIT,
    Audited: Kind.AUDIT,
    ClockStepped: Kind.DAEMON,
    ConfigReloaded: Kind.DAEMON,
    Crashed: Kind.DAEMON,
    DeliveryFinished: Kind.DELIVERY,
    DeliveryRefused: Kind.DELIVERY,
    DriftFound: Kind.DELIVERY,
    DriftRepaired: Kind.DELIVERY,
    HeadroomAsked: Kind.LIMIT,
    ImageLookedAt: Kind.IMAGE,
    Notified: Kind.DAEMON,
    OperatorActed: Kind.DELIVERY,
    OrphansSwept: Kind.VERSION,
    RotationFinished: Kind.ROTATION,
    RotationStarted: Kind.ROTATION,
    SourceFailed: Kind.SOURCE,
    StepFinished: Kind.ROTATION,
    StoreFailed: Kind.DAEMON,
    TargetFailed: Kind.TARGET,
    VersionEnded: Kind.VERSION,
    VersionInspected: Kind.VERSION,
    VersionProbed: Kind.VERSION,
    VersionPromoted: Kind.VERSION,
    WaveFinished: Kind.ROTATION,
}
"""Every event there is; what is only in the log would be a row that is missing."""


def changes_of(event: Event) -> tuple[Change, ...]:
    """Return what may have changed: one for each credential that ``event`` names, else one.

    Of what happened nothing else is kept: whoever wants to know more asks.
    """
    kind, target = _KINDS[type(event)], str(getattr(event, "target", ""))
    credentials: tuple[str, ...] = getattr(event, "credentials", ()) or (getattr(event, "credential", ""),)
    rotation = str(getattr(event, "rotation", ""))
    return tuple(Change(kind, credential, target, rotation) for credential in credentials)
