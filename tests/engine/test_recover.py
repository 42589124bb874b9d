"""A crash at any point: what was half-done is finished or abandoned, and nothing that worked is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.domain.events import Crashed, RotationStarted
from rotator.domain.model import Delivery, DeliveryState, Stage, Strategy
from rotator.domain.rotation import Rotation, State, Step
from rotator.engine.recover import fate, recover
from rotator.engine.watch import Watch, Watched
from rotator.errors import FencedError, StoreError, UnavailableError, VerificationError
from rotator.ports import Changes

HOUR = timedelta(hours=1)
LONGEST_SCENE = 400
"""More interactions than any one scene has; reaching it means that something never ends."""

Build = Callable[[], "Scene"]


class Scene:
    """Two credentials that share a placement, with a crash at the chosen interaction with the world outside.

    Each answer of a vendor, the registry, a target and the store is an interaction; from the crash on all fail, as if
    the process were gone, until `revive` starts it anew on what the store holds.
    """

    def __init__(self, make_world: Callable[..., Any], make_target: Callable[..., Any]) -> None:
        self.count = 0
        self.crash_at = 0
        self.crashes = 0
        self.down = asyncio.Event()
        self.accepted: set[str] = set()
        self.broken: list[str] = []
        self.world = make_world(self.interact)
        self.prod = make_target("prod", "shared", "other")
        self.edge = make_target("edge", "file")
        self.vendors = {
            "ecr": self.world.add("ecr", self.prod, self.edge),
            "ghcr": self.world.add("ghcr", self.prod, strategy=Strategy.READ),
        }
        self.vendors["ghcr"].lifetime = None
        self.vendors["ghcr"].source_revision = "1"
        self.vendors["ghcr"].value = "token-revision-1"
        self._hook()

    async def interact(self, _where: str) -> None:
        """Count an interaction, and crash when its turn has come."""
        self.count += 1
        if self.count == self.crash_at:
            self.crashes += 1
            self.down.set()
        if self.down.is_set():
            raise asyncio.CancelledError
        await asyncio.sleep(0)

    def _hook(self) -> None:
        for vendor in self.vendors.values():
            vendor.issue = self._around(vendor.issue)
        self.world.registry.verify = self._noting(self.world.registry.verify)
        for target in (self.prod, self.edge):
            target.placements = self._around(target.placements)
            target.apply = self._checking(target, self._around(target.apply))
            target.read = self._around(target.read)

    def _around(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def interrupted(*arguments: Any) -> Any:
            await self.interact("before")
            answer = await call(*arguments)
            await self.interact("after")
            return answer

        return interrupted

    def _noting(self, verify: Callable[..., Awaitable[Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def noting(provider: Any, login: Any, images: Any) -> Any:
            await self.interact("before")
            verification = await verify(provider, login, images)
            if verification.verdict == "accepted":
                self.accepted.add(login.secret.reveal())
            await self.interact("after")
            return verification

        return noting

    def _checking(self, target: Any, apply: Callable[..., Awaitable[Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Return ``apply`` with the invariants checked on what the placement holds before and after."""

        async def checking(placement: str, entries: Any) -> Any:
            before = dict(target.held.get(placement, {}))
            try:
                return await apply(placement, entries)
            except FencedError as error:
                self.broken.append(f"I3: an older generation was offered: {error}")
                raise
            finally:
                self._compare(placement, before, target.held.get(placement, {}))

        return checking

    def _compare(self, placement: str, before: Any, after: Any) -> None:
        for name, entry in before.items():
            if name not in after:
                self.broken.append(f"{placement} lost {name}")
            elif after[name].generation < entry.generation:
                self.broken.append(f"I3: {placement} went back to {after[name].generation} of {name}")
        for name, entry in after.items():
            if entry.login.secret.reveal() not in self.accepted:
                self.broken.append(f"I2: {placement} holds an unverified {name}")

    @property
    def watch(self) -> Watch:
        """Return a watch over everything."""
        world = self.world
        targets = list({one.name: one for c in world.credentials.values() for one in c.targets}.values())
        watched = Watched(world.credentials, targets, timedelta(seconds=30), world.config)
        return Watch(watched, world.ledger, world.rollout, world.rotator, world.surroundings)

    async def live(self) -> None:
        """Let the daemon do once all that it does: ask sources, start what is due, bring targets up to date."""
        watch = self.watch
        await watch.poll(self.world.dispatcher)
        await self.world.dispatcher.turn()
        await asyncio.gather(*(watch.keep(one) for one in watch._watched.targets))
        while self.world.dispatcher.running:
            await asyncio.gather(*(one.task for one in list(self.world.dispatcher._running.values())))
            await asyncio.sleep(0)

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
        """Start the daemon again after a crash; the next crash may come while it recovers."""
        self.crash_at = 0
        await self.world.restart()
        self.down.clear()

    async def recover(self) -> None:
        """Do what a starting daemon does first."""
        world = self.world
        await recover(world.credentials, world.ledger, world.dispatcher, world.clock)

    async def settle(self) -> None:
        """Mend everything and let time pass until all is quiet."""
        if self.down.is_set():
            await self.revive()
            await self.recover()
        self.crash_at = 0
        for vendor in self.vendors.values():
            vendor.fault, vendor.cannot_tell, vendor.refused = None, False, set()
        for target in (self.prod, self.edge):
            target.faults.clear()
            target.list_fault = target.loses_answer = None
        for _ in range(8):
            await self.live()
            self.world.clock.advance(timedelta(minutes=11))

    def check(self) -> None:
        """Assert that everything came to one current version each, held everywhere, with nothing left over."""
        assert self.broken == []
        assert not [event for event in self.world.events if isinstance(event, Crashed)]
        assert self.world.ledger.open_rotations() == []
        for name, targets in (("ecr", (self.prod, self.edge)), ("ghcr", (self.prod,))):
            stages = [one.stage for one in self.world.store.kept.values() if one.credential == name]
            assert stages.count(Stage.CURRENT) == 1
            assert stages.count(Stage.PENDING) == 0
            current = self.world.ledger.current(name)
            value = self.world.store.secrets[name, current.generation]
            for target in targets:
                assert target.generations(name).keys() == set(target.spots)
                assert {held[name].login.secret for held in target.held.values()} == {value}
                assert max(target.generations(name).values()) <= current.generation
        states = {one.state for one in self.world.ledger.deliveries()}
        assert states == {DeliveryState.CONFIRMED}
        live = [key for key, one in self.world.store.kept.items() if one.stage in {Stage.CURRENT, Stage.PREVIOUS}]
        assert sorted(self.world.store.secrets) == sorted(live), "only what may still be needed keeps its secret"


