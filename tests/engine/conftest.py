"""The world of the engine's tests: a vendor, a registry and targets at the ports, and a real SQLite store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.config.credential import CredentialConfig
from rotator.config.root import EngineConfig
from rotator.domain.attempt import Outcome
from rotator.domain.audit import AuditRecord, AuditVerdict, ChainedRecord
from rotator.domain.declares import Declares
from rotator.domain.events import Event
from rotator.domain.headroom import Sample
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import (
    UNKNOWN,
    Delivery,
    Entry,
    Expiry,
    Held,
    Issued,
    Login,
    Record,
    Stage,
    Strategy,
    Version,
)
from rotator.domain.retirement import Retirement
from rotator.domain.rotation import Rotation
from rotator.domain.verdict import Finding, Verdict, Verification
from rotator.engine.credential import Credential, DeliveryTarget
from rotator.engine.dispatch import Dispatcher
from rotator.engine.guard import Guard
from rotator.engine.leak import Leaks
from rotator.engine.ledger import Ledger
from rotator.engine.prove import Prover
from rotator.engine.retire import Retirer
from rotator.engine.rollout import Rollout
from rotator.engine.rotate import Rotator
from rotator.engine.surroundings import Surroundings
from rotator.errors import FencedError, NotFoundError, RotatorError, StoreError, VerificationError
from rotator.ports import Changes, LoginGuard, Made, Order, Provider, Snapshot, Store
from rotator.registry.client import Unguarded
from rotator.sandbox.clock import ManualClock
from rotator.secret import Fingerprinter, Secret
from rotator.store.store import SqlStore, open_store

KEY = bytes(range(32))
LIVE = frozenset({Stage.PENDING, Stage.CURRENT, Stage.PREVIOUS})


class Gate:
    """Holds back what passes while it is shut."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    async def __call__(self, _where: str = "") -> None:
        """Pass, once it is open."""
        self.reached.set()
        await self._open.wait()

    def shut(self) -> None:
        """Hold back what comes; ``reached`` tells when something has."""
        self.reached.clear()
        self._open.clear()

    def open(self) -> None:
        """Let everything pass."""
        self._open.set()


class FakeVendor:
    """A provider whose every answer the test decides."""

    def __init__(self, clock: ManualClock, strategy: Strategy = Strategy.EPHEMERAL) -> None:
        self.clock = clock
        self.strategy = strategy
        self.identity = "fake"
        self.lifetime: timedelta | None = timedelta(hours=12)
        self.issuing = Gate()
        self.minted = 0
        self.value: str | None = None
        self.source_revision: str | None = None
        self.fault: RotatorError | None = None
        self.refused: set[str] = set()
        self.cannot_tell = False
        self.images_refused: set[tuple[str, str]] = set()
        self.guard: LoginGuard = Unguarded()
        self.host = "registry"
        self.told = NOTHING_KNOWN
        self.inspected: list[str] = []
        self.inspect_fault: Exception | None = None

    async def issue(self, order: Order) -> Issued:
        await self.issuing()
        if self.fault is not None:
            raise self.fault
        self.minted += 1
        value = self.value or f"secret-number-{self.minted:04d}"
        now = self.clock.now()
        expiry = Expiry(now + self.lifetime) if self.lifetime is not None else UNKNOWN
        return Issued(Login("AWS", Secret(value)), now, expiry, self.source_revision)

    async def revision(self) -> str | None:
        if self.fault is not None:
            raise self.fault
        return self.source_revision

    async def inspect(self, login: Login) -> Inspection:
        self.inspected.append(login.secret.reveal())
        if self.inspect_fault is not None:
            raise self.inspect_fault
        return self.told

    async def probe(self, login: Login) -> Finding:
        if self.cannot_tell:
            return Finding("registry", Verdict.CANNOT_TELL, "HTTP 503")
        refused = login.secret.reveal() in self.refused
        async with self.guard.attempt(self.host, login.username) as attempt:
            attempt.outcome = Outcome.REFUSED if refused else Outcome.ACCEPTED
        return Finding("registry", Verdict.REJECTED if refused else Verdict.ACCEPTED, "401" if refused else "200")


