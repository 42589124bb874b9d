"""Images that are watched: the ids they go by, and how they stand."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.reference import Reference

ID = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"
"""What an image's id looks like: as the name of a credential or target."""
MAX_ID_CHARS = 63
_DIGEST_CHARS = 12
_OTHER = re.compile(r"[^a-z0-9._-]+")
_EDGES = "._-"


def image_id(reference: Reference) -> str:
    """Return the id of an image that was given none: repository and tag, ``acme/site:7`` as ``acme-site-7``.

    Without the registry, of a digest the first 12 digits. Always the same for the same reference; different references
    may share one.
    """
    version = (reference.digest or "").partition(":")[2][:_DIGEST_CHARS] or reference.pull
    slug = _OTHER.sub("-", f"{reference.path}-{version}".lower()).strip(_EDGES)
    if len(slug) <= MAX_ID_CHARS:
        return slug
    mark = hashlib.sha256(slug.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{slug[: MAX_ID_CHARS - _DIGEST_CHARS - 1].rstrip(_EDGES)}-{mark}"


@dataclass(frozen=True, slots=True)
class ImageStatus:
    """What the registry last said about one image and the version in use.

    Args:
        id: Its id in the configuration.
        image: Its full reference.
        is_pullable: Whether it pulled when the registry last could tell; None when it never could.
        told_at: When that was; None when never.
        reason: What the latest look found, in one word (`rotator.registry.advice.Ailment`); empty before the first.
        message: The same in a sentence, without secrets.
        looked_at: When that was; None before the first look.
    """

    id: str
    image: str
    is_pullable: bool | None = None
    told_at: datetime | None = None
    reason: str = ""
    message: str = "not asked yet"
    looked_at: datetime | None = None
