"""The Secret: built from entries, read back into logins, edited in place. Pure.

Source: ``core/v1/types.go`` of Kubernetes (read 2026-07-24): type ``kubernetes.io/dockerconfigjson``, one required
key, whose value is a whole docker ``config.json`` in base64.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rotator.domain import pull_secret
from rotator.domain.fence import Mark, fenced_off, marked
from rotator.domain.model import Entry, Login
from rotator.domain.pull_secret import Convention
from rotator.errors import FencedError, ShapeError, UnsupportedError
from rotator.targets.kubernetes.client import FIELD_MANAGER
from rotator.targets.kubernetes.config import ANNOTATION_PREFIX, KubernetesConfig

DATA_KEY = ".dockerconfigjson"
GENERATIONS = f"{ANNOTATION_PREFIX}generations"
FINGERPRINTS = f"{ANNOTATION_PREFIX}fingerprints"
MANAGED_BY = {"app.kubernetes.io/managed-by": FIELD_MANAGER}

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A Secret to apply; the same for every namespace, because the URL says which.

    Args:
        entries: What it was made from.
        body: JSON. Secret.
        value: The value of `DATA_KEY` in it. Secret.
        marks: What its annotations say: the generations, by credential.
        held: What it holds, by credential.
    """

    entries: tuple[Entry, ...]
    body: bytes = field(repr=False)
    value: str = field(repr=False)
    marks: Mapping[str, Mark]
    held: Mapping[str, Login]

    def body_at(self, version: str) -> bytes:
        """Return the body with the precondition that the Secret still has resource version ``version``."""
        precondition = f'"metadata":{{"resourceVersion":{json.dumps(version)},'.encode()
        return self.body.replace(b'"metadata":{', precondition, 1)


def render(config: KubernetesConfig, entries: Sequence[Entry]) -> Rendered:
    """Return the Secret that holds exactly ``entries``.

    Raises:
        UnsupportedError: Two of them share a key, or one has none that the kubelet would match.
    """
    try:
        document = pull_secret.render(entries, Convention.DOCKER)
    except ValueError as error:
        raise UnsupportedError(f"secret {config.secret}: {error}") from error
    marks = marked({}, entries)
    value = _encoded(document)
    body = {
        "metadata": {"name": config.secret, **_metadata(config, marks)},
        "apiVersion": "v1",
        "kind": "Secret",
        "type": config.secret_type,
        "data": {DATA_KEY: value},
    }
    held = {entry.credential: entry.login for entry in entries}
    return Rendered(tuple(entries), _compact(body), value, marks, held)


def merged(config: KubernetesConfig, secret: Body, entries: Sequence[Entry], place: str) -> bytes | None:
    """Return ``secret`` with ``entries`` in it and everything else as it is; None when that changes nothing.

    Args:
        config: For labels and annotations.
        secret: The Secret as it was read; its resource version stays in it as the precondition. Secret.
        entries: What it must hold.
        place: ``namespace/secret`` for messages.

    Raises:
        ShapeError: What it holds cannot be read, so it cannot be kept either. UnsupportedError: as `render`.
    """
    document = document_of(secret, place)
    try:
        wanted = pull_secret.merge(document, entries, Convention.DOCKER)
    except ValueError as error:
        raise UnsupportedError(f"{place}: {error}") from error
    metadata = dict(_section(secret, "metadata"))
    for key, added in _metadata(config, marked(marks_in(secret), entries)).items():
        metadata[key] = {**_section(metadata, key), **added}
    if wanted == document and metadata == secret.get("metadata"):
        return None
    data = {**_section(secret, "data"), DATA_KEY: _encoded(wanted)}
    return _compact({**secret, "metadata": metadata, "data": data})


def held_in(secret: Body, entries: Sequence[Entry], place: str) -> dict[str, Login]:
    """Return, by credential, the logins that ``secret`` holds under the keys of ``entries``. Secret.

    Raises:
        ShapeError: Its content cannot be read.
    """
    return pull_secret.held(document_of(secret, place), entries, Convention.DOCKER)


