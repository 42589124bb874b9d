"""How far the response to a leak has come, derived from what is journalled, so that no crash loses the thread. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.domain.model import Strategy, Version


@dataclass(frozen=True, slots=True)
class LeakFacts:
    """All that the answer depends on.

    Args:
        credential: The credential's name.
        strategy: How it is replaced.
        current: The version in use; None when there is none.
        leaked: Every version whose secret others know.
        waiting: Required targets that have not confirmed the version in use.
        confirmed: How far its delivery has come, in a sentence.
        can_end: Whether the vendor can be told to end a version.
        obstacle: Why the last attempt at a new version failed; empty when none did.
        source: Where a person puts a new secret; empty where versions are issued.
        now: Aware UTC.
        bearer_life: How long tokens live that a registry hands out for a version; zero where that is not known.
    """

    credential: str
    strategy: Strategy
    current: Version | None
    leaked: Sequence[Version]
    waiting: Collection[str]
    confirmed: str
    can_end: bool
    obstacle: str
    source: str
    now: datetime
    bearer_life: timedelta = timedelta()


class Waits(StrEnum):
    """What a step that is not done waits for."""

    DAEMON = "daemon"
    """The daemon goes on by itself."""
    PERSON = "person"
    """Nothing happens until somebody has done what the message says."""
    TIME = "time"
    """Only the expiry ends it, unless somebody does more than is asked for."""


@dataclass(frozen=True, slots=True)
class LeakStep:
    """One thing that must come about.

    Args:
        name: ``replaced``, ``delivered``, ``ended`` or ``dead``.
        is_done: Whether it has.
        message: What is known of it, or what a person must do, in a sentence.
        waits_for: Who or what brings it about, where it is not done.
    """

    name: str
    is_done: bool
    message: str
    waits_for: Waits = Waits.DAEMON


@dataclass(frozen=True, slots=True)
class LeakProgress:
    """How far it has come.

    Args:
        credential: The credential's name.
        reported_at: When the leak was reported last; None when none was.
        steps: In order; a later one cannot be done before an earlier one.
    """

    credential: str
    reported_at: datetime | None
    steps: tuple[LeakStep, ...]

    @property
    def is_over(self) -> bool:
        """Whether every leaked secret is replaced at every required target and was shown to be dead, or has expired."""
        return all(step.is_done for step in self.steps)

    @property
    def next_step(self) -> str:
        """What is missing first, in a sentence; empty when nothing is."""
        return next((step.message for step in self.steps if not step.is_done), "")


def leak_progress(facts: LeakFacts) -> LeakProgress:
    """Return how far the response to a leak has come; without a leak there are no steps, so it is over."""
    reported_at = max((one.leaked_at for one in facts.leaked if one.leaked_at is not None), default=None)
    if reported_at is None:
        return LeakProgress(facts.credential, None, ())
    return LeakProgress(
        facts.credential, reported_at, (_replaced(facts), _delivered(facts), _ended(facts), _dead(facts))
    )


def _is_replaced(facts: LeakFacts) -> bool:
    current = facts.current
    return current is not None and current.leaked_at is None and not any(map(current.has_secret_of, facts.leaked))


def _replaced(facts: LeakFacts) -> LeakStep:
    if _is_replaced(facts) and facts.current is not None:
        return LeakStep("replaced", is_done=True, message=f"generation {facts.current.generation} is in use")
    if facts.strategy is Strategy.READ:
        message = f"make a new token at the vendor and put it at {facts.source}; it is noticed by itself"
        return LeakStep("replaced", is_done=False, message=message, waits_for=Waits.PERSON)
    return LeakStep("replaced", is_done=False, message=facts.obstacle or "a new version is on its way")


def _delivered(facts: LeakFacts) -> LeakStep:
    if not _is_replaced(facts):
        return LeakStep("delivered", is_done=False, message="begins as soon as it is replaced")
    is_done = not facts.waiting
    behind = f"; waiting for {', '.join(sorted(facts.waiting))}" if facts.waiting else ""
    return LeakStep("delivered", is_done=is_done, message=f"{facts.confirmed}{behind}")


def _ended(facts: LeakFacts) -> LeakStep:
    left = [one for one in facts.leaked if one.ended_at is None and not _is_gone(one, facts.now)]
    if not left:
        return LeakStep("ended", is_done=True, message="no leaked version is left at the vendor")
    if facts.can_end:
        are = "is" if len(left) == 1 else "are"
        message = f"{_named(left)} {are} ended as soon as nobody needs {'it' if len(left) == 1 else 'them'}"
        return LeakStep("ended", is_done=False, message=message)
    if facts.strategy is Strategy.READ:
        message = f"end {_named(left)} at the vendor, where the token was made"
        return LeakStep("ended", is_done=False, message=message, waits_for=Waits.PERSON)
    until = max((one.expiry.at for one in left if one.expiry.at is not None), default=None)
    when = f"until {until:%Y-%m-%d %H:%M:%SZ}" if until is not None else "for as long as the vendor lets it"
    works = f"{'works' if len(left) == 1 else 'work'} {when}"
    message = f"{_named(left)} cannot be ended and {works}; to end that now, deny the principal at the vendor"
    return LeakStep("ended", is_done=False, message=message, waits_for=Waits.TIME)


def _dead(facts: LeakFacts) -> LeakStep:
    left = [one for one in facts.leaked if not _is_gone(one, facts.now)]
    if not left:
        seen = f"every leaked version was seen refused, or has expired{_bearers(facts)}"
        return LeakStep("dead", is_done=True, message=seen)
    message = f"nobody has seen {_named(left)} refused yet"
    return LeakStep("dead", is_done=False, message=message, waits_for=_ended(facts).waits_for)


def _bearers(facts: LeakFacts) -> str:
    """Return until when tokens may live that registries handed out for leaked versions before; empty where none may."""
    ends = [one.dead_at + facts.bearer_life for one in facts.leaked if one.dead_at is not None and facts.bearer_life]
    until = max(ends, default=facts.now)
    if until <= facts.now:
        return ""
    return f"; tokens that registries handed out for it before may live until {until:%H:%M:%SZ}"


def _named(versions: Sequence[Version]) -> str:
    """Return ``generation 3``, or ``generations 2, 3``."""
    numbers = sorted(one.generation for one in versions)
    return f"generation{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"


def _is_gone(version: Version, now: datetime) -> bool:
    return version.dead_at is not None or version.expiry.is_past(now)
