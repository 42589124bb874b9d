"""The ledger: what the store holds, in memory, so that deciding costs no query.

There is one daemon per state, so the memory is the truth as long as it is written first: every change goes to the
store, and only when that was durable into the memory. A commit whose answer is lost may have been written or not; the
memory is then in doubt, and read anew from the store before the next change is built.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from rotator.domain.audit import AuditVerdict, ChainedRecord
from rotator.domain.headroom import Sample
from rotator.domain.model import Delivery, Login, Record, Stage, Version
from rotator.domain.rotation import ENDED, Rotation
from rotator.engine.audit import AuditTrail
from rotator.errors import StoreError
from rotator.ports import Changes, Store

KEPT_SAMPLES = 500
"""Of one credential at one registry, as many as the store keeps."""

LONGEST_COMMIT_SECONDS = 5.0
"""How long a cancelled caller waits for its commit to end. The commit goes on after that, and is remembered."""


class Ledger:
    """Reads from memory, writes through to the store.

    Args:
        store: Where everything is kept.
        trail: What happens around the audit's records.
    """

    def __init__(self, store: Store, trail: AuditTrail | None = None) -> None:
        self._store = store
        self._trail = trail or AuditTrail()
        self._records: dict[str, Record] = {}
        self._versions: dict[str, dict[int, Version]] = defaultdict(dict)
        self._bygone: dict[str, dict[int, Version]] = defaultdict(dict)
        self._newest: dict[tuple[str, Stage], Version] = {}
        self._rotations: dict[str, Rotation] = {}
        self._last: dict[str, Rotation] = {}
        self._deliveries: dict[str, dict[str, dict[str, Delivery]]] = defaultdict(lambda: defaultdict(dict))
        self._places: dict[str, dict[str, dict[str, Delivery]]] = defaultdict(lambda: defaultdict(dict))
        self._samples: dict[tuple[str, str], deque[Sample]] = defaultdict(lambda: deque(maxlen=KEPT_SAMPLES))
        self._writing = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_in_doubt = False

    async def load(self) -> None:
        """Read all that is live from the store, in the place of what was remembered. Call before anything else.

        What was noted and not written is lost, as in a restart; which rotation ended last is known still.

        Raises:
            StoreError: The store does not serve; what was remembered is remembered still.
        """
        snapshot = await self._store.load()
        for memory in (self._records, self._versions, self._newest, self._rotations, self._samples):
            memory.clear()
        self._deliveries.clear()
        self._places.clear()
        self._bygone.clear()
        self._remember(
            Changes(
                records=snapshot.records,
                versions=snapshot.versions,
                rotations=snapshot.rotations,
                deliveries=snapshot.deliveries,
                samples=snapshot.samples,
            )
        )
        for version in snapshot.held:
            self._bygone[version.credential][version.generation] = version
        self._is_in_doubt = False

    async def clear_doubt(self) -> None:
        """Have the memory agree with the store before something is decided by it. Costs nothing where it does.

        Raises:
            StoreError: It is in doubt, and the store does not serve.
        """
        if self._is_in_doubt:
            await self.amend(Changes)

    async def commit(self, changes: Changes) -> None:
        """Write ``changes`` durably, then remember them.

        Raises:
            StoreError: Nobody knows whether they were written, and nothing of them is remembered: the memory is read
                anew before the next change is built.
        """
        await self.amend(lambda: changes)

    def note(self, version: Version) -> None:
        """Remember ``version`` without writing it: for what the next probe would find out again after a restart."""
        self._remember(Changes(versions=[version]))

    async def amend(self, build: Callable[[], Changes]) -> None:
        """Commit what ``build`` makes of the memory once every commit before this one is in it.

        For whoever changes what others change too: between its look and its write nobody else writes. A commit that
        was begun is brought to its end though its caller is cancelled, so that memory and store agree; the
        cancellation is heeded after `LONGEST_COMMIT_SECONDS` at the latest.

        Raises:
            StoreError: As for `commit`.
        """
        writing = asyncio.create_task(self._write(build))
        self._under_way.add(writing)
        writing.add_done_callback(self._written)
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing}, timeout=LONGEST_COMMIT_SECONDS)
            raise

    async def _write(self, build: Callable[[], Changes]) -> None:
        async with self._writing:
            if self._is_in_doubt:
                await self.load()
            changes = build()
            await self._trail.before(changes.audit)
            self._is_in_doubt = True  # until it is known that it was written, and remembered
            try:
                await self._store.commit(changes)
            except StoreError as error:
                self._trail.failed(changes.audit, error)
                raise
            self._remember(changes)
            self._is_in_doubt = False
            self._trail.after(changes.audit)

    def _written(self, writing: asyncio.Task[None]) -> None:
        self._under_way.discard(writing)
        if not writing.cancelled():
            writing.exception()  # whoever asked raises it; one who was cancelled does not, and nobody else misses it

    def names(self) -> Sequence[str]:
        """Return every name under which versions are known in memory, whether it is configured or not."""
        return [name for name, versions in self._versions.items() if versions]

    def record(self, credential: str) -> Record:
        """Return what is remembered of ``credential``; a blank record when it was never seen."""
        return self._records.get(credential) or Record(credential)

    def version(self, credential: str, stage: Stage) -> Version | None:
        """Return the newest version of ``credential`` in ``stage``. Abandoned ones are known since the start only."""
        return self._newest.get((credential, stage))

    def current(self, credential: str) -> Version | None:
        """Return the version in use."""
        return self.version(credential, Stage.CURRENT)

    def has_unfit(self, credential: str, now: datetime) -> bool:
        """Return whether the version in use does not work at ``now``, or leaked: there is nothing to go back to."""
        current = self.current(credential)
        return current is not None and current.is_unfit(now)

    def pending(self, credential: str) -> Version | None:
        """Return the version on its way into use."""
        return self.version(credential, Stage.PENDING)

    def open_rotation(self, credential: str) -> Rotation | None:
        """Return the rotation of ``credential`` that has not ended."""
        return self._rotations.get(credential)

    def open_rotations(self) -> Sequence[Rotation]:
        """Return every rotation that has not ended."""
        return list(self._rotations.values())

    def last_rotation(self, credential: str) -> Rotation | None:
        """Return the rotation of ``credential`` that ended last."""
        return self._last.get(credential)

    def live_versions(self, credential: str) -> Sequence[Version]:
        """Return the versions of ``credential`` that are known in memory: pending, current, previous."""
        return list(self._versions[credential].values())

    def as_kept(self, version: Version) -> Version:
        """Return ``version`` as it is by now, to write it anew: a leak may have been reported, a successor promoted."""
        return self.kept(version) or version

    def kept(self, version: Version) -> Version | None:
        """Return ``version`` as it is by now; None when it was let go of meanwhile, and its secret with it."""
        return self._versions[version.credential].get(version.generation)

    async def login(self, version: Version) -> Login:
        """Return the login of ``version``. Secret.

        Raises:
            NotFoundError: Its secret is not kept any more.
        """
        secret = await self._store.secret(version.credential, version.generation)
        return Login.restore(version.username, secret)

    def held_at(self, target: str, placement: str) -> Mapping[str, Delivery]:
        """Return the latest delivery of each credential to ``placement``."""
        return self._deliveries[target].get(placement, {})

    def placements(self, target: str) -> Sequence[str]:
        """Return the placements of ``target`` that were ever delivered to and still exist."""
        return list(self._deliveries[target])

    def deliveries(self) -> Iterator[Delivery]:
        """Yield the latest delivery of each credential to each placement."""
        for placements in self._deliveries.values():
            for by_credential in placements.values():
                yield from by_credential.values()

    def deliveries_of(self, target: str, credential: str) -> Iterator[Delivery]:
        """Yield the latest delivery of ``credential`` to each placement of ``target``."""
        yield from self._places[credential][target].values()

    def versions_at(self, target: str, credential: str) -> Sequence[Version]:
        """Return the versions that placements of ``target`` were last confirmed to hold, oldest first.

        Also those that are no longer live: a placement that was not reached since may hold one for long.
        """
        held = {one.confirmed_generation for one in self.deliveries_of(target, credential)}
        live, bygone = self._versions[credential], self._bygone[credential]
        found = (live.get(generation) or bygone.get(generation) for generation in sorted(held))
        return [version for version in found if version is not None]

    def wanted_at(self, target: str, placement: str, credential: str) -> Version | None:
        """Return the version that ``placement`` must hold: a newer one once its delivery there began, else current.

        The newer one is pending, or was given up after it reached a placement and waits there to be overtaken. A
        neighbour's rotation renders by this rule too, so that no write takes a placement back a generation.
        """
        current, delivery = self.current(credential), self.held_at(target, placement).get(credential)
        if delivery is None or (current is not None and delivery.generation <= current.generation):
            return current
        begun = self._versions[credential].get(delivery.generation)
        return begun if begun is not None and begun.stage in _DELIVERABLE else current

    def newest_withdrawn(self, credential: str) -> int:
        """Return the highest generation of ``credential`` that reached a placement and was taken back; 0 for none.

        A previous version above the one in use counts, too: it was given up on its way.
        """
        current = self.current(credential)
        top = current.generation if current is not None else 0
        previous = (one for one in self._versions[credential].values() if one.stage is Stage.PREVIOUS)
        return max((one.generation for one in previous if one.withdrawn_at or one.generation > top), default=0)

    def unfinished(self, credential: str) -> int:
        """Return the generation of the pending version, where its delivery to a placement began; 0 for none."""
        pending = self.pending(credential)
        if pending is None:
            return 0
        held = (one for placements in self._places[credential].values() for one in placements.values())
        return pending.generation if any(one.generation == pending.generation for one in held) else 0

    def newest_begun(self, credential: str) -> int:
        """Return the highest generation of ``credential`` whose delivery to any placement began; 0 for none."""
        held = (one for placements in self._places[credential].values() for one in placements.values())
        return max((one.generation for one in held), default=0)

    def samples(self, registry: str, credential: str) -> Sequence[Sample]:
        """Return the headroom measured for ``credential`` at ``registry``, in the order in which it came."""
        return list(self._samples[registry, credential])

    async def versions(self, credential: str) -> Sequence[Version]:
        """Return every version of ``credential``, newest first."""
        return await self._store.versions(credential)

    async def audit(self, after: int, limit: int) -> Sequence[ChainedRecord]:
        """Return records of the audit after number ``after``, oldest first."""
        return await self._store.audit(after, limit)

    async def newest_audit(self, limit: int, credential: str | None = None) -> Sequence[ChainedRecord]:
        """Return the newest records of the audit, newest first; of all credentials when ``credential`` is None."""
        return await self._store.newest_audit(limit, credential)

    async def leaks_not_over(self) -> Sequence[str]:
        """Return the credentials whose newest leak is not over, as the audit has it."""
        return await self._store.leaks_not_over()

    async def verify_audit(self) -> AuditVerdict:
        """Return whether the audit is as it was written."""
        return await self._store.verify_audit()

    async def rotation(self, rotation_id: str) -> Rotation:
        """Return one rotation.

        Raises:
            NotFoundError: It never was, or is not kept any more.
        """
        return await self._store.rotation(rotation_id)

    async def rotations(self, credential: str | None, limit: int) -> Sequence[Rotation]:
        """Return the newest rotations, newest first."""
        return await self._store.rotations(credential, limit)

    def _remember(self, changes: Changes) -> None:
        self._rename(changes.renamed)
        for record in changes.records:
            self._records[record.name] = record
        for version in changes.versions:
            kept = self._versions[version.credential]
            kept[version.generation] = version
            for generation in [g for g, old in kept.items() if old.stage in _FORGOTTEN and g < version.generation]:
                self._bygone[version.credential][generation] = kept.pop(generation)
        for credential in {version.credential for version in changes.versions}:
            self._index(credential)
            self._let_go(credential)
        for rotation in changes.rotations:
            if rotation.state in ENDED:
                self._close(rotation)
            else:
                self._rotations[rotation.credential] = rotation
        for delivery in changes.deliveries:
            self._deliveries[delivery.target][delivery.placement][delivery.credential] = delivery
            self._places[delivery.credential][delivery.target][delivery.placement] = delivery
        for sample in changes.samples:
            self._samples[sample.registry, sample.credential].append(sample)
        for key in changes.removed:
            self._forget(*key)

    def _forget(self, target: str, placement: str, credential: str) -> None:
        by_credential = self._deliveries[target].get(placement, {})
        by_credential.pop(credential, None)
        self._places[credential][target].pop(placement, None)
        if not by_credential:
            self._deliveries[target].pop(placement, None)

    def _let_go(self, credential: str) -> None:
        """Forget the versions of ``credential`` that are neither live nor at any placement."""
        begun = (one for placements in self._places[credential].values() for one in placements.values())
        held = {generation for one in begun for generation in (one.generation, one.confirmed_generation)}
        bygone = self._bygone[credential]
        self._bygone[credential] = {number: bygone[number] for number in held & bygone.keys()}

    def _rename(self, names: Mapping[str, str]) -> None:
        for former, name in names.items():
            self._move(former, name)

    def _move(self, former: str, name: str) -> None:
        self._records.pop(former, None)
        for memory in (self._versions, self._bygone):
            memory[name] = {number: replace(one, credential=name) for number, one in memory.pop(former, {}).items()}
        for credential in (former, name):
            self._index(credential)
        for rotations in (self._rotations, self._last):
            if (rotation := rotations.pop(former, None)) is not None:
                rotations[name] = replace(rotation, credential=name)
        for one in [delivery for delivery in self.deliveries() if delivery.credential == former]:
            self._forget(one.target, one.placement, former)
            moved = replace(one, credential=name)
            self._deliveries[one.target][one.placement][name] = self._places[name][one.target][one.placement] = moved

    def _index(self, credential: str) -> None:
        newest = {version.stage: version for _, version in sorted(self._versions[credential].items())}
        for stage in Stage:
            if stage in newest:
                self._newest[credential, stage] = newest[stage]
            else:
                self._newest.pop((credential, stage), None)

    def _close(self, rotation: Rotation) -> None:
        self._last[rotation.credential] = rotation
        known = self._rotations.get(rotation.credential)
        if known is not None and known.id == rotation.id:
            del self._rotations[rotation.credential]


_FORGOTTEN = frozenset({Stage.RETIRED, Stage.ABANDONED})
_DELIVERABLE = frozenset({Stage.PENDING, Stage.CURRENT, Stage.PREVIOUS})