def document_of(secret: Body, place: str) -> dict[str, Any]:
    """Return the docker configuration in ``secret``; empty when the key is missing. Secret.

    Raises:
        ShapeError: It cannot be read. The content is not in the text.
    """
    value = _section(secret, "data").get(DATA_KEY)
    if value is None:
        return {}
    text = _decoded(value)
    if text is None:
        raise ShapeError(f"{place}: {DATA_KEY} is not base64 of UTF-8")
    try:
        return pull_secret.parse_document(text)
    except ShapeError as error:
        raise ShapeError(f"{place}: {error.message}", hint=error.hint) from error


def marks_in(secret: Body) -> dict[str, Mark]:
    """Return the generations that ``secret`` was marked with, by credential; what is unreadable counts as absent."""
    annotations = _section(_section(secret, "metadata"), "annotations")
    fingerprints = _parsed(annotations.get(FINGERPRINTS))
    return {
        credential: Mark(generation, str(fingerprints.get(credential, "")))
        for credential, generation in _parsed(annotations.get(GENERATIONS)).items()
        if type(generation) is int
    }


def refuse_older(marks: Mapping[str, Mark], held: Mapping[str, Login], entries: Sequence[Entry], place: str) -> None:
    """Check that none of ``entries`` is older than what is there.

    Raises:
        FencedError: One is: another daemon, or one with newer state, wrote here.
    """
    older = fenced_off(marks, held, entries)
    if older is not None:
        newest = marks[older.credential].generation
        raise FencedError(
            f"{place}: holds generation {newest} of {older.credential}, not older than our {older.generation}",
            generation=newest,
            hint="Does another daemon write it? If this one lost its state, it goes above that by itself",
        )


def refuse_unsuitable(config: KubernetesConfig, secret: Body, place: str) -> None:
    """Check that ``secret`` can be written at all; it is never deleted and made anew.

    Raises:
        UnsupportedError: It has another type, or is immutable.
    """
    if secret.get("type", "Opaque") != config.secret_type:
        raise UnsupportedError(
            f"{place}: is a Secret of another type than {config.secret_type}, and the type cannot be changed",
            hint="Use another name for the secret, or delete it by hand once nothing depends on it",
        )
    if secret.get("immutable") is True:
        raise UnsupportedError(
            f"{place}: is immutable",
            hint="Use another name for the secret, or delete it by hand: a new one makes the kubelet pull again",
        )


def is_ours(secret: Body) -> bool:
    """Return whether ``secret`` was applied by us before, whoever edited it since."""
    managers = _section(secret, "metadata").get("managedFields")
    return isinstance(managers, list) and any(
        isinstance(entry, dict) and entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
        for entry in managers
    )


def version_of(secret: Body) -> str:
    """Return the resource version of an object; empty when it has none."""
    return str(_section(secret, "metadata").get("resourceVersion", ""))


def value_of(secret: Body) -> object:
    """Return the value of `DATA_KEY` as it stands there. Secret."""
    return _section(secret, "data").get(DATA_KEY)


def _metadata(config: KubernetesConfig, marks: Mapping[str, Mark]) -> dict[str, dict[str, str]]:
    generations = {credential: mark.generation for credential, mark in marks.items()}
    fingerprints = {credential: mark.fingerprint for credential, mark in marks.items()}
    stamps = {
        GENERATIONS: json.dumps(generations, sort_keys=True),
        FINGERPRINTS: json.dumps(fingerprints, sort_keys=True),
    }
    return {"labels": {**MANAGED_BY, **config.labels}, "annotations": {**config.annotations, **stamps}}


def _section(body: Body, key: str) -> Body:
    found = body.get(key)
    return found if isinstance(found, dict) else {}


def _encoded(document: Mapping[str, Any]) -> str:
    return base64.b64encode(pull_secret.dump_compact(document).encode()).decode("ascii")


def _decoded(value: object) -> str | None:
    try:
        return base64.b64decode(str(value), validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _compact(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _parsed(text: object) -> dict[str, Any]:
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
