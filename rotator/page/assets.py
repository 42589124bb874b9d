"""Style, script and icon of the page, under names that change with their content, so that they may be kept for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served, and as what."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Args:
        name: Its name with a piece of its digest: ``page.0123456789ab.css``.
        body: What is in it.
        media_type: As what it is served.
    """

    name: str
    body: bytes
    media_type: str


def load_assets(directory: Path = STATIC) -> Mapping[str, Asset]:
    """Return every asset by its plain name. Reads files once, when the page is made."""
    return {path.name: _asset(path) for path in sorted(directory.iterdir()) if path.suffix in TYPES}


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:12]
    return Asset(f"{path.stem}.{digest}{path.suffix}", body, TYPES[path.suffix])