class MintingVendor(FakeVendor):
    """A vendor that keeps what it makes until it is told to end it."""

    bearer_life = timedelta(minutes=5)

    def __init__(self, clock: ManualClock, strategy: Strategy) -> None:
        super().__init__(clock, strategy)
        self.tokens: dict[str, tuple[str, str]] = {}
        self.ended: list[str] = []
        self.retiring = Gate()
        self.retire_fault: RotatorError | None = None
        self.revokes_nothing = False

    async def issue(self, order: Order) -> Issued:
        """Make a token, or regenerate the slot that is not in use."""
        issued = await super().issue(order)
        handle = f"token-{self.minted}"
        if self.strategy is Strategy.TWO_SLOT:
            handle = "two" if order.current is not None and order.current.handle == "one" else "one"
            if handle in self.tokens:
                self.refused.add(self.tokens[handle][1])
        self.tokens[handle] = (order.rotation, issued.login.secret.reveal())
        return replace(issued, handle=handle)

    async def made(self, order: Order) -> Sequence[Made]:
        """Return all there is."""
        assert order.rotation_of(order.label) == order.rotation
        return [Made(handle, rotation) for handle, (rotation, _) in self.tokens.items()]

    async def retire(self, handle: str, login: Login | None) -> Retirement:
        """End one; what is gone is gone."""
        del login
        await self.retiring()
        if self.retire_fault is not None:
            raise self.retire_fault
        self.ended.append(handle)
        if handle in self.tokens and not self.revokes_nothing:
            self.refused.add(self.tokens.pop(handle)[1])
        return Retirement.ENDED


SIMPLE = frozenset({Strategy.EPHEMERAL, Strategy.READ})


class FakeRegistry:
    """A verifier that pulls every image but those the vendor's test refuses."""

    def __init__(self) -> None:
        self.asked = 0

    async def look(self, provider: Provider, login: Login, images: Sequence[str]) -> Sequence[Finding]:
        return (await self.verify(provider, login, images)).images

    async def verify(self, provider: Provider, login: Login, images: Sequence[str]) -> Verification:
        self.asked += 1
        assert isinstance(provider, FakeVendor)
        refused = {image for secret, image in provider.images_refused if secret in {login.secret.reveal(), "*"}}
        found = (
            Finding(image, Verdict.NO_ACCESS if image in refused else Verdict.ACCEPTED, "insufficient_scope")
            for image in images
        )
        return Verification(await provider.probe(login), tuple(found))


class FakeTarget:
    """A target in memory: placements hold what was last applied; the test breaks what it likes."""

    kind = "fake"
    declares = Declares()

    def __init__(self, name: str, *placements: str) -> None:
        self.name = name
        self.spots = list(placements)
        self.held: dict[str, dict[str, Entry]] = {}
        self.faults: dict[str, RotatorError] = {}
        self.list_fault: RotatorError | None = None
        self.corrupts: set[str] = set()
        self.finds_broken: set[str] = set()
        self.loses_answer: RotatorError | None = None
        self.applied: list[tuple[str, tuple[tuple[str, int], ...]]] = []
        self.gate: asyncio.Event | None = None
        self.entered = asyncio.Event()
        self.changed = asyncio.Event()
        self.listing = Gate()

    async def placements(self) -> Sequence[str]:
        if self.list_fault is not None:
            raise self.list_fault
        spots = list(self.spots)
        await self.listing()
        return spots

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if placement in self.faults:
            raise self.faults[placement]
        before = self.held.get(placement, {})
        for entry in entries:
            known = before.get(entry.credential)
            if known is not None and known.generation > entry.generation:
                raise FencedError(f"{placement} holds generation {known.generation}", generation=known.generation)
        if self.finds_broken and any(entry.login.secret.reveal() in self.finds_broken for entry in entries):
            self.held[placement] = {**before, **{entry.credential: entry for entry in entries}}
            raise VerificationError(f"{placement}: the agent cannot pull with it")
        self.applied.append((placement, tuple((entry.credential, entry.generation) for entry in entries)))
        self.held[placement] = {**before, **{entry.credential: entry for entry in entries}}
        if self.loses_answer is not None:
            raise self.loses_answer
        return await self.read(placement, entries)

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        if placement in self.corrupts:
            return Held({entry.credential: Login("x", Secret("something-else")) for entry in entries})
        held = self.held.get(placement, {})
        return Held({name: entry.login for name, entry in held.items()})

    async def watch(self) -> AsyncIterator[None]:
        while True:
            await self.changed.wait()
            self.changed.clear()
            yield

    async def close(self) -> None:
        return

    def generations(self, credential: str) -> dict[str, int]:
        """Return the generation of ``credential`` that each placement holds."""
        return {spot: held[credential].generation for spot, held in self.held.items() if credential in held}


class WholeTarget(FakeTarget):
    """A target that makes a placement anew at each write, and keeps only what it is told to."""

    def __init__(self, name: str, *placements: str) -> None:
        super().__init__(name, *placements)
        self.unissued: list[dict[str, str]] = []

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        self.held.pop(placement, None)
        return await super().apply(placement, entries)

    async def apply_beside(self, placement: str, entries: Sequence[Entry], unissued: Mapping[str, str]) -> Held:
        self.unissued.append(dict(unissued))
        kept = [entry for name, entry in self.held.get(placement, {}).items() if name in unissued]
        return await self.apply(placement, [*kept, *entries])


