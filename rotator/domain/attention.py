"""What needs a person now: the one list that status, the page and notifications share. Pure.

What the daemon mends by itself is not on it: a login that was refused and is being replaced, a first failed attempt, a
placement that is tried again. It comes onto it once trying again has not helped, or cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.domain.headroom import ANONYMOUS, LimitStatus
from rotator.domain.leak import LeakProgress, Waits
from rotator.domain.model import Delivery, DeliveryState, Expiry, Strategy, Version
from rotator.domain.status import CredentialStatus, Health, TargetStatus
from rotator.domain.words import at_place
from rotator.errors import (
    AuthenticationError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    ShapeError,
    UnsupportedError,
    VerificationError,
)

FAILURES = 3
"""Attempts in a row that fail before somebody is to look, where trying again may help; as `RotatorRotationFailing`."""
ATTEMPTS = 5
"""Tries of one delivery before somebody is to look, where trying again may help: more than a minute of them."""
SHORTEST_NOTICE = timedelta(minutes=30)
LONGEST_NOTICE = timedelta(days=14)
LAST_CALL = timedelta(days=1)
"""What expires within this and is not replaced is critical."""

FOR_A_PERSON = frozenset(
    error.code
    for error in (
        AuthenticationError,
        NotFoundError,
        PermanentError,
        PermissionDeniedError,
        ShapeError,
        UnsupportedError,
        VerificationError,
    )
)
"""Codes of errors that trying again does not mend. A halted rollout is not among them: it is put back by itself."""


class Severity(StrEnum):
    """How soon; the words of the alerts."""

    CRITICAL = "critical"
    """Pulls fail, will soon, or a stranger can pull."""
    WARNING = "warning"
    """Everything still works."""


class Kind(StrEnum):
    """What it is about, in one word. A closed set: it is a label of metrics."""

    EXPIRED = "expired"
    REJECTED = "rejected"
    """The registry refuses what is in use, and nothing is there to replace it."""
    MISSING = "missing"
    """No version was ever in use, and none can be obtained."""
    EXPIRING = "expiring"
    """What is in use expires soon, and nothing replaces it."""
    FAILING = "failing"
    """A new version cannot be obtained; what is in use works on."""
    WITHDRAWN = "withdrawn"
    """A version was taken back; what was in use before serves in its place."""
    LEAK = "leak"
    """The response to a leak waits for a person."""
    AWAITING = "awaiting"
    """A target waits for a person to enter a login."""
    UNDELIVERED = "undelivered"
    """A target does not take a login."""
    IMAGE = "image"
    """An image does not pull."""
    LIMIT = "limit"
    """Nothing is left of a pull limit."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a person must look at or do. Not secret.

    Args:
        kind: What it is about.
        severity: How soon.
        credential: The credential's name; ``anonymous`` for the limit of those without a login.
        what: How it stands, in one sentence without a full stop.
        next_step: What to do, in one sentence without a full stop; commands in backticks.
        since: Since when, where that is known; None where it is not.
        about: The target, image or registry; empty where it is the credential itself.
    """

    kind: Kind
    severity: Severity
    credential: str
    what: str
    next_step: str
    since: datetime | None = None
    about: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same need as before, whatever its words are now."""
        return self.kind.value, self.credential, self.about


def needs_of(
    statuses: Iterable[CredentialStatus],
    now: datetime,
    leaks: Iterable[LeakProgress] = (),
    limits: Iterable[LimitStatus] = (),
) -> tuple[Need, ...]:
    """Return what needs a person: critical first, then what has lasted longest; what began at no known time comes last.

    Args:
        statuses: How every credential stands.
        now: Aware UTC.
        leaks: How far responses to leaks have come; those that are over, or that wait for nobody, bring nothing.
        limits: The last known pull limits.
    """
    found = [
        *(need for status in statuses for need in _of_credential(status, now)),
        *(need for leak in leaks for need in _of_leak(leak)),
        *(need for limit in limits for need in _of_limit(limit)),
    ]
    return tuple(sorted(found, key=_order))


def _order(need: Need) -> tuple[bool, bool, float, tuple[str, str, str]]:
    since = need.since.timestamp() if need.since is not None else 0.0
    return need.severity is not Severity.CRITICAL, need.since is None, since, need.key


