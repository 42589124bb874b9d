"""`reference`: every option as a page of Markdown, made of the JSON Schema, so that it agrees with the loader."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from rotator.config.duration import render_duration

Schema = Mapping[str, Any]

_INTRODUCTION = """\
# Configuration

Every option there is. This page is made of the program itself: `rotator config reference` prints it.
[config/rotator.yaml](../config/rotator.yaml) shows the same as a file with comments, [examples](../config/examples/)
have one file per scenario, and `rotator config check` says what is wrong in yours, with its line.

In the tables a **duration** is a number with a unit, `500ms`, `30s`, `5m`, `12h`, `14d`, or several together, `1h30m`.
**Where a secret is** means one of `{vault: path#field}`, `{file: /path}` or `{env: NAME}`; no secret itself stands
in the configuration. What is **required** has no default.
"""
_SECRET = "SecretRef"  # noqa: S105 (the name of a model)
_DURATION = "(ms|s|m|h|d)"
_ISO_DURATION = re.compile(r"P[0-9DTHMS.]+")
_WORDS = {
    r"``": "`",
    r"\bTrue\b": "`true`",
    r"\bFalse\b": "`false`",
    r"\bNone\b(?= for)": "not set",
    r"; Not set": "; not set",
    r"\|": r"\|",
}


def reference(schema: Schema) -> str:
    """Return the page. The same schema gives the same text.

    Args:
        schema: What `rotator.config.schema.json_schema` returns.
    """
    return _Page(schema["$defs"]).render(schema["properties"])


@dataclass
class _Page:
    """A page in the making.

    Args:
        definitions: The schema's definitions by name.
        lines: What is written so far.
        anchors: Where each definition was written.
    """

    definitions: Mapping[str, Schema]
    lines: list[str] = field(default_factory=list)
    anchors: dict[str, str] = field(default_factory=dict)

    def render(self, sections: Mapping[str, Schema]) -> str:
        """Return the text: the sections of a file, then providers, then targets."""
        for name, section in sections.items():
            if name in {"version", "credentials", "targets"}:
                continue
            if "patternProperties" in section:
                self._write_entries(name, section)
                continue
            inner = section.get("additionalProperties", section)
            title = f"`{name}`, by host" if "additionalProperties" in section else f"`{name}`"
            self._write(2, title, _definition_in(inner) or "", section.get("default"))
        self._write_kinds("provider", "credentials")
        self._write_kinds("type", "targets")
        headings = [line[3:] for line in self.lines if line.startswith("## ")]
        contents = [f"- [{heading}](#{_slug(heading)})" for heading in headings]
        return "\n".join([_INTRODUCTION, *contents, "", *self.lines]).rstrip("\n") + "\n"

    def _write_entries(self, name: str, section: Schema) -> None:
        """Write a section whose entries have names and are of several types."""
        self._open(2, f"`{name}`, by name", _plain(section.get("description", "")))
        for entry in section["patternProperties"].values():
            for definition in _definitions_in(entry):
                self._write(3, f"`{name}` with {self._constant(definition)}", definition)

    def _write_kinds(self, key: str, section: str) -> None:
        kinds = {name: one for name, one in self.definitions.items() if name.startswith(f"{key}.")}
        common = _common([one["properties"] for one in kinds.values()])
        self._open(2, f"`{section}`, by name", f"Options that every one has, whatever its `{key}`.")
        self._table(
            {key: {"enum": [name.partition(".")[2] for name in kinds], "description": "Which."}, **common}, [key]
        )
        for name, kind in kinds.items():
            own = {
                option: one
                for option, one in kind["properties"].items()
                if option != key and (option not in common or _text(one) != _text(common[option]))
            }
            self._open(3, f"`{key}: {name.partition('.')[2]}`", _plain(kind.get("description", "")))
            self._table(own, kind.get("required", []))

    def _write(self, level: int, title: str, name: str, defaults: Any = None) -> None:
        """Write a definition, and below it whatever it is made of."""
        definition = self.definitions[name]
        self.anchors[name] = _slug(title)
        self._open(level, title, _plain(definition.get("description", "")))
        properties = definition.get("properties", {})
        if isinstance(defaults, dict):
            properties = {
                key: {**one, "default": defaults.get(key)} if key in defaults else one
                for key, one in properties.items()
            }
        self._table(properties, definition.get("required", []), title)

    def _open(self, level: int, title: str, text: str) -> None:
        self.lines += [f"{'#' * level} {title}", "", *([text, ""] if text else [])]

    def _table(self, options: Mapping[str, Schema], required: list[str], owner: str = "") -> None:
        rows: list[str] = []
        below: list[tuple[str, str, Any]] = []
        for option, schema in options.items():
            for name in _definitions_in(schema):
                if self._is_mapping(name) and name not in self.anchors:
                    title = self._title(option, name, owner or self._last_title())
                    self.anchors[name] = _slug(title)
                    below.append((title, name, schema.get("default")))
            default = "**required**" if option in required else _default(schema)
            meaning = _plain(schema.get("description", "")) or self._described(schema)
            rows.append(f"| `{option}` | {self._type(schema)} | {default} | {meaning} |")
        if rows:
            self.lines += ["| option | what it takes | default | meaning |", "|---|---|---|---|", *rows, ""]
        for title, name, defaults in below:
            self._write(4, title, name, defaults)

    def _described(self, schema: Schema) -> str:
        name = _definition_in(schema)
        return _plain(self.definitions[name].get("description", "")) if name else ""

    def _title(self, option: str, name: str, owner: str) -> str:
        constant = self._constant(name)
        return f"`{option}` with {constant}" if constant else f"`{option}` of {owner}"

    def _constant(self, name: str) -> str:
        """Return what tells a mapping from its alternatives, as `method: token`; empty where nothing does."""
        options = self.definitions[name]["properties"]
        return next((f"`{key}: {one['const']}`" for key, one in options.items() if "const" in one), "")

    def _last_title(self) -> str:
        return next(line.lstrip("# ") for line in reversed(self.lines) if line.startswith("#"))

    def _is_mapping(self, name: str) -> bool:
        return name != _SECRET and "properties" in self.definitions[name]

    def _type(self, schema: Schema) -> str:
        """Return in words what an option takes."""
        if "$ref" in schema:
            return self._named(schema["$ref"].rpartition("/")[2])
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return " or ".join(dict.fromkeys(self._type(one) for one in schema[choice] if one != {"type": "null"}))
        if "const" in schema or "enum" in schema:
            return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
        return self._plain_type(schema)

    def _named(self, name: str) -> str:
        if name == _SECRET:
            return "where a secret is"
        definition = self.definitions[name]
        if "properties" not in definition:
            return self._type(definition)
        return f"[{self._constant(name) or 'mapping'}](#{self.anchors[name]})"

    def _plain_type(self, schema: Schema) -> str:
        kind = schema.get("type")
        if kind == "array":
            return f"list of: {self._type(schema['items'])}"
        if kind == "object" and "properties" in schema:
            return "`{" + ", ".join(f"{key}: ..." for key in schema["properties"]) + "}`"
        if kind == "object":
            inner = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
            return f"mapping of names to: {self._type(inner)}" if isinstance(inner, dict) else "mapping"
        if kind in {"integer", "number"}:
            return f"number{_range(schema)}"
        if kind == "boolean":
            return "`true` or `false`"
        return "duration" if _DURATION in schema.get("pattern", "") else "text"


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    return f", at least {low}" if low is not None else ""


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None:
        return "not set"
    if isinstance(value, dict) and value:
        return "see there"
    if value in ([], {}, ""):
        return "none"
    if isinstance(value, str) and _DURATION in _text(schema) and _ISO_DURATION.fullmatch(value):
        value = render_duration(TypeAdapter(timedelta).validate_python(value))
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`"


def _definitions_in(schema: Schema) -> Iterator[str]:
    """Yield the names of the definitions that a schema refers to, in order."""
    for key, value in schema.items():
        if key == "$ref":
            yield str(value).rpartition("/")[2]
        elif key in {"anyOf", "oneOf"}:
            for one in value:
                yield from _definitions_in(one)
        elif key in {"items", "additionalProperties"} and isinstance(value, dict):
            yield from _definitions_in(value)
        elif key == "patternProperties":
            for one in value.values():
                yield from _definitions_in(one)


def _definition_in(schema: Schema) -> str | None:
    return next(_definitions_in(schema), None)


def _common(kinds: list[Mapping[str, Schema]]) -> dict[str, Schema]:
    """Return the options that all kinds have, each as most of them have it."""
    names = [name for name in kinds[0] if all(name in kind for kind in kinds) and "const" not in kinds[0][name]]
    most = {name: Counter(_text(kind[name]) for kind in kinds).most_common(1)[0][0] for name in names}
    return {name: json.loads(text) for name, text in most.items()}


def _text(schema: Schema) -> str:
    return json.dumps(schema, sort_keys=True)


def _plain(text: str) -> str:
    for pattern, word in _WORDS.items():
        text = re.sub(pattern, word, text)
    return text


def _slug(title: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
