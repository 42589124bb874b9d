"""Gathers how things stand from the ledger. Reads memory only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from rotator.domain.drift import is_left_alone
from rotator.domain.history import OldVersion
from rotator.domain.image import ImageStatus
from rotator.domain.model import Delivery, Stage, Version
from rotator.domain.outage import first_end
from rotator.domain.privilege import Privilege
from rotator.domain.schedule import replaced_at
from rotator.domain.status import CredentialStatus, TargetStatus, health_of
from rotator.engine.credential import Credential, DeliveryTarget
from rotator.engine.crowd import rule_of, why_late
from rotator.engine.guard import Guard
from rotator.engine.ledger import Ledger
from rotator.engine.rollout import Rollout
from rotator.ports import Clock

SHOWN_BEHIND = 20


def credential_status(credential: Credential, ledger: Ledger, rollout: Rollout, now: datetime) -> CredentialStatus:
    """Return how ``credential`` stands."""
    current, record = ledger.current(credential.name), ledger.record(credential.name)
    targets = tuple(_target_status(one, credential.name, current, ledger, rollout, now) for one in credential.targets)
    health, message = health_of(current, record, targets, now)
    rule, why_so_late = rule_of(credential, ledger, now), why_late(credential, ledger, now)
    return CredentialStatus(
        name=credential.name,
        provider=credential.config.provider,
        registry=credential.config.registry,
        strategy=credential.provider.strategy.value,
        health=health,
        message=f"{message}; {why_so_late}" if why_so_late else message,
        record=record,
        current=current,
        pending=ledger.pending(credential.name),
        renewal_at=replaced_at(current, rule, record.failures) if current else None,
        running=ledger.open_rotation(credential.name),
        last=ledger.last_rotation(credential.name),
        targets=targets,
        withdrawn=_withdrawn(credential.name, current, ledger),
    )


def _withdrawn(credential: str, current: Version | None, ledger: Ledger) -> int:
    """Return the generation that was taken back, where the version in use is what came back for it; else 0."""
    newest = ledger.newest_withdrawn(credential)
    return newest if current is not None and (current.restores or current.generation < newest) else 0


@dataclass(frozen=True, slots=True)
class Observer:
    """Says how credentials stand, as everything that watches over them sees it.

    Args:
        ledger: Versions, deliveries, rotations.
        rollout: Targets.
        guard: Logins that are held back.
        images: Tells what registries said about a credential's images, by its name.
        privilege: Tells whether a credential's login may do more than pull, by its name.
        clock: Time.
        old: Tells which versions may still work though they are not in use.
    """

    ledger: Ledger
    rollout: Rollout
    guard: Guard
    images: Callable[[str], tuple[ImageStatus, ...]]
    privilege: Callable[[str], Privilege]
    clock: Clock
    old: Callable[[Credential], tuple[OldVersion, ...]]

    def status(self, credential: Credential) -> CredentialStatus:
        """Return how ``credential`` stands."""
        status = credential_status(credential, self.ledger, self.rollout, self.clock.now())
        held = held_back(credential, self.ledger, self.guard)
        name = credential.name
        return replace(
            status,
            held=held,
            images=self.images(name),
            old=self.old(credential),
            privilege=self.privilege(name),
        )


def held_back(credential: Credential, ledger: Ledger, guard: Guard) -> str:
    """Return why ``guard`` keeps the newest login of ``credential`` from its registry; empty when it does not."""
    versions = (ledger.version(credential.name, stage) for stage in (Stage.PENDING, Stage.CURRENT, Stage.ABANDONED))
    usernames = [version.username for version in versions if version is not None] or [""]
    reasons = (guard.reason(credential.config.registry, username) for username in usernames)
    return next((reason for reason in reasons if reason), "")


def _target_status(
    target: DeliveryTarget, credential: str, current: Version | None, ledger: Ledger, rollout: Rollout, now: datetime
) -> TargetStatus:
    deliveries = list(ledger.deliveries_of(target.name, credential))
    behind = sorted((one for one in deliveries if not _has_confirmed(one, current)), key=_oldest_first)
    confirmed_at = [one.at for one in deliveries if current and one.confirmed_generation == current.generation]
    return TargetStatus(
        target=target.name,
        kind=target.port.kind,
        required=target.required,
        confirmed=len(deliveries) - len(behind),
        placements=len(deliveries),
        behind=tuple(rollout.turns.explained(target, one, current) for one in behind[:SHOWN_BEHIND]),
        expires_at=first_end(ledger.versions_at(target.name, credential)),
        confirmed_at=max(confirmed_at, default=None),
        error=rollout.unlisted(target.name),
        refused=rollout.refusals.of(target.name, credential),
        contested=sum(is_left_alone([one], now) for one in deliveries),
    )


def _has_confirmed(delivery: Delivery, current: Version | None) -> bool:
    """Return whether ``delivery`` confirmed the version in use or a newer one; never when none is in use."""
    return current is not None and delivery.confirmed_generation >= current.generation


def _oldest_first(delivery: Delivery) -> tuple[int, str]:
    return delivery.confirmed_generation, delivery.placement
