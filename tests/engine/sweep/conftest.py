"""A world that is broken at will, the history of all that happened in it, and what must hold of that history."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from rotator.domain.audit import INTENT
from rotator.domain.events import Crashed
from rotator.domain.model import UNKNOWN, DeliveryState, Issued, Login, Stage, Strategy, Version
from rotator.domain.rotation import ENDED, Rotation, State, Step
from rotator.engine.recover import recover
from rotator.engine.watch import Watch, Watched
from rotator.errors import FencedError, StoreError
from rotator.ports import Changes, Order
from rotator.secret import Secret

STRATEGIES = {
    "ecr": Strategy.EPHEMERAL,
    "ghcr": Strategy.READ,
    "gitlab": Strategy.CREATE_RETIRE,
    "quay": Strategy.TWO_SLOT,
    "harbor": Strategy.OVERWRITE,
}
LIVE = frozenset({Stage.PENDING, Stage.CURRENT, Stage.PREVIOUS})
RETIREMENT = ("retire", INTENT)
HOUR = 3600.0
MOST_AN_HOUR = 30
"""Requests of one kind that a vendor gets in any hour without anybody's doing; retries come every 5 minutes at last."""

Spot = tuple[str, str]
Entries = Mapping[str, tuple[int, str]]
"""What a placement holds: credential to generation and secret."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A vendor was asked to make a version (``made``) or to end one (``ended``)."""

    at: float
    what: str
    credential: str
    rotation: str = ""


@dataclass(frozen=True, slots=True)
class Prompted:
    """Somebody or something gave a reason to ask a vendor: a person, a source, a restart."""

    at: float
    credential: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class InForce:
    """A vendor put a login in force."""

    credential: str
    secret: str


@dataclass(frozen=True, slots=True)
class Killed:
    """A vendor ended a login because it ``was_asked`` to, or overwrote it, while ``holders`` held it."""

    credential: str
    secret: str
    holders: frozenset[Spot]
    was_asked: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """A registry accepted a login when it was verified."""

    secret: str


@dataclass(frozen=True, slots=True)
class Written:
    """A placement was written."""

    spot: Spot
    before: Entries
    after: Entries


