"""Maintenance windows as people write them: ``02:00-04:00 Europe/Berlin``."""

from __future__ import annotations

import re
from datetime import UTC, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from rotator.domain.window import Window

_PATTERN = r"(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)(?: (?P<zone>[A-Za-z0-9_+/-]{1,64}))?"
_WRITTEN = re.compile(_PATTERN, re.ASCII)
_EXAMPLE = "02:00-04:00 Europe/Berlin"


def parse_window(text: str) -> Window:
    """Return the window that ``text`` writes, such as ``02:00-04:00 Europe/Berlin``; without a zone in UTC.

    Raises:
        ValueError: It does not; or nobody on this machine knows the zone.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a window; write hours of the day, such as {_EXAMPLE}")
    try:
        start, end = time.fromisoformat(found["start"]), time.fromisoformat(found["end"])
    except ValueError as error:
        raise ValueError(f"{text!r}: an hour is from 00 to 23, a minute from 00 to 59") from error
    try:
        zone = UTC if found["zone"] in {None, "UTC"} else ZoneInfo(found["zone"])
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"{found['zone']} is not a time zone that this machine knows; leave it out for UTC") from error
    return Window(start, end, zone)


def parse_windows(value: Any) -> tuple[Window, ...]:
    """Return the windows that ``value`` writes: one text, or a list of them.

    Raises:
        ValueError: As `parse_window`; or the list is empty.
    """
    written = [value] if isinstance(value, str) else value
    if not isinstance(written, (list, tuple)) or not written:
        raise ValueError(f"write hours of the day, such as {_EXAMPLE}, or a list of them")
    return tuple(one if isinstance(one, Window) else parse_window(str(one)) for one in written)


def render_windows(windows: tuple[Window, ...] | None) -> list[str] | None:
    """Return ``windows`` as people write them; `parse_windows` reads them back."""
    return None if windows is None else [str(window) for window in windows]


_TEXT = {"type": "string", "examples": [_EXAMPLE]}
Windows = Annotated[
    tuple[Window, ...],
    PlainValidator(parse_windows),
    PlainSerializer(render_windows, return_type=list[str] | None),
    WithJsonSchema({"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}),
]
