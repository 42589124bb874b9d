"""Gathers what depends on a credential from the ledger. Reads memory only."""

from __future__ import annotations

from datetime import datetime

from rotator.domain.image import ImageStatus
from rotator.domain.model import UNKNOWN, Delivery
from rotator.domain.usage import Holder, Usage, consequences
from rotator.engine.credential import Credential, DeliveryTarget
from rotator.engine.ledger import Ledger
from rotator.engine.rollout import Rollout


def usage_of(
    credential: Credential, ledger: Ledger, rollout: Rollout, images: tuple[ImageStatus, ...], now: datetime
) -> Usage:
    """Return what depends on ``credential``, as far as was confirmed."""
    holders = tuple(_holder(target, credential.name, ledger, rollout) for target in credential.targets)
    references = [str(image) for image in credential.config.images]
    registry = credential.config.registry
    told = consequences(registry, references, holders, now)
    return Usage(credential.name, registry, ledger.current(credential.name), images, holders, told)


def _holder(target: DeliveryTarget, credential: str, ledger: Ledger, rollout: Rollout) -> Holder:
    deliveries = list(ledger.deliveries_of(target.name, credential))
    held = [one for one in deliveries if one.confirmed_generation]
    known = {one.generation: one for one in ledger.versions_at(target.name, credential)}
    current = ledger.current(credential)
    same = {number for number, one in known.items() if current and one.fingerprint == current.fingerprint}
    return Holder(
        target.name,
        target.port.kind,
        tuple(sorted(one.placement for one in held)),
        len(deliveries) - len(held),
        max((one.at for one in held if one.confirmed_generation == one.generation), default=None),
        tuple(known[number].expiry if number in known else UNKNOWN for number in _generations(held)),
        rollout.unlisted(target.name),
        tuple(sorted(one.placement for one in held if one.confirmed_generation not in same)),
    )


def _generations(held: list[Delivery]) -> list[int]:
    """Return each generation that is held, once."""
    return sorted({one.confirmed_generation for one in held})
