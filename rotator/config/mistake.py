"""One mistake in the configuration: where it is and what to write instead. Never what was written."""

from __future__ import annotations

import re
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Where a value is inside the configuration: ``("credentials", "ghcr", "images", 0)``."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_MAX_KEY_CHARS = 60


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file.

    Args:
        file: The file as the caller named it.
        line: From 1; 0 for the file as a whole.
    """

    file: str
    line: int = 0

    def __str__(self) -> str:
        """Return ``file:line``, or the file alone."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that keeps the configuration from being used.

    Args:
        place: Where a person finds it.
        path: The keys that lead to it; empty for a file as a whole.
        text: What is wrong; what to write instead. No value from the file.
    """

    place: Place
    path: KeyPath
    text: str

    def __str__(self) -> str:
        """Return ``file:line: path.to.key: what is wrong; what to write instead``."""
        path = f"{render_path(self.path)}: " if self.path else ""
        return f"{self.place}: {path}{self.text}"


def render_path(path: KeyPath) -> str:
    """Return ``path`` as people write it: ``registries[ghcr.io].ca_file``, ``credentials.ghcr.images[0]``."""
    text = ""
    for key in path:
        if isinstance(key, str) and _PLAIN.fullmatch(key) and len(key) <= _MAX_KEY_CHARS:
            text += f".{key}"
        else:
            text += f"[{_short(key)}]"
    return text.removeprefix(".")


def _short(key: str | int) -> str:
    """Return ``key`` on one line, printable and not longer than a line can bear."""
    text = str(key)
    shown = "".join(char if char.isprintable() else "?" for char in text[:_MAX_KEY_CHARS])
    return shown if len(text) <= _MAX_KEY_CHARS else f"{shown}..."
