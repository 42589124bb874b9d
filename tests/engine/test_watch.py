"""What is noticed between rotations: sources that change, versions that are refused, placements that appear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.events import Crashed, SourceFailed, StoreFailed, VersionProbed
from rotator.domain.model import Strategy
from rotator.domain.rotation import State
from rotator.domain.verdict import Finding, Verdict
from rotator.engine.watch import LOOK_AGAIN_SECONDS, SETTLE_SECONDS, Watch, Watched
from rotator.errors import (
    PermanentError,
    PermissionDeniedError,
    RotatorError,
    StoreError,
    UnavailableError,
)

POLL = timedelta(seconds=30)
PROBE = timedelta(minutes=15)
RESYNC = timedelta(minutes=5)


def watch_of(world: Any) -> Watch:
    """Return a watch over everything in ``world``."""
    targets = list({one.name: one for c in world.credentials.values() for one in c.targets}.values())
    watched = Watched(world.credentials, targets, POLL, world.config)
    return Watch(watched, world.ledger, world.rollout, world.rotator, world.surroundings)


def said(world: Any, kind: type) -> list[Any]:
    """Return the events of ``kind``."""
    return [event for event in world.events if isinstance(event, kind)]


async def idle(rounds: int = 50) -> None:
    """Let everything run that can run while the clock stands still."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def passing(world: Any, duration: timedelta) -> None:
    """Let ``duration`` pass, and whoever woke up do its work."""
    world.clock.advance(duration)
    await idle()


@asynccontextmanager
async def running(world: Any) -> AsyncIterator[list[str]]:
    """Run the watch; yield what it woke the scheduler for. Its end leaves no task behind."""
    woken: list[str] = []
    before = asyncio.all_tasks()
    task = asyncio.create_task(watch_of(world).run(world.dispatcher, lambda: woken.append("wake")))
    await idle()
    try:
        yield woken
        assert not task.done(), "the watch survived"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert asyncio.all_tasks() == before


async def static(world: Any, *targets: Any) -> Any:
    """Rotate in a static token of revision 1; return its vendor."""
    vendor = world.add("ghcr", *targets, strategy=Strategy.READ)
    vendor.value, vendor.source_revision, vendor.lifetime = "a-good-token", "1", None
    await world.rotate("ghcr")
    return vendor


async def test_a_changed_source_makes_a_rotation_due(memory_world: Callable[..., Any]) -> None:
    """A new revision is noticed by the next poll, wakes the scheduler once, and the rotation brings it into use."""
    world = memory_world()
    vendor = await static(world)
    async with running(world) as woken:
        assert woken == []
        vendor.value, vendor.source_revision = "a-newer-token", "2"
        await passing(world, POLL)
        assert woken == ["wake"]
        await world.dispatcher.turn()
        await idle()
        assert world.ledger.current("ghcr").revision == "2"
        await passing(world, POLL)
        assert woken == ["wake"]


async def test_a_vendor_that_mints_is_not_polled(memory_world: Callable[..., Any]) -> None:
    """Only sources that a person may change are asked for their revision."""
    world = memory_world()
    world.add("ecr").fault = UnavailableError("must not be asked")
    assert not await watch_of(world).poll(world.dispatcher)
    assert said(world, SourceFailed) == []


