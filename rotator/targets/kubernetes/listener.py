"""Objects that are told of a new login, and how: Flux looks at once, workloads replace their pods. Pure.

What was told to an object stands in an annotation of its own there, one per Secret, so that each generation is told
once, whichever process tells it.

Sources, read 2026-11-28: fluxcd/source-controller, ``docs/spec/v1/helmrepositories.md`` ("Triggering a reconcile": any
new value of the annotation ``reconcile.fluxcd.io/requestedAt``). That ``kubectl rollout restart`` sets the annotation
``kubectl.kubernetes.io/restartedAt`` of the pod template is as Kubernetes documents it, not read again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from rotator.domain.model import Entry
from rotator.targets.kubernetes.refusal import Ask

NUDGED = "nudged.rotator.dev/"
"""Before the Secret's name: the annotation that says of which generations an object was told."""
REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"

_FLUX_KINDS = {
    "ocirepository": "ocirepositories.v1.source.toolkit.fluxcd.io",
    "helmrepository": "helmrepositories.v1.source.toolkit.fluxcd.io",
    "imagerepository": "imagerepositories.v1.image.toolkit.fluxcd.io",
}
_WORKLOADS = {kind: f"{kind}s.v1.apps" for kind in ("deployment", "statefulset", "daemonset")}
_RESOURCE = re.compile(r"[a-z][a-z0-9]{0,62}\.v[a-z0-9]{1,20}\.[a-z0-9]+(?:[.-][a-z0-9]+)*")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class Way(StrEnum):
    """How an object is told."""

    RECONCILE = "reconcile"
    """By an annotation of the object."""
    RESTART = "restart"
    """By an annotation of its pod template, so that its pods are replaced."""


class Occasion(StrEnum):
    """Why objects are to be told."""

    CHANGED = "changed"
    """The Secret was changed just now."""
    SEEN = "seen"
    """The Secret was as it should be: only who was told of something else is told; nobody is for the first time."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An object, in each namespace of the target.

    Args:
        group: API group.
        version: Of the group.
        resource: Plural.
        name: Of the object.
        way: How it is told.
    """

    group: str
    version: str
    resource: str
    name: str
    way: Way

    def ask(self, verb: str, namespace: str) -> Ask:
        """Return what is asked of the API server to do ``verb``."""
        return Ask(verb, self.resource, namespace, self.name, self.group, self.version)


def parse_flux(text: str) -> Listener:
    """Return the object of Flux in ``kind/name`` or ``resource.version.group/name``.

    Raises:
        ValueError: It is none.
    """
    return _parse(text, _FLUX_KINDS, Way.RECONCILE)


def parse_workload(text: str) -> Listener:
    """Return the workload in ``kind/name``.

    Raises:
        ValueError: It is none.
    """
    return _parse(text, _WORKLOADS, Way.RESTART)


def told(entries: Sequence[Entry]) -> str:
    """Return what an object is told of: the generations, by credential."""
    return json.dumps({entry.credential: entry.generation for entry in entries}, sort_keys=True)


def is_due(body: Mapping[str, Any], secret: str, news: str, occasion: Occasion) -> bool:
    """Return whether the object in ``body`` is to be told ``news`` of ``secret``."""
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    before = annotations.get(NUDGED + secret) if isinstance(annotations, dict) else None
    if before is None:
        return occasion is Occasion.CHANGED
    return bool(before != news)


def nudging_patch(way: Way, secret: str, news: str, now: datetime) -> dict[str, Any]:
    """Return the merge patch that tells an object ``news``, and notes there that it was told."""
    instant = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    mark = {NUDGED + secret: news}
    if way is Way.RECONCILE:
        return {"metadata": {"annotations": {**mark, REQUESTED_AT: instant}}}
    template = {"metadata": {"annotations": {RESTARTED_AT: instant}}}
    return {"metadata": {"annotations": mark}, "spec": {"template": template}}


def _parse(text: str, kinds: Mapping[str, str], way: Way) -> Listener:
    kind, _, name = text.partition("/")
    known = kinds.get(kind.lower(), kind if way is Way.RECONCILE else "")
    if not _RESOURCE.fullmatch(known) or not _NAME.fullmatch(name):
        raise ValueError(f"{text!r} is not kind/name with one of the kinds {', '.join(kinds)}")
    resource, version, group = known.split(".", 2)
    return Listener(group, version, resource, name, way)
