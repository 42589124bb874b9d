"""Where a configuration comes from, and a digest that says whether two are the same."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from rotator.config.files import files_of
from rotator.config.root import Config
from rotator.domain.configuration import Standing


def digest_of(config: Config) -> str:
    """Return the SHA-256 of all that a configuration says, in hexadecimal digits. It holds references, not secrets."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()


def standing_of(path: Path, config: Config, now: datetime) -> Standing:
    """Return how the configuration that was read from ``path`` stands. Files that are gone by now are not named."""
    try:
        names = tuple(file.name for file in files_of(path))
    except OSError:
        names = ()
    return Standing(now, digest_of(config), str(path), names)