@dataclass
class World:
    """One engine with its surroundings; `restart` is a crash and a new start on the same state."""

    clock: ManualClock
    path: Path
    store: Store
    ledger: Ledger
    events: list[Event] = field(default_factory=list)
    credentials: dict[str, Credential] = field(default_factory=dict)
    held: dict[str, dict[str, str]] = field(default_factory=dict)
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    config: EngineConfig = field(default_factory=EngineConfig)

    def __post_init__(self) -> None:
        self._wire()

    def _wire(self) -> None:
        fingerprint = Fingerprinter(KEY)
        self.surroundings = Surroundings(self.clock, lambda: 0.5, self.registry, fingerprint, self.events.append)
        self.rollout = Rollout(self.ledger, self.clock, self.events.append, self.config)
        self.guard = Guard(self.clock)
        for credential in self.credentials.values():
            credential.provider.guard = self.guard  # type: ignore[attr-defined]
        self.prover = Prover(self.ledger, self.guard, self.surroundings)
        self.rotator = Rotator(self.ledger, self.rollout, self.prover, self.surroundings)
        self.retirer = Retirer(self.credentials, self.ledger, self.rollout, self.prover, self.surroundings)
        self.dispatcher = Dispatcher(self.credentials, self.ledger, self.rotator, self.surroundings, slots=4)
        self.leaks = Leaks(self.credentials, self.ledger, self.rollout, self.dispatcher, self.retirer, self.clock)

    def add(
        self, name: str, *targets: FakeTarget, strategy: Strategy = Strategy.EPHEMERAL, **options: Any
    ) -> FakeVendor:
        """Configure a credential delivered to ``targets``; return its vendor."""
        vendor = FakeVendor(self.clock, strategy) if strategy in SIMPLE else MintingVendor(self.clock, strategy)
        config = CredentialConfig(provider="fake", registry=f"{name}.example.com", **options)
        vendor.guard, vendor.host = self.guard, config.registry
        held = []
        for target in targets:
            names = self.held.setdefault(target.name, {})
            names[name] = config.registry
            held.append(DeliveryTarget(target, names))
        self.credentials[name] = Credential(name, config, vendor, tuple(held))
        return vendor

    async def rotate(self, name: str) -> str:
        """Ask for a rotation, wait for its end and return its state."""
        ticket = await self.dispatcher.request(name, "a test asks", "test")
        rotation = await ticket.finished
        return rotation.state.value if rotation is not None else "crashed"

    async def restart(self) -> None:
        """Lose everything that was only in memory, as a crash does."""
        for running in list(self.dispatcher._running.values()):
            running.task.cancel()
        await asyncio.gather(*(one.task for one in self.dispatcher._running.values()), return_exceptions=True)
        if isinstance(self.store, SqlStore):
            await self.store.close()
            self.store = await open_store(f"sqlite:///{self.path}", [KEY])
        self.ledger = Ledger(self.store)
        await self.ledger.load()
        self._wire()