@pytest.fixture
def build(memory_world: Callable[..., Any], target: Callable[..., Any]) -> Build:
    """Return what builds a scene."""
    return lambda: Scene(memory_world, target)


async def prepare(scene: Scene, scenario: str) -> None:
    """Bring ``scene`` to where the scenario begins."""
    if scenario == "first":
        return
    await scene.settle()
    scene.check()
    if scenario == "renewal":
        scene.world.clock.advance(7 * HOUR)
    else:
        scene.vendors["ghcr"].value = "token-revision-2"
        scene.vendors["ghcr"].source_revision = "2"


@pytest.mark.parametrize("scenario", ["first", "renewal", "source changed"])
async def test_a_crash_at_every_point(build: Build, scenario: str) -> None:
    """F-01..F-04: wherever the daemon dies, its restart converges, with at most one more mint for the crash."""
    for number in range(1, LONGEST_SCENE):
        scene = build()
        await prepare(scene, scenario)
        minted = {name: vendor.minted for name, vendor in scene.vendors.items()}
        scene.crash_at = scene.count + number
        await scene.until_crash(scene.live)
        crashed = scene.down.is_set()
        await scene.settle()
        scene.check()
        assert scene.vendors["ecr"].minted - minted["ecr"] <= scene.crashes + 1, number
        if not crashed:
            assert number > 20
            return
    pytest.fail("the scene never ends")


