"""Logins as named fields of a document that others may share: a Vault secret, a JSON text, a CI system's variables.

What goes where is a layout: the name of a field to one part of a login. ``{credential}`` in a name stands for the
credential's name, ``{CREDENTIAL}`` for the same as a variable's name (``ecr-prod``: ``ECR_PROD``). Everything here is
pure. Documents hold secrets; no error raised here contains any of their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from rotator.domain.model import Entry, Login
from rotator.domain.pull_secret import (
    Convention,
    auth_of,
    dump_compact,
    held,
    identity_of,
    login_of,
    merge,
    parse_document,
    read_auths,
)
from rotator.domain.reference import registry_host
from rotator.errors import ShapeError
from rotator.secret import Secret


class Part(StrEnum):
    """What of a login a field holds."""

    USERNAME = "username"
    """The user name."""
    PASSWORD = "password"  # noqa: S105 (a word)
    """The password or token."""
    REGISTRY = "registry"
    """The registry's host."""
    AUTH = "auth"
    """base64 of ``username:password``, as in a docker configuration."""
    DOCKER_CONFIG = "docker_config"
    """A whole docker ``config.json`` on one line; logins of others in it stay."""


Layout = Mapping[str, Part]
"""Name of a field to what it holds."""

_SECRET_PARTS = frozenset({Part.PASSWORD, Part.AUTH, Part.DOCKER_CONFIG})
_NOT_A_NAME = re.compile(r"[^A-Z0-9]+")


def check_layout(layout: Layout) -> None:
    """Check that a login could be read back from ``layout``.

    Raises:
        ValueError: No field holds a password.
    """
    if not _SECRET_PARTS.intersection(layout.values()):
        raise ValueError("no field holds the password; give one the value password, auth or docker_config")


def field_name(name: str, credential: str) -> str:
    """Return the name of a field for one credential."""
    upper = _NOT_A_NAME.sub("_", credential.upper())
    return name.replace("{credential}", credential).replace("{CREDENTIAL}", upper)


def place_fields(document: Mapping[str, Any], entries: Sequence[Entry], layout: Layout) -> dict[str, Any]:
    """Return ``document`` with ``entries`` in it; it is left alone itself, and its other fields stay. Secret.

    A docker configuration that already says the same is kept to the letter.

    Raises:
        ValueError: Two entries have one field, or a registry cannot be one. ShapeError: A field that is to hold a
            docker configuration holds something else.
    """
    placed = dict(document)
    taken: dict[str, str] = {}
    for entry in entries:
        registry_host(entry.registry.partition("/")[0])
    for name, part in layout.items():
        for field, ours in _groups(name, part, entries):
            owner = f"{part} of {', '.join(entry.credential for entry in ours)}"
            if field in taken:
                raise ValueError(
                    f"the field {field} would hold both {taken[field]} and {owner}; "
                    "write {credential} into the field's name, or use docker_config"
                )
            taken[field] = owner
            placed[field] = _value(part, ours, document.get(field), field)
    return placed


def held_fields(document: Mapping[str, Any], entries: Sequence[Entry], layout: Layout) -> dict[str, Login]:
    """Return, by credential, the logins that ``document`` holds in the fields of ``entries``. Secret.

    A name is absent where any of its fields holds no login. Where two fields say different things, the one that is
    not the entry's login is returned: it is not confirmed. A layout without user names counts as holding the entry's.

    Raises:
        ShapeError: A field that is to hold a docker configuration holds something else.
    """
    found = {entry.credential: _login(document, entry, layout) for entry in entries}
    return {credential: login for credential, login in found.items() if login is not None}


