"""What happened, as frozen values. Hooks turn them into metrics and log lines; the engine knows neither."""

from __future__ import annotations

from rotator.domain.events.daemon import (
    AccessRefused,
    AlarmMissed,
    AlertHandled,
    Audited,
    AuditFailed,
    ClockStepped,
    ConfigReloaded,
    Crashed,
    HeadroomAsked,
    ImageLookedAt,
    Notified,
    SourceFailed,
    StoreFailed,
)
from rotator.domain.events.delivery import (
    DeliveryFinished,
    DeliveryRefused,
    DriftFound,
    DriftRepaired,
    OperatorActed,
    TargetFailed,
    WaveFinished,
)
from rotator.domain.events.rotation import (
    OrphansSwept,
    RotationFinished,
    RotationStarted,
    StepFinished,
    VersionEnded,
    VersionInspected,
    VersionProbed,
    VersionPromoted,
)

Event = (
    AccessRefused
    | AlertHandled
    | RotationStarted
    | StepFinished
    | RotationFinished
    | DeliveryFinished
    | WaveFinished
    | VersionEnded
    | VersionProbed
    | VersionPromoted
    | ClockStepped
    | StoreFailed
    | Audited
    | AuditFailed
    | TargetFailed
    | DeliveryRefused
    | DriftFound
    | DriftRepaired
    | AlarmMissed
    | SourceFailed
    | HeadroomAsked
    | ImageLookedAt
    | VersionInspected
    | OperatorActed
    | OrphansSwept
    | Notified
    | Crashed
    | ConfigReloaded
)
"""Anything that hooks are told of."""

__all__ = [
    "AccessRefused",
    "AlarmMissed",
    "AlertHandled",
    "AuditFailed",
    "Audited",
    "ClockStepped",
    "ConfigReloaded",
    "Crashed",
    "DeliveryFinished",
    "DeliveryRefused",
    "DriftFound",
    "DriftRepaired",
    "Event",
    "HeadroomAsked",
    "ImageLookedAt",
    "Notified",
    "OperatorActed",
    "OrphansSwept",
    "RotationFinished",
    "RotationStarted",
    "SourceFailed",
    "StepFinished",
    "StoreFailed",
    "TargetFailed",
    "VersionEnded",
    "VersionInspected",
    "VersionProbed",
    "VersionPromoted",
    "WaveFinished",
]
