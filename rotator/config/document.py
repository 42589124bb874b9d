"""YAML text to plain data, with file and line of every value.

A small YAML on purpose: mappings, lists and single values. What else YAML can do (aliases, tags, merge keys, several
documents) is refused, since it either runs code, multiplies a small file into a large one, or surprises its reader.

Only ``null``, ``true``, ``false``, whole numbers and decimal fractions are more than text. ``yes``, ``on``, ``12:30``,
``0600`` and ``2026-01-01`` stay text as written: YAML 1.1 would make booleans, minutes, octal numbers and dates of
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from rotator.config.inline import inline_secret
from rotator.config.mistake import KeyPath, Mistake, Place

MAX_DEPTH = 32
"""How deep mappings and lists may nest. Deeper is a mistake or an attack; the sections need six."""

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT = re.compile(r"[-+]?[0-9]{1,17}\.[0-9]{0,17}", re.ASCII)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SENTENCES = (
    ("escape", "an unknown escape inside double quotes; use single quotes to write backslashes"),
    ("mapping values are not allowed", "a second ': ' on one line; indent it below its key, or put the text in quotes"),
    ("character", "a tab, '@', '`' or '%' where a value begins; indent with spaces and put such text in quotes"),
    ("end of stream", "a quote that is opened here is never closed; close it"),
    ("',' or ']'", "a list that is opened here is never closed; write [a, b]"),
    ("',' or '}'", "a mapping that is opened here is never closed; write {key: value}"),
    ("node content", "a list or mapping is not closed before this; write [a, b] or {key: value}"),
    ("'-' indicator", "a list and keys on the same level; indent the one that belongs to the other"),
    ("expected key", "keys that are not indented alike; give the keys of one mapping the same indentation"),
    ("<block end>", "keys that are not indented alike; give the keys of one mapping the same indentation"),
    ("expected ':'", "a key without ': ' behind it; write key: value"),
)
"""Pieces of what the YAML parser says (both of PyYAML's) to what we say; its own words may repeat the file."""
_WHERE_OPENED = ("end of stream", "',' or")


@dataclass(frozen=True, slots=True)
class Document:
    """What a file, or several together, say.

    Args:
        data: The top-level mapping.
        places: Where each value is; a key's own line for a value of a mapping.
        mistakes: What was refused while reading.
        spoiled: Paths of values that were refused and stand as None; nothing more is to be said about them.
        fragments: By section, the names of entries that stand in a file of a directory which may not hold the policy.
        complete: False when part of a file could not be read at all, so that what is missing proves nothing.
    """

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    spoiled: set[KeyPath] = field(default_factory=set)
    fragments: dict[str, set[str]] = field(default_factory=dict)
    complete: bool = True


class _UnreadableError(Exception):
    """Nothing behind this point of the file can be understood."""

    def __init__(self, line: int, path: KeyPath, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.path = path
        self.text = text


def parse(text: str, file: str) -> Document:
    """Return what ``text`` says. Reports every mistake in the result; raises nothing.

    Args:
        text: The whole file.
        file: Its name, for messages.
    """
    builder = _Builder(file)
    try:
        _refuse_control_characters(text)
        data = builder.document(yaml.parse(text, Loader=_LOADER))
    except _UnreadableError as error:
        builder.mistakes.append(Mistake(Place(file, error.line), error.path, error.text))
        return Document({}, {}, builder.mistakes, set(), complete=False)
    except yaml.YAMLError as error:
        builder.mistakes.append(Mistake(Place(file, _line_of(error)), (), _sentence(error)))
        return Document({}, {}, builder.mistakes, set(), complete=False)
    return Document(data, builder.places, builder.mistakes, builder.spoiled)


def resolve(text: str) -> Any:
    """Return the value that an unquoted ``text`` stands for."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


class _Builder:
    """Builds data from parser events. Events come one by one, so a hostile file is refused before it is in memory."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[KeyPath, Place] = {}
        self.mistakes: list[Mistake] = []
        self.spoiled: set[KeyPath] = set()
        self._events: Iterator[yaml.Event] = iter(())

    def document(self, events: Iterator[yaml.Event]) -> dict[str, Any]:
        self._events = (event for event in events if not isinstance(event, yaml.StreamStartEvent))
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise _UnreadableError(0, (), "is empty; write the configuration, or remove the file")
        root = next(self._events)
        value = self._value(root, ())
        next(self._events)
        after = next(self._events)
        if isinstance(after, yaml.DocumentStartEvent):
            raise _UnreadableError(_line(after), (), "starts a second document; write one document per file")
        if value is None and not self.mistakes:
            raise _UnreadableError(0, (), "is empty; write the configuration, or remove the file")
        if not isinstance(value, dict):
            raise _UnreadableError(
                _line(root), (), "is not a mapping; write sections such as credentials: and targets:"
            )
        return value

    def _value(self, event: yaml.Event, path: KeyPath) -> Any:
        self.places.setdefault(path, Place(self.file, _line(event)))
        refusal = _refusal(event)
        if refusal:
            self._refuse(event, path, refusal)
        value = self._content(event, path)
        if not refusal:
            return value
        self.spoiled.add(path)
        return None

    def _content(self, event: yaml.Event, path: KeyPath) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return resolve(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.AliasEvent):
            return None
        if len(path) >= MAX_DEPTH:
            raise _UnreadableError(_line(event), path[:3], f"is nested deeper than {MAX_DEPTH}; write it flat")
        return self._sequence(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)

    def _sequence(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            here = Place(self.file, _line(event))
            first = self.places.setdefault((*path, key), here)
            value = self._value(next(self._events), (*path, key))
            if key in items:
                self._refuse(event, (*path, key), f"is written twice, first on line {first.line}; keep one of the two")
            elif key:
                items[key] = value
        return items

    def _key(self, event: yaml.Event, path: KeyPath) -> str:
        """Return the key, or nothing when it was refused; its value is then read and dropped."""
        if not isinstance(event, yaml.ScalarEvent):
            raise _UnreadableError(_line(event), path, "has a key that is not text; write key: value")
        refusal = _refusal(event) or _key_refusal(event)
        if refusal:
            self._refuse(event, path, refusal)
            return ""
        return str(event.value)

    def _refuse(self, event: yaml.Event, path: KeyPath, text: str) -> None:
        self.mistakes.append(Mistake(Place(self.file, _line(event)), path, text))


def _refusal(event: yaml.Event) -> str:
    """Return why a value or key cannot be used, before looking at its content; empty when it can."""
    if isinstance(event, yaml.AliasEvent):
        return "is an alias (*name); write the value out"
    if getattr(event, "anchor", None):
        return "has an anchor (&name); remove it"
    if getattr(event, "tag", None):
        return "has a tag (!name); remove it and write the plain value"
    return ""


def _key_refusal(event: yaml.ScalarEvent) -> str:
    if event.implicit[0] and event.value == "<<":
        return "has a merge key (<<); write the keys out"
    if not event.value:
        return "has an empty key; write key: value"
    if event.implicit[0] and not isinstance(resolve(event.value), str):
        return "has a key that is not text; put it in quotes"
    return "has a key that looks like a secret; write where the secret is instead" if inline_secret(event.value) else ""


def _refuse_control_characters(text: str) -> None:
    match = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if match:
        line = text.count("\n", 0, match.start()) + 1
        raise _UnreadableError(line, (), "a control character; write the file as plain UTF-8 text")


def _line(event: yaml.Event) -> int:
    return 0 if event.start_mark is None else event.start_mark.line + 1


def _line_of(error: yaml.YAMLError) -> int:
    problem = str(getattr(error, "problem", None) or "")
    mark = getattr(error, "problem_mark", None)
    if any(piece in problem for piece in _WHERE_OPENED):
        mark = getattr(error, "context_mark", None) or mark
    return 0 if mark is None else int(mark.line) + 1


def _sentence(error: yaml.YAMLError) -> str:
    problem = str(getattr(error, "problem", None) or "").replace("expected the", "expected")
    for piece, sentence in _SENTENCES:
        if piece in problem:
            return sentence
    return "is not valid YAML here; check indentation, quotes and brackets around this line"
