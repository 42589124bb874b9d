"""Which namespaces are meant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Self

from rotator.targets.kubernetes.config import NamespaceRules

_WILDCARDS = frozenset("*?")


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace as the API server told it.

    Args:
        name: Its name.
        terminating: Whether it is going away; nothing can be created in it then.
    """

    name: str
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Which namespaces are meant.

    Args:
        include: Names or patterns, one of which must match.
        exclude: Names or patterns, none of which may match.
        selector: Label selector for the API server; empty for all.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    selector: str = ""
    _included: _Names = field(init=False, repr=False, compare=False)
    _excluded: _Names = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort names from patterns once: thousands of plain names are asked for one by one."""
        object.__setattr__(self, "_included", _Names.of(self.include))
        object.__setattr__(self, "_excluded", _Names.of(self.exclude))

    @property
    def is_fixed(self) -> bool:
        """Whether the names are known without asking the cluster."""
        return not self.selector and not self._included.patterns

    def has(self, name: str) -> bool:
        """Return whether ``name`` passes the patterns; labels are the server's business."""
        return self._included.has(name) and not self._excluded.has(name)


@dataclass(frozen=True, slots=True)
class _Names:
    plain: frozenset[str]
    patterns: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        patterns = tuple(text for text in texts if _WILDCARDS & set(text))
        return cls(frozenset(texts).difference(patterns), patterns)

    def has(self, name: str) -> bool:
        return name in self.plain or any(fnmatchcase(name, pattern) for pattern in self.patterns)


def parse_selection(namespaces: list[str] | NamespaceRules) -> Selection:
    """Return the selection that the configuration describes."""
    if isinstance(namespaces, NamespaceRules):
        return Selection(tuple(namespaces.include), tuple(namespaces.exclude), (namespaces.selector or "").strip())
    return Selection(tuple(namespaces))


def select(selection: Selection, namespaces: Iterable[Namespace]) -> list[str]:
    """Return the names that are meant, sorted, without those that are going away."""
    return sorted({ns.name for ns in namespaces if not ns.terminating and selection.has(ns.name)})


def fixed_names(selection: Selection) -> list[str]:
    """Return the names of a fixed selection, sorted, each once."""
    return select(selection, (Namespace(name) for name in selection.include))


def parse_namespace(body: Any) -> Namespace | None:
    """Return the namespace in an API object; None when it is none."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return None
    status = body.get("status")
    phase = status.get("phase") if isinstance(status, dict) else None
    return Namespace(metadata["name"], phase == "Terminating" or bool(metadata.get("deletionTimestamp")))