def kept_fields(document: Mapping[str, Any], credentials: Mapping[str, str], layout: Layout) -> dict[str, Any]:
    """Return what of ``document`` belongs to ``credentials``, whatever it is: their fields, and their logins. Secret.

    A field that several credentials share belongs to whoever is written there, but for a docker configuration: of that
    the logins of their registries are kept, each to the letter.

    Args:
        document: What is there.
        credentials: Name to registry host.
        layout: What each field holds.

    Raises:
        ShapeError: A field that is to hold a docker configuration holds something else.
    """
    kept: dict[str, Any] = {}
    registries = {identity_of(registry) for registry in credentials.values()}
    for name, part in layout.items():
        if field_name(name, "a") != name:
            fields = {field_name(name, credential) for credential in credentials}
            kept |= {field: value for field, value in document.items() if field in fields}
        elif part is Part.DOCKER_CONFIG:
            auths = read_auths(_parsed(document.get(name), name))
            ours = {key: value for key, value in auths.items() if identity_of(key) in registries}
            kept |= {name: dump_compact({"auths": ours})} if ours else {}
    return kept


def shared_configs(layout: Layout) -> list[str]:
    """Return the names of the fields that hold one docker configuration for all credentials."""
    return [name for name, part in layout.items() if part is Part.DOCKER_CONFIG and field_name(name, "a") == name]


def _groups(name: str, part: Part, entries: Sequence[Entry]) -> Iterator[tuple[str, Sequence[Entry]]]:
    """Yield the fields that ``name`` stands for, and whose logins each holds."""
    if part is Part.DOCKER_CONFIG and field_name(name, "a") == name:
        if entries:
            yield name, entries
        return
    for entry in entries:
        yield field_name(name, entry.credential), [entry]


def _value(part: Part, entries: Sequence[Entry], before: object, field: str) -> str:
    if part is Part.DOCKER_CONFIG:
        return _docker_config(entries, before, field)
    entry = entries[0]
    if part is Part.USERNAME:
        return entry.login.username
    if part is Part.REGISTRY:
        return entry.registry
    return entry.login.secret.reveal() if part is Part.PASSWORD else auth_of(entry.login)


def _docker_config(entries: Sequence[Entry], before: object, field: str) -> str:
    known = _parsed(before, field)
    wanted = merge(known, entries, Convention.DOCKER)
    return before if isinstance(before, str) and wanted == known else dump_compact(wanted)


def _parsed(text: object, field: str) -> dict[str, Any]:
    if text is None:
        return {}
    if not isinstance(text, str):
        raise ShapeError(f"the field {field} is not text", hint="Rename it, or give the layout another name")
    try:
        return parse_document(text)
    except ShapeError as error:
        message, hint = error.message, error.hint
    # Raised here, outside of the handler: a parser's error may carry the text.
    raise ShapeError(f"the field {field} is no docker configuration: {message}", hint=hint)


def _login(document: Mapping[str, Any], entry: Entry, layout: Layout) -> Login | None:
    logins = [_carried(document, entry, name, part, layout) for name, part in layout.items() if part in _SECRET_PARTS]
    complete = [login for login in logins if login is not None]
    if len(complete) < len(logins):
        return None
    return next((login for login in complete if login != entry.login), entry.login)


def _carried(document: Mapping[str, Any], entry: Entry, name: str, part: Part, layout: Layout) -> Login | None:
    field = field_name(name, entry.credential)
    value = document.get(field)
    if part is Part.DOCKER_CONFIG:
        return held(_parsed(value, field), [entry], Convention.DOCKER).get(entry.credential)
    if part is Part.AUTH:
        return login_of({"auth": value})
    username = _username(document, entry, layout)
    return Login(username, Secret(value)) if username and isinstance(value, str) and value else None


def _username(document: Mapping[str, Any], entry: Entry, layout: Layout) -> str | None:
    """Return the user name in the layout's fields; the entry's where no field is to hold one."""
    names = [name for name, part in layout.items() if part is Part.USERNAME]
    values = [document.get(field_name(name, entry.credential)) for name in names]
    wrong = [value for value in values if value != entry.login.username]
    value = wrong[0] if wrong else entry.login.username
    return value if isinstance(value, str) and value else None
