"""`load`: files to a `Config`, or every mistake at once, each with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rotator.config.credential import CredentialConfig
from rotator.config.document import Document
from rotator.config.files import read
from rotator.config.inline import inline_secrets
from rotator.config.keys import unknown_name
from rotator.config.kinds import Kinds
from rotator.config.mistake import KeyPath, Mistake, Place
from rotator.config.parts import Finding, Parts
from rotator.config.root import NAME, Config, RegistryConfig
from rotator.config.rules import check
from rotator.config.sentence import sentences
from rotator.config.target import TargetConfig
from rotator.errors import ConfigError

_ENTRIES = ("registries", "credentials", "targets")
"""Sections whose entries are validated one by one."""
_NOT_A_MAPPING = "must be a mapping; write keys and values below it, or remove the line"


def load(path: Path, kinds: Kinds) -> Config:
    """Return the configuration in a file, or in all ``*.yaml`` and ``*.yml`` files of a directory.

    Reads only these files: what they refer to (secrets, keys, authorities) is read by whoever uses it. Repeating it
    is safe, and gives an equal value for equal files.

    Args:
        path: File or directory.
        kinds: What ``provider`` and ``type`` may say.

    Raises:
        ConfigError: It cannot be used. Names every mistake, sorted by file and line, and repeats no value.
    """
    document = read(path)
    reader = _Reader(document, kinds)
    parts = reader.parts()
    if document.complete:
        reader.note(check(parts))
    if reader.mistakes:
        ordered = sorted(set(reader.mistakes), key=lambda mistake: (mistake.place, str(mistake)))
        raise ConfigError([str(mistake) for mistake in ordered])
    return reader.config()


@dataclass(slots=True)
class _Reader:
    """Validates part by part, so that no mistake hides another, and remembers the mistakes."""

    document: Document
    kinds: Kinds
    mistakes: list[Mistake] = field(default_factory=list)
    sections: dict[str, Any] = field(default_factory=dict)
    spoiled: set[KeyPath] = field(default_factory=set)
    noted: set[KeyPath] = field(default_factory=set)
    salvaged: dict[str, CredentialConfig] = field(default_factory=dict)

    def parts(self) -> Parts:
        """Return every part that is valid by itself."""
        self.mistakes.extend(self.document.mistakes)
        self.spoiled.update(self.document.spoiled)
        inline = inline_secrets(self.document.data)
        self.note(inline)
        self.spoiled.update(path for path, _ in inline)
        self._unknown_sections()
        for name in Config.model_fields:
            self._section(name)
        single = {name: self.sections.get(name) for name in ("store", "admin", "metrics", "vault", "policy")}
        return Parts(
            **single,
            registries=self.sections["registries"],
            targets=self.sections["targets"],
            notifications=self.sections.get("notifications") or {},
            credentials={**self.sections["credentials"], **self.salvaged},
            has_vault=self.document.data.get("vault") is not None,
            target_names=frozenset(self._entries("targets")),
            fragment_targets=frozenset(self.document.fragments.get("targets", ())),
        )

    def config(self) -> Config:
        """Return the whole. Call it only when there are no mistakes."""
        return Config(**self.sections)

    def note(self, findings: Iterable[Finding]) -> None:
        """Remember ``findings`` as mistakes at their places; but one mistake per value, the first."""
        for path, text in findings:
            if path not in self.noted and not self._is_spoiled(path):
                self.noted.add(path)
                self.mistakes.append(Mistake(self._place(path), path, text))

    def _unknown_sections(self) -> None:
        for name in self.document.data:
            if name not in Config.model_fields:
                self.note([((name,), unknown_name(name, Config.model_fields, what="section"))])

    def _section(self, name: str) -> None:
        data = self.document.data
        if name in _ENTRIES:
            self.sections[name] = dict(self._valid_entries(name))
        elif name in data:
            valid = self._validated((name,), data[name], Config.model_fields[name].annotation)
            self.sections.update({} if valid is None else {name: valid})
        else:
            self.sections[name] = Config.model_fields[name].get_default()

    def _valid_entries(self, section: str) -> Iterator[tuple[str, Any]]:
        for name, value in self._entries(section).items():
            path = (section, name)
            if section != "registries" and not re.fullmatch(NAME, name):
                self.note([(path, "is not a name; write a-z, 0-9, '.', '_' and '-', at most 63 of them")])
            model = self._model(section, path, value)
            valid = None if model is None else self._validated(path, value, model)
            if valid is not None:
                yield name, valid
            elif section == "credentials" and model is not None and isinstance(value, dict):
                self._salvage(name, value, model)

    def _entries(self, section: str) -> Mapping[str, Any]:
        value = self.document.data.get(section, {})
        if isinstance(value, dict):
            return value
        self.note([((section,), _NOT_A_MAPPING)])
        return {}

    def _model(self, section: str, path: KeyPath, value: Any) -> type[Any] | None:
        """Return the model that an entry must fit; None when the entry does not say, which is then noted."""
        if section == "registries":
            return RegistryConfig
        if not isinstance(value, dict):
            self.note([(path, _NOT_A_MAPPING)])
            return None
        key, known = self._choice(section)
        chosen = value.get(key)
        if isinstance(chosen, str) and chosen in known:
            return known[chosen]
        names = ", ".join(known)
        if isinstance(chosen, str):
            text = unknown_name(chosen, known, what=key)
            text = text if names in text else f"{text} The known ones are {names}"
        else:
            text = f"is missing; write one of {names}"
        self.note([((*path, key), text)])
        return None

    def _choice(self, section: str) -> tuple[str, Mapping[str, type[CredentialConfig | TargetConfig]]]:
        """Return the key that selects the options of an entry, and what it may say."""
        return ("provider", self.kinds.credentials) if section == "credentials" else ("type", self.kinds.targets)

    def _validated(self, path: KeyPath, value: Any, annotation: Any) -> Any:
        """Return the validated value; None when it is not valid, which is then noted."""
        try:
            return _adapter(annotation).validate_python(value)
        except ValidationError as error:
            self.note(((*path, *inner), text) for inner, text in sentences(error, value, annotation))
            return None

    def _salvage(self, name: str, value: Mapping[str, Any], model: type[Any]) -> None:
        """Keep what is right about a credential for the cross-checks, which would else be silent until it is mended."""
        path = ("credentials", name)
        wrong = {at[2] for at in self.spoiled | self.noted if at[:2] == path and len(at) > len(path)}
        rest = {key: inner for key, inner in value.items() if key not in wrong}
        common = {key: inner for key, inner in rest.items() if key in CredentialConfig.model_fields}
        tries: list[tuple[Any, Mapping[str, Any]]] = [(model, rest), (CredentialConfig, common)]
        for annotation, keys in tries:
            try:
                self.salvaged[name] = _adapter(annotation).validate_python(keys)
            except ValidationError:
                continue
            return

    def _is_spoiled(self, path: KeyPath) -> bool:
        """Return whether ``path``, or what it is a part of, was refused before: that explains any further mistake."""
        return any(path[:depth] in self.spoiled for depth in range(1, len(path) + 1))

    def _place(self, path: KeyPath) -> Place:
        """Return where ``path`` is written; where it is not, the nearest thing around it that is."""
        for depth in range(len(path), -1, -1):
            place = self.document.places.get(path[:depth])
            if place is not None:
                return place
        return Place("configuration")


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)
