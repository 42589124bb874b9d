"""Documents that hold registry logins: docker's ``config.json``, podman's ``auth.json``, Kubernetes' pull secrets.

One shape, two conventions for its keys. Everything here is pure: documents in, documents out. A document holds
secrets; no error raised here contains any of its text.

Facts: docker/cli ``cli/config`` (read 2026-08-20), containers-auth.json(5), the kubelet's keyring (v1.35).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeGuard

from rotator.domain.model import Login
from rotator.domain.reference import (
    DOCKER_HUB,
    DOCKER_HUB_ALIASES,
    DOCKER_HUB_KEY,
    is_repository_path,
    registry_host,
)
from rotator.errors import ShapeError
from rotator.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rotator.domain.model import Entry

MAX_INTEGER_CHARS = 32
_SCHEME = re.compile(r"\Ahttps?://", re.ASCII | re.IGNORECASE)
_API_PATHS = frozenset({"", "v1", "v2"})


class Convention(StrEnum):
    """Who reads the document, and thereby how its keys are written."""

    DOCKER = "docker"
    """Docker and Kubernetes: Docker Hub under its old URL, other registries under ``host[:port]``."""
    PODMAN = "podman"
    """Podman, buildah, skopeo, CRI-O: ``host[:port]`` and, for a narrower login, ``host/namespace[/repository]``."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """A login that clients would not see, because something else in reach answers first.

    Args:
        key: The key of the login in ``auths``.
        by: What answers instead, in the reader's words: ``credHelpers["ghcr.io"]``.
    """

    key: str
    by: str


def docker_key(registry: str) -> str:
    """Return the key under which docker and the kubelet look for ``registry``.

    Raises:
        ValueError: ``registry`` is no host; docker has no keys with a path.
    """
    host = registry_host(registry)
    return DOCKER_HUB_KEY if host == DOCKER_HUB else host


def podman_key(registry: str) -> str:
    """Return the key under which podman looks for ``registry``, which may carry a path: ``quay.io/acme``.

    Raises:
        ValueError: The host or the path could not be part of an image reference.
    """
    if registry.rstrip("/") == DOCKER_HUB_KEY.rstrip("/"):
        return DOCKER_HUB
    host, slash, path = registry.partition("/")
    if slash and not is_repository_path(path):
        raise ValueError(f"{registry!r}: {path!r} is not the path of a repository; write host/namespace, lower case")
    return registry_host(host) + slash + path


def key_of(registry: str, convention: Convention) -> str:
    """Return the key of ``registry`` under ``convention``.

    Raises:
        ValueError: As `docker_key` and `podman_key`.
    """
    return podman_key(registry) if convention is Convention.PODMAN else docker_key(registry)


def auth_of(login: Login) -> str:
    """Return the value of the ``auth`` field: base64 of ``username:password``. Secret."""
    return base64.b64encode(f"{login.username}:{login.secret.reveal()}".encode()).decode("ascii")


def login_of(entry: object) -> Login | None:
    """Return the login of one value of ``auths`` as docker would read it.

    ``auth`` wins over ``username`` and ``password``; it is split at its first colon, and NULs around the password
    are padding. Returns None where docker would use no such login: nothing there, garbage, no user, no password, or
    an identity or registry token, which docker prefers to any password.
    """
    if not isinstance(entry, dict) or entry.get("identitytoken") or entry.get("registrytoken"):
        return None
    if entry.get("auth"):
        username, password = _decoded(entry["auth"])
    else:
        username, password = entry.get("username"), entry.get("password")
    if not _is_text(username) or not _is_text(password):
        return None
    return Login(username, Secret(password))


def render(entries: Sequence[Entry], convention: Convention) -> dict[str, Any]:
    """Return a document that holds ``entries`` and nothing else, in their order. Secret.

    Raises:
        ValueError: Two entries have one key, or a registry has none under ``convention``.
    """
    return {"auths": _rendered(entries, convention)}


def merge(
    document: Mapping[str, Any],
    entries: Sequence[Entry],
    convention: Convention,
    remove: Collection[str] = (),
) -> dict[str, Any]:
    """Return ``document`` with ``entries`` in it; ``document`` itself is left alone. Secret.

    Unknown fields, other logins and the order of both stay. An entry of ours is replaced as a whole: an
    ``identitytoken`` left beside a new password would win over it. Other spellings of the same registry
    (``https://host``, ``https://host/v2/``, Docker Hub's aliases) are replaced with it: the kubelet tries every
    spelling and podman normalises them, so a stale one could win, or lock the account by being tried first.

    Args:
        document: A parsed document; ``{}`` for a new one.
        entries: What it must hold.
        convention: How keys are written.
        remove: Keys to take away, to the letter; a key that is also one of ``entries`` stays.

    Raises:
        ShapeError: ``auths`` is not an object.
        ValueError: As `render`.
    """
    ours = _rendered(entries, convention)
    if not ours and "auths" not in document:
        return dict(document)
    key_by_identity = {identity_of(key): key for key in ours}
    auths: dict[str, Any] = {}
    for key, value in read_auths(document).items():
        our_key = key if key in ours else key_by_identity.get(identity_of(key))
        if our_key is not None:
            auths.setdefault(our_key, ours[our_key])
        elif key not in remove:
            auths[key] = value
    return {**document, "auths": {**auths, **ours}}


def held(document: Mapping[str, Any], entries: Sequence[Entry], convention: Convention) -> dict[str, Login]:
    """Return, by credential name, the logins that ``document`` holds under the keys of ``entries``.

    A name is absent when its key is, or when docker would read no password there. The logins are secret.

    Raises:
        ShapeError: ``auths`` is not an object.
        ValueError: A registry has no key under ``convention``.
    """
    auths = read_auths(document)
    found = {entry.credential: login_of(auths.get(key_of(entry.registry, convention))) for entry in entries}
    return {credential: login for credential, login in found.items() if login is not None}


def shadowed(
    document: Mapping[str, Any], entries: Sequence[Entry], convention: Convention = Convention.DOCKER
) -> list[Shadow]:
    """Return which of ``entries`` a client would not read from ``auths``, because a credential helper answers.

    Docker asks ``credHelpers[registry]``, else ``credsStore``; an empty helper for a registry switches the store off
    for it. Podman knows ``credHelpers`` only, by host. The kubelet knows neither: do not ask for pull secrets.
    """
    keys = [key_of(entry.registry, convention) for entry in entries]
    found = [(key, helper_of(document, identity_of(key).partition("/")[0], convention)) for key in keys]
    return [Shadow(key, by) for key, by in found if by]


def helper_of(document: Mapping[str, Any], host: str, convention: Convention) -> str:
    """Return which credential helper answers for ``host``, in the reader's words; empty when none does.

    Args:
        document: A parsed document.
        host: As `identity_of` gives it.
        convention: Who reads the document: podman knows no ``credsStore``.
    """
    helpers = document.get("credHelpers")
    by_host = {identity_of(key): (key, name) for key, name in helpers.items()} if isinstance(helpers, dict) else {}
    store = document.get("credsStore") if convention is Convention.DOCKER else None
    key, helper = by_host.get(host, (None, store))
    if not helper:
        return ""
    return "credsStore" if key is None else f'credHelpers["{key}"]'


def shadowed_by_environment(docker_auth_config: str, entries: Sequence[Entry]) -> list[Shadow]:
    """Return which of ``entries`` the variable ``DOCKER_AUTH_CONFIG`` answers before any file is read.

    Args:
        docker_auth_config: The variable's value, as docker's process has it. Secret. A value that does not parse
            shadows nothing: docker warns and goes on with the file.
        entries: What a docker configuration file is to hold.
    """
    try:
        auths = read_auths(parse_document(docker_auth_config))
    except ShapeError:
        return []
    identities = {identity_of(key) for key in auths}
    keys = [docker_key(entry.registry) for entry in entries]
    return [Shadow(key, "DOCKER_AUTH_CONFIG") for key in keys if identity_of(key) in identities]


def parse_document(text: str) -> dict[str, Any]:
    """Return the document in ``text``; an empty text is an empty document, as for docker.

    Refuses what could not be written back unchanged: a key twice in one object, numbers out of range.

    Raises:
        ShapeError: Not a JSON object, or ``auths`` is not an object. Names the place, never the text.
    """
    if not text.strip():
        return {}
    document = _parsed(text)
    if not isinstance(document, dict):
        raise ShapeError("the document is not a JSON object", hint='write {"auths": {}} or remove the file')
    read_auths(document)
    return document


def dump(document: Mapping[str, Any]) -> str:
    """Return ``document`` as docker writes its file: indented by tabs, no newline at the end. Secret."""
    return json.dumps(document, indent="\t")


def dump_compact(document: Mapping[str, Any]) -> str:
    """Return ``document`` without white space, for a Kubernetes Secret or an API. Secret."""
    return json.dumps(document, separators=(",", ":"))


def _rendered(entries: Sequence[Entry], convention: Convention) -> dict[str, Any]:
    auths: dict[str, Any] = {}
    owner: dict[str, str] = {}
    for entry in entries:
        key = key_of(entry.registry, convention)
        if key in auths:
            raise ValueError(f"credentials {owner[key]!r} and {entry.credential!r} share the key {key!r}: keep one")
        owner[key] = entry.credential
        auths[key] = {"auth": auth_of(entry.login)}
    return auths


def read_auths(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the logins of a document by key; empty when it has none. Secret.

    Raises:
        ShapeError: ``auths`` is not an object.
    """
    auths = document.get("auths")
    if auths is None:
        return {}
    if not isinstance(auths, dict):
        raise ShapeError('"auths" is not a JSON object', hint='write "auths": {} or remove the field')
    return auths


def identity_of(key: str) -> str:
    """Return what ``key`` means whatever its spelling: host and path, without scheme and API version."""
    host, _, path = _SCHEME.sub("", key).partition("/")
    host = host.lower()
    host = DOCKER_HUB if host in DOCKER_HUB_ALIASES else host
    path = path.strip("/")
    return host if path in _API_PATHS else f"{host}/{path}"


def _is_text(value: object) -> TypeGuard[str]:
    """Return whether ``value`` is a text that is not empty and can be encoded: JSON may hold half a character."""
    return isinstance(value, str) and value != "" and not any("\ud800" <= char <= "\udfff" for char in value)


def _decoded(auth: object) -> tuple[str | None, str | None]:
    if not isinstance(auth, str):
        return None, None
    try:
        text = base64.b64decode(auth, validate=True).decode()
    except (binascii.Error, ValueError):
        return None, None
    username, colon, password = text.partition(":")
    return (username, password.strip("\0")) if colon else (None, None)


class _UnfaithfulError(ValueError):
    """The text is JSON, but could not be written back as it was."""


def _parsed(text: str) -> Any:
    # Raised outside of the handlers: json's own error carries the whole text, and would travel along as the context.
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}, column {error.colno}: not valid JSON"
    except _UnfaithfulError as error:
        problem = str(error)
    except RecursionError:
        problem = "nested too deeply"
    raise ShapeError(f"the document cannot be read: {problem}", hint="repair it by hand; it was left as it is")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _UnfaithfulError("a key appears twice in one object")
    return found


def _refuse_constant(name: str) -> float:
    raise _UnfaithfulError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _UnfaithfulError("a number is out of range")
    return number


def _bounded(text: str) -> int:
    if len(text) > MAX_INTEGER_CHARS:
        raise _UnfaithfulError("a number is out of range")
    return int(text)