FAULTS = [
    pytest.param(UnavailableError("vault: sealed"), id="unavailable"),
    pytest.param(PermissionDeniedError("vault: 403"), id="denied"),
    pytest.param(RotatorError("anything"), id="anything of ours"),
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_source_outage_keeps_everything(
    memory_world: Callable[..., Any], target: Callable[..., Any], fault: RotatorError
) -> None:
    """I2: a source that cannot be asked is said so at each poll and changes nothing; afterwards all goes on."""
    world, prod = memory_world(), target("prod", "web")
    vendor = await static(world, prod)
    vendor.fault = fault
    prod.applied.clear()
    async with running(world) as woken:
        for _ in range(3):
            await passing(world, POLL)
        assert len(said(world, SourceFailed)) == 4
        assert (woken, prod.applied) == ([], [])
        assert world.ledger.current("ghcr").generation == 1
        vendor.fault, vendor.source_revision = None, "2"
        await passing(world, POLL)
        assert woken == ["wake"]


async def test_a_defect_in_one_source_hides_no_other(memory_world: Callable[..., Any]) -> None:
    """A provider that breaks is reported as a defect; the sources beside it are asked, and the watch goes on."""
    world = memory_world()
    vendor = await static(world)
    broken = world.add("broken", strategy=Strategy.READ)

    async def defect() -> None:
        raise KeyError("defect")

    broken.revision = defect
    async with running(world) as woken:
        vendor.source_revision = "2"
        await passing(world, POLL)
        assert woken == ["wake"]
        assert {event.where for event in said(world, Crashed)} == {"poll of broken"}


async def test_a_refused_probe_is_journalled_and_makes_a_rotation_due(world: Any) -> None:
    """F-15: a version that the registry refuses is marked with the first refusal, and is due as rejected."""
    vendor = world.add("ecr")
    await world.rotate("ecr")
    vendor.refused = {"secret-number-0001"}
    watch = watch_of(world)
    first = world.clock.now()

    assert await watch.probe(world.credentials["ecr"]) is Verdict.REJECTED
    world.clock.advance(PROBE)
    assert await watch.probe(world.credentials["ecr"]) is Verdict.REJECTED

    assert world.ledger.current("ecr").rejected_at == first
    assert world.dispatcher.next_wake_at("ecr") == world.clock.now()
    await world.restart()
    assert world.ledger.current("ecr").rejected_at == first
    assert [event.verdict for event in said(world, VersionProbed)] == [Verdict.REJECTED] * 2


async def test_an_accepted_probe_is_journalled(world: Any) -> None:
    """An accepted probe proves the version anew and clears an earlier refusal."""
    vendor = world.add("ecr")
    await world.rotate("ecr")
    watch = watch_of(world)
    vendor.refused = {"secret-number-0001"}
    await watch.probe(world.credentials["ecr"])
    vendor.refused = set()
    world.clock.advance(PROBE)

    assert await watch.probe(world.credentials["ecr"]) is Verdict.ACCEPTED
    current = world.ledger.current("ecr")
    assert (current.verified_at, current.rejected_at) == (world.clock.now(), None)


async def fails_to_probe(error: Exception, _login: Any) -> Finding:
    """Fail instead of answering."""
    raise error


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="cannot tell"),
        pytest.param(UnavailableError("timeout"), id="time-out"),
        pytest.param(PermanentError("no way to ask"), id="no way to ask"),
    ],
)
async def test_a_probe_that_cannot_tell_changes_nothing(world: Any, answer: RotatorError | None) -> None:
    """I2: a registry that is down says nothing about a version, neither good nor bad."""
    vendor = world.add("ecr")
    await world.rotate("ecr")
    before = world.ledger.current("ecr")
    vendor.cannot_tell = True
    if answer is not None:
        vendor.probe = lambda login: fails_to_probe(answer, login)
    world.clock.advance(PROBE)

    assert await watch_of(world).probe(world.credentials["ecr"]) is Verdict.CANNOT_TELL
    assert world.ledger.current("ecr") == before
    (probed,) = said(world, VersionProbed)
    assert (probed.verdict, probed.generation) == (Verdict.CANNOT_TELL, 1)


async def test_a_probe_of_what_was_replaced_meanwhile_is_ignored(world: Any) -> None:
    """The answer about a version that a rotation replaced while the registry was asked does not touch the new one."""
    vendor = world.add("ecr")
    await world.rotate("ecr")
    asked, gate = asyncio.Event(), asyncio.Event()
    probe = vendor.probe

    async def slow(_login: Any) -> Finding:
        asked.set()
        await gate.wait()
        return Finding("registry", Verdict.REJECTED, "401")

    vendor.probe = slow
    probing = asyncio.create_task(watch_of(world).probe(world.credentials["ecr"]))
    await asked.wait()
    vendor.probe = probe
    await world.rotate("ecr")
    gate.set()

    assert await probing is None
    assert world.ledger.current("ecr").rejected_at is None
    assert said(world, VersionProbed) == []


async def test_a_probe_during_the_promotion_brings_nothing_back(memory_world: Callable[..., Any]) -> None:
    """I3: a probe answered while the next version is being promoted does not make the old one current again."""
    gates: list[asyncio.Event] = []

    async def pause(where: str) -> None:
        if gates and where == "before a commit":
            await gates[0].wait()

    world = memory_world(pause)
    vendor = world.add("ecr")
    await world.rotate("ecr")
    vendor.refused = {"secret-number-0001"}
    promote = world.rotator._steps["promote"]

    async def held(credential: Any, rotation: Any) -> Any:
        gates.append(asyncio.Event())
        return await promote(credential, rotation)

    world.rotator._steps["promote"] = held
    ticket = await world.dispatcher.request("ecr", "test", "test")
    await idle()
    probing = asyncio.create_task(watch_of(world).probe(world.credentials["ecr"]))
    await idle()
    gates[0].set()
    await asyncio.gather(ticket.finished, probing)

    stages = {version.generation: version.stage.value for version in await world.store.versions("ecr")}
    assert stages == {1: "previous", 2: "current"}
    assert world.ledger.current("ecr").rejected_at is None, "the refusal was of the version before"


