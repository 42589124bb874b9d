"""JSON pointers (RFC 6901), and the one element of a list that is meant. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_INDEX = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)


def check_pointer(pointer: str) -> str:
    """Return ``pointer``.

    Raises:
        ValueError: It is none.
    """
    if (pointer and not pointer.startswith("/")) or re.search(r"~(?![01])", pointer):
        raise ValueError(f"{pointer!r} is not a JSON pointer; write it from / on, such as /data/0/username")
    return pointer


def at(document: Any, pointer: str) -> Any:
    """Return what stands at ``pointer`` in ``document``; None when nothing does."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and _INDEX.fullmatch(key) and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def replaced(document: Any, pointer: str, value: Any) -> Any:
    """Return a copy of ``document`` with ``value`` at ``pointer``; only keys of objects are followed."""
    if not pointer:
        return value
    key, slash, rest = pointer[1:].partition("/")
    key = key.replace("~1", "/").replace("~0", "~")
    known = document if isinstance(document, dict) else {}
    return {**known, key: replaced(known.get(key), slash + rest, value)}


def only(items: Any, where: Mapping[str, str]) -> Any:
    """Return the first object of a list whose fields are as ``where`` says, compared as text; None for none."""
    if not isinstance(items, list):
        return None
    return next(
        (item for item in items if all(str(at(item, f"/{key}")) == value for key, value in where.items())), None
    )
