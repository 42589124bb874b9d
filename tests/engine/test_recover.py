"""A crash at any point: what was half-done is finished or abandoned, and nothing that worked is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.declares import Proof
from rotator.domain.events import RotationStarted
from rotator.domain.fate import fate
from rotator.domain.model import Delivery, DeliveryState, Stage, Strategy
from rotator.domain.rotation import Rotation, State, Step
from rotator.engine.recover import recover, strangers
from rotator.errors import StoreError, UnavailableError, VerificationError
from rotator.ports import Changes


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


async def test_a_login_that_was_sealed_before_the_crash_is_taken_up(world: Any, target: Callable[..., Any]) -> None:
    """F-02: where the vendor may have put a sealed login in force already, the restart verifies and delivers it."""
    prod = target("prod", "web")
    vendor = world.add("harbor", prod, strategy=Strategy.OVERWRITE)
    await world.rotate("harbor")
    issue, sealed = vendor.issue, asyncio.Event()

    async def seal_and_hang(order: Any) -> Any:
        await order.keep(await issue(order))
        vendor.refused.add("secret-number-0001")
        sealed.set()
        await asyncio.Event().wait()

    vendor.issue = seal_and_hang
    ticket = await world.dispatcher.request("harbor", "test", "test")
    await sealed.wait()
    await world.restart()
    vendor.issue = issue
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)
    await asyncio.gather(*(one.task for one in world.dispatcher._running.values()))

    assert (await world.store.rotation(ticket.rotation)).state is State.SUCCEEDED
    assert prod.held["web"]["harbor"].login.secret.reveal() == "secret-number-0002"
    assert vendor.minted == 2


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


async def test_a_rename_does_not_reset_a_generation(world: Any, target: Callable[..., Any]) -> None:
    """I3: a credential that was renamed goes on above the generations that its former name had given out."""
    world.add("ecr-old", target("prod", "web"))
    for _ in range(3):
        await world.rotate("ecr-old")
    del world.credentials["ecr-old"]
    world.add("ecr", target("prod", "web"), formerly="ecr-old")
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)

    assert await world.rotate("ecr") == "succeeded"
    assert world.ledger.current("ecr").generation == 4


async def renamed(world: Any, former: str, name: str, **options: Any) -> None:
    """Restart with a credential under a new name, with the same vendor and targets."""
    old = world.credentials.pop(former)
    for names in world.held.values():
        names.pop(former, None)
    await world.restart()
    world.add(name, *(one.port for one in old.targets), strategy=old.provider.strategy, **options)
    new = world.credentials[name]
    config = new.config.model_copy(update={"registry": old.config.registry})
    world.credentials[name] = replace(new, config=config, provider=old.provider)
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)


async def test_a_rename_is_nothing_but_a_rename(world: Any, target: Callable[..., Any]) -> None:
    """I7: versions with their secrets, deliveries, rotations and leaks go on under the new name; nothing is issued."""
    prod = target("prod", "web")
    vendor = world.add("old", prod, strategy=Strategy.CREATE_RETIRE)
    vendor.lifetime = None
    for _ in range(2):
        await world.rotate("old")
    vendor.retire_fault = UnavailableError("the vendor is down")
    await world.leaks.report("old", "it was in a log", "test")
    for running in list(world.dispatcher._running.values()):
        await running.done
    record, writes = world.ledger.record("old"), len(prod.applied)

    await renamed(world, "old", "new", formerly="old")
    await world.dispatcher.turn()
    await world.rollout.reconcile(world.credentials["new"].targets[0])
    remembered = {one.generation: one for one in world.ledger.live_versions("new")}
    await world.restart()  # the state says the same as the memory

    assert {one.generation: one for one in world.ledger.live_versions("new")} == remembered
    assert {number: one.stage for number, one in remembered.items()} == {
        1: Stage.PREVIOUS,
        2: Stage.PREVIOUS,
        3: Stage.CURRENT,
    }
    assert (vendor.minted, await world.store.versions("old")) == (3, [])
    assert prod.applied[writes:] == [("web", (("new", 3),))], "what is named after the credential has its new name"
    assert (await world.ledger.login(world.ledger.current("new"))).secret.reveal() == "secret-number-0003"
    assert list((await world.store.load()).records) == [world.ledger.record("new")] == [replace(record, name="new")]
    assert world.ledger.last_rotation("new").generation == 3
    assert [(one.credential, one.confirmed_generation) for one in world.ledger.deliveries()] == [("new", 3)]
    assert [one.credential for one in await world.leaks.open()] == ["new"]

    vendor.retire_fault = None
    await world.rollout.reconcile(world.credentials["new"].targets[0])
    await world.retirer.turn()
    assert (list(vendor.tokens), (await world.leaks.progress("new")).is_over) == (["token-3"], True)


async def test_a_person_does_not_enter_again_what_was_only_renamed(world: Any, target: Callable[..., Any]) -> None:
    """Where a login was confirmed by a person's word, a rename asks nobody, and writes nothing."""
    prod = target("prod", "web")
    world.add("old", prod)
    await world.rotate("old")
    (one,) = world.ledger.deliveries()
    await world.ledger.commit(Changes(deliveries=[replace(one, proof=Proof.OPERATOR)]))

    await renamed(world, "old", "new", formerly="old")
    await world.rollout.reconcile(world.credentials["new"].targets[0])
    assert list(world.ledger.deliveries()) == [replace(one, proof=Proof.OPERATOR, credential="new")]
    assert len(prod.applied) == 1


