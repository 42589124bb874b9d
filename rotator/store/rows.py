"""Values as rows, and rows as values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

from sqlalchemy import Row

from rotator.domain.declares import Proof
from rotator.domain.headroom import Counted, Headroom, HeadroomState, Sample
from rotator.domain.model import NEVER, Delivery, DeliveryState, Expiry, Record, Stage, Version
from rotator.domain.rotation import Rotation, State, Step

RECORD_COLUMNS = ("name", "generation", "failures", "next_attempt_at", "last_success_at", "looked_at")
VERSION_COLUMNS = (
    *("credential", "generation", "stage", "fingerprint", "username", "issued_at", "revision"),
    *("verified_at", "rejected_at", "handle", "principal", "superseded_at", "ended_at", "dead_at", "restores"),
    *("withdrawn_at", "leaked_at", "registry", "maker"),
    *("expires_at", "never_expires", "scopes"),
)
ROTATION_COLUMNS = (
    *("id", "credential", "reason", "message", "step", "state", "started_at", "finished_at"),
    *("generation", "error", "restores", "requested_by"),
)
DELIVERY_COLUMNS = (
    *("target", "placement", "credential", "generation", "state", "at"),
    *("error", "message", "attempts", "confirmed_generation", "proof", "written_at"),
    *("revealed_at", "left_until", "repairs"),
)
SAMPLE_COLUMNS = (
    *("registry", "credential", "at"),
    *("state", "quota", "remaining", "window_seconds", "reset_at", "source"),
)
"""The columns of each kind of value, in the order in which the functions below return them."""

record_row: Callable[[Record], tuple[Any, ...]] = attrgetter(*RECORD_COLUMNS)
_delivery_fields = attrgetter(*DELIVERY_COLUMNS[:-1])
_version_fields = attrgetter(*VERSION_COLUMNS[:-3])
_rotation_fields = attrgetter(*ROTATION_COLUMNS[:-1])


def version_row(version: Version) -> tuple[Any, ...]:
    """Return the columns of ``version``; its expiry takes two."""
    scopes = None if version.scopes is None else json.dumps(sorted(version.scopes))
    return (*_version_fields(version), version.expiry.at, version.expiry.never, scopes)


def rotation_row(rotation: Rotation) -> tuple[Any, ...]:
    """Return the columns of ``rotation``; ``by`` is a word of SQL."""
    return (*_rotation_fields(rotation), rotation.by)


def delivery_row(delivery: Delivery) -> tuple[Any, ...]:
    """Return the columns of ``delivery``; its repairs are one text."""
    return (*_delivery_fields(delivery), ",".join(at.isoformat() for at in delivery.repairs))


def sample_row(sample: Sample) -> tuple[Any, ...]:
    """Return the columns of ``sample``."""
    found = sample.headroom
    told = (found.limit, found.remaining, found.window_seconds, found.reset_at)
    return (sample.registry, sample.credential, sample.at, found.state, *told, found.source)


def record_of(row: Row[Any]) -> Record:
    """Return the record in ``row``."""
    return Record(**_columns(row))


def version_of(row: Row[Any]) -> Version:
    """Return the version in ``row``; its secret stays where it is."""
    columns = _columns(row)
    del columns["sealed"]
    expires_at, never, scopes = (columns.pop(name) for name in ("expires_at", "never_expires", "scopes"))
    columns["scopes"] = None if scopes is None else frozenset(json.loads(scopes))
    columns["stage"] = Stage(columns["stage"])
    return Version(expiry=NEVER if never else Expiry(expires_at), **columns)


def rotation_of(row: Row[Any]) -> Rotation:
    """Return the rotation in ``row``."""
    columns = _columns(row)
    columns["step"], columns["state"] = Step(columns["step"]), State(columns["state"])
    return Rotation(by=columns.pop("requested_by"), **columns)


def delivery_of(row: Row[Any]) -> Delivery:
    """Return the delivery in ``row``."""
    columns = _columns(row)
    columns["state"], columns["proof"] = DeliveryState(columns["state"]), Proof(columns["proof"])
    columns["repairs"] = tuple(datetime.fromisoformat(at) for at in columns["repairs"].split(",") if at)
    return Delivery(**columns)


def sample_of(row: Row[Any]) -> Sample:
    """Return the sample in ``row``."""
    told = (row.quota, row.remaining, row.window_seconds, row.reset_at)
    headroom = Headroom(HeadroomState(row.state), *told, Counted(row.source))
    return Sample(row.registry, row.credential, row.at, headroom)


def _columns(row: Row[Any]) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", row._mapping))  # noqa: SLF001 (SQLAlchemy's public name for it)