@pytest.mark.parametrize("seed", range(25))
async def test_a_crash_while_recovering(build: Build, seed: int) -> None:
    """F-06: a crash during the recovery from a crash, several times over, is recovered from as well."""
    random = Random(seed)
    scene = build()
    await prepare(scene, "renewal")
    minted = scene.vendors["ecr"].minted

    async def recover_and_live() -> None:
        await scene.recover()
        await scene.live()

    for _ in range(6):
        if scene.down.is_set():
            await scene.revive()
        scene.crash_at = scene.count + random.randint(1, 40)
        await scene.until_crash(recover_and_live)

    await scene.settle()
    scene.check()
    assert scene.vendors["ecr"].minted - minted <= scene.crashes + 1


def break_something(scene: Scene, random: Random) -> None:
    """Break or mend one thing outside."""
    vendor = scene.vendors[random.choice(["ecr", "ghcr"])]
    target = random.choice([scene.prod, scene.edge])
    spot = random.choice(target.spots)
    down = UnavailableError("down")
    revision = str(scene.count)
    breaks: list[Callable[[], Any]] = [
        lambda: setattr(vendor, "fault", None if vendor.fault else down),
        lambda: setattr(vendor, "cannot_tell", not vendor.cannot_tell),
        lambda: vendor.refused.symmetric_difference_update({f"secret-number-{vendor.minted + 1:04d}"}),
        lambda: vendor.refused.symmetric_difference_update({str(scene.vendors["ghcr"].value)}),
        lambda: target.faults.pop(spot, None) or target.faults.update({spot: down}),
        lambda: setattr(target, "list_fault", None if target.list_fault else down),
        lambda: setattr(target, "loses_answer", None if target.loses_answer else down),
        lambda: vars(scene.vendors["ghcr"]).update(value=f"token-revision-{revision}", source_revision=revision),
        lambda: vars(scene.vendors["ghcr"]).update(value="token-revision-1", source_revision=revision),
        lambda: scene.world.clock.advance(timedelta(minutes=random.randint(1, 400))),
    ]
    random.choice(breaks)()


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
async def test_any_sequence_of_crashes_and_faults(build: Build, seed: int) -> None:
    """I2, I3: whatever breaks in whatever order, no placement loses, goes back or gets what was not verified."""
    random = Random(seed)
    scene = build()
    for _ in range(6):
        for _ in range(random.randint(0, 3)):
            break_something(scene, random)
        if scene.down.is_set():
            await scene.revive()
            await scene.recover()
        scene.crash_at = scene.count + random.randint(1, 80) if random.random() < 0.7 else 0
        await scene.until_crash(scene.live)
        assert scene.broken == []
        scene.world.clock.advance(timedelta(minutes=random.choice([0, 1, 10])))
    await scene.settle()
    scene.check()


@pytest.mark.parametrize(
    ("step", "state", "is_configured", "expected"),
    [
        (Step.ISSUE, State.RUNNING, True, "interrupted before a version was journalled"),
        (Step.VERIFY, State.RUNNING, True, None),
        (Step.DELIVER, State.RUNNING, True, None),
        (Step.PROMOTE, State.RUNNING, True, None),
        (Step.PROMOTE, State.DELIVERING, True, None),
        (Step.VERIFY, State.RUNNING, False, "the credential is not configured any more"),
        (Step.PROMOTE, State.DELIVERING, False, "the credential is not configured any more"),
    ],
    ids=["issue", "verify", "deliver", "promote", "delivering", "gone", "gone while delivering"],
)
async def test_fate(world: Any, step: Step, state: State, is_configured: bool, expected: str | None) -> None:  # noqa: FBT001 (expected value)
    """Before a version is journalled a rotation is abandoned, after that it goes on, while its credential exists."""
    rotation = Rotation("1", "ecr", "NeverIssued", "", step, state, world.clock.now())
    assert fate(rotation, is_configured=is_configured) == expected


async def test_an_interrupted_issue_is_abandoned_and_due_again(world: Any, target: Callable[..., Any]) -> None:
    """F-02: nothing is known of an interrupted mint, so it is abandoned and the credential is rotated anew."""
    vendor = world.add("ecr", target("prod", "web"))
    hanging = asyncio.Event()
    issue = vendor.issue

    async def hang(_: object) -> Any:
        await hanging.wait()

    vendor.issue = hang
    ticket = await world.dispatcher.request("ecr", "test", "test")
    await world.restart()
    vendor.issue = issue
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)

    assert (await world.store.rotation(ticket.rotation)).state is State.ABANDONED
    assert world.dispatcher.running == {}
    assert world.dispatcher.next_wake_at() == world.clock.now()


