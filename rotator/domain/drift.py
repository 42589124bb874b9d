"""Drift: a placement holds something else than what was confirmed there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

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


def is_contested(repairs: Sequence[float], now: float) -> bool:
    """Return whether a placement was repaired so often of late that something else keeps writing there.

    Args:
        repairs: When it was repaired, in monotonic seconds.
        now: In the same.
    """
    return sum(now - at < PERIOD.total_seconds() for at in repairs) >= REPAIRS
