"""The daemon's memory. See `rotator.ports`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rotator.domain.audit import AuditRecord, AuditVerdict, ChainedRecord
    from rotator.domain.headroom import Sample
    from rotator.domain.model import Delivery, Record, Version
    from rotator.domain.note import Note
    from rotator.domain.rotation import Rotation
    from rotator.secret import Secret


@dataclass(frozen=True, slots=True)
class Changes:
    """What one transaction writes: all of it or nothing.

    Args:
        records: Replaced by name.
        versions: Replaced by credential and generation. A retired or abandoned one loses its sealed secret.
        secrets: Secret of a version by (credential, generation); sealed before it is written. Secret.
        rotations: Replaced by id.
        deliveries: Replaced by target, placement and credential.
        removed: Deliveries to forget, by (target, placement, credential).
        samples: Replaced by registry, credential and instant; of each pair only the newest few hundred stay.
        audit: Appended to the audit, in order.
        renamed: Former to new name of credentials. Before all the rest, versions (sealed anew), deliveries and
            rotations of the former name become the new one's, which must have no versions and no deliveries; the
            former record goes.
    """

    records: Sequence[Record] = ()
    versions: Sequence[Version] = ()
    secrets: Mapping[tuple[str, int], Secret] = field(default_factory=dict)
    rotations: Sequence[Rotation] = ()
    deliveries: Sequence[Delivery] = ()
    removed: Sequence[tuple[str, str, str]] = ()
    samples: Sequence[Sample] = ()
    audit: Sequence[AuditRecord] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is live in the store: read at the start, and after a commit whose answer was lost.

    Args:
        records: Every credential ever seen.
        versions: Pending, current and previous ones.
        rotations: Running and delivering ones, and the newest of each credential; oldest first.
        deliveries: All.
        samples: All that are kept, oldest first.
        held: Versions of other stages that a placement was last confirmed to hold: it was not reached since.
    """

    records: Sequence[Record]
    versions: Sequence[Version]
    rotations: Sequence[Rotation]
    deliveries: Sequence[Delivery]
    samples: Sequence[Sample] = ()
    held: Sequence[Version] = ()


class Store(Protocol):
    """The daemon's memory. Every method raises StoreError when the database does not serve."""

    async def load(self) -> Snapshot:
        """Return all that is live, once every commit has ended, also one whose answer was lost."""
        ...

    async def commit(self, changes: Changes) -> None:
        """Write ``changes`` in one transaction; durable when it returns. Repeating it changes nothing more.

        After a StoreError all of it was written or nothing was: the answer may have been lost on its way.
        """
        ...

    async def secret(self, credential: str, generation: int) -> Secret:
        """Return the secret of a version. Secret.

        Raises:
            NotFoundError: It was retired or never was. PermanentError: It does not open under our key.
        """
        ...

    async def versions(self, credential: str) -> Sequence[Version]:
        """Return every version of ``credential``, newest first, at most 100."""
        ...

    async def rotation(self, rotation_id: str) -> Rotation:
        """Return one rotation.

        Raises:
            NotFoundError: It never was, or is not kept any more.
        """
        ...

    async def rotations(self, credential: str | None, limit: int) -> Sequence[Rotation]:
        """Return the newest rotations, newest first; of all credentials when ``credential`` is None."""
        ...

    async def audit(self, after: int, limit: int) -> Sequence[ChainedRecord]:
        """Return records of the audit after number ``after``, oldest first, at most ``limit``."""
        ...

    async def newest_audit(self, limit: int, credential: str | None = None) -> Sequence[ChainedRecord]:
        """Return the newest records of the audit, newest first; of all credentials when ``credential`` is None."""
        ...

    async def leaks_not_over(self) -> Sequence[str]:
        """Return the credentials of whose leaks the audit has the newest report, and not that it is over."""
        ...

    async def verify_audit(self) -> AuditVerdict:
        """Return whether every record is as it was written, in its place, and none is missing before the last."""
        ...

    async def close(self) -> None:
        """Let go of the database. Safe to repeat."""
        ...


class Notes(Protocol):
    """What destinations of notifications were told. Every method raises StoreError when the database does not serve."""

    async def notes(self) -> Sequence[Note]:
        """Return every note that is kept, of all destinations."""
        ...

    async def keep_notes(self, destination: str, notes: Sequence[Note]) -> None:
        """Keep ``notes`` in the place of those kept for ``destination``; durable when it returns."""
        ...


class AuditCopy(Protocol):
    """A second copy of the audit, outside the state."""

    async def write(self, records: Sequence[AuditRecord]) -> None:
        """Append ``records``, durably, all or none.

        Raises:
            StoreError: They could not be written.
        """
        ...