async def test_a_restart_pushes_the_same_generation_to_the_rest(world: Any, target: Callable[..., Any]) -> None:
    """F-03: after a crash between two placements the rest gets the same generation, without another mint."""
    prod = target("prod", "a", "b", "c")
    vendor = world.add("ecr", prod)
    apply, hanging = prod.apply, asyncio.Event()

    async def only_the_first(placement: str, entries: Any) -> Any:
        if placement != "a":
            hanging.set()
            await asyncio.Event().wait()
        return await apply(placement, entries)

    prod.apply = only_the_first
    await world.dispatcher.request("ecr", "test", "test")
    await hanging.wait()
    await world.restart()
    prod.apply = apply
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)
    await asyncio.gather(*(one.task for one in world.dispatcher._running.values()))

    assert prod.generations("ecr") == {"a": 1, "b": 1, "c": 1}
    assert [placement for placement, _ in prod.applied].count("a") == 1, "what was confirmed is not written again"
    assert vendor.minted == 1
    assert [event.resumed for event in world.events if isinstance(event, RotationStarted)] == [False, True]


async def test_what_is_not_configured_any_more_breaks_nothing(world: Any, target: Callable[..., Any]) -> None:
    """Versions, rotations and deliveries of a credential that was removed are left alone or ended, without an error."""
    prod, edge = target("prod", "web"), target("edge", "file")
    prod.faults["web"] = UnavailableError("down")
    world.add("gone", edge, prod)
    world.add("ecr", prod, edge)
    assert await world.rotate("gone") == "delivering"
    await world.rotate("ecr")
    del world.credentials["gone"]
    for names in world.held.values():
        del names["gone"]

    await world.restart()
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)
    await world.dispatcher.turn()

    assert world.ledger.open_rotations() == [world.ledger.open_rotation("ecr")]
    assert {delivery.credential for delivery in world.ledger.deliveries()} == {"ecr"}
    prod.faults.clear()
    assert await world.rotate("ecr") == "succeeded"
    assert edge.generations("gone") == {"file": 1}, "what was delivered stays where it is"


async def test_a_target_that_was_removed_is_forgotten(world: Any, target: Callable[..., Any]) -> None:
    """I7: deliveries to a target that is not configured any more are not shown as late for ever."""
    prod, edge = target("prod", "web"), target("edge", "file")
    world.add("ecr", prod, edge)
    await world.rotate("ecr")
    credential = world.credentials["ecr"]
    world.credentials["ecr"] = replace(credential, targets=credential.targets[:1])

    await world.restart()
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)

    assert [delivery.target for delivery in world.ledger.deliveries()] == ["prod"]
    assert (await world.store.load()).deliveries == list(world.ledger.deliveries())


async def test_recovery_that_cannot_be_journalled_resumes_nothing(memory_world: Callable[..., Any]) -> None:
    """A store that fails at the start resumes nothing; the next start finds everything as it was."""
    is_full = False

    async def pause(where: str) -> None:
        if is_full and where == "before a commit":
            raise StoreError("the state: disk full")

    world = memory_world(pause)
    world.add("ecr")
    for name, step in (("ecr", Step.VERIFY), ("gone", Step.VERIFY)):
        rotation = Rotation(name, name, "NeverIssued", "", step, State.RUNNING, world.clock.now())
        await world.ledger.commit(Changes(rotations=[rotation]))
    is_full = True

    with pytest.raises(StoreError, match="disk full"):
        await recover(world.credentials, world.ledger, world.dispatcher, world.clock)

    assert world.dispatcher.running == {}
    assert len(world.ledger.open_rotations()) == 2


