"""What needs a person, as `rotator.domain.attention` decides it, and what the daemon is still at by itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.attention import Kind, Need, Severity
from rotator.domain.headroom import LimitStatus
from rotator.domain.leak import LeakProgress
from rotator.domain.status import CredentialStatus, Health
from rotator.page.words import Badge, Moment, Tone, badge, maybe, of_health, relative

WORDS = {
    Kind.EXPIRED: "expired",
    Kind.REJECTED: "rejected",
    Kind.MISSING: "missing",
    Kind.EXPIRING: "expiring",
    Kind.FAILING: "failing",
    Kind.WITHDRAWN: "taken back",
    Kind.LEAK: "leaked",
    Kind.AWAITING: "waits for you",
    Kind.UNDELIVERED: "not delivered",
    Kind.IMAGE: "does not pull",
    Kind.LIMIT: "used up",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence.

    Args:
        text: What it says.
        is_code: Whether it is to be typed as it is.
    """

    text: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to look at.

    Args:
        state: In one word.
        subject: Which credential or registry, or the daemon.
        path: Where there is more; empty when there is not.
        what: What is known, in a sentence.
        then: What to do, or what happens next, in pieces; none where ``what`` says it.
        since: Since when; None where that is not known.
    """

    state: Badge
    subject: str
    path: str
    what: str
    then: tuple[Piece, ...] = ()
    since: Moment | None = None


def items_of(needs: Sequence[Need], now: datetime) -> tuple[Item, ...]:
    """Return needs as they are shown, in the same order."""
    return tuple(_item(need, now) for need in needs)


def tried_of(
    statuses: Sequence[CredentialStatus], limits: Sequence[LimitStatus], needs: Sequence[Need], now: datetime
) -> tuple[Item, ...]:
    """Return what is not well and is left to the daemon, worst first: whatever is in no need.

    Args:
        statuses: Every credential.
        limits: Every pull limit.
        needs: What a person is asked for already.
        now: Aware UTC.
    """
    asked = {need.credential for need in needs if need.kind is not Kind.LIMIT}
    odd = [one for one in statuses if one.health is not Health.OK and one.name not in asked]
    worst_first = sorted(odd, key=lambda one: (list(Health).index(one.health), one.name))
    return (
        *(_tried(one, now) for one in worst_first),
        *(_emptying(one, now) for one in limits if _is_emptying(one, now)),
    )


def leaks_of(leaks: Sequence[LeakProgress], needs: Sequence[Need]) -> tuple[Item, ...]:
    """Return the responses to leaks that are not over and wait for no person: what leaked may still work."""
    asked = {need.credential for need in needs if need.kind is Kind.LEAK}
    return tuple(_leaking(one) for one in leaks if not one.is_over and one.credential not in asked)


def pieces(text: str) -> tuple[Piece, ...]:
    """Return ``text`` cut at its backticks; what stands between two of them is code."""
    parts = text.split("`")
    return tuple(Piece(part, is_code=index % 2 == 1) for index, part in enumerate(parts) if part)


def sentence(text: str) -> str:
    """Return ``text`` with one full stop, and a capital letter unless it begins with a name, as ``tago: ...`` does."""
    bare = text.rstrip(".")
    return f"{bare}." if text.partition(" ")[0].endswith(":") else f"{bare[:1].upper()}{bare[1:]}."


def _item(need: Need, now: datetime) -> Item:
    tone = Tone.BAD if need.severity is Severity.CRITICAL else Tone.WARN
    is_limit = need.kind is Kind.LIMIT
    return Item(
        state=badge(tone, WORDS[need.kind]),
        subject=need.about if is_limit else need.credential,
        path="" if is_limit else f"/credentials/{need.credential}",
        what=sentence(need.what.removeprefix(f"{need.credential}: ")),
        then=pieces(sentence(need.next_step)),
        since=maybe(need.since, now),
    )


def _tried(status: CredentialStatus, now: datetime) -> Item:
    return Item(
        state=of_health(status.health),
        subject=status.name,
        path=f"/credentials/{status.name}",
        what=sentence(status.message),
        then=pieces(_next(status, now)),
    )


def _next(status: CredentialStatus, now: datetime) -> str:
    if status.running is not None:
        return f"A rotation runs, at the step {status.running.step}."
    told = f"{sentence(status.last.message)} " if status.last is not None and status.last.error else ""
    at = status.record.next_attempt_at
    if status.record.failures and at is not None and at > now:
        return f"{told}It is tried again {relative(at, now)}."
    return f"{told}It is tried again by itself."


def _leaking(leak: LeakProgress) -> Item:
    what = sentence(f"its secret is known to others; {leak.next_step}")
    return Item(badge(Tone.BAD, WORDS[Kind.LEAK]), leak.credential, f"/credentials/{leak.credential}", what)


def _is_emptying(limit: LimitStatus, now: datetime) -> bool:
    return bool(limit.sample.headroom.remaining) and limit.exhausted_at is not None and limit.exhausted_at > now


def _emptying(limit: LimitStatus, now: datetime) -> Item:
    sample, at = limit.sample, limit.exhausted_at or now
    what = f"{sample.headroom.remaining:,} pulls as {sample.credential} were left {relative(sample.at, now)}; "
    what += f"at the rate of late none is left {relative(at, now)}"
    return Item(badge(Tone.WARN, "running out"), sample.registry, "", sentence(what))
