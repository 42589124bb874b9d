"""Reads manifests: platforms, layers, sizes, bases. Pure, and total: whatever is no manifest has no contents.

Shapes: OCI image specification 1.1, "Image Manifest", "Image Index" and "Annotations", and the Docker image manifest
version 2, schema 2 (read 2026-11-23).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rotator.check.report import Base
from rotator.domain.reference import DIGEST_CHARS

MAX_READ_BYTES = 1 << 19
"""A longer manifest is not read: JSON grows up to thirtyfold when it is, and no image needs so long a one."""
MAX_PLATFORMS = 64
MAX_NAME_CHARS = 256
PREFERRED = "linux/amd64"
"""The platform whose layers are counted, where an index has it."""


@dataclass(frozen=True, slots=True)
class Child:
    """One image of an index.

    Args:
        platform: ``os/architecture[/variant]``.
        digest: Of its manifest.
    """

    platform: str
    digest: str


@dataclass(frozen=True, slots=True)
class Layers:
    """What is downloaded for one image.

    Args:
        count: How many layers, >= 0.
        size_bytes: Of the layers as they are transferred, and of the configuration.
    """

    count: int
    size_bytes: int


def digest_of(content: bytes) -> str:
    """Return the digest of a manifest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def children(content: bytes) -> list[Child]:
    """Return the images of an index, without attestations; empty when ``content`` is no index."""
    found = [child for entry in _list(_object(content), "manifests") if (child := _child(entry))]
    return found[:MAX_PLATFORMS]


def layers(content: bytes) -> Layers | None:
    """Return what an image's manifest lists; None when ``content`` is no such manifest."""
    manifest = _object(content)
    if not isinstance(manifest.get("layers"), list) or not isinstance(manifest.get("config"), dict):
        return None
    found = list(_list(manifest, "layers"))
    return Layers(len(found), sum(_size(one) for one in [*found, manifest["config"]]))


def preferred(found: list[Child], platform: str = PREFERRED) -> Child | None:
    """Return the image of an index to look into: that of ``platform``, else the first; None of an empty index."""
    return next((child for child in found if child.platform == platform), found[0] if found else None)


def base_of(content: bytes) -> Base | None:
    """Return what an image says it was built on; None when it says nothing, or nothing that could be a name."""
    annotations = _object(content).get("annotations")
    found = annotations if isinstance(annotations, dict) else {}
    name, digest = found.get("org.opencontainers.image.base.name"), found.get("org.opencontainers.image.base.digest")
    if not isinstance(name, str) or not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
        return None
    return Base(name, digest if isinstance(digest, str) and is_digest(digest) else "")


def is_digest(text: str) -> bool:
    """Return whether ``text`` is a digest: ``algorithm:hex``."""
    algorithm, _, digits = text.partition(":")
    return len(digits) == DIGEST_CHARS.get(algorithm) and set(digits) <= set("0123456789abcdef")


def _child(entry: Mapping[str, Any]) -> Child | None:
    platform, digest = entry.get("platform"), entry.get("digest")
    if not isinstance(platform, dict) or not isinstance(digest, str) or not is_digest(digest):
        return None
    names = [platform.get(name) for name in ("os", "architecture", "variant")]
    words = [name for name in names if isinstance(name, str) and name]
    return None if not words or "unknown" in words else Child("/".join(words)[:64], digest)


def _size(descriptor: Mapping[str, Any]) -> int:
    size = descriptor.get("size")
    return size if isinstance(size, int) and size > 0 else 0


def _object(content: bytes) -> dict[str, Any]:
    if len(content) > MAX_READ_BYTES:
        return {}
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _list(value: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    entries = value.get(name)
    yield from (entry for entry in (entries if isinstance(entries, list) else []) if isinstance(entry, dict))
