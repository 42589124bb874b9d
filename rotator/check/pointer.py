"""Finds the character that makes a text no image reference. Pure; the grammar is that of `rotator.domain.reference`."""

from __future__ import annotations

import re

_STRANGE = re.compile(r"[^A-Za-z0-9._\-/:@\[\]]")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_PARTS = (
    ("path", re.compile(_PATH, re.ASCII), re.compile(rf"(?:{_PATH}(?:/|__|[._]|-+)?)?", re.ASCII)),
    ("tag", re.compile(r"\w[\w.-]{0,127}", re.ASCII), re.compile(r"(?:\w[\w.-]{0,127})?", re.ASCII)),
    ("digest", re.compile(r"sha(?:256|384|512):[0-9a-f]+"), re.compile(r"(?:sha(?:256|384|512)(?::[0-9a-f]*)?)?")),
)
"""Each part's name, what it is when whole, and what its beginning may be."""


def first_bad(text: str) -> int | None:
    """Return the position of the first character that cannot stand where it stands; None when no single one is wrong.

    Args:
        text: What `rotator.domain.reference.parse` refused. The length of it: something is missing at the end.
    """
    strange = _STRANGE.search(text)
    if strange:
        return strange.start()
    start = _path_start(text)
    parts = re.match(r"(?P<path>[^:@]*)(?::(?P<tag>[^@]*))?(?:@(?P<digest>.*))?", text[start:])
    if parts is None:
        return None
    for name, whole, beginning in _PARTS:
        part = parts[name]
        good = beginning.match(part or "")
        if part is not None and good is not None and not whole.fullmatch(part):
            return start + parts.start(name) + good.end()
    return None


def _path_start(text: str) -> int:
    first, slash, _ = text.partition("/")
    is_host = bool(slash) and (first == "localhost" or bool(re.search(r"[.:A-Z]", first)))
    return len(first) + 1 if is_host else 0