def _of_credential(status: CredentialStatus, now: datetime) -> Iterator[Need]:
    in_use = _in_use(status, now)
    if in_use is not None:
        yield in_use
    if status.withdrawn:
        yield _withdrawn(status)
    for target in status.targets:
        yield from _of_target(status, target, now)
    is_lost = in_use is not None and in_use.kind in {Kind.EXPIRED, Kind.REJECTED}
    for image in status.images:
        if image.is_pullable is False and not is_lost:
            what = f"{status.name}: image {image.image} does not pull: {image.message}"
            step = f"look whether it is still there and whether the login may read it: `rotator status {status.name}`"
            yield Need(Kind.IMAGE, Severity.WARNING, status.name, _bare(what), step, image.told_at, image.id)


def _in_use(status: CredentialStatus, now: datetime) -> Need | None:
    """Return the worst that is to be said of the version in use, or of the lack of one."""
    current = status.current
    if current is None:
        return _missing(status) if _is_stuck(status) else None
    return _lost(status, current) or _endangered(status, current, now)


def _lost(status: CredentialStatus, current: Version) -> Need | None:
    """Return what is to be said where the version in use does not work any more."""
    if status.health is Health.EXPIRED:
        what = f"{status.name}: generation {current.generation} {status.message}, and pulls with it fail"
        return _need(status, Kind.EXPIRED, Severity.CRITICAL, what, current.expiry.at)
    if status.health is Health.REJECTED and _is_left_alone(status):
        what = f"{status.name}: {status.message}, and nothing is there to replace it{_obstacle(status)}"
        return _need(status, Kind.REJECTED, Severity.CRITICAL, what, current.rejected_at)
    return None


def _endangered(status: CredentialStatus, current: Version, now: datetime) -> Need | None:
    """Return what is to be said where the version in use works, and nothing takes its place."""
    if _is_ending(current, now) and _is_left_alone(status):
        what = f"{status.name}: expires at {_written(current.expiry)} and is not replaced{_obstacle(status)}"
        return _need(status, Kind.EXPIRING, _urgency(current.expiry, now), what, None)
    if _is_stuck(status) and not status.withdrawn:
        what = f"{status.name}: {status.message}{_obstacle(status)}"
        return _need(status, Kind.FAILING, Severity.WARNING, what, None)
    return None


def _need(status: CredentialStatus, kind: Kind, severity: Severity, what: str, since: datetime | None) -> Need:
    return Need(kind, severity, status.name, what, _replace_it(status), since)


def _missing(status: CredentialStatus) -> Need:
    what = f"{status.name}: {status.message}{_obstacle(status)}"
    return _need(status, Kind.MISSING, Severity.CRITICAL, what, None)


def _is_left_alone(status: CredentialStatus) -> bool:
    """Return whether nothing that is under way will replace what is in use."""
    if status.strategy == Strategy.READ:
        return status.pending is None or status.record.failures > 0
    return status.record.failures > 0 or bool(status.held)


def _is_stuck(status: CredentialStatus) -> bool:
    """Return whether a new version cannot be obtained, and trying again has not helped or cannot."""
    failures, error = status.record.failures, status.last.error if status.last is not None else ""
    return failures >= FAILURES or (failures > 0 and error in FOR_A_PERSON)


def _is_ending(version: Version, now: datetime) -> bool:
    """Return whether at most a tenth of its life is left: 30 minutes to 14 days, and never more than half of it."""
    left = version.expiry.left(now)
    if left is None or version.expiry.at is None:
        return False
    life = version.expiry.at - version.issued_at
    return left <= min(max(life / 10, SHORTEST_NOTICE), LONGEST_NOTICE, life / 2)


def _urgency(expiry: Expiry, now: datetime) -> Severity:
    left = expiry.left(now)
    return Severity.CRITICAL if left is not None and left <= LAST_CALL else Severity.WARNING


def _obstacle(status: CredentialStatus) -> str:
    if status.record.failures and status.last is not None and status.last.error:
        return f": {_bare(status.last.message)}"
    return f": {_bare(status.held)}" if status.held else ""


