"""The Secret: built from entries, read back into logins, edited in place. Pure.

Which keys it has is the shape's business; the values of its ``data`` are base64, as in ``core/v1/types.go`` of
Kubernetes (read 2026-07-24).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rotator.domain.fence import Mark, marked
from rotator.domain.fields import Part, field_name, kept_fields
from rotator.domain.model import Entry, Login
from rotator.domain.pull_secret import dump_compact
from rotator.errors import ShapeError, UnsupportedError
from rotator.targets.fields import found, placed
from rotator.targets.kubernetes.client import FIELD_MANAGER
from rotator.targets.kubernetes.config import ANNOTATION_PREFIX, KubernetesConfig
from rotator.targets.kubernetes.shape import OPAQUE_TYPE, Shape

GENERATIONS = f"{ANNOTATION_PREFIX}generations"
FINGERPRINTS = f"{ANNOTATION_PREFIX}fingerprints"
_EMPTY = dump_compact({"auths": {}})
MANAGED_BY = {"app.kubernetes.io/managed-by": FIELD_MANAGER}

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A Secret to apply; the same for every namespace, because the URL says which.

    Args:
        entries: What it was made from.
        body: JSON. Secret.
        data: Its ``data``. Secret.
        marks: What its annotations say: the generations, by credential.
        held: What it holds, by credential.
    """

    entries: tuple[Entry, ...]
    body: bytes = field(repr=False)
    data: Mapping[str, str] = field(repr=False)
    marks: Mapping[str, Mark]
    held: Mapping[str, Login]

    def body_at(self, version: str) -> bytes:
        """Return the body with the precondition that the Secret still has resource version ``version``."""
        precondition = f'"metadata":{{"resourceVersion":{json.dumps(version)},'.encode()
        return self.body.replace(b'"metadata":{', precondition, 1)


def render(config: KubernetesConfig, entries: Sequence[Entry]) -> Rendered:
    """Return the Secret that holds exactly ``entries``.

    Raises:
        UnsupportedError: They do not fit into it together, or a registry cannot be one.
    """
    return _rendered(config, entries, {}, {})


def render_beside(
    config: KubernetesConfig, secret: Body, entries: Sequence[Entry], unissued: Mapping[str, str]
) -> Rendered:
    """Return the Secret that holds ``entries`` and what ``secret`` holds of credentials that have no version yet.

    Of a ``secret`` that cannot be read nothing is kept: its readers cannot read it either.

    Args:
        config: For the shape, labels and annotations.
        secret: The Secret as it was read. Secret.
        entries: What it must hold.
        unissued: Name to registry host of these credentials.

    Raises:
        UnsupportedError: As `render`.
    """
    data = _section(secret, "data")
    names = {field_name(name, credential) for name in config.shape.layout for credential in unissued}
    texts = {key: text for key in names if (text := _decoded(data.get(key))) is not None}
    try:
        kept = kept_fields(texts, unissued, config.shape.layout)
    except ShapeError:
        kept = {}
    marks = {credential: mark for credential, mark in marks_in(secret).items() if credential in unissued}
    return _rendered(config, entries, {key: _encoded(text) for key, text in kept.items()}, marks)


def _rendered(config: KubernetesConfig, entries: Sequence[Entry], kept: Body, marks: Mapping[str, Mark]) -> Rendered:
    data = _filled(config, kept, entries, f"secret {config.secret}")
    marks = marked(marks, entries)
    body = {
        "metadata": {"name": config.secret, **_metadata(config, marks)},
        "apiVersion": "v1",
        "kind": "Secret",
        "type": config.shape.type,
        "data": data,
    }
    held = {entry.credential: entry.login for entry in entries}
    return Rendered(tuple(entries), _compact(body), data, marks, held)


def merged(config: KubernetesConfig, secret: Body, entries: Sequence[Entry], place: str) -> bytes | None:
    """Return ``secret`` with ``entries`` in it and everything else as it is; None when that changes nothing.

    Args:
        config: For the shape, labels and annotations.
        secret: The Secret as it was read; its resource version stays in it as the precondition. Secret.
        entries: What it must hold.
        place: ``namespace/secret`` for messages.

    Raises:
        ShapeError: What it holds cannot be read, so it cannot be kept either. UnsupportedError: as `render`.
    """
    before = _section(secret, "data")
    data = _filled(config, before, entries, place)
    metadata = dict(_section(secret, "metadata"))
    for key, added in _metadata(config, marked(marks_in(secret), entries)).items():
        metadata[key] = {**_section(metadata, key), **added}
    if data == before and metadata == secret.get("metadata"):
        return None
    return _compact({**secret, "metadata": metadata, "data": data})