class MemoryStore:
    """A store in memory, which survives a `World.restart`: for tests with thousands of commits.

    Args:
        pause: Awaited before and after each commit; what it raises comes out of the commit.
    """

    def __init__(self, pause: Callable[[str], Awaitable[None]] | None = None) -> None:
        self.pause = pause
        self.fault: StoreError | None = None
        self.records: dict[str, Record] = {}
        self.kept: dict[tuple[str, int], Version] = {}
        self.secrets: dict[tuple[str, int], Secret] = {}
        self.journal: dict[str, Rotation] = {}
        self.delivered: dict[tuple[str, str, str], Delivery] = {}
        self.samples: list[Sample] = []
        self.audited: list[AuditRecord] = []

    async def load(self) -> Snapshot:
        """Return all that is live."""
        if self.fault is not None:
            raise self.fault
        rotations = sorted(self.journal.values(), key=lambda rotation: rotation.id)
        live = [version for version in self.kept.values() if version.stage in LIVE]
        delivered = list(self.delivered.values())
        spots = {(one.credential, one.confirmed_generation) for one in delivered}
        held = [one for key, one in self.kept.items() if key in spots and one.stage not in LIVE]
        return Snapshot(list(self.records.values()), live, rotations, delivered, list(self.samples), held)

    async def commit(self, changes: Changes) -> None:
        """Write ``changes``."""
        if self.fault is not None:
            raise self.fault
        if self.pause is not None:
            await self.pause("before a commit")
        for former, name in changes.renamed.items():
            self._rename(former, name)
        self.records |= {record.name: record for record in changes.records}
        self.kept |= {(version.credential, version.generation): version for version in changes.versions}
        self.secrets |= changes.secrets
        for version in changes.versions:
            if version.stage not in LIVE:
                self.secrets.pop((version.credential, version.generation), None)
        self.journal |= {rotation.id: rotation for rotation in changes.rotations}
        self.delivered |= {(one.target, one.placement, one.credential): one for one in changes.deliveries}
        self.samples += changes.samples
        self.audited += changes.audit
        for key in changes.removed:
            self.delivered.pop(key, None)
        if self.pause is not None:
            await self.pause("after a commit")

    def _rename(self, former: str, name: str) -> None:
        self.records.pop(former, None)
        for number in [number for credential, number in self.kept if credential == former]:
            self.kept[name, number] = replace(self.kept.pop((former, number)), credential=name)
            if (secret := self.secrets.pop((former, number), None)) is not None:
                self.secrets[name, number] = secret
        for key, rotation in self.journal.items():
            self.journal[key] = replace(rotation, credential=name) if rotation.credential == former else rotation
        for target, spot, credential in [key for key in self.delivered if key[2] == former]:
            moved = replace(self.delivered.pop((target, spot, credential)), credential=name)
            self.delivered[target, spot, name] = moved

    async def secret(self, credential: str, generation: int) -> Secret:
        """Return the secret of a version."""
        try:
            return self.secrets[credential, generation]
        except KeyError:
            raise NotFoundError(f"{credential}: generation {generation} is not kept any more") from None

    async def versions(self, credential: str) -> Sequence[Version]:
        """Return every version, newest first."""
        versions = [version for version in self.kept.values() if version.credential == credential]
        return sorted(versions, key=lambda version: -version.generation)

    async def rotation(self, rotation_id: str) -> Rotation:
        """Return one rotation."""
        return self.journal[rotation_id]

    async def rotations(self, credential: str | None, limit: int) -> Sequence[Rotation]:
        """Return the newest rotations."""
        rotations = sorted(self.journal.values(), key=lambda rotation: rotation.id, reverse=True)
        return [one for one in rotations if credential in {None, one.credential}][:limit]

    async def audit(self, after: int, limit: int) -> Sequence[ChainedRecord]:
        """Return the records, without digests."""
        return [ChainedRecord(number, one, "") for number, one in enumerate(self.audited, start=1)][after:][:limit]

    async def newest_audit(self, limit: int, credential: str | None = None) -> Sequence[ChainedRecord]:
        """Return the newest records."""
        return list(reversed(await self.audit(0, len(self.audited))))[:limit]

    async def leaks_not_over(self) -> Sequence[str]:
        """Return the credentials whose newest record of a leak is a report."""
        newest = {one.credential: one.outcome for one in self.audited if one.action == "leak"}
        return sorted(name for name, outcome in newest.items() if outcome == "intent")

    async def verify_audit(self) -> AuditVerdict:
        """Find nothing wrong."""
        return AuditVerdict(len(self.audited))

    async def close(self) -> None:
        """Keep everything."""
        return


@pytest.fixture
async def world(clock: ManualClock, tmp_path: Path) -> AsyncIterator[World]:
    """Return an engine with no credentials yet, on a store of its own."""
    path = tmp_path / "rotator.db"
    store = await open_store(f"sqlite:///{path}", [KEY])
    world = World(clock, path, store, Ledger(store))
    yield world
    await world.dispatcher.stop(grace=0)
    await world.store.close()


@pytest.fixture
async def memory_world(tmp_path: Path) -> AsyncIterator[Callable[..., World]]:
    """Return what makes an engine on a store in memory: ``memory_world(pause)``."""
    worlds: list[World] = []

    def make(pause: Callable[[str], Awaitable[None]] | None = None) -> World:
        store = MemoryStore(pause)
        worlds.append(World(ManualClock(), tmp_path, store, Ledger(store)))
        return worlds[-1]

    yield make
    for world in worlds:
        await world.dispatcher.stop(grace=0)


@pytest.fixture
def new_world(tmp_path: Path) -> Callable[[], World]:
    """Return what makes an engine on a store in memory, for whoever stops it."""

    def make() -> World:
        store = MemoryStore()
        return World(ManualClock(), tmp_path, store, Ledger(store))

    return make


@pytest.fixture
def gate() -> Gate:
    """Return an open gate: for commits, as the pause of a `memory_world`."""
    return Gate()


@pytest.fixture
def target() -> Callable[..., FakeTarget]:
    """Return what makes a target in memory: ``target("prod", "web", "api")``."""
    return FakeTarget


@pytest.fixture
def whole_target() -> WholeTarget:
    """Return a target with one placement, ``web``, which it makes anew at each write."""
    return WholeTarget("prod", "web")


@pytest.fixture
def config() -> EngineConfig:
    """Return the engine's defaults."""
    return EngineConfig()
