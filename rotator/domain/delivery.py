"""Which of two tries at one placement is remembered. Pure."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.model import Delivery, DeliveryState


def merge(known: Delivery, outcome: Delivery) -> Delivery:
    """Return what is to be remembered of a placement: the later try of the newer generation, and what was confirmed.

    A generation that was confirmed by an earlier try is confirmed, whatever became of the intent of a later one; but
    not where a later try failed: then nobody knows what is there, and it is tried again.
    """
    outcome = replace(outcome, repairs=known.repairs)  # who repairs writes them down; no try changes them
    if outcome.state is DeliveryState.AWAITING and known.confirmed_generation >= outcome.generation:
        return known  # the person said meanwhile that it is done
    is_latest = (outcome.generation, outcome.attempts) >= (known.generation, known.attempts)
    latest = outcome if is_latest else known
    confirmed = max(known.confirmed_generation, outcome.confirmed_generation)
    if latest.state is DeliveryState.INTENDED and confirmed == latest.generation:
        return replace(latest, state=DeliveryState.CONFIRMED, at=outcome.at, confirmed_generation=confirmed)
    if latest.state is DeliveryState.FAILED and confirmed == latest.generation:
        return replace(latest, confirmed_generation=0)
    return latest if latest.confirmed_generation == confirmed else replace(latest, confirmed_generation=confirmed)
