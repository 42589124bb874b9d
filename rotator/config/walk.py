"""Everything inside a part of the configuration, with its path."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from rotator.config.mistake import KeyPath


def walk(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Yield ``value`` and everything inside it, each with its path; a model before its fields."""
    yield path, value
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        for name, inner in value:
            yield from walk(inner, (*path, fields[name].alias or name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, (*path, key))
    elif isinstance(value, (tuple, list)):
        for index, inner in enumerate(value):
            yield from walk(inner, (*path, index))
