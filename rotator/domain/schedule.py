"""When: renewal points and pauses between tries. Pure arithmetic on instants and durations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from rotator.domain.model import Version

SHORT_LIFETIME = timedelta(days=10)
JITTER = 0.1
FIRST_PAUSE = timedelta(seconds=10)
SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)
LONGEST_ASKED = timedelta(days=1)
"""No wish of a peer is honoured for longer: a nonsensical ``Retry-After`` must not stop a credential for years."""

TRIES_THAT_FIT = 8
CLOCK_TOLERANCE = timedelta(seconds=2)
"""A wall clock that is slewed, not set, goes back by less than this."""

_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RenewalRule:
    """When one credential is renewed.

    Args:
        outage_budget: How long before the expiry a rotation starts at the latest, > 0.
        renew_before: Start this long before the expiry; None for the rule by lifetime.
        max_age: Start at this age whatever the expiry; None for no such rule.
        floor: Never start earlier than this after the issue, even where the version expires before; None for no floor.
    """

    outage_budget: timedelta = timedelta(minutes=30)
    renew_before: timedelta | None = None
    max_age: timedelta | None = None
    floor: timedelta | None = None


def as_late_as_possible(rule: RenewalRule) -> RenewalRule:
    """Return ``rule`` without what makes a version anew before its outage budget says so."""
    return replace(rule, renew_before=rule.outage_budget, max_age=None)


def renewal_point(version: Version, rule: RenewalRule) -> datetime | None:
    """Return when ``version`` is to be replaced because it will expire.

    A lifetime under 10 days: at half of it, moved by up to 10 % of that half, earlier or later; a longer one: at two
    thirds. Never later than the expiry minus the outage budget, or half the lifetime where that is shorter. A
    ``renew_before`` that leaves nothing of the lifetime does not count: it would have each version replaced at once.

    The jitter is derived from the version's fingerprint, so that the instant is the same after a restart and differs
    between credentials; of a life of a minute or more it is cut to the second, as every instant that people are shown.

    Returns:
        Aware UTC, after the issue and before the expiry; the expiry itself where that is not after the issue; None
        when the expiry is unknown or never. The rule's floor goes before all of this.
    """
    point = _point_by_expiry(version, rule)
    return None if point is None else _not_before_floor(point, version, rule)


def _point_by_expiry(version: Version, rule: RenewalRule) -> datetime | None:
    if version.expiry.at is None:
        return None
    lifetime = version.expiry.at - version.issued_at
    if lifetime <= timedelta():
        return version.expiry.at
    if rule.renew_before is not None and rule.renew_before < lifetime:
        point = version.expiry.at - rule.renew_before
    elif lifetime < SHORT_LIFETIME:
        point = version.issued_at + lifetime / 2 * (1 + JITTER * (2 * spread(version.fingerprint) - 1))
    else:
        point = version.issued_at + lifetime * 2 / 3
    point = min(point, _latest_by_expiry(version.expiry.at, lifetime, rule))
    whole = point.replace(microsecond=0)
    return whole if whole > version.issued_at and lifetime >= timedelta(minutes=1) else point


def _latest_by_expiry(expiry: datetime, lifetime: timedelta, rule: RenewalRule) -> datetime:
    return expiry - min(rule.outage_budget, lifetime / 2 * (1 - JITTER))


def is_put_back(version: Version, failures: int) -> bool:
    """Return whether a person put ``version`` back, and it stays as long as it can.

    Not what the engine put back after a rollout was halted: that is a failure, and is tried again.

    Args:
        version: The one in use.
        failures: Attempts that failed since the last that succeeded, or since a person put a version back.
    """
    return version.restores > 0 and not failures


def stays_until(version: Version, rule: RenewalRule) -> datetime | None:
    """Return when what a person put back is replaced: once only the outage budget is left of it, whatever its age.

    None when its expiry is unknown or never: it stays until somebody asks for another.
    """
    latest = last_call(version, rule)
    return None if latest is None else _not_before_floor(latest, version, rule)


def last_call(version: Version, rule: RenewalRule) -> datetime | None:
    """Return when only the outage budget is left of ``version``, or of a short life not quite half of it.

    From then on nothing waits that may as well be done. None when its expiry is unknown or never.
    """
    if version.expiry.at is None:
        return None
    lifetime = max(version.expiry.at - version.issued_at, timedelta())
    return _latest_by_expiry(version.expiry.at, lifetime, rule).replace(microsecond=0)


def replaced_at(version: Version, rule: RenewalRule, failures: int) -> datetime | None:
    """Return when ``version``, in use, is replaced by the mere passing of time; None for never.

    Args:
        version: The one in use.
        rule: When it is renewed.
        failures: As for `is_put_back`.
    """
    if is_put_back(version, failures):
        return stays_until(version, rule)
    points = (renewal_point(version, rule), age_point(version, rule))
    return min((point for point in points if point is not None), default=None)


def age_point(version: Version, rule: RenewalRule) -> datetime | None:
    """Return when ``version`` reaches the configured age; None when there is no such rule or no such year."""
    if rule.max_age is None or rule.max_age > _LAST - version.issued_at:
        return None
    return _not_before_floor((version.issued_at + rule.max_age).replace(microsecond=0), version, rule)


def _not_before_floor(point: datetime, version: Version, rule: RenewalRule) -> datetime:
    if rule.floor is None or rule.floor > _LAST - version.issued_at:
        return point
    return max(point, version.issued_at + rule.floor)


def spread(fingerprint: str) -> float:
    """Return a number in [0, 1) that is fixed for a fingerprint and evenly spread over many."""
    return int(fingerprint[:8], 16) / 2**32 if fingerprint else 0.5


def retry_pause(
    failures: int, *, remaining: timedelta | None, jitter: float, asked: timedelta | None = None
) -> timedelta:
    """Return how long to wait after the latest of ``failures`` failures in a row.

    Exponential from 10 s with full jitter, capped at the smaller of 5 minutes and an eighth of the life that is left,
    so that at least eight more tries always fit. A peer's wish is honoured as far as the remaining life allows.

    Args:
        failures: 1 after the first failure.
        remaining: Time until the current version expires; None when that is unknown, never, or there is none.
        jitter: A draw from [0, 1).
        asked: What the peer asked for (``Retry-After``); None when it did not.

    Returns:
        A duration of at least 1 second and at most 5 minutes, or ``asked`` where that is longer: up to half the
        remaining life, and up to a day where the life is not known or over.

    Raises:
        ValueError: ``failures`` is below 1.
    """
    if failures < 1:
        raise ValueError("a pause follows at least one failure")
    cap = LONGEST_PAUSE
    if remaining is not None and remaining > timedelta():
        cap = max(min(cap, remaining / TRIES_THAT_FIT), SHORTEST_PAUSE)
    exponential = min(cap, FIRST_PAUSE * int(2 ** min(failures - 1, 16)))
    pause = max(exponential * jitter, SHORTEST_PAUSE)
    if asked is None:
        return pause
    fits = LONGEST_ASKED if remaining is None or remaining <= timedelta() else max(remaining / 2, SHORTEST_PAUSE)
    return max(pause, min(asked, fits, LONGEST_ASKED))


def delivery_pause(attempts: int, longest: timedelta) -> timedelta:
    """Return how long to wait before a placement is tried again, after ``attempts`` tries: 5 s doubled, capped."""
    return min(longest, timedelta(seconds=5) * int(2 ** min(max(attempts - 1, 0), 12)))


def left_of_pause(since: datetime, pause: timedelta, now: datetime) -> timedelta:
    """Return how much of a ``pause`` that began at ``since`` is left: from zero to ``pause``.

    A beginning that lies clearly in the future shows that the wall clock was set back since; nothing is known of the
    time that really passed, so the pause counts as over rather than as longer than it was meant to be.
    """
    passed = now - since
    if passed < -CLOCK_TOLERANCE:
        return timedelta()
    return max(min(pause - passed, pause), timedelta())
