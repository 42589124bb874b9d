"""What may stand inside a type at a path: which keys it knows, and which steps are no keys at all."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rotator.config.mistake import KeyPath
from rotator.config.ref import SOURCES, SecretRef

MAX_COMPARED = 500
"""Among more names than this the nearest is not looked for: it would take minutes for a file full of mistakes."""
MAX_LISTED = 20


def known_keys(annotation: Any, path: KeyPath) -> list[str]:
    """Return the keys that a value of type ``annotation`` may have at ``path`` inside it, in order, no key twice."""
    candidates = [annotation]
    for step in path:
        candidates = inside(candidates, step)
    models = [model for candidate in candidates for model in _models(candidate)]
    return list(dict.fromkeys(key for model in models for key in _keys(model)))


def inside(annotations: Iterable[Any], step: str | int) -> list[Any]:
    """Return the types that a value of one of the types may have behind one key or index."""
    return [inner for annotation in annotations for inner in _inside(annotation, step)]


def is_tagged(annotation: Any) -> bool:
    """Return whether pydantic names the chosen branch in the location of an error inside ``annotation``."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return any(isinstance(extra, FieldInfo) and extra.discriminator is not None for extra in arguments[1:])
    return get_origin(annotation) not in {dict, list, tuple} and any(is_tagged(argument) for argument in arguments)


def unknown_name(name: str, known: Iterable[str], *, what: str) -> str:
    """Return the sentence about a name that does not exist: the nearest known one, or all of them.

    Args:
        name: What was written. It is not repeated.
        known: What may be written.
        what: The word for it: ``key``, ``provider``.
    """
    names = list(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.6) if len(names) <= MAX_COMPARED else []
    if nearest:
        return f"unknown {what}; did you mean {nearest[0]}?"
    if not names:
        return f"unknown {what}; there is none to choose from"
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f"unknown {what}; the known ones are {', '.join(names[:MAX_LISTED])}{more}"


def _keys(model: type[BaseModel]) -> Iterable[str]:
    return SOURCES if issubclass(model, SecretRef) else _fields(model)


def _fields(model: type[BaseModel]) -> Mapping[str, Any]:
    """Return the model's fields by the names that are written in the file."""
    return {field.alias or name: _annotation(field) for name, field in model.model_fields.items()}


def _annotation(field: FieldInfo) -> Any:
    """Return the field's type, with its discriminator, which pydantic moves from the type to the field."""
    return field.annotation if field.discriminator is None else Annotated[field.annotation, field]


def _inside(annotation: Any, step: str | int) -> Iterator[Any]:
    if get_origin(annotation) is dict:
        yield get_args(annotation)[1]
        return
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = _fields(annotation)
        if isinstance(step, str) and step in fields:
            yield fields[step]
        return
    if isinstance(step, int) and get_origin(annotation) in {tuple, list}:
        yield from get_args(annotation)
        return
    for argument in get_args(annotation):
        yield from _inside(argument, step)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that ``annotation`` is, or may be, itself: not those behind a list or a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) not in {tuple, list, dict}:
        for argument in get_args(annotation):
            yield from _models(argument)
