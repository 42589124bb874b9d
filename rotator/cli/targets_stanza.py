"""A piece of configuration for a kind of target, made from its options and what is said about them."""

from __future__ import annotations

import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from rotator.config.duration import render_duration
from rotator.config.ref import SecretRef

WIDTH = 118
FILL_IN = "FILL-IN"


def stanza(kind: str, model: type[BaseModel]) -> str:
    """Return an entry of the section ``targets``: what is needed to be filled in, all else commented out."""
    lines = [
        "# An entry for the section targets. Name it as you like, fill in what says so, remove # where you want",
        "# another value than the default, and name it in deliver_to of the credentials that it must hold.",
        "targets:",
        f"  {kind.replace('_', '-')}:",
        f"    type: {kind}",
        *_fields(model, "    ", skipped=frozenset({"type"}), mark=""),
    ]
    return "\n".join(lines) + "\n"


def _fields(model: type[BaseModel], indent: str, *, skipped: frozenset[str], mark: str) -> Iterator[str]:
    for name, field in sorted(model.model_fields.items(), key=lambda one: not one[1].is_required()):
        key = field.alias or name
        if key not in skipped:
            yield from _field(model, key, field, indent, mark)


def _field(model: type[BaseModel], key: str, field: FieldInfo, indent: str, mark: str) -> Iterator[str]:
    needed = "Needed. " if field.is_required() else ""
    text = f"{needed}{_description(model, key, field)}"
    for line in textwrap.wrap(text, WIDTH - len(indent) - 2):
        yield f"{indent}{mark}# {line}" if not mark else f"{indent}#   {line}"
    off = mark or ("" if field.is_required() else "#")
    inner = _model(field.annotation)
    if inner is not None:
        yield f"{indent}{off}{key}:"
        yield from _fields(inner, f"{indent}  ", skipped=frozenset(), mark=off)
    else:
        yield f"{indent}{off}{key}: {_value(field)}"


def _description(model: type[BaseModel], key: str, field: FieldInfo) -> str:
    """Return what an option means, in the words of the file: absent where Python says None."""
    bases = (base for base in model.__mro__ if issubclass(base, BaseModel) and key in base.model_fields)
    text = field.description or next((one for base in bases if (one := base.model_fields[key].description)), "") or ""
    return " ".join(text.replace("``", "").split()).replace("None:", "Not set:")


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the section that an option is, where it is one; a reference to a secret is none."""
    for one in _branches(annotation):
        if isinstance(one, type) and issubclass(one, BaseModel) and one is not SecretRef:
            return one if len(_branches(annotation)) == 1 else None
    return None


def _branches(annotation: Any) -> list[Any]:
    """Return what an option may be, None aside."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _branches(typing.get_args(annotation)[0])
    if origin in {typing.Union, types.UnionType}:
        return [one for arg in typing.get_args(annotation) if arg is not type(None) for one in _branches(arg)]
    return [annotation]


def _value(field: FieldInfo) -> str:
    if field.is_required():
        return _placeholder(_branches(field.annotation)[0])
    default = field.get_default(call_default_factory=True)
    return _rendered(default) if default is not None else _placeholder(_branches(field.annotation)[0])


def _placeholder(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    if annotation is SecretRef:
        return "{file: /path/of/the/secret}"
    if origin is typing.Literal:
        return str(typing.get_args(annotation)[0])
    if annotation is bool:
        return "false"
    if origin in {list, tuple, set, frozenset}:
        return f"[{FILL_IN}]"
    return f"{{{FILL_IN}: {FILL_IN}}}" if origin in {dict, Mapping} else FILL_IN


def _rendered(default: Any) -> str:
    """Return a default on one line of YAML."""
    if isinstance(default, timedelta):
        return render_duration(default)
    return (
        yaml.safe_dump(to_jsonable_python(default), default_flow_style=True, width=1000)
        .removesuffix("\n")
        .removesuffix("\n...")
    )
