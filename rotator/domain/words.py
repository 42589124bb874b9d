"""How durations and numbers of things are put, everywhere people read them. Pure."""

from __future__ import annotations

from datetime import timedelta

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_LARGEST = 2
"""Units of a duration that are shown."""


def span(duration: timedelta) -> str:
    """Return ``duration`` in its two largest units: ``6h 12m``, ``45s``, ``3d``; a negative one as ``0s``."""
    seconds = max(0, int(duration.total_seconds()))
    parts: list[str] = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
        if len(parts) == _LARGEST:
            break
    return " ".join(parts) or "0s"


def at_place(placement: str, message: str) -> str:
    """Return ``message`` about ``placement``, which is named once, where the message does not begin with it already."""
    return message if message.startswith(placement) else f"{placement}: {message}"


def counted(count: int, noun: str) -> str:
    """Return ``1 place``, ``2 places``; 1,000 with its comma."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
