"""The versions of a credential as a person looks at them: where each is held, and what becomes of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.model import Delivery, Stage, Version
from rotator.domain.retirement import Action, is_alive


@dataclass(frozen=True, slots=True)
class HeldAt:
    """How many placements of a target confirmed one generation, and nothing newer since.

    Args:
        target: The target's name.
        placements: Of it, > 0.
    """

    target: str
    placements: int


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """One version, and what is known around it.

    Args:
        version: The version.
        held: Where it was confirmed last, in the order of the targets' names.
        fate: What it is for, or what becomes of it, in a sentence.
    """

    version: Version
    held: tuple[HeldAt, ...]
    fate: str


@dataclass(frozen=True, slots=True)
class OldVersion:
    """A version that is not in use any more and may still work.

    Args:
        generation: Its generation.
        why: Why it is not dead yet, in a sentence.
    """

    generation: int
    why: str


def held_at(generation: int, deliveries: Iterable[Delivery]) -> tuple[HeldAt, ...]:
    """Return how many of ``deliveries`` confirmed ``generation`` last, by target."""
    counts: dict[str, int] = {}
    for one in deliveries:
        if one.confirmed_generation == generation:
            counts[one.target] = counts.get(one.target, 0) + 1
    return tuple(HeldAt(target, count) for target, count in sorted(counts.items()))


def fate_of(version: Version, plan: tuple[Action, str] | None, now: datetime) -> str:
    """Return what ``version`` is for, or what becomes of it.

    Args:
        version: Any version.
        plan: What the daemon means to do about it, and why; None where it does nothing.
        now: Aware UTC.
    """
    known = (
        (version.stage is Stage.CURRENT and version.leaked_at is not None, "in use though others know it"),
        (version.stage is Stage.CURRENT, "in use"),
        (version.stage is Stage.PENDING, "on its way into use"),
        (version.dead_at is not None, "dead: the registry refused it after its end"),
        (version.expiry.is_past(now), "expired"),
        (version.stage is Stage.ABANDONED, "was never in use"),
        (plan is None, "let go of; nobody has seen it refused"),
    )
    fate = next((word for is_so, word in known if is_so), "")
    return f"{_PLANNED[plan[0]]}: {plan[1]}" if not fate and plan is not None else fate


def old_versions(
    live: Sequence[Version], plans: Sequence[tuple[Version, tuple[Action, str]]], now: datetime
) -> tuple[OldVersion, ...]:
    """Return the versions that may still work though they are not in use, newest first.

    Args:
        live: Pending, current and previous versions of one credential.
        plans: What is to be done about each previous one.
        now: Aware UTC.
    """
    found = []
    for version, (_, why) in sorted(plans, key=lambda plan: -plan[0].generation):
        others = [one for one in live if one.generation != version.generation]
        if is_alive(version, others, now):
            found.append(OldVersion(version.generation, why))
    return tuple(found)


_PLANNED = {
    Action.WAIT: "not dead yet",
    Action.END: "is ended now",
    Action.PROVE: "not seen dead yet",
    Action.FORGET: "is let go of",
}
