"""One credential: how it stands, its history, what depends on it, and what may be asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.admin.access import Role
from rotator.domain.attention import needs_of
from rotator.domain.history import KnownVersion
from rotator.domain.leak import LeakProgress, Waits
from rotator.domain.model import Delivery, DeliveryState, Stage, Version
from rotator.domain.rotation import Rotation
from rotator.domain.status import CredentialStatus, TargetStatus
from rotator.domain.usage import Usage
from rotator.domain.words import counted
from rotator.page.matrix import Cell, cell_of
from rotator.page.needs import Item, Piece, items_of, pieces, tried_of
from rotator.page.radius import PLACES_NAMED, Radius, radius_of
from rotator.page.rotations import Attempt, attempts_of
from rotator.page.timeline import Timeline, timeline_of
from rotator.page.words import Badge, Moment, Tone, badge, maybe, moment, of_health, relative

VERSIONS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of a credential.

    Args:
        word: What it is about.
        text: What is known.
        at: An instant that it is about; None when there is none.
    """

    word: str
    text: str
    at: Moment | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the response to a leak."""

    name: str
    state: Badge
    message: str


@dataclass(frozen=True, slots=True)
class Behind:
    """A placement that does not hold the version in use."""

    placement: str
    state: Badge
    holds: str
    tried: str
    message: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One target and what it holds.

    Args:
        kind: The target's kind.
        required: Whether a rotation waits for it.
        cell: How it stands.
        behind: Placements that are behind, at most 20.
        refused: Placements that policy keeps the credential from, at most `PLACES_NAMED`.
    """

    kind: str
    required: bool
    cell: Cell
    behind: tuple[Behind, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """One version, without what it is.

    Args:
        generation: Its number.
        stage: In one word.
        issued: When its vendor issued it.
        expiry: When it stops working, in a few words.
        expires: The instant; None when none is known.
        held: Where it was confirmed last: ``prod: 12``.
        fate: What it is for, or what becomes of it.
    """

    generation: int
    stage: Badge
    issued: Moment
    expiry: str
    expires: Moment | None
    held: tuple[str, ...]
    fate: str


@dataclass(frozen=True, slots=True)
class Button:
    """Something that may be asked for.

    Args:
        action: As in the path: ``rotate``, ``rollback``, ``leak``.
        label: What it says.
    """

    action: str
    label: str


@dataclass(frozen=True, slots=True)
class Detail:
    """The page of one credential. ``asked`` is the rotation that was just asked for; None without one."""

    name: str
    registry: str
    provider: str
    as_of: Moment
    state: Badge
    message: str
    needs: tuple[Item, ...]
    facts: tuple[Fact, ...]
    buttons: tuple[Button, ...]
    lacking: str
    leak: tuple[Step, ...]
    timeline: Timeline
    places: tuple[Place, ...]
    versions: tuple[Issue, ...]
    radius: Radius
    attempts: tuple[Attempt, ...]
    asked: Attempt | None


@dataclass(frozen=True, slots=True)
class Known:
    """All that the page of one credential is made from.

    Args:
        now: The daemon's time.
        status: How it stands.
        versions: Newest first.
        usage: What depends on it.
        leak: The response to a leak.
        rotations: Newest first.
        seconds: Durations of their steps, by rotation.
        role: What the reader may ask for.
        asked: Id of the rotation that the reader just asked for; empty for none.
    """

    now: datetime
    status: CredentialStatus
    versions: Sequence[KnownVersion]
    usage: Usage
    leak: LeakProgress
    rotations: Sequence[Rotation]
    seconds: Mapping[str, Mapping[str, float]]
    role: Role
    asked: str = ""


BUTTONS = {
    Role.OPERATOR: (Button("rotate", "Rotate now"), Button("rollback", "Put an earlier version back")),
    Role.ADMIN: (Button("leak", "It has leaked"),),
}
"""What a role may ask for beyond those below it."""


def buttons_of(role: Role) -> tuple[Button, ...]:
    """Return what somebody may ask for."""
    return tuple(button for needed, buttons in BUTTONS.items() if role >= needed for button in buttons)


def detail_of(known: Known) -> Detail:
    """Return the page of one credential."""
    status, now = known.status, known.now
    attempts = attempts_of(known.rotations, lambda rotation: known.seconds.get(rotation, {}), now)
    generation = status.current.generation if status.current is not None else 0
    needs = needs_of([status], now, [known.leak])
    return Detail(
        name=status.name,
        registry=status.registry,
        provider=status.provider,
        as_of=moment(now, now),
        state=of_health(status.health),
        message=status.message,
        needs=items_of(needs, now) or tried_of([status], (), (), now),
        facts=tuple(_facts(status, now)),
        buttons=buttons_of(known.role),
        lacking=_lacking(known.role),
        leak=tuple(_step(one.name, one.message, one.waits_for, is_done=one.is_done) for one in known.leak.steps),
        timeline=timeline_of([status], now),
        places=tuple(_place(target, generation, now) for target in status.targets),
        versions=tuple(_issue(one, now) for one in known.versions[:VERSIONS_SHOWN]),
        radius=radius_of(known.usage, now),
        attempts=attempts,
        asked=next((one for one in attempts if one.id == known.asked), None),
    )


def _lacking(role: Role) -> str:
    if role is Role.VIEWER:
        return "You are a viewer: you may look. Rotating needs the role operator, reporting a leak the role admin."
    return "Reporting a leak needs the role admin." if role is Role.OPERATOR else ""


def _facts(status: CredentialStatus, now: datetime) -> list[Fact]:
    current, record = status.current, status.record
    facts = [Fact("replaced by", _STRATEGIES.get(status.strategy, status.strategy))]
    if current is not None:
        facts += [Fact("in use", f"generation {current.generation}, issued", moment(current.issued_at, now))]
        facts += [_expiry_fact(current, now), _verified(current, now)]
        facts += _rights(current, status)
    if status.renewal_at is not None:
        facts.append(Fact("renewal", "planned", moment(status.renewal_at, now)))
    if status.pending is not None:
        facts.append(Fact("on its way", f"generation {status.pending.generation}"))
    if record.failures:
        facts.append(Fact("failures", f"{counted(record.failures, 'attempt')} in a row; next", _next(status, now)))
    facts.append(Fact("last success", "", moment(record.last_success_at, now)) if record.last_success_at else _NEVER)
    if status.held:
        facts.append(Fact("held back", status.held))
    deadline = status.outage_deadline
    if deadline is not None:
        first = f"if the source is down, {deadline.target} is the first without a valid login"
        text = first if deadline.at > now else f"used up: {deadline.target} holds what ended"
        facts.append(Fact("outage budget", text, moment(deadline.at, now)))
    return facts


_NEVER = Fact("last success", "none yet")

_STRATEGIES = {
    "read": "a person, at its source",
    "ephemeral": "the daemon: each dies by itself",
    "create_retire": "the daemon: a new one beside the old, then the old is ended",
    "two_slot": "the daemon: in the slot that is not in use",
    "overwrite": "the daemon: the old one dies at once",
}


def _next(status: CredentialStatus, now: datetime) -> Moment | None:
    return maybe(status.record.next_attempt_at, now)


def _expiry_fact(version: Version, now: datetime) -> Fact:
    if version.expiry.at is not None:
        return Fact("expires", "", moment(version.expiry.at, now))
    return Fact("expires", "never, its vendor says" if version.expiry.never else "unknown: nobody told its end")


def _verified(version: Version, now: datetime) -> Fact:
    if version.rejected_at is not None:
        return Fact("registry", "refused it", moment(version.rejected_at, now))
    if version.verified_at is None:
        return Fact("registry", "was never shown it")
    return Fact("registry", "last took it", moment(version.verified_at, now))


def _rights(version: Version, status: CredentialStatus) -> list[Fact]:
    facts = [Fact("taken for", version.principal)] if version.principal else []
    if version.scopes is not None:
        facts.append(Fact("may", ", ".join(sorted(version.scopes)) or "nothing"))
    return [*facts, *(Fact("better", lint.text) for lint in status.privilege.lints)]


def _step(name: str, message: str, waits_for: Waits, *, is_done: bool) -> Step:
    waits = {
        Waits.DAEMON: badge(Tone.BUSY, "the daemon is at it"),
        Waits.PERSON: badge(Tone.BAD, "waits for you"),
        Waits.TIME: badge(Tone.WARN, "waits for time"),
    }
    return Step(name, badge(Tone.OK, "done") if is_done else waits[waits_for], message)


def _place(target: TargetStatus, generation: int, now: datetime) -> Place:
    behind = tuple(_behind(one, now) for one in target.behind)
    return Place(target.kind, target.required, cell_of(target, generation, now), behind, target.refused[:PLACES_NAMED])


def _behind(one: Delivery, now: datetime) -> Behind:
    tones = {
        DeliveryState.FAILED: badge(Tone.BAD, "failed"),
        DeliveryState.AWAITING: badge(Tone.WARN, "waits for you"),
        DeliveryState.INTENDED: badge(Tone.BUSY, "on its way"),
        DeliveryState.CONFIRMED: badge(Tone.QUIET, "older"),
    }
    holds = f"holds generation {one.confirmed_generation}" if one.confirmed_generation else "holds none"
    return Behind(
        one.placement,
        tones[one.state],
        holds,
        f"{one.attempts} {'try' if one.attempts == 1 else 'tries'}, last {relative(one.at, now)}",
        pieces(one.message),
    )


def _issue(known: KnownVersion, now: datetime) -> Issue:
    version = known.version
    return Issue(
        version.generation,
        _stage(version),
        moment(version.issued_at, now),
        "" if version.expiry.at else ("never" if version.expiry.never else "unknown"),
        maybe(version.expiry.at, now),
        tuple(f"{one.target}: {one.placements:,}" for one in known.held),
        known.fate,
    )


def _stage(version: Version) -> Badge:
    tones = {
        Stage.CURRENT: Tone.OK,
        Stage.PENDING: Tone.BUSY,
        Stage.PREVIOUS: Tone.WARN,
        Stage.RETIRED: Tone.QUIET,
        Stage.ABANDONED: Tone.QUIET,
    }
    if version.leaked_at is not None and version.dead_at is None:
        return badge(Tone.BAD, f"{version.stage.value}, leaked")
    taken_back = ", taken back" if version.withdrawn_at is not None else ""
    return badge(tones[version.stage], f"{version.stage.value}{taken_back}")