@dataclass(slots=True)
class Judge:
    """Reads a history once, front to back, and writes down what should not have happened."""

    broken: list[str] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    intents: set[tuple[str, str, str, int]] = field(default_factory=set)
    rotations: dict[str, Rotation] = field(default_factory=dict)
    versions: dict[tuple[str, int], Version] = field(default_factory=dict)
    kept: dict[str, tuple[str, int]] = field(default_factory=dict)
    said_to_end: Counter[str] = field(default_factory=Counter)
    asked: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    prompts: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))

    def read(self, event: object) -> None:
        """Take note of the next event."""
        match event:
            case Changes():
                self._journalled(event)
            case Asked():
                self._asked(event)
            case Prompted():
                self.prompts[event.credential].append((event.at, event.times))
            case InForce() if event.secret not in self.kept:
                self._journalled_first(event)
            case Killed():
                self._killed(event)
            case Accepted():
                self.accepted.add(event.secret)
            case Written():
                self._written(event)

    def _journalled(self, changes: Changes) -> None:
        said = {(one.action, one.credential, one.generation) for one in changes.audit if one.outcome == INTENT}
        for one in changes.deliveries:
            if one.state is DeliveryState.INTENDED and ("deliver", one.credential, one.generation) not in said:
                self.broken.append(f"I10: {one.placement} is to get {one.generation} of {one.credential}, unrecorded")
        self.said_to_end.update(one.credential for one in changes.audit if (one.action, one.outcome) == RETIREMENT)
        self.rotations |= {one.id: one for one in changes.rotations}
        self.versions |= {(one.credential, one.generation): one for one in changes.versions}
        self.kept |= {secret.reveal(): key for key, secret in changes.secrets.items()}
        self.intents |= {
            (one.target, one.placement, one.credential, one.generation)
            for one in changes.deliveries
            if one.state is DeliveryState.INTENDED
        }

    def _asked(self, asked: Asked) -> None:
        rotation = self.rotations.get(asked.rotation)
        if asked.what == "made" and (rotation is None or rotation.step is not Step.ISSUE or rotation.state in ENDED):
            self.broken.append(f"I10: {asked.credential} was asked for by {asked.rotation}, journalled as {rotation}")
        if asked.what == "ended" and not self.said_to_end[asked.credential]:
            self.broken.append(f"I10: {asked.credential}: something was ended at the vendor, unrecorded")
        self.said_to_end[asked.credential] -= asked.what == "ended"
        times = self.asked[asked.what, asked.credential]
        times.append(asked.at)
        lately = sum(at > asked.at - HOUR for at in times)
        allowed = MOST_AN_HOUR + sum(n for at, n in self.prompts[asked.credential] if at > asked.at - 2 * HOUR)
        if lately > allowed:
            self.broken.append(f"I5: {asked.credential}: {asked.what} {lately} times in an hour, {allowed} allowed")

    def _journalled_first(self, made: InForce) -> None:
        if STRATEGIES[made.credential] is Strategy.OVERWRITE:
            self.broken.append(f"I10: {made.credential} was overwritten by a login that is not in the journal")

    def _killed(self, killed: Killed) -> None:
        version = self.versions.get(self.kept.get(killed.secret, ("", 0)))
        current = self.current(killed.credential)
        is_worthless = any(
            one is not None and (one.rejected_at or (one.leaked_at and not killed.was_asked))
            for one in (version, current)
        )
        if STRATEGIES[killed.credential] is Strategy.OVERWRITE:
            return
        if killed.holders and not is_worthless:
            self.broken.append(f"{killed.secret} was ended while {sorted(killed.holders)} held it")
        if version is not None and version is current and not is_worthless:
            self.broken.append(f"{killed.secret} was ended while it was in use")

    def current(self, credential: str) -> Version | None:
        """Return the version in use, as the journal has it."""
        of = [one for one in self.versions.values() if one.credential == credential and one.stage is Stage.CURRENT]
        return of[0] if of else None

    def _written(self, write: Written) -> None:
        for name, (generation, secret) in write.before.items():
            after = write.after.get(name)
            if after is None:
                self.broken.append(f"I2: {write.spot} lost {name}")
            elif after[0] < generation:
                self.broken.append(f"I3: {write.spot} went back from {generation} to {after[0]} of {name}")
            elif after[0] == generation and after[1] != secret and secret in self.kept:
                self.broken.append(f"I3: {write.spot} has two secrets of generation {generation} of {name}")
        changed = {name: one for name, one in write.after.items() if write.before.get(name) != one}
        for name, (generation, secret) in changed.items():
            if secret not in self.accepted:
                self.broken.append(f"I2: {write.spot} got {generation} of {name}, which no registry accepted")
        meant = {name for name, (generation, _) in changed.items() if (*write.spot, name, generation) in self.intents}
        beside = {
            name: self.versions.get((name, generation))
            for name, (generation, _) in changed.items()
            if name not in meant
        }
        if changed and not meant:
            self.broken.append(f"I10: {write.spot} got {sorted(changed)} without an intent in the journal")
        if any(version is None or version.stage is not Stage.CURRENT for version in beside.values()):
            self.broken.append(f"I10: {write.spot} got {sorted(beside)} beside, not in use")