async def test_a_target_not_listed_since_the_restart_counts_as_waiting(world: Any, target: Callable[..., Any]) -> None:
    """I7: a rotation that waits for a target nobody could list is not called done because of a restart."""
    prod, edge = target("prod", "web"), target("edge", "file")
    edge.list_fault = UnavailableError("down")
    world.add("ecr", prod, edge)
    assert await world.rotate("ecr") == "delivering"

    await world.restart()
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)
    await world.rollout.reconcile(world.credentials["ecr"].targets[0])
    await world.rotator.settle(world.credentials["ecr"])
    assert world.ledger.open_rotation("ecr").state is State.DELIVERING

    edge.list_fault = None
    await world.rollout.reconcile(world.credentials["ecr"].targets[1])
    await world.rotator.settle(world.credentials["ecr"])
    assert world.ledger.open_rotations() == []
    assert world.ledger.record("ecr").last_success_at == world.clock.now()


async def test_a_version_given_up_halfway_is_overtaken_not_taken_back(world: Any, target: Callable[..., Any]) -> None:
    """I3: where a version reached a placement and was then refused, neighbours keep it until a newer one comes."""
    prod = target("prod", "shared")
    vendor = world.add("ecr", prod)
    world.add("ghcr", prod)
    await world.rotate("ecr")
    await world.rotate("ghcr")
    prod.loses_answer, prod.corrupts = UnavailableError("timeout"), {"shared"}
    assert await world.rotate("ecr") == "failed"
    assert prod.generations("ecr") == {"shared": 2}
    prod.loses_answer, prod.corrupts = None, set()
    vendor.refused = {"secret-number-0002"}
    assert await world.rotate("ecr") == "failed"

    assert await world.rotate("ghcr") == "succeeded"
    assert prod.applied[-1] == ("shared", (("ecr", 2), ("ghcr", 2)))
    assert await world.rotate("ecr") == "succeeded"
    assert prod.generations("ecr") == {"shared": 3}
    stages = {version.generation: version.stage for version in await world.store.versions("ecr")}
    assert stages == {1: Stage.PREVIOUS, 2: Stage.RETIRED, 3: Stage.CURRENT}


async def test_a_value_put_back_comes_again_as_a_new_generation(world: Any, target: Callable[..., Any]) -> None:
    """I3: when the source goes back to the value in use while a placement went ahead, it comes as a newer one."""
    prod = target("prod", "web")
    vendor = world.add("ghcr", prod, strategy=Strategy.READ)
    vendor.value = "the-old-token"
    await world.rotate("ghcr")
    vendor.value = "the-new-token"
    prod.loses_answer, prod.corrupts = UnavailableError("timeout"), {"web"}
    assert await world.rotate("ghcr") == "failed"
    prod.loses_answer, prod.corrupts = None, set()
    vendor.value = "the-old-token"

    assert await world.rotate("ghcr") == "succeeded"
    assert prod.generations("ghcr") == {"web": 3}
    assert prod.held["web"]["ghcr"].login.secret.reveal() == "the-old-token"


async def test_a_restored_state_overtakes_what_was_delivered_from_it(world: Any, target: Callable[..., Any]) -> None:
    """A state older than its deliveries makes every credential of a shared placement due, and all go above it."""
    prod = target("prod", "shared")
    for name in ("ecr", "ghcr"):
        world.add(name, prod)
        await world.rotate(name)
    prod.held["shared"] = {name: replace(entry, generation=41) for name, entry in prod.held["shared"].items()}

    await world.rotate("ecr")
    for _ in range(6):
        await world.dispatcher.turn()
        await asyncio.gather(*(one.task for one in list(world.dispatcher._running.values())))
        await asyncio.sleep(0)
        world.clock.advance(timedelta(minutes=5))

    assert {name: one.generation for name, one in prod.held["shared"].items()} == {
        name: world.ledger.current(name).generation for name in ("ecr", "ghcr")
    }
    assert min(prod.generations("ecr")["shared"], prod.generations("ghcr")["shared"]) >= 42
    assert world.dispatcher.next_wake_at() > world.clock.now()


def test_a_delivery_is_a_value(world: Any) -> None:
    """Two equal deliveries are one in the journal."""
    at = world.clock.now()
    one = Delivery("prod", "web", "ecr", 1, DeliveryState.INTENDED, at)
    assert one == Delivery("prod", "web", "ecr", 1, DeliveryState.INTENDED, at)
    assert VerificationError.code == "verification"
