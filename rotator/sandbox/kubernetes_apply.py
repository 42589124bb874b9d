"""Server-side apply: who owns which field, who is in whose way. Pure.

An object is taken apart into leaves, ``("data", ".dockerconfigjson") -> value``; a manager owns a set of leaves.
Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/ (reference documentation of Kubernetes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Path = tuple[str, ...]
Leaves = Mapping[Path, Any]

_MAPS: tuple[Path, ...] = (("data",), ("metadata", "labels"), ("metadata", "annotations"))
_SCALARS = ("type", "immutable")


@dataclass(frozen=True, slots=True)
class Manager:
    """Whoever set fields, and how.

    Args:
        name: The ``fieldManager``.
        operation: ``Apply`` for server-side apply, ``Update`` for everything else. One name with two operations is
            two managers: they conflict with each other.
    """

    name: str
    operation: str


Owners = Mapping[Manager, frozenset[Path]]
"""Which leaves each manager owns."""

EPOCH = "2026-01-01T00:00:00Z"
"""The time of everything here: it does not pass in a sandbox."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One field that somebody else owns with another value.

    Args:
        manager: Who owns it.
        path: The field.
    """

    manager: Manager
    path: Path

    @property
    def field(self) -> str:
        """Return the path as a Status cause writes it: ``.data..dockerconfigjson``."""
        return "." + ".".join(self.path)


class ApplyConflictError(Exception):
    """An apply without force met fields of others.

    Args:
        conflicts: All of them.
    """

    def __init__(self, conflicts: tuple[Conflict, ...]) -> None:
        super().__init__("conflict")
        self.conflicts = conflicts


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome: new leaves and new owners; the very objects passed in when nothing changed."""

    leaves: Leaves
    owners: Owners


def leaves_of(body: Mapping[str, Any]) -> dict[Path, Any]:
    """Return the leaves of a Secret's ``body`` that a client may set."""
    leaves: dict[Path, Any] = {}
    for path in _MAPS:
        found: Any = body
        for key in path:
            found = found.get(key) or {}
        for key, value in found.items():
            leaves[(*path, key)] = value
    for key in _SCALARS:
        if body.get(key) is not None:
            leaves[(key,)] = body[key]
    return leaves


def body_of(leaves: Leaves) -> dict[str, Any]:
    """Return the nested form of ``leaves``; the inverse of `leaves_of`."""
    body: dict[str, Any] = {}
    for path, value in leaves.items():
        nested = body
        for key in path[:-1]:
            nested = nested.setdefault(key, {})
        nested[path[-1]] = value
    return body


def apply(live: Applied, wanted: Leaves, manager: Manager, *, force: bool) -> Applied:
    """Return ``live`` with ``wanted`` applied by ``manager``.

    Leaves that the manager applied before and now leaves out go away unless somebody else owns them too.

    Raises:
        ApplyConflictError: Others own a wanted leaf with another value, and ``force`` is False.
    """
    differing = [path for path, value in wanted.items() if path in live.leaves and live.leaves[path] != value]
    conflicts = tuple(
        Conflict(other, path)
        for path in differing
        for other, owned in live.owners.items()
        if other != manager and path in owned
    )
    if conflicts and not force:
        raise ApplyConflictError(conflicts)
    before = live.owners.get(manager, frozenset())
    paths = frozenset(wanted)
    dropped = _only_own(before - paths, live.owners, manager)
    if not differing and not dropped and paths == before:
        return live
    leaves = {path: value for path, value in live.leaves.items() if path not in dropped} if dropped else live.leaves
    owners = _without(live.owners, {conflict.path for conflict in conflicts} | dropped, manager)
    return Applied({**leaves, **wanted}, {**owners, manager: paths})


def update(live: Applied, wanted: Leaves, manager: Manager) -> Applied:
    """Return ``live`` replaced by ``wanted``; whatever changed now belongs to ``manager``, whoever had it."""
    changed = {path for path, value in wanted.items() if live.leaves.get(path) != value}
    removed = set(live.leaves) - set(wanted)
    if not changed and not removed:
        return live
    owners = dict(_without(live.owners, changed | removed, None))
    if paths := owners.get(manager, frozenset()) | changed:
        owners[manager] = paths
    return Applied(dict(wanted), owners)


def managed_fields(owners: Owners) -> list[dict[str, Any]]:
    """Return ``metadata.managedFields``."""
    return [
        {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": "v1",
            "time": EPOCH,
            "fieldsType": "FieldsV1",
            "fieldsV1": _fields_v1(paths),
        }
        for manager, paths in owners.items()
    ]


@lru_cache(maxsize=1024)
def _fields_v1(paths: frozenset[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        nested = tree
        for key in path:
            nested = nested.setdefault(f"f:{key}", {})
    return tree


def _only_own(paths: frozenset[Path], owners: Owners, manager: Manager) -> frozenset[Path]:
    others = [owned for other, owned in owners.items() if other != manager]
    return paths.difference(*others)


def _without(owners: Owners, paths: set[Path], manager: Manager | None) -> Owners:
    """Return ``owners`` without ``paths``, except for ``manager``; owners left with nothing disappear."""
    if not paths:
        return owners
    kept = {other: owned if other == manager else owned - paths for other, owned in owners.items()}
    return {other: owned for other, owned in kept.items() if owned or other == manager}
