"""What would happen to credentials, as a value, and whether two such values mean the same. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Odd:
    """A placement that is not as it should be.

    Args:
        placement: The spot.
        what: What is known of it, in words that stay the same as long as it does.
    """

    placement: str
    what: str


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """What would happen to one credential at one target.

    Args:
        target: Its name.
        kind: Its kind.
        placements: Spots that would hold the credential.
        canaries: Of them, those that a person named to be first.
        waves: How many of the others are written in each wave, one after the other. Small targets share their waves:
            there it may be 0 in some.
        read: Of them, those that were read now.
        odd: Those that are behind, hold something else, or could not be read; at most 20.
        odd_count: How many there are.
        refused: Spots that policy keeps the credential from, at most 20.
        refused_count: How many there are.
        standing: Fingerprint of what every placement is believed and was found to hold.
        error: Why its placements could not be listed; empty when they could.
    """

    target: str
    kind: str
    placements: int = 0
    canaries: int = 0
    waves: tuple[int, ...] = ()
    read: int = 0
    odd: tuple[Odd, ...] = ()
    odd_count: int = 0
    refused: tuple[str, ...] = ()
    refused_count: int = 0
    standing: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """What would be done about an old version.

    Args:
        generation: Its number.
        fingerprint: Keyed fingerprint of its secret.
        action: ``wait``, ``end``, ``prove`` or ``forget``.
        why: Why, in a sentence.
    """

    generation: int
    fingerprint: str
    action: str
    why: str


@dataclass(frozen=True, slots=True)
class CredentialPlan:
    """What would happen to one credential.

    Args:
        name: Its name.
        rotates: Whether it is to be rotated.
        reason: Why; empty when nothing is due.
        message: The same as a sentence; when nothing is due, what holds it.
        not_before: The instant before which the daemon does not begin by itself; None when there is none.
        step: The first step of the rotation; empty when there is none.
        next_generation: What it would bring; 0 when there is no rotation.
        generation: Of the version in use; 0 for none.
        fingerprint: Of the version in use; empty for none.
        pending: Generation that is on its way; 0 for none.
        pending_fingerprint: Of that.
        running: Id of the rotation that runs now; empty for none.
        targets: In configuration order.
        endings: Old versions, newest first.
        options: Fingerprint of the configuration that decides about it: its own, its targets', its registry's, how
            Vault is reached, and the policy.
        source: What its source holds now, where it is read from one: a fingerprint of the revision, or why that is not
            known; empty where versions are issued.
    """

    name: str
    rotates: bool
    reason: str
    message: str
    not_before: datetime | None = None
    step: str = ""
    next_generation: int = 0
    generation: int = 0
    fingerprint: str = ""
    pending: int = 0
    pending_fingerprint: str = ""
    running: str = ""
    targets: tuple[TargetPlan, ...] = ()
    endings: tuple[Ending, ...] = ()
    options: str = ""
    source: str = ""


def lines(credentials: Sequence[CredentialPlan]) -> dict[str, str]:
    """Return all that a plan depends on, as short texts by what they are about. The same world gives the same lines.

    Holds no instant: that time passes changes nothing until something is due by it.
    """
    return {f"{one.name}: {about}": text for one in credentials for about, text in _lines_of(one)}


def digest(of: Mapping[str, str]) -> str:
    """Return a text of 64 characters that two sets of lines share only when they are equal."""
    return hashlib.sha256(json.dumps(sorted(of.items())).encode()).hexdigest()


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return a sentence for each line that is not in both alike, in the order of ``now``."""
    return [
        f"{about}: was {before.get(about, 'not there')}, is {now.get(about, 'gone')}"
        for about in {**now, **before}
        if before.get(about) != now.get(about)
    ]


def short_digest(value: object) -> str:
    """Return 16 characters that stand for ``value``, which JSON can write and holds no secret."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _lines_of(one: CredentialPlan) -> Iterator[tuple[str, str]]:
    yield "rotation", f"{one.reason} from {one.step}" if one.rotates else "none"
    yield "runs", one.running or "nothing"
    yield "in use", _version(one.generation, one.fingerprint)
    yield "pending", _version(one.pending, one.pending_fingerprint)
    yield "configuration", one.options
    if one.source:
        yield "source", one.source
    for ending in one.endings:
        yield f"old generation {ending.generation}", f"{ending.action} ({ending.fingerprint})"
    for target in one.targets:
        counts = f"{target.placements} placements, {target.refused_count} refused [{target.standing}]"
        yield target.target, target.error or counts
        for odd in target.odd:
            yield f"{target.target}: {odd.placement}", odd.what


def _version(generation: int, fingerprint: str) -> str:
    return f"generation {generation} ({fingerprint})" if generation else "none"
