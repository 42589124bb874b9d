"""Gathers how targets stand from the ledger, and tries whether they can be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rotator.domain.model import Delivery
from rotator.domain.outage import first_end
from rotator.domain.place import Holding, PlaceStatus, judge_place
from rotator.engine.credential import DeliveryTarget
from rotator.engine.ledger import Ledger
from rotator.engine.rendering import Rendering
from rotator.engine.rollout import Rollout
from rotator.errors import RotatorError, StoreError

SHOWN = 20
"""Deliveries shown per credential, and placements read by a trial."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of reading one placement.

    Args:
        placement: The spot; empty when the target could not say which it has.
        error: ``code`` of the error; empty when it could be read.
        message: What was found, or why it could not be read; no secret.
    """

    placement: str
    error: str
    message: str


def place_status(target: DeliveryTarget, ledger: Ledger, rollout: Rollout) -> PlaceStatus:
    """Return how ``target`` stands. Reads memory only."""
    holdings = tuple(_holding(target, credential, ledger, rollout) for credential in target.credentials)
    state, next_step = judge_place(rollout.unlisted(target.name), holdings)
    port = target.port
    return PlaceStatus(target.name, port.kind, target.required, port.declares, holdings, state, next_step)


async def try_target(target: DeliveryTarget, ledger: Ledger) -> list[Trial]:
    """Ask ``target`` for its placements and read each, at most `SHOWN`. Writes nothing, anywhere.

    Raises:
        StoreError: The logins to compare with could not be read.
    """
    try:
        placements = await target.port.placements()
    except RotatorError as error:
        return [Trial("", error.code, str(error))]
    rendering = Rendering(ledger, target)
    return [await _try_placement(target, placement, rendering) for placement in placements[:SHOWN]]


async def _try_placement(target: DeliveryTarget, placement: str, rendering: Rendering) -> Trial:
    try:
        entries = await rendering.entries(placement)
        if not entries:
            return Trial(placement, "", "not read: there is no login yet to look for")
        held = await target.port.read(placement, entries)
    except StoreError:
        raise
    except RotatorError as error:
        return Trial(placement, error.code, str(error))
    found = sum(held.logins.get(entry.credential) == entry.login for entry in entries)
    return Trial(placement, "", f"readable; {found} of {len(entries)} logins seen there ({held.proof})")


def _holding(target: DeliveryTarget, credential: str, ledger: Ledger, rollout: Rollout) -> Holding:
    current = ledger.current(credential)
    deliveries = list(ledger.deliveries_of(target.name, credential))
    wanted = current.generation if current else 0
    behind = [one for one in deliveries if not wanted or one.confirmed_generation < wanted]
    confirmed = [one for one in deliveries if one.confirmed_generation]
    newest = max(_confirmations(confirmed), key=lambda one: one.at, default=None)
    return Holding(
        credential,
        wanted,
        held=min((one.confirmed_generation for one in deliveries), default=0),
        placements=len(deliveries),
        confirmed=len(deliveries) - len(behind),
        expires_at=first_end(ledger.versions_at(target.name, credential)),
        confirmed_at=newest.at if newest else None,
        proof=newest.proof if newest else None,
        behind=tuple(rollout.turns.explained(target, one, current) for one in behind[:SHOWN]),
    )


def _confirmations(deliveries: list[Delivery]) -> Iterator[Delivery]:
    """Yield the deliveries whose latest try was a confirmation: of the others the instant is that of the try."""
    return (one for one in deliveries if one.confirmed_generation == one.generation)
