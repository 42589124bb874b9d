"""After a stop or a crash: finishes or abandons, by rule, what was half-done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rotator.domain.audit import of_end
from rotator.domain.model import Record
from rotator.domain.rotation import Rotation, State, Step, advance, end
from rotator.engine.credential import Credential
from rotator.engine.dispatch import Dispatcher
from rotator.engine.ledger import Ledger
from rotator.ports import Changes, Clock


def fate(rotation: Rotation, *, is_configured: bool) -> str | None:
    """Return why a rotation that had not ended is abandoned; None when it goes on.

    Before a version was journalled nothing is known of what the vendor did; whatever it minted dies by itself, and
    the credential is simply due again. After that the version is there, sealed, and the rotation goes on with it.
    """
    if not is_configured:
        return "the credential is not configured any more"
    if rotation.state is State.RUNNING and rotation.step is Step.ISSUE and not rotation.generation:
        return "interrupted before a version was journalled"
    return None


async def recover(credentials: Mapping[str, Credential], ledger: Ledger, dispatcher: Dispatcher, clock: Clock) -> None:
    """Abandon or resume every rotation that had not ended when the daemon did. Call once, after the ledger is loaded.

    Deliveries to targets that are not configured any more, or do not get the credential any more, are forgotten:
    nobody looks at those places again, so nothing can be said of them.

    Raises:
        StoreError: The outcome could not be journalled; nothing was resumed.
    """
    fates = {one.id: fate(one, is_configured=one.credential in credentials) for one in ledger.open_rotations()}
    left = [one for one in ledger.open_rotations() if fates[one.id] is not None]
    abandoned = [end(one, State.ABANDONED, fates[one.id] or "", at=clock.now()) for one in left]
    removed, renamed = list(strays(credentials, ledger)), list(renames(credentials, ledger))
    if abandoned or removed or renamed:
        await ledger.commit(
            Changes(records=renamed, rotations=abandoned, removed=removed, audit=[of_end(one) for one in abandoned])
        )
    for rotation in ledger.open_rotations():
        if rotation.state is State.RUNNING:
            await dispatcher.resume(_issued(rotation))


def _issued(rotation: Rotation) -> Rotation:
    """Return ``rotation`` past its issue, where the version was sealed before the vendor was told of it.

    Whether the vendor put it in force shows when it is verified. If so, what is in use is dead already.
    """
    return advance(rotation) if rotation.step is Step.ISSUE else rotation


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
