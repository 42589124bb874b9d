"""The seams: what the engine asks of the world, and what each answer promises.

Whoever implements one of these lets only `rotator.errors` out: `TemporaryError` when trying again may help,
`PermanentError` when a person must act. No message holds a secret. Every call ends within its own deadline.
"""

from __future__ import annotations

from rotator.ports.clock import Clock
from rotator.ports.hook import Hook
from rotator.ports.provider import (
    ListsMade,
    Made,
    MeasuresHeadroom,
    Order,
    Provider,
    ReadsOrigin,
    Retires,
    SettlesSlowly,
)
from rotator.ports.registry import LoginGuard, Verifier
from rotator.ports.source import Reading, Source, Vault
from rotator.ports.store import AuditCopy, Changes, Notes, Snapshot, Store
from rotator.ports.target import HandsOver, ReviewsRights, Target, WatchesContent, WritesWhole

__all__ = [
    "AuditCopy",
    "Changes",
    "Clock",
    "HandsOver",
    "Hook",
    "ListsMade",
    "LoginGuard",
    "Made",
    "MeasuresHeadroom",
    "Notes",
    "Order",
    "Provider",
    "Reading",
    "ReadsOrigin",
    "Retires",
    "ReviewsRights",
    "SettlesSlowly",
    "Snapshot",
    "Source",
    "Store",
    "Target",
    "Vault",
    "Verifier",
    "WatchesContent",
    "WritesWhole",
]