class TrueTime:
    """The time of the world outside, which does not jump when somebody sets our wall clock."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._start: datetime = clock.now() - timedelta(seconds=clock.monotonic())

    def now(self) -> datetime:
        """Return the true time."""
        return self._start + timedelta(seconds=self._clock.monotonic())


class Scene:
    """Credentials of several strategies that share placements, every interaction with the outside noted down.

    Each answer of a vendor, the registry, a target and the store is an interaction; at the chosen one the process
    dies: from then on all fail, until `revive` starts it anew on what the store holds.
    """

    def __init__(self, world: Any, target: Callable[..., Any], names: tuple[str, ...]) -> None:
        self.world = world
        self.names = names
        self.history: list[object] = []
        self.judge = Judge()
        self.count = self.crash_at = self.crashes = 0
        self.down = asyncio.Event()
        self.true = TrueTime(world.clock)
        self.slow: dict[str, asyncio.Event] = {}
        self.expiries: dict[str, tuple[str, datetime]] = {}
        self.drifted: set[tuple[str, str, str]] = set()
        self.reported: set[str] = set()
        self.prod, self.edge = target("prod", "shared", "other"), target("edge", "file")
        self.targets = (self.prod, self.edge)
        self.vendors: dict[str, Any] = {}
        self.in_force: dict[str, str] = {}
        for name in names:
            at = (self.prod,) if name == "ghcr" else self.targets
            self.vendors[name] = self._vendor(name, world.add(name, *at, strategy=STRATEGIES[name]))
        for one in self.targets:
            one.placements, one.read = self._around(one.placements), self._around(one.read)
            one.apply = self._writing(one, one.apply)
        world.registry.verify = self._verifying(world.registry.verify)
        world.store.commit = self._committing(world.store.commit)

    def note(self, event: object) -> None:
        """Append to the history."""
        self.history.append(event)
        self.judge.read(event)

    def prompt(self, name: str, times: int = 1) -> None:
        """Note that there is a reason to ask the vendor of ``name``."""
        self.note(Prompted(self.world.clock.monotonic(), name, times))

    async def interact(self) -> None:
        """Count an interaction, and crash when its turn has come."""
        self.count += 1
        if self.count == self.crash_at:
            self.crashes += 1
            self.down.set()
        if self.down.is_set():
            raise asyncio.CancelledError
        await asyncio.sleep(0)

    def holders(self, name: str, secret: str) -> frozenset[Spot]:
        """Return the placements that hold ``secret``, as it is outside."""
        return frozenset(
            (one.name, spot)
            for one in self.targets
            for spot in one.spots
            if name in one.held.get(spot, {}) and one.held[spot][name].login.secret.reveal() == secret
        )

    def _vendor(self, name: str, vendor: Any) -> Any:
        vendor.clock = self.true
        if STRATEGIES[name] is not Strategy.EPHEMERAL:
            vendor.lifetime = None
        if STRATEGIES[name] is Strategy.READ:
            vendor.value, vendor.source_revision = "token-revision-1", "1"
        issue = self._overwriting(name, vendor) if STRATEGIES[name] is Strategy.OVERWRITE else vendor.issue
        vendor.issue = self._issuing(name, vendor, issue)
        if hasattr(vendor, "retire"):
            vendor.retire = self._retiring(name, vendor, vendor.retire)
        return vendor

    def next_secret(self, name: str) -> str:
        """Return what the vendor of ``name`` makes next."""
        vendor = self.vendors[name]
        return str(vendor.value) if STRATEGIES[name] is Strategy.READ else f"{name}-secret-{vendor.minted + 1:04d}"

    def _issuing(self, name: str, vendor: Any, issue: Callable[..., Any]) -> Callable[..., Any]:
        async def issuing(order: Order) -> Issued:
            await self.interact()
            self.note(Asked(self.world.clock.monotonic(), "made", name, order.rotation))
            vendor.value, before = (
                self.next_secret(name),
                {key: one[1] for key, one in getattr(vendor, "tokens", {}).items()},
            )
            issued: Issued = await issue(order)
            secret = issued.login.secret.reveal()
            self.note(InForce(name, secret))
            if before.get(issued.handle, secret) != secret:
                self.note(Killed(name, before[issued.handle], self.holders(name, before[issued.handle])))
            if issued.expiry.at is not None:
                self.expiries[secret] = (name, issued.expiry.at)
            if name in self.slow:
                await self.slow[name].wait()
            await self.interact()
            return issued

        return issuing

    def _overwriting(self, name: str, vendor: Any) -> Callable[..., Any]:
        """Return a vendor's one slot: the login is ours, told to the journal, then in force; the one before is dead."""

        async def overwriting(order: Order) -> Issued:
            if vendor.fault is not None:
                raise vendor.fault
            vendor.minted += 1
            secret = str(vendor.value)
            vendor.refused.add(secret)
            issued = Issued(Login("robot", Secret(secret)), self.true.now(), UNKNOWN, handle="robot")
            await order.keep(issued)
            await self.interact()
            vendor.refused.discard(secret)
            if name in self.in_force:
                vendor.refused.add(self.in_force[name])
            self.in_force[name] = secret
            return issued

        return overwriting

    def _retiring(self, name: str, vendor: Any, retire: Callable[..., Any]) -> Callable[..., Any]:
        async def retiring(handle: str, login: Login | None) -> Any:
            await self.interact()
            self.note(Asked(self.world.clock.monotonic(), "ended", name))
            secret = vendor.tokens.get(handle, ("", ""))[1]
            if vendor.retire_fault is None and secret:
                self.note(Killed(name, secret, self.holders(name, secret), was_asked=True))
            outcome = await retire(handle, login)
            await self.interact()
            return outcome

        return retiring

    def _around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def interrupted(*arguments: Any) -> Any:
            await self.interact()
            answer = await call(*arguments)
            await self.interact()
            return answer

        return interrupted

    def _verifying(self, verify: Callable[..., Any]) -> Callable[..., Any]:
        async def verifying(provider: Any, login: Login, images: Any) -> Any:
            await self.interact()
            verification = await verify(provider, login, images)
            if verification.verdict == "accepted":
                self.note(Accepted(login.secret.reveal()))
            await self.interact()
            return verification

        return verifying

    def _writing(self, target: Any, apply: Callable[..., Any]) -> Callable[..., Any]:
        def held(spot: str) -> dict[str, tuple[int, str]]:
            entries = target.held.get(spot, {}).items()
            return {name: (entry.generation, entry.login.secret.reveal()) for name, entry in entries}

        async def writing(spot: str, entries: Any) -> Any:
            await self.interact()
            before = held(spot)
            try:
                answer = await apply(spot, entries)
            except FencedError as error:
                self.judge.broken.append(f"I3: {target.name}/{spot} was offered less than it holds: {error}")
                raise
            finally:
                after = held(spot)
                self.note(Written((target.name, spot), before, after))
                self.drifted -= {(target.name, spot, name) for name in after if before.get(name) != after[name]}
            await self.interact()
            return answer

        return writing

    def _committing(self, commit: Callable[..., Any]) -> Callable[..., Any]:
        async def committing(changes: Changes) -> None:
            await self.interact()
            await commit(changes)
            self.note(changes)
            await self.interact()

        return committing

    async def live(self) -> None:
        """Let the daemon do once all that it does: sources, probes, rotations, targets, old versions."""
        world = self.world
        targets = list({one.name: one for c in world.credentials.values() for one in c.targets}.values())
        watched = Watched(world.credentials, targets, timedelta(seconds=30), world.config)
        watch = Watch(watched, world.ledger, world.rollout, world.rotator, world.surroundings)
        await watch.poll(world.dispatcher)
        await world.dispatcher.turn()
        await self.quiet()
        for credential in world.credentials.values():
            await watch.probe(credential)
        keeping = [asyncio.create_task(watch.keep(one)) for one in targets]
        await asyncio.gather(*keeping)
        await self.quiet()
        await world.retirer.turn()
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until nothing runs, but for what waits for a slow answer."""
        while True:
            before = self.count
            for _ in range(15):
                await asyncio.sleep(0)
            if self.count == before or self.down.is_set():
                return

    async def until_crash(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do ``work`` until it ends or the crash comes."""
        working, crashing = asyncio.create_task(work()), asyncio.create_task(self.down.wait())
        await asyncio.wait({working, crashing}, return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        crashing.cancel()
        (outcome, _) = await asyncio.gather(working, crashing, return_exceptions=True)
        if isinstance(outcome, Exception) and not isinstance(outcome, StoreError):
            raise outcome

    async def revive(self) -> None:
        """Start the daemon again after a crash, up to its recovery."""
        self.crash_at = 0
        self.down.set()  # what runs still does nothing more
        await self.world.restart()
        self.down.clear()
        self.pass_time(timedelta(seconds=1))
        for name in self.names:
            self.prompt(name, 3)

    async def recover(self) -> None:
        """Do what a starting daemon does first."""
        world = self.world
        await recover(world.credentials, world.ledger, world.dispatcher, world.clock)

    def pass_time(self, duration: timedelta) -> None:
        """Let time pass; what has expired is refused from then on."""
        self.world.clock.advance(duration)
        for secret, (name, at) in list(self.expiries.items()):
            if at <= self.true.now():
                self.vendors[name].refused.add(secret)

    def heal(self) -> None:
        """Mend everything outside."""
        self.crash_at = 0
        self.world.clock.set_wall(self.true.now())
        for gate in self.slow.values():
            gate.set()
        self.slow.clear()
        for name, vendor in self.vendors.items():
            vendor.fault, vendor.cannot_tell, vendor.retire_fault = None, False, None
            if vendor.value in {*vendor.refused, *self.leaked()} and STRATEGIES[name] is Strategy.READ:
                self.source_changes(name)  # as the error asks a person to
        for target in self.targets:
            target.faults.clear()
            target.finds_broken.clear()
            target.list_fault = target.loses_answer = None

    def leaked(self) -> set[str]:
        """Return the secrets that were reported as leaked and are still kept."""
        store = self.world.store
        return {
            store.secrets[key].reveal() for key, one in store.kept.items() if one.leaked_at and key in store.secrets
        }

    async def report_leak(self, name: str) -> None:
        """Have a person say that all logins of ``name`` that were ever in use are known to others."""
        used = [one for one in self.world.ledger.live_versions(name) if one.stage is not Stage.PENDING]
        kept = self.world.store.secrets
        secrets = {kept[key].reveal() for one in used if (key := (name, one.generation)) in kept}
        await self.world.leaks.report(name, "seen in a log", "test")
        self.reported |= secrets

    def source_changes(self, name: str) -> None:
        """Put another token at the source."""
        vendor = self.vendors[name]
        revision = int(vendor.source_revision) + 1
        vendor.value, vendor.source_revision = f"token-revision-{revision}", str(revision)
        self.prompt(name)

    async def settle(self) -> None:
        """Mend everything and let time pass until all is quiet."""
        if self.down.is_set():
            await self.revive()
            await self.recover()
        self.heal()
        for _ in range(8):
            await self.live()
            self.pass_time(timedelta(minutes=11))

    def story(self) -> str:
        """Return what the journal holds, for whoever looks for the cause."""
        journal = sorted(self.world.store.journal.values(), key=lambda one: one.id)
        versions, deliveries = self.world.store.kept.values(), self.world.ledger.deliveries()
        return "\n".join(map(str, ["", *journal, *versions, *deliveries, *self.world.store.records.values()]))

    def lies(self) -> Iterator[str]:
        """Yield what the journal says of placements and is not so."""
        ports = {one.name: one for one in self.targets}
        for one in self.world.ledger.deliveries():
            entry = ports[one.target].held.get(one.placement, {}).get(one.credential)
            held = entry.generation if entry is not None else 0
            is_drifted = (one.target, one.placement, one.credential) in self.drifted
            if one.placement in ports[one.target].spots and held < one.confirmed_generation and not is_drifted:
                yield f"I7: {one.target}/{one.placement} is said to hold {one.confirmed_generation}, and holds {held}"

    def check(self) -> None:
        """Assert what must hold at any time."""
        assert self.judge.broken == [], "\n".join([*self.judge.broken[:5], self.story()])
        assert list(self.lies()) == [], self.story()
        assert not [event for event in self.world.events if isinstance(event, Crashed)]

    def check_settled(self) -> None:
        """Assert that everything came to one current version each, held everywhere, with nothing left over."""
        self.check()
        world = self.world
        assert world.ledger.open_rotations() == []
        for name in self.names:
            kept = [one for one in world.store.kept.values() if one.credential == name]
            failed = {one.generation for one in world.store.journal.values() if one.state is State.FAILED}
            pending = {one.generation for one in kept if one.stage is Stage.PENDING}
            assert [one.stage for one in kept].count(Stage.CURRENT) == 1, name
            assert len(pending) <= 1, name
            assert pending <= failed, f"{name}: {pending} is neither on its way nor taken up by the next rotation"
            current = world.ledger.current(name)
            secret = world.store.secrets[name, current.generation].reveal()
            assert secret not in self.vendors[name].refused, f"{name}: what is in use does not work{self.story()}"
            assert secret not in self.reported, f"{name}: what is in use leaked{self.story()}"
            spots = {(one.port.name, spot) for one in world.credentials[name].targets for spot in one.port.spots}
            drifted = {(target, spot) for target, spot, one in self.drifted if one == name}
            assert spots - drifted <= self.holders(name, secret), f"{name}: {spots}"
        assert {one.state for one in world.ledger.deliveries()} == {DeliveryState.CONFIRMED}
        live = [key for key, one in world.store.kept.items() if one.stage in LIVE]
        assert sorted(world.store.secrets) == sorted(live), "only what may still be needed keeps its secret"


@pytest.fixture
def stage(new_world: Callable[[], Any], target: Callable[..., Any]) -> Callable[..., Scene]:
    """Return what sets up a scene: ``stage("ecr", "ghcr")``."""
    return lambda *names: Scene(new_world(), target, names)
