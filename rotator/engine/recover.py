"""After a stop or a crash: finishes or abandons, by rule, what was half-done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from rotator.domain.audit import ENGINE, AuditRecord, of_end, of_version
from rotator.domain.declares import Proof
from rotator.domain.events import VersionEnded
from rotator.domain.fate import fate, taken_up
from rotator.domain.model import Delivery, DeliveryState, Record, Stage, Version
from rotator.domain.rotation import State, end
from rotator.domain.words import counted
from rotator.engine.credential import Credential
from rotator.engine.dispatch import Dispatcher
from rotator.engine.ledger import Ledger
from rotator.ports import Changes, Clock

_IN_PLAY = frozenset({Stage.PENDING, Stage.CURRENT})


async def recover(credentials: Mapping[str, Credential], ledger: Ledger, dispatcher: Dispatcher, clock: Clock) -> None:
    """Abandon or resume every rotation that had not ended when the daemon did. Call once, after the ledger is loaded.

    Deliveries to targets that are not configured any more, or do not get the credential any more, are forgotten:
    nobody looks at those places again, so nothing can be said of them. So are those of a credential that is for another
    registry now: what it was before is set aside, and a first version for that registry is due. What is kept under the
    former name of a credential that was renamed is its own before all that, in a transaction of its own.

    Raises:
        StoreError: The outcome could not be journalled; nothing was resumed.
    """
    await _rename(credentials, ledger, clock)
    aside = {one.credential: one for one in elsewhere(credentials, ledger)}
    fates = {
        one.id: fate(one, is_configured=one.credential in credentials, is_elsewhere=one.credential in aside)
        for one in ledger.open_rotations()
    }
    left = [one for one in ledger.open_rotations() if fates[one.id] is not None]
    abandoned = [end(one, State.ABANDONED, fates[one.id] or "", at=clock.now()) for one in left]
    removed, renamed = list(strays(credentials, ledger)), list(renames(credentials, ledger))
    removed += [(one.target, one.placement, one.credential) for one in ledger.deliveries() if one.credential in aside]
    versions = [_set_aside(one, clock.now()) for one in elsewhere(credentials, ledger)]
    audit = [
        *(of_end(one) for one in abandoned),
        *(_told_of(one, credentials[one.credential].registry, clock.now()) for one in versions),
    ]
    if abandoned or removed or renamed or versions:
        await ledger.commit(
            Changes(records=renamed, versions=versions, rotations=abandoned, removed=sorted(set(removed)), audit=audit)
        )
    for rotation in ledger.open_rotations():
        if rotation.state is State.RUNNING:
            await dispatcher.resume(taken_up(rotation))


def elsewhere(credentials: Mapping[str, Credential], ledger: Ledger) -> Iterator[Version]:
    """Yield every version in use, or on its way, of a credential that is for another registry now."""
    for name, credential in credentials.items():
        for version in ledger.live_versions(name):
            if version.stage in _IN_PLAY and not version.is_for(credential.registry):
                yield version


def _set_aside(version: Version, now: datetime) -> Version:
    """Return ``version`` out of use: no place and no registry is to get it under the credential's name any more."""
    if version.stage is Stage.PENDING:
        return replace(version, stage=Stage.ABANDONED)
    return replace(version, stage=Stage.PREVIOUS, superseded_at=now)


def _told_of(version: Version, registry: str, now: datetime) -> AuditRecord:
    message = f"it is for {version.registry}, and the credential for {registry} now"
    return of_version("withdraw", version, "set aside", message, now, ENGINE)


def strays(credentials: Mapping[str, Credential], ledger: Ledger) -> Iterator[tuple[str, str, str]]:
    """Yield target, placement and credential of every delivery that the configuration does not ask for any more."""
    wanted = {(target.name, name) for name, one in credentials.items() for target in one.targets}
    for delivery in ledger.deliveries():
        if (delivery.target, delivery.credential) not in wanted:
            yield delivery.target, delivery.placement, delivery.credential


async def _rename(credentials: Mapping[str, Credential], ledger: Ledger, clock: Clock) -> None:
    """Make what is kept under a former name the renamed credential's: nothing is issued anew, no leak is lost."""
    for name, credential in credentials.items():
        former = credential.config.formerly
        if (
            former is None
            or former in credentials
            or not ledger.live_versions(former)
            or await _is_in_use(name, ledger)
        ):
            continue
        generation = max(ledger.record(former).generation, ledger.record(name).generation)
        record = replace(ledger.record(former), name=name, generation=generation)
        message = f"it was {former}; its versions, deliveries and rotations go on under the new name"
        told = AuditRecord(clock.now(), ENGINE, "configure", name, "renamed", message)
        moved = [_to_be_named(one, name) for one in ledger.deliveries() if one.credential == former]
        await ledger.commit(Changes(records=[record], deliveries=moved, audit=[told], renamed={former: name}))


def _to_be_named(delivery: Delivery, name: str) -> Delivery:
    """Return ``delivery`` under a new name, to be written once more: fields and marks may have the credential's name.

    Not where a person entered the login: to them nothing has changed.
    """
    if delivery.state is not DeliveryState.CONFIRMED or delivery.proof is Proof.OPERATOR:
        return replace(delivery, credential=name)
    return replace(delivery, credential=name, state=DeliveryState.INTENDED, confirmed_generation=0)


async def _is_in_use(name: str, ledger: Ledger) -> bool:
    """Return whether ``name`` has versions or deliveries of its own, beside which another's cannot be."""
    return bool(await ledger.versions(name)) or any(one.credential == name for one in ledger.deliveries())


def strangers(credentials: Mapping[str, Credential], ledger: Ledger, now: datetime) -> Iterator[VersionEnded]:
    """Yield, for each name that is not configured any more, what is kept of it that may work at the vendor still."""
    for name in ledger.names():
        if name in credentials:
            continue
        alive = [one for one in ledger.live_versions(name) if not one.expiry.is_past(now)]
        if alive:
            newest = max(one.generation for one in alive)
            yield VersionEnded(name, newest, "unclaimed", _why_unclaimed(alive, credentials))


def _why_unclaimed(alive: Sequence[Version], credentials: Mapping[str, Credential]) -> str:
    name = alive[0].credential
    leaked = sum(one.leaked_at is not None for one in alive)
    known = f", {leaked} of which leaked," if leaked else ""
    kept = f"{counted(len(alive), 'version')} of {name}{known} may still work at the vendor, and nobody ends them"
    heir = next((one.name for one in credentials.values() if one.config.formerly == name), None)
    if heir is not None:
        return f"{kept}: {heir} had versions of its own before it said formerly: {name}. End them at the vendor"
    renamed = f"If it was renamed, write formerly: {name} at the new name before that has a version of its own"
    return f"{kept}: no credential has that name any more. {renamed}; otherwise end them at the vendor"


def renames(credentials: Mapping[str, Credential], ledger: Ledger) -> Iterator[Record]:
    """Yield the record of every renamed credential that is behind the generations of its former name.

    That is where what is kept under that name could not become its own.
    """
    for name, credential in credentials.items():
        former = ledger.record(credential.config.formerly) if credential.config.formerly else None
        record = ledger.record(name)
        if former is not None and record.generation < former.generation:
            yield replace(record, generation=former.generation)
