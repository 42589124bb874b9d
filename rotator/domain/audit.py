"""The audit: who did what, why, and what came of it. Records are values; the store chains them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from rotator.domain.model import Delivery, DeliveryState, Version
from rotator.domain.rotation import Rotation
from rotator.domain.words import counted

SHOWN = 20
"""So many placements are named in one record; of more, the number is told."""

ENGINE = "rotator"
"""The actor of what the daemon does by itself."""

INTENT = "intent"
"""Written before the effect. Any other outcome is written after it."""


OVER = "over"
"""The outcome of a leak: all that leaked is replaced everywhere, and was seen refused or has expired."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the audit. No secret, and nothing a secret can be guessed from.

    Args:
        at: Aware UTC.
        actor: Who: a person or token as the admin API knows them, or ``schedule``.
        action: What, one word: ``rotate``, ``issue``, ``verify``, ``deliver``, ``promote``, ``withdraw``, ``retire``,
            ``leak``, ``acknowledge``, ``reveal``, ``configure``.
        credential: The credential's name; empty where none is concerned.
        outcome: `INTENT`, or what came of it.
        message: Why, or what came of it, in a sentence.
        generation: Of the version concerned; 0 for none.
        rotation: Id of the rotation; empty for none.
        subject: The target, and placements where they are few.
    """

    at: datetime
    actor: str
    action: str
    credential: str
    outcome: str
    message: str = ""
    generation: int = 0
    rotation: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class ChainedRecord:
    """A record in its place in the chain.

    Args:
        number: From 1, without gaps.
        record: What it says.
        digest: Keyed digest over the digest before, the number and the record; hexadecimal.
    """

    number: int
    record: AuditRecord
    digest: str


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What checking the chain found.

    Args:
        records: How many records there are.
        broken_at: Number of the first record that is not as it was written, or where one is missing; 0 when all are.
        why: What is wrong there, in a sentence; empty when nothing is.
    """

    records: int
    broken_at: int = 0
    why: str = ""


def canonical(number: int, record: AuditRecord) -> bytes:
    """Return the one text of a record over which its digest is taken: JSON, sorted keys, ASCII."""
    return json.dumps({"number": number, **_plain(record)}, sort_keys=True, separators=(",", ":")).encode()


def render(chained: ChainedRecord) -> str:
    """Return one JSON line, without a line's end. Control characters are escaped: no name can forge a line."""
    return json.dumps({"number": chained.number, **_plain(chained.record), "digest": chained.digest}, sort_keys=True)


def render_plain(record: AuditRecord) -> str:
    """Return one JSON line for a copy outside the chain, without a line's end; as `render`, but for the chain."""
    return json.dumps(_plain(record), sort_keys=True)


def _plain(record: AuditRecord) -> Mapping[str, object]:
    return {**asdict(record), "at": record.at.astimezone(UTC).isoformat(timespec="microseconds")}


def of_rotation(rotation: Rotation, outcome: str, message: str, at: datetime) -> AuditRecord:
    """Return the record of a rotation that begins (`INTENT`) or has ended."""
    return AuditRecord(
        at, rotation.by, "rotate", rotation.credential, outcome, message, rotation.generation, rotation.id
    )


def of_end(rotation: Rotation) -> AuditRecord:
    """Return the record of a rotation that has ended, or goes on with stragglers only."""
    return of_rotation(rotation, rotation.state.value, rotation.message, rotation.finished_at or rotation.started_at)


def of_version(action: str, version: Version, outcome: str, message: str, at: datetime, actor: str) -> AuditRecord:
    """Return the record of something that was done with one version."""
    return AuditRecord(at, actor, action, version.credential, outcome, message, version.generation)


def of_deliveries(target: str, deliveries: Sequence[Delivery], at: datetime) -> list[AuditRecord]:
    """Return what is to be said of deliveries to one target that begin or have ended: one record per version."""
    groups: dict[tuple[str, int, DeliveryState], list[Delivery]] = {}
    for one in deliveries:
        groups.setdefault((one.credential, one.generation, one.state), []).append(one)
    return [_of_group(target, key, members, at) for key, members in groups.items()]


def of_repair(delivery: Delivery, at: datetime) -> AuditRecord:
    """Return why a placement was written that had confirmed the very same before: something else had changed it."""
    where = f"{delivery.target}: {delivery.placement}"
    message = "something else had changed what it holds"
    return AuditRecord(
        at, ENGINE, "deliver", delivery.credential, "repaired", message, delivery.generation, subject=where
    )


def _of_group(
    target: str, key: tuple[str, int, DeliveryState], members: Sequence[Delivery], at: datetime
) -> AuditRecord:
    credential, generation, state = key
    outcome = INTENT if state is DeliveryState.INTENDED else state.value
    named = ", ".join(one.placement for one in members[:SHOWN])
    more = f" and {len(members) - SHOWN} more" if len(members) > SHOWN else ""
    message = next((one.message for one in members if one.message), counted(len(members), "placement"))
    return AuditRecord(
        at, ENGINE, "deliver", credential, outcome, message, generation, subject=f"{target}: {named}{more}"
    )
