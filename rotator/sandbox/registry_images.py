"""What the sandbox registry serves: small but real OCI images, built in memory.

Media types and shapes: OCI image specification 1.1 (https://github.com/opencontainers/image-spec, read 2026-11-23).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURES = ("amd64", "arm64")


@dataclass(frozen=True, slots=True)
class Document:
    """Some bytes with a media type.

    Args:
        media_type: What the bytes are.
        content: The bytes.
    """

    media_type: str
    content: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """Return ``sha256:`` and 64 hex digits."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    def describe(self) -> dict[str, Any]:
        """Return the descriptor by which another document refers to this one."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


@dataclass(frozen=True, slots=True)
class Image:
    """One multi-platform image.

    Args:
        index: The top document, which a tag points to.
        manifests: One per architecture.
        blobs: Every config, and the one layer they share.
    """

    index: Document
    manifests: tuple[Document, ...]
    blobs: tuple[Document, ...]


@dataclass(slots=True)
class Repository:
    """The images of one name.

    Args:
        public: Whether anybody may pull without a login.
        tags: Tag to the digest of an index.
        manifests: Every index and manifest, by digest.
        blobs: Every config and layer, by digest.
    """

    public: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, Document] = field(default_factory=dict)
    blobs: dict[str, Document] = field(default_factory=dict)

    def add(self, tag: str, image: Image) -> None:
        """Store ``image`` and let ``tag`` point to it; a tag that exists moves."""
        for document in (image.index, *image.manifests):
            self.manifests[document.digest] = document
        for blob in image.blobs:
            self.blobs[blob.digest] = blob
        self.tags[tag] = image.index.digest

    def manifest(self, reference: str) -> Document | None:
        """Return what ``reference``, a tag or a digest, points to; None when there is nothing."""
        return self.manifests.get(self.tags.get(reference, reference))


def build_image(text: str) -> Image:
    """Return an image whose only file holds ``text``; equal texts give equal digests."""
    archive = _archive(text.encode())
    layer = Document(LAYER_TYPE, gzip.compress(archive, mtime=0))
    diff_id = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    configs = [_config(architecture, diff_id) for architecture in ARCHITECTURES]
    manifests = [_manifest(config, layer) for config in configs]
    entries = [
        {**manifest.describe(), "platform": {"architecture": architecture, "os": "linux"}}
        for manifest, architecture in zip(manifests, ARCHITECTURES, strict=True)
    ]
    index = _json(INDEX_TYPE, {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})
    return Image(index, tuple(manifests), (*configs, layer))


def _archive(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("image.txt")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _config(architecture: str, diff_id: str) -> Document:
    rootfs = {"type": "layers", "diff_ids": [diff_id]}
    return _json(CONFIG_TYPE, {"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs})


def _manifest(config: Document, layer: Document) -> Document:
    fields = {"config": config.describe(), "layers": [layer.describe()]}
    return _json(MANIFEST_TYPE, {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, **fields})


def _json(media_type: str, value: dict[str, Any]) -> Document:
    return Document(media_type, json.dumps(value, separators=(",", ":")).encode())
