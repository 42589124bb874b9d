"""Templates for requests: data with holes, no logic. Used by the targets that speak an API they were told about.

A hole is ``{name}``: lower-case letters, digits and underscores, no spaces. Every other brace is text, so that GraphQL
and JSON can be written as they are. What fills a hole is never looked at for holes again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar
from urllib.parse import quote

Json = TypeVar("Json")

_HOLE = re.compile(r"\{([a-z][a-z0-9_]*)\}", re.ASCII)


def holes(template: object) -> frozenset[str]:
    """Return the names of all holes in the texts of ``template``: a text, or JSON made of dicts and lists."""
    return frozenset(name for text in _texts(template) for name in _HOLE.findall(text))


def fill(template: Json, values: Mapping[str, str]) -> Json:
    """Return a copy of ``template`` with its holes filled; may be secret.

    Filled are texts, wherever they stand as values; the keys of objects are left alone. The result is a value, so
    whoever serialises it also escapes what was filled in: a quote in a password stays inside its text.

    Args:
        template: JSON as Python holds it: dict, list, str, numbers, booleans, None.
        values: What to fill in, by name. May be secret.

    Raises:
        ValueError: A hole has no value; it is named.
    """
    return _filled(template, values)  # type: ignore[return-value]  # the shape stays


def fill_path(template: str, values: Mapping[str, str]) -> str:
    """Return ``template``, the path (and query) of a URL, with each value percent-encoded, slashes included.

    Args:
        template: Begins with ``/``; its own text is left as it is.
        values: What to fill in, by name. Not secret: a URL is no place for a secret.

    Raises:
        ValueError: A hole has no value, or one that would change the path: empty, ``.`` or ``..``.
    """

    def encoded(hole: re.Match[str]) -> str:
        value = _value(hole, values)
        if value in {"", ".", ".."}:
            raise ValueError(f"{{{hole[1]}}} is {value!r}, which cannot be part of a path")
        return quote(value, safe="")

    return _HOLE.sub(encoded, template)


def _filled(template: object, values: Mapping[str, str]) -> object:
    if isinstance(template, str):
        return _HOLE.sub(lambda hole: _value(hole, values), template)
    if isinstance(template, Mapping):
        return {key: _filled(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [_filled(value, values) for value in template]
    return template


def _value(hole: re.Match[str], values: Mapping[str, str]) -> str:
    try:
        return values[hole[1]]
    except KeyError:
        known = ", ".join(sorted(values)) or "none"
        # Without the cause: it says the same.
        raise ValueError(f"nothing is known as {{{hole[1]}}}; there are: {known}") from None


def _texts(template: object) -> Iterator[str]:
    if isinstance(template, str):
        yield template
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from _texts(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from _texts(value)
