"""JSON pointers (RFC 6901), for what an operator says about the answers of an API. Pure."""

from __future__ import annotations

import re
from typing import Any

_INDEX = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_ABSENT = object()


def check_pointer(pointer: str) -> str:
    """Return ``pointer`` if it is one.

    Raises:
        ValueError: It does not begin with a slash, or has a ``~`` that escapes nothing (RFC 6901).
    """
    if not pointer.startswith("/") or re.search(r"~(?![01])", pointer):
        raise ValueError(f"{pointer!r} is not a JSON pointer; write one such as /result/updated_at")
    return pointer


def at(document: Any, pointer: str) -> Any:
    """Return what stands at ``pointer`` in ``document`` (RFC 6901).

    Raises:
        LookupError: Nothing does. The text names the pointer, never what is there instead.
    """
    value = document
    for token in pointer.split("/")[1:]:
        value = _child(value, token.replace("~1", "/").replace("~0", "~"))
        if value is _ABSENT:
            raise LookupError(f"there is nothing at {pointer}")
    return value


def _child(value: Any, token: str) -> Any:
    if isinstance(value, dict):
        return value.get(token, _ABSENT)
    if isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
        return value[int(token)]
    return _ABSENT
