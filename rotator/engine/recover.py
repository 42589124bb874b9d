"""After a stop or a crash: finishes or abandons, by rule, what was half-done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from rotator.domain.audit import ENGINE, AuditRecord, of_end, of_version
from rotator.domain.fate import fate, taken_up
from rotator.domain.model import Record, Stage, Version
from rotator.domain.rotation import State, end
from rotator.engine.credential import Credential
from rotator.engine.dispatch import Dispatcher
from rotator.engine.ledger import Ledger
from rotator.ports import Changes, Clock

_IN_PLAY = frozenset({Stage.PENDING, Stage.CURRENT})


async def recover(credentials: Mapping[str, Credential], ledger: Ledger, dispatcher: Dispatcher, clock: Clock) -> None:
    """Abandon or resume every rotation that had not ended when the daemon did. Call once, after the ledger is loaded.

    Deliveries to targets that are not configured any more, or do not get the credential any more, are forgotten:
    nobody looks at those places again, so nothing can be said of them. So are those of a credential that is for another
    registry now: what it was before is set aside, and a first version for that registry is due.

    Raises:
        StoreError: The outcome could not be journalled; nothing was resumed.
    """
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


def renames(credentials: Mapping[str, Credential], ledger: Ledger) -> Iterator[Record]:
    """Yield the record of every renamed credential that is behind the generations of its former name."""
    for name, credential in credentials.items():
        former = ledger.record(credential.config.formerly) if credential.config.formerly else None
        record = ledger.record(name)
        if former is not None and record.generation < former.generation:
            yield replace(record, generation=former.generation)
