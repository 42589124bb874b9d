"""In which order placements get a new version, and when to stop. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from math import ceil

from rotator.domain.model import Delivery, DeliveryState
from rotator.domain.words import counted

Spot = tuple[str, str]
"""A target's name, and a placement in it."""

SMALL = 20
"""Fewer placements than this are written at once: a tenth of them would be one. Targets that have fewer are taken
together, and written in waves where they have as many or more between them."""

SPOILED = frozenset({"verification"})
"""Code of the failure that speaks against the version: the place itself found that it does not work. A place that is
down, full, forbids us or is written by somebody else says nothing about the version; it is retried alone."""


@dataclass(frozen=True, slots=True)
class Halt:
    """When a rollout stops. Only what speaks against the version counts.

    Args:
        failures: So many spoiled placements of all that were written; None for no such rule.
        share: A share of the wave in [0, 1], exceeded; None for no such rule.
    """

    failures: int | None = 1
    share: float | None = 0.05


@dataclass(frozen=True, slots=True)
class Staging:
    """How one credential is rolled out.

    Args:
        canary: ``target`` or ``target/placement`` patterns; empty where nobody named one.
        waves: Shares of all placements reached after each wave, in (0, 1], growing.
        pause: Wait between waves.
        halt: When to stop.
    """

    canary: tuple[str, ...] = ()
    waves: tuple[float, ...] = (0.1, 0.5, 1.0)
    pause: timedelta = timedelta()
    halt: Halt = Halt()


EVERYWHERE = Staging(waves=(1.0,))
"""All at once, without a canary's delay: for an emergency."""

REGARDLESS = Staging(waves=(1.0,), halt=Halt(None, None))
"""All at once, whatever the places say: for what the registry accepts, put back or in place of what it refuses. There
is nothing better to offer them, and taking it back again would never end."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The order in which placements are written.

    Args:
        canaries: Named by a person. Written first, together; one of them must confirm before the others get it.
        waves: The others, in groups that are written one after the other. Each large target goes its own pace, so
            that one that hangs keeps no other waiting; by its name. The small ones go together, as one target would.
    """

    canaries: tuple[Spot, ...]
    waves: Mapping[str, tuple[tuple[Spot, ...], ...]]


def plan(spots: Sequence[Spot], staging: Staging) -> Plan:
    """Return the plan; it holds each of ``spots`` once."""
    canaries = tuple(spot for spot in spots if is_named(spot, staging.canary))
    rest: dict[str, list[Spot]] = {}
    for spot in spots:
        if not canaries or not is_named(spot, staging.canary):
            rest.setdefault(spot[0], []).append(spot)
    groups = {target: members for target, members in rest.items() if len(members) >= SMALL}
    small = [target for target in rest if target not in groups]
    if small:
        name = small[0] if len(small) == 1 else counted(len(small), "small target")
        groups[name] = [spot for target in small for spot in rest[target]]
    return Plan(canaries, {name: tuple(_groups(members, staging)) for name, members in groups.items()})


def sizes(stages: Plan) -> dict[str, tuple[int, ...]]:
    """Return, for each target, how many of its placements are written in each of its waves; some may be 0."""
    found: dict[str, tuple[int, ...]] = {}
    for waves in stages.waves.values():
        counts = [Counter(target for target, _ in wave) for wave in waves]
        found |= {target: tuple(one[target] for one in counts) for target in set().union(*counts)}
    return found


def _groups(spots: Sequence[Spot], staging: Staging) -> Iterable[tuple[Spot, ...]]:
    """Yield ``spots`` in groups; of many one placement goes first where nobody named a canary."""
    is_large = len(spots) >= SMALL and len(staging.waves) > 1
    shares = (*staging.waves, 1.0) if is_large else (1.0,)
    counts = [ceil(len(spots) * share) for share in shares]
    done = 0
    for upto in [1, *counts] if is_large and not staging.canary else counts:
        if upto > done:
            yield tuple(spots[done:upto])
            done = upto


def is_named(spot: Spot, patterns: Iterable[str]) -> bool:
    """Return whether ``spot`` is one of those that ``patterns`` name: a target, or a target's placements."""
    target, placement = spot
    return any(fnmatchcase(target, one) or fnmatchcase(f"{target}/{placement}", one) for one in patterns)


def names_target(target: str, patterns: Iterable[str]) -> bool:
    """Return whether ``patterns`` name ``target``, or placements in it."""
    return any(fnmatchcase(target, one.partition("/")[0]) for one in patterns)


def why_halt(deliveries: Sequence[Delivery], generation: int, halt: Halt, elsewhere: int = 0) -> str:
    """Return why a rollout stops after a group of placements was written; empty when it goes on.

    Args:
        deliveries: The latest delivery of the credential at each placement of the group.
        generation: Of the version that is rolled out.
        halt: The rule.
        elsewhere: How many placements outside of the group speak against it.
    """
    spoiled = spoiled_by(deliveries, generation)
    if not spoiled or not _is_too_much(len(spoiled), len(deliveries), elsewhere, halt):
        return ""
    before = f", and {elsewhere} before," if elsewhere else ""
    told = f"{spoiled[0].target}: {spoiled[0].message}"
    return f"{len(spoiled)} of {len(deliveries)} placements{before} speak against it: {told}"


def spoiled_by(deliveries: Iterable[Delivery], generation: int) -> list[Delivery]:
    """Return those of ``deliveries`` that speak against ``generation``."""
    return [one for one in deliveries if one.generation == generation and is_spoiled(one)]


def why_no_canary(deliveries: Sequence[Delivery], generation: int, unlisted: str = "") -> str:
    """Return why a rollout does not go beyond canaries that a person named; empty when one of them confirmed.

    Args:
        deliveries: The latest delivery at each canary.
        generation: Of the version that is rolled out.
        unlisted: Why a target could not say which canaries it has; empty when each could.
    """
    if any(one.confirmed_generation >= generation for one in deliveries):
        return ""
    said = [unlisted] if unlisted else [f"{one.target}: {one.message}" for one in deliveries if one.message]
    return f"no canary confirmed it{f': {said[0]}' if said else ''}"


def is_spoiled(delivery: Delivery) -> bool:
    """Return whether ``delivery`` speaks against its version, and not only against its place."""
    return delivery.state is DeliveryState.FAILED and delivery.error in SPOILED


def _is_too_much(spoiled: int, of: int, elsewhere: int, halt: Halt) -> bool:
    by_count = halt.failures is not None and spoiled + elsewhere >= halt.failures
    return by_count or (halt.share is not None and spoiled > halt.share * of)