async def test_nothing_in_use_is_not_probed(world: Any) -> None:
    """A credential without a version is not shown to the registry."""
    world.add("ecr")
    assert await watch_of(world).probe(world.credentials["ecr"]) is None
    assert world.events == []


async def test_probes_come_in_their_interval_and_wake_when_refused(memory_world: Callable[..., Any]) -> None:
    """Each credential is probed once in its interval, at its own share of it; a refusal wakes the scheduler."""
    world = memory_world()
    for number in range(10):
        world.add(f"c{number}").value = f"secret-of-c{number}"
        await world.rotate(f"c{number}")
    async with running(world) as woken:
        times: list[int] = []
        for _ in range(15):
            times.append(len(said(world, VersionProbed)))
            await passing(world, timedelta(minutes=1))
        assert len(said(world, VersionProbed)) == 10
        assert len(set(times)) > 3, "they do not come together"
        assert woken == []
        world.credentials["c3"].provider.refused = {"secret-of-c3"}
        for _ in range(15):
            await passing(world, timedelta(minutes=1))
        assert len(said(world, VersionProbed)) == 20
        assert woken == ["wake"]


async def test_a_probe_that_breaks_stops_no_other(memory_world: Callable[..., Any]) -> None:
    """A defect or a store failure in one probe is reported; the others are made and the watch goes on."""
    full: list[bool] = []

    async def pause(where: str) -> None:
        if full and where == "before a commit":
            raise StoreError("the state: disk full")

    world = memory_world(pause)
    for name in ("broken", "sound"):
        world.add(name)
        await world.rotate(name)
    world.credentials["broken"].provider.probe = lambda login: fails_to_probe(KeyError("defect"), login)
    async with running(world):
        await passing(world, PROBE)
        assert [event.where for event in said(world, Crashed)] == ["probe of broken"]
        assert [event.credential for event in said(world, VersionProbed)] == ["sound"]
        full.append(True)
        world.credentials["sound"].provider.refused = {"secret-number-0001"}  # news that has to be written
        await passing(world, PROBE)
        assert {event.operation for event in said(world, StoreFailed)} == {"probe"}


async def test_one_answer_serves_all_with_the_same_login(world: Any) -> None:
    """Credentials with one login at one registry share a probe; who asked first asks anew in its next turn."""
    vendors = [world.add(name) for name in ("first", "second")]
    for vendor in vendors:
        vendor.value = "one-password-for-both"
    config = world.credentials["first"].config
    world.credentials["second"] = replace(world.credentials["second"], config=config)
    for name in ("first", "second"):
        await world.rotate(name)
    asked: list[str] = []

    def counting(name: str, probe: Any) -> Any:
        def ask(login: Any) -> Any:
            asked.append(name)
            return probe(login)

        return ask

    for name, vendor in zip(("first", "second"), vendors, strict=True):
        vendor.probe = counting(name, vendor.probe)
    watch = watch_of(world)

    for name in ("first", "second", "second", "first"):
        assert await watch.probe(world.credentials[name]) is Verdict.ACCEPTED

    assert asked == ["first", "first"]
    assert len(said(world, VersionProbed)) == 4


async def test_an_acceptance_is_not_written_again_and_again(memory_world: Callable[..., Any]) -> None:
    """A version that is still accepted is remembered as verified now; the store is told only every few hours."""
    commits: list[str] = []

    async def count(where: str) -> None:
        if where == "before a commit":
            commits.append(where)

    world = memory_world(count)
    world.add("ecr")
    await world.rotate("ecr")
    watch, before = watch_of(world), len(commits)
    for _ in range(3):
        world.clock.advance(timedelta(hours=1))
        await watch.probe(world.credentials["ecr"])
        assert world.ledger.current("ecr").verified_at == world.clock.now()
    assert len(commits) == before

    world.clock.advance(timedelta(hours=4))
    await watch.probe(world.credentials["ecr"])

    assert len(commits) == before + 1


