"""Vault's key-value engines without any I/O of their own: locations, questions in hvac's words, and their answers.

Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 and .../kv-v1 (read 2026-11-23).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import hvac
import hvac.exceptions
import hvac.utils

from rotator.domain.model import UNKNOWN, Expiry
from rotator.errors import ConfigError, NotFoundError, PermissionDeniedError, UnavailableError, UnsupportedError

EXPIRES_AT = "expires_at"
"""Key of the custom metadata that says when a secret stops working."""

NAMES_SHOWN = 20
_LAYOUT = re.compile(r"(?:(?P<nested>[^#:]+)::|(?P<mount>[^#:/]+)/)(?P<path>[^#]+)#(?P<key>[^#]+)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_UNIX_SECONDS = re.compile(r"[1-9]\d{9}", re.ASCII)
"""Ten digits: from 2001 to 2286. A year, a compact date or milliseconds have another number of them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is.

    Args:
        mount: The engine's mount; may be nested.
        path: The secret inside it.
        key: The field inside the secret.
    """

    mount: str
    path: str
    key: str

    def __str__(self) -> str:
        """Return mount and path, for messages."""
        return f"{self.mount}/{self.path}"


@dataclass(frozen=True, slots=True)
class Document:
    """One secret as Vault holds it.

    Args:
        fields: What was stored. Secret.
        version: Its version; None from an engine that keeps none.
        expiry: What its custom metadata says.
    """

    fields: Mapping[str, Any] = field(repr=False)
    version: int | None = None
    expiry: Expiry = UNKNOWN


def parse_location(location: str) -> Place:
    """Return the parts of ``mount/path#key``, or of ``mount::path#key`` for a nested mount.

    Raises:
        ConfigError: A part is missing, or a path segment is empty, ``.`` or ``..``.
    """
    parts = _LAYOUT.fullmatch(location)
    if parts is None or not location.isprintable():
        raise _unusable(location)
    mount, path = (parts["nested"] or parts["mount"]).strip("/"), parts["path"]
    if any(segment in {"", ".", ".."} for segment in f"{mount}/{path}".split("/")):
        raise _unusable(location)
    return Place(mount, path, parts["key"])


def _unusable(location: str) -> ConfigError:
    return ConfigError(
        [f"vault: {location!r} is not a location"],
        hint="Write mount/path#key, such as registries/ghcr#token, or nested/mount::path#key",
    )


def parse_expires_at(value: object) -> Expiry:
    """Return the expiry that custom metadata writes: RFC 3339, a date (its first moment, UTC) or Unix seconds.

    Anything else is unknown: a wrong note must not stop or hurry a rotation.
    """
    text = value.strip() if isinstance(value, str) else ""
    try:
        if _UNIX_SECONDS.fullmatch(text):
            return Expiry(datetime.fromtimestamp(int(text), UTC))
        if _DATE.fullmatch(text):
            return Expiry(datetime.fromisoformat(text).replace(tzinfo=UTC))
        if _INSTANT.fullmatch(text):
            return Expiry(datetime.fromisoformat(text.upper()).astimezone(UTC))
    except (ValueError, OverflowError):
        return UNKNOWN
    return UNKNOWN


def ask_engine_version(client: hvac.Client, mount: str) -> int | None:
    """Return the version of the engine at ``mount``; None when Vault does not tell us.

    One call; needs no permission of its own, but some policy has to name the mount.

    Raises:
        UnsupportedError: Another kind of engine is mounted there.
    """
    path = hvac.utils.format_url("/v1/sys/internal/ui/mounts/{mount}", mount=mount)
    try:
        answer = client.adapter.get(path)
    except (PermissionDeniedError, hvac.exceptions.InvalidPath):
        return None
    data = _mapping(answer.get("data"))
    kind = data.get("type", "kv")
    if kind not in {"kv", "generic"}:
        raise UnsupportedError(f"vault: mount {mount} is not a key-value engine", hint="Name a mount of type kv")
    return 2 if str(_mapping(data.get("options")).get("version")) == "2" else 1


def read_plain(client: hvac.Client, place: Place) -> Document:
    """Read a secret of a version 1 engine. One call; needs ``read`` on ``mount/path``.

    Raises:
        NotFoundError: There is none.
    """
    try:
        answer = client.secrets.kv.v1.read_secret(place.path, mount_point=place.mount)
    except hvac.exceptions.InvalidPath as error:
        raise _missing(place) from error
    return Document(_fields(answer.get("data"), place))


def read_versioned(client: hvac.Client, place: Place) -> Document:
    """Read the newest version from a version 2 engine. One call; needs ``read`` on ``mount/data/path``.

    Raises:
        NotFoundError: There is none, or it was deleted or destroyed; the text says which.
    """
    try:
        answer = client.secrets.kv.v2.read_secret_version(
            place.path, mount_point=place.mount, raise_on_deleted_version=True
        )
    except hvac.exceptions.InvalidPath as error:
        metadata = _mapping(_mapping(_mapping(error.json).get("data")).get("metadata"))
        raise _gone(place, metadata) from error
    data = _mapping(answer.get("data"))
    metadata = _mapping(data.get("metadata"))
    return Document(_fields(data.get("data"), place), _version(metadata, "version", place), _expiry(metadata))


def read_version(client: hvac.Client, place: Place) -> int:
    """Return the newest version's number without reading the secret. Needs ``read`` on ``mount/metadata/path``.

    Raises:
        NotFoundError: As for `read_versioned`.
    """
    try:
        answer = client.secrets.kv.v2.read_secret_metadata(place.path, mount_point=place.mount)
    except hvac.exceptions.InvalidPath as error:
        raise _missing(place) from error
    metadata = _mapping(answer.get("data"))
    number = _version(metadata, "current_version", place)
    newest = _mapping(_mapping(metadata.get("versions")).get(str(number)))
    if newest.get("destroyed") or newest.get("deletion_time"):
        raise _gone(place, {**newest, "version": number})
    return number


def pick(document: Document, place: Place) -> object:
    """Return the field that ``place`` names.

    Raises:
        NotFoundError: The secret has no such field; the text names those it has.
    """
    if place.key in document.fields:
        value: object = document.fields[place.key]
        return value
    names = sorted(map(repr, document.fields))
    shown = ", ".join(names[:NAMES_SHOWN]) + (", ..." if len(names) > NAMES_SHOWN else "")
    raise NotFoundError(f"vault: {place} has no key {place.key!r}; it has: {shown or 'none'}")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _fields(value: object, place: Place) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnavailableError(f"vault: {place}: the answer is not that of a key-value engine", cause="protocol")
    return value


def _version(metadata: Mapping[str, Any], name: str, place: Place) -> int:
    number = metadata.get(name)
    if not isinstance(number, int):
        raise UnavailableError(
            f"vault: {place}: the answer has no version",
            hint=f"If {place.mount} is a version 1 engine, write so under vault.kv_versions",
            cause="protocol",
        )
    return number


def _expiry(metadata: Mapping[str, Any]) -> Expiry:
    return parse_expires_at(_mapping(metadata.get("custom_metadata")).get(EXPIRES_AT))


def _missing(place: Place) -> NotFoundError:
    return NotFoundError(
        f"vault: there is no secret at {place}",
        hint=f"Check mount and path; if {place.mount} is of the other engine version, see vault.kv_versions",
    )


def _gone(place: Place, metadata: Mapping[str, Any]) -> NotFoundError:
    number = metadata.get("version")
    subject = f"vault: {place}: version {number}" if isinstance(number, int) else f"vault: {place}"
    if metadata.get("destroyed"):
        return NotFoundError(f"{subject} was destroyed", hint="Write a new version")
    if metadata.get("deletion_time"):
        return NotFoundError(f"{subject} was deleted", hint="Undelete it or write a new version")
    return _missing(place)
