"""Drift: a placement holds something else than what was confirmed there. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.domain.declares import Proof
from rotator.domain.model import Delivery, DeliveryState, Entry, Held

REPAIRS = 3
PERIOD = timedelta(hours=1)
"""So many repairs of one placement within that time are made, no more: whoever undoes them is not fought."""

READABLE = frozenset({Proof.VALUE, Proof.USERNAME})
"""What a target must show of a login, so that something else in its place can be told."""


def drifted(entries: Sequence[Entry], held: Held, known: Mapping[str, Delivery]) -> tuple[str, ...]:
    """Return the credentials of which a placement holds something else than was confirmed there, in their order.

    What is under way, behind or has failed is no drift: it is written anyway.

    Args:
        entries: What the placement must hold.
        held: What it was read to hold.
        known: The latest delivery of each credential there.
    """
    return tuple(
        entry.credential
        for entry in entries
        if _is_settled(known.get(entry.credential), entry) and held.logins.get(entry.credential) != entry.login
    )


def _is_settled(delivery: Delivery | None, entry: Entry) -> bool:
    if delivery is None or delivery.state is not DeliveryState.CONFIRMED:
        return False
    return delivery.generation == delivery.confirmed_generation == entry.generation


def is_contested(deliveries: Iterable[Delivery], now: datetime) -> bool:
    """Return whether a placement was repaired so often of late that something else keeps writing there.

    Args:
        deliveries: Those to the placement; what was repaired together counts once.
        now: Aware UTC. What was repaired later than that was so by a clock that went back since, and does not count.
    """
    repairs: Counter[datetime] = Counter()
    for one in deliveries:
        repairs |= Counter(at for at in one.repairs if timedelta() <= now - at < PERIOD)
    return repairs.total() >= REPAIRS


def is_left_alone(deliveries: Iterable[Delivery], now: datetime) -> bool:
    """Return whether a placement is left alone at ``now``, since something else keeps writing there.

    Nothing is left alone for longer than `PERIOD`: an end that is further off was set by a clock that went back since.
    """
    ends = (one.left_until for one in deliveries)
    return any(end is not None and now < end <= now + PERIOD for end in ends)


def repaired(delivery: Delivery, now: datetime) -> Delivery:
    """Return ``delivery`` with one more repair."""
    return replace(delivery, repairs=(*delivery.repairs, now)[-REPAIRS:])