async def test_a_rotation_goes_on_under_the_new_name(world: Any, target: Callable[..., Any]) -> None:
    """F-03: what was on its way when the credential was renamed arrives, without another mint."""
    prod = target("prod", "web")
    vendor = world.add("old", prod)
    prod.gate = asyncio.Event()
    await world.dispatcher.request("old", "test", "test")
    await prod.entered.wait()
    await renamed(world, "old", "new", formerly="old")
    prod.gate.set()
    await asyncio.gather(*(one.task for one in world.dispatcher._running.values()))

    assert (prod.generations("new"), vendor.minted) == ({"web": 1}, 1)
    assert world.ledger.last_rotation("new").state is State.SUCCEEDED


async def test_a_name_that_is_still_in_use_is_not_taken(world: Any, target: Callable[..., Any]) -> None:
    """I2: where the former name is configured still, only its generations count; its versions stay its own."""
    world.add("old", target("prod", "web"))
    await world.rotate("old")
    world.add("new", target("edge", "file"), formerly="old")
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)

    assert world.ledger.current("old").generation == 1
    assert (world.ledger.current("new"), world.ledger.record("new").generation) == (None, 1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "no credential has that name any more. If it was renamed, write formerly: old at the new name before"),
        ({"formerly": "old"}, "new had versions of its own before it said formerly: old. End them at the vendor"),
    ],
    ids=["not said", "said too late"],
)
async def test_versions_that_nobody_ends_are_told(
    world: Any, target: Callable[..., Any], options: dict[str, Any], says: str
) -> None:
    """I7: what is kept under a name that is not configured any more is told at the start, with what to do about it."""
    prod = target("prod", "web")
    world.add("old", prod)
    for _ in range(2):
        await world.rotate("old")
    world.add("new", prod)
    await world.rotate("new")
    current = world.ledger.current("old")
    await world.ledger.commit(Changes(versions=[replace(current, leaked_at=world.clock.now())]))
    await renamed(world, "old", "new", **options)

    (told,) = strangers(world.credentials, world.ledger, world.clock.now())
    assert (told.credential, told.generation, told.outcome) == ("old", 2, "unclaimed")
    assert told.message.startswith("2 versions of old, 1 of which leaked, may still work at the vendor, and nobody")
    assert says in told.message
    world.clock.advance(timedelta(hours=12))
    assert list(strangers(world.credentials, world.ledger, world.clock.now())) == [], "what has expired is no worry"
