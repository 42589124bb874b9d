"""Durations as people write them: ``30s``, ``5m``, ``12h``, ``14d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_PATTERN = re.compile(r"(\d{1,6})(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(value: Any) -> timedelta:
    """Return the duration that ``value`` writes, such as ``90s`` or ``1h30m``.

    Raises:
        ValueError: It is not made of numbers with a unit each, or it is zero.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    parts = _PATTERN.findall(text)
    if isinstance(value, bool) or not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("write a number with a unit: 30s, 5m, 12h, 14d (or 1h30m)")
    total = sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    if not total:
        raise ValueError("must be longer than zero")
    return total


def render_duration(value: timedelta) -> str:
    """Return ``value`` as people write it; `parse_duration` reads it back."""
    milliseconds = round(value / timedelta(milliseconds=1))
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(render_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(\d{1,6}(ms|s|m|h|d))+$", "examples": ["30s", "12h", "14d"]}),
]
