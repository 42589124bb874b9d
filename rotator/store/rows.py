"""Values as rows, and rows as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Row

from rotator.domain.model import NEVER, Delivery, DeliveryState, Expiry, Record, Stage, Version
from rotator.domain.rotation import Rotation, State, Step


def plain_row(value: Record | Version | Rotation | Delivery) -> dict[str, Any]:
    """Return the fields of ``value`` by name, which are its columns where they are the same."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def version_row(version: Version) -> dict[str, Any]:
    """Return the columns of ``version``; its expiry takes two."""
    columns = plain_row(version)
    del columns["expiry"]
    return {**columns, "expires_at": version.expiry.at, "never_expires": version.expiry.never}


def rotation_row(rotation: Rotation) -> dict[str, Any]:
    """Return the columns of ``rotation``; ``by`` is a word of SQL."""
    columns = plain_row(rotation)
    columns["requested_by"] = columns.pop("by")
    return columns


def record_of(row: Row[Any]) -> Record:
    """Return the record in ``row``."""
    return Record(**_columns(row))


def version_of(row: Row[Any]) -> Version:
    """Return the version in ``row``; its secret stays where it is."""
    columns = _columns(row)
    del columns["sealed"]
    expires_at, never = columns.pop("expires_at"), columns.pop("never_expires")
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
    columns["state"] = DeliveryState(columns["state"])
    return Delivery(**columns)


def _columns(row: Row[Any]) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", row._mapping))  # noqa: SLF001 (SQLAlchemy's public name for it)
