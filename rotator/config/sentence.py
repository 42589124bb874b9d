"""What pydantic found wrong, as plain sentences that never repeat a value.

pydantic's own messages are not used: some repeat the input. Messages of this project's validators are, by the rule
that a validator never repeats what could be secret.

Source of the error types: pydantic's documentation, https://docs.pydantic.dev/latest/errors/validation_errors/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rotator.config.keys import inside, is_tagged, known_keys, unknown_name
from rotator.config.mistake import KeyPath

_SENTENCES = {
    "missing": "is missing; add it",
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "does not have the right form; it must match {pattern}",
    "string_too_short": "is too short; it needs at least {min_length} characters",
    "string_too_long": "is too long; it may have {max_length} characters",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "must have a {discriminator} out of {expected_tags}",
    "union_tag_not_found": "needs the key {discriminator}, which says what the other keys mean",
    "value_error": "{error}",
    "assertion_error": "{error}",
    "too_short": "is too short; it needs at least {min_length}",
    "too_long": "is too long; it may have {max_length}",
    "dict_type": "must be a mapping; write keys and values below it",
    "model_type": "must be a mapping; write keys and values below it",
    "model_attributes_type": "must be a mapping; write keys and values below it",
    "tuple_type": "must be a list; write [a, b]",
    "list_type": "must be a list; write [a, b]",
    "set_type": "must be a list; write [a, b]",
    "frozen_set_type": "must be a list; write [a, b]",
}
_EMPTY = "is empty; write a value, or remove the line"
_TOO_SHORT = frozenset({"string_too_short", "too_short"})
_SCALAR_TYPES = frozenset({"string_type", "int_type", "float_type", "bool_type", "literal_error", "none_required"})


def sentences(error: ValidationError, value: Any, annotation: Any) -> list[tuple[KeyPath, str]]:
    """Return path and sentence of each mistake in ``error``, one per path.

    Args:
        error: What pydantic raised.
        value: What was validated, to tell keys of the file from pydantic's names for the branches of a union.
        annotation: The type it was validated as, to name the nearest known key.
    """
    by_path: dict[KeyPath, list[ErrorDetails]] = defaultdict(list)
    for detail in error.errors(include_url=False, include_input=False):
        by_path[_path_of(detail, value, annotation)].append(detail)
    for path in [path for path, details in by_path.items() if _is_other_branch(path, details, by_path)]:
        del by_path[path]
    return [(path, _sentence(path, details, value, annotation)) for path, details in by_path.items()]


def _path_of(detail: ErrorDetails, value: Any, annotation: Any) -> KeyPath:
    """Return the error's location as keys of the file: without pydantic's names for the branches of unions."""
    path: list[str | int] = []
    types = [annotation]
    *inner, last = detail["loc"] or ("",)
    for step in (*inner, last):
        if any(is_tagged(candidate) for candidate in types):
            types = [branch for candidate in types for branch in get_args(candidate)]
            continue
        child = _child(value, step)
        if child is not None:
            path.append(step)
            types = inside(types, step)
            value = child[0]
    if detail["type"] == "missing":
        path.append(last)
    return tuple(path)


def _child(value: Any, step: str | int) -> tuple[Any] | None:
    """Return what is behind ``step``, in a tuple; None when nothing is."""
    if isinstance(value, Mapping) and step in value:
        return (value[step],)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return (value[step],)
    return None


def _sentence(path: KeyPath, details: list[ErrorDetails], value: Any, annotation: Any) -> str:
    found = _at(value, path)
    detail = _most_telling(details, found)
    if detail["type"] == "extra_forbidden":
        return unknown_name(str(path[-1]), known_keys(annotation, path[:-1]), what="key")
    if _is_empty(found, detail["type"]):
        return _EMPTY
    template = _SENTENCES.get(detail["type"])
    if template is None:
        return f"is not valid ({detail['type']})"
    return template.format_map({key: _text(item) for key, item in detail.get("ctx", {}).items()})


def _is_empty(found: Any, kind: str) -> bool:
    return (found is None and kind not in {"missing", "value_error"}) or (not found and kind in _TOO_SHORT)


def _text(item: Any) -> str:
    """Return ``item`` without the quotes that pydantic puts around names: they would look like part of the file."""
    text = str(item)
    return text if isinstance(item, Exception) else text.replace("'", "")


def _most_telling(details: list[ErrorDetails], found: Any) -> ErrorDetails:
    """Return the error of the union branch that its author most likely meant: by whether a single value was written."""
    is_single = not isinstance(found, (dict, list))
    meant = [detail for detail in details if (detail["type"] in _SCALAR_TYPES) == is_single]
    return (meant or details)[0]


def _is_other_branch(path: KeyPath, details: list[ErrorDetails], paths: Iterable[KeyPath]) -> bool:
    """Return whether these errors only say that another branch of a union was meant, inside which the mistake is."""
    has_inner = any(other != path and other[: len(path)] == path for other in paths)
    return has_inner and all(detail["type"].endswith("_type") for detail in details)


def _at(value: Any, path: KeyPath) -> Any:
    for step in path:
        child = _child(value, step)
        if child is None:
            return ""
        (value,) = child
    return value