async def test_a_watched_target_gets_new_placements_at_once(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """A namespace that appears is delivered to as soon as the target says so, not only at the next resync."""
    world, prod = memory_world(), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    async with running(world):
        prod.spots.append("new")
        prod.changed.set()
        await idle()
        assert "new" not in prod.held, "what comes close together is looked at once"
        await passing(world, timedelta(seconds=SETTLE_SECONDS))
        assert prod.generations("ecr") == {"web": 1, "new": 1}


async def test_a_target_that_says_nothing_is_resynced(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """Without a word from the target a new placement is found by the resync."""
    world, prod = memory_world(), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    async with running(world):
        prod.spots.append("new")
        await passing(world, RESYNC - timedelta(seconds=1))
        assert "new" not in prod.held
        await passing(world, timedelta(seconds=1))
        assert prod.generations("ecr") == {"web": 1, "new": 1}


async def test_a_straggler_ends_its_rotation(memory_world: Callable[..., Any], target: Callable[..., Any]) -> None:
    """F-44: a placement that failed is tried when its pause is over, and its confirmation ends the rotation."""
    world, prod = memory_world(), target("prod", "web", "api")
    prod.faults["api"] = UnavailableError("down")
    world.add("ecr", prod)
    assert await world.rotate("ecr") == "delivering"
    async with running(world):
        await passing(world, timedelta(seconds=4))
        assert world.ledger.open_rotation("ecr").state is State.DELIVERING
        prod.faults.clear()
        await passing(world, timedelta(seconds=1))
        assert world.ledger.open_rotation("ecr") is None
        assert world.ledger.last_rotation("ecr").state is State.SUCCEEDED
        assert world.ledger.record("ecr").last_success_at == world.clock.now()


async def test_a_target_that_cannot_be_listed_is_asked_again_soon(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """A target that does not answer is asked every 30 s, not only at the resync."""
    world, prod, edge = memory_world(), target("prod", "web"), target("edge", "file")
    prod.list_fault = UnavailableError("cluster down")
    world.add("ecr", prod, edge)
    assert await world.rotate("ecr") == "delivering"
    async with running(world):
        prod.list_fault = None
        await passing(world, timedelta(seconds=LOOK_AGAIN_SECONDS))
        assert prod.generations("ecr") == {"web": 1}
        assert world.ledger.open_rotation("ecr") is None


async def test_a_store_failure_is_told_and_survived(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """While the store fails nothing is written; 30 s after it is mended the new placement has its versions."""
    full: list[bool] = []

    async def pause(where: str) -> None:
        if full and where == "before a commit":
            raise StoreError("the state: disk full")

    world, prod = memory_world(pause), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.spots.append("new")
    full.append(True)
    async with running(world):
        await passing(world, timedelta(seconds=LOOK_AGAIN_SECONDS))
        assert "new" not in prod.held
        assert [event.operation for event in said(world, StoreFailed)] == ["delivery"] * 2
        full.clear()
        await passing(world, timedelta(seconds=LOOK_AGAIN_SECONDS))
        assert prod.generations("ecr") == {"web": 1, "new": 1}


async def broken_watch() -> AsyncIterator[None]:
    """Break off as a target's watch does that has a defect."""
    raise KeyError("defect")
    yield  # type: ignore[unreachable]


async def dead_watch() -> AsyncIterator[None]:
    """Break off with one of our own errors."""
    raise PermissionDeniedError("may not watch namespaces")
    yield  # type: ignore[unreachable]


@pytest.mark.parametrize("watch", [broken_watch, dead_watch], ids=["defect", "denied"])
async def test_a_target_that_cannot_be_watched_is_still_resynced(
    memory_world: Callable[..., Any], target: Callable[..., Any], watch: Callable[[], AsyncIterator[None]]
) -> None:
    """A watch that ends is reported; its target is looked at by the resync, and other targets are not touched by it."""
    world, prod = memory_world(), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.watch = watch
    async with running(world):
        assert [event.where for event in said(world, Crashed)] == ["watch of prod"]
        prod.spots.append("new")
        await passing(world, RESYNC)
        assert "new" in prod.held


async def test_a_watch_that_broke_is_begun_again(memory_world: Callable[..., Any], target: Callable[..., Any]) -> None:
    """After a pause the target tells of new placements again, without a restart."""
    world, prod = memory_world(), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    works, prod.watch = prod.watch, broken_watch
    async with running(world):
        assert [event.where for event in said(world, Crashed)] == ["watch of prod"]
        prod.watch = works
        await passing(world, RESYNC)
        prod.spots.append("new")
        prod.changed.set()
        await idle()
        await passing(world, timedelta(seconds=SETTLE_SECONDS))
        assert "new" in prod.held


async def test_a_defect_in_one_target_stops_no_other(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """A target that breaks is reported and asked again; the targets beside it are kept."""
    world, prod, edge = memory_world(), target("prod", "web"), target("edge", "file")
    world.add("ecr", prod, edge)
    await world.rotate("ecr")

    async def defect() -> None:
        raise KeyError("defect")

    prod.placements = defect
    async with running(world):
        edge.spots.append("another")
        await passing(world, RESYNC)
        assert edge.generations("ecr") == {"file": 1, "another": 1}
        assert {event.where for event in said(world, Crashed)} == {"delivery of prod"}


async def test_credentials_that_share_a_target_are_all_settled(world: Any, target: Callable[..., Any]) -> None:
    """One look at a target ends the rotations of every credential that waited for it."""
    prod = target("prod", "web", "api")
    prod.faults["api"] = UnavailableError("down")
    for name in ("ecr", "ghcr"):
        world.add(name, prod)
        assert await world.rotate(name) == "delivering"
    prod.faults.clear()
    world.clock.advance(RESYNC)

    await watch_of(world).keep(world.credentials["ecr"].targets[0])

    assert world.ledger.open_rotations() == []


async def test_settling_waits_for_a_required_target_only(world: Any, target: Callable[..., Any]) -> None:
    """An optional target that fails neither holds a rotation open nor is forgotten."""
    prod, edge = target("prod", "web"), target("edge", "file")
    edge.faults["file"] = UnavailableError("down")
    world.add("ecr", prod, edge)
    credential = world.credentials["ecr"]
    optional = replace(credential.targets[1], required=False)
    world.credentials["ecr"] = replace(credential, targets=(credential.targets[0], optional))

    assert await world.rotate("ecr") == "succeeded"
    assert {one.target: one.state.value for one in world.ledger.deliveries()} == {"prod": "confirmed", "edge": "failed"}


async def test_a_recheck_does_not_lose_the_stragglers(world: Any, target: Callable[..., Any]) -> None:
    """A source that is read again while a placement still waits keeps waiting for it, and its success is noted."""
    prod = target("prod", "web", "api")
    prod.faults["api"] = UnavailableError("down")
    await static(world, prod)
    assert await world.rotate("ghcr") == "delivering"
    message = world.ledger.open_rotation("ghcr").message
    assert message == "the source still holds the value in use; 1 of 2 placements confirmed"
    prod.faults.clear()
    world.clock.advance(RESYNC)

    await watch_of(world).keep(world.credentials["ghcr"].targets[0])

    assert world.ledger.open_rotation("ghcr") is None
    assert world.ledger.record("ghcr").last_success_at == world.clock.now()


async def test_a_value_found_unchanged_and_accepted_is_a_success(world: Any, target: Callable[..., Any]) -> None:
    """I7: reading the value in use again is a success when the registry accepted it and every placement has it."""
    vendor = await static(world, target("prod", "web"))
    world.clock.advance(RESYNC)
    assert await world.rotate("ghcr") == "unchanged"
    proven = world.clock.now()
    assert world.ledger.record("ghcr").last_success_at == proven
    vendor.cannot_tell = True
    world.clock.advance(RESYNC)
    assert await world.rotate("ghcr") == "unchanged"

    assert world.ledger.record("ghcr").last_success_at == proven


async def test_a_probe_keeps_what_changed_while_it_asked(world: Any) -> None:
    """An accepted probe touches only when the version was verified, not what a rotation learned of it meanwhile."""
    vendor = await static(world)
    asked, gate = asyncio.Event(), asyncio.Event()
    probe = vendor.probe

    async def slow(login: Any) -> Finding:
        asked.set()
        await gate.wait()
        answer: Finding = await probe(login)
        return answer

    vendor.probe = slow
    probing = asyncio.create_task(watch_of(world).probe(world.credentials["ghcr"]))
    await asked.wait()
    vendor.probe, vendor.source_revision = probe, "2"
    assert await world.rotate("ghcr") == "unchanged"
    gate.set()
    await probing

    assert world.ledger.current("ghcr").revision == "2"