def _replace_it(status: CredentialStatus) -> str:
    if status.strategy == Strategy.READ:
        return "make a new one at the vendor and put it at its source; it is noticed by itself"
    return f"mend what `rotator status {status.name}` shows, then `rotator rotate {status.name} --reason ...`"


def _withdrawn(status: CredentialStatus) -> Need:
    serves = f"generation {status.current.generation} serves" if status.current is not None else "none serves"
    is_halted = status.last is not None and status.last.error == "halted" and status.last.generation == status.withdrawn
    why = f": {_bare(status.last.message)}" if is_halted and status.last is not None else ""
    what = f"{status.name}: generation {status.withdrawn} was taken back and {serves}{why}"
    step = f"find out what was wrong with it (`rotator versions {status.name}`), then have a new one made"
    return Need(Kind.WITHDRAWN, Severity.WARNING, status.name, what, step)


def _of_target(status: CredentialStatus, target: TargetStatus, now: datetime) -> Iterator[Need]:
    if target.in_sync or status.current is None:
        return
    ends = Expiry(target.expires_at)
    left = ends.left(now)
    is_urgent = target.required and left is not None and left <= SHORTEST_NOTICE
    severity = Severity.CRITICAL if is_urgent else Severity.WARNING
    verb = "ended" if ends.is_past(now) else "expires"
    until = f"; what it holds {verb} at {_written(ends)}" if left is not None else ""
    awaiting = next((one for one in target.behind if one.state is DeliveryState.AWAITING), None)
    if awaiting is not None:
        message, _, hint = awaiting.message.partition(". ")
        what = f"{_bare(message) or f'{target.target} waits for a person'}{until}"
        step = _bare(hint) or _hand_over(awaiting)
        yield Need(Kind.AWAITING, severity, status.name, what, step, awaiting.at, target.target)
    stuck = next((one for one in target.behind if _is_refused(one)), None)
    if stuck is not None or target.error or (is_urgent and awaiting is None):
        why = target.error or (
            at_place(stuck.placement, stuck.message) if stuck is not None else "nothing came of it yet"
        )
        what = f"{status.name}: target {target.target} lacks the version in use: {_bare(why)}{until}"
        yield Need(Kind.UNDELIVERED, severity, status.name, what, _mend(target, stuck), about=target.target)


def _mend(target: TargetStatus, stuck: Delivery | None) -> str:
    if stuck is not None and stuck.left_until is not None:
        return "find what else writes there and have it leave the place alone, or take the place out of the target"
    return f"mend it at the target (`rotator targets test {target.target}`); it is tried again by itself"


def _is_refused(delivery: Delivery) -> bool:
    is_failed = delivery.state is DeliveryState.FAILED
    is_contested = delivery.left_until is not None
    return is_failed and (is_contested or delivery.error in FOR_A_PERSON or delivery.attempts >= ATTEMPTS)


def _hand_over(delivery: Delivery) -> str:
    ack = f"`rotator targets ack {delivery.target} --generation {delivery.generation}`"
    return f"`rotator targets reveal {delivery.target}` shows the login once; enter it, then {ack}"


def _of_leak(leak: LeakProgress) -> Iterator[Need]:
    step = next((one for one in leak.steps if not one.is_done), None)
    if step is None or step.waits_for is not Waits.PERSON:
        return
    what = f"{leak.credential}: its secret is known to others, and the response waits for a person"
    yield Need(Kind.LEAK, Severity.CRITICAL, leak.credential, what, _bare(step.message), leak.reported_at)


def _of_limit(limit: LimitStatus) -> Iterator[Need]:
    sample = limit.sample
    if sample.headroom.remaining != 0:
        return
    whom = "pulls without a login" if sample.credential == ANONYMOUS else f"pulls with {sample.credential}"
    what = f"{sample.registry} serves no more {whom} for now: the limit is used up"
    step = "stop what pulls most, or pull through a mirror or another account; `rotator status --limits` tells more"
    yield Need(Kind.LIMIT, Severity.CRITICAL, sample.credential, what, step, limit.exhausted_at, sample.registry)


def _written(expiry: Expiry) -> str:
    return f"{expiry.at:%Y-%m-%d %H:%M:%SZ}"


def _bare(text: str) -> str:
    return text.strip().rstrip(".")