def logins_in(config: KubernetesConfig, secret: Body, entries: Sequence[Entry], place: str) -> dict[str, Login]:
    """Return, by credential, the logins in ``secret``, whether or not its readers would find them. Secret.

    Raises:
        ShapeError: Its content cannot be read.
    """
    layout = config.shape.layout
    return found(_texts(config.shape, _section(secret, "data"), entries, place), entries, layout, place)


def held_in(config: KubernetesConfig, secret: Body, entries: Sequence[Entry], place: str) -> dict[str, Login]:
    """Return what `logins_in` does; nothing where those whom the Secret is for would not find or use them. Secret.

    Raises:
        ShapeError: Its content cannot be read.
    """
    logins = logins_in(config, secret, entries, place)
    return logins if _fits(config.shape, secret) else {}


def marks_in(secret: Body) -> dict[str, Mark]:
    """Return the generations that ``secret`` was marked with, by credential; what is unreadable counts as absent."""
    annotations = _section(_section(secret, "metadata"), "annotations")
    fingerprints = _parsed(annotations.get(FINGERPRINTS))
    return {
        credential: Mark(generation, str(fingerprints.get(credential, "")))
        for credential, generation in _parsed(annotations.get(GENERATIONS)).items()
        if type(generation) is int
    }


def refuse_unsuitable(config: KubernetesConfig, secret: Body, place: str) -> None:
    """Check that ``secret`` can be written at all; it is never deleted and made anew.

    Raises:
        UnsupportedError: It has another type, or is immutable.
    """
    if secret.get("type", OPAQUE_TYPE) != config.shape.type:
        raise UnsupportedError(
            f"{place}: is a Secret of another type than {config.shape.type}, and the type cannot be changed",
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


def is_as_rendered(config: KubernetesConfig, secret: Body, rendered: Rendered) -> bool:
    """Return whether ``secret`` holds every value of ``rendered``, and whoever it is for finds it."""
    data = _section(secret, "data")
    return all(data.get(key) == value for key, value in rendered.data.items()) and _is_labelled(config.shape, secret)


def _metadata(config: KubernetesConfig, marks: Mapping[str, Mark]) -> dict[str, dict[str, str]]:
    generations = {credential: mark.generation for credential, mark in marks.items()}
    fingerprints = {credential: mark.fingerprint for credential, mark in marks.items()}
    stamps = {
        GENERATIONS: json.dumps(generations, sort_keys=True),
        FINGERPRINTS: json.dumps(fingerprints, sort_keys=True),
    }
    labels = {**MANAGED_BY, **config.labels, **config.shape.labels}
    return {"labels": labels, "annotations": {**config.annotations, **stamps}}


def _section(body: Body, key: str) -> Body:
    found = body.get(key)
    return found if isinstance(found, dict) else {}


def _filled(config: KubernetesConfig, data: Body, entries: Sequence[Entry], place: str) -> dict[str, Any]:
    """Return ``data`` with ``entries`` and the fixed values in it; what says the same already stays to the letter."""
    shape = config.shape
    if shape.holds_one and len(entries) > 1:
        names = ", ".join(entry.credential for entry in entries)
        raise UnsupportedError(
            f"{place}: {config.secret_template} holds one login, and here are {len(entries)}: {names}",
            hint="Deliver one of them here and give the others targets of their own",
        )
    before = _texts(shape, data, entries, place)
    wanted = {**placed(before, entries, shape.layout, place), **shape.data}
    if not entries:
        wanted |= {
            name: _EMPTY for name, part in shape.layout.items() if part is Part.DOCKER_CONFIG and name not in data
        }
    return {**data, **{key: _encoded(text) for key, text in wanted.items() if text != before.get(key)}}


def _texts(shape: Shape, data: Body, entries: Sequence[Entry], place: str) -> dict[str, str]:
    """Return the values that are texts; a docker configuration must be one, since others may be in it."""
    texts = {key: text for key, value in data.items() if (text := _decoded(value)) is not None}
    names = [name for name, part in shape.layout.items() if part is Part.DOCKER_CONFIG]
    for key in (field_name(name, entry.credential) for name in names for entry in entries):
        if key in data and key not in texts:
            raise ShapeError(f"{place}: {key} is not base64 of UTF-8")
    return texts


def _fits(shape: Shape, secret: Body) -> bool:
    data = _section(secret, "data")
    return all(_decoded(data.get(key)) == text for key, text in shape.data.items()) and _is_labelled(shape, secret)


def _is_labelled(shape: Shape, secret: Body) -> bool:
    labels = _section(_section(secret, "metadata"), "labels")
    return all(labels.get(name) == value for name, value in shape.labels.items())


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


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
