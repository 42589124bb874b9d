"""Drift: something else changed what a placement holds. It is repaired, but nobody is fought."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.declares import Declares, Proof
from rotator.domain.drift import REPAIRS
from rotator.domain.events import Crashed, DriftFound, DriftRepaired, StoreFailed
from rotator.domain.model import Login
from rotator.engine.drift import DriftWatch
from rotator.engine.rendering import Rendering
from rotator.engine.status import credential_status
from rotator.errors import PermanentError, RotatorError, ShapeError, StoreError, UnavailableError
from rotator.ports import Changes
from rotator.secret import Secret

MINUTES_15 = timedelta(minutes=15)
HOUR = timedelta(hours=1)


def drift_of(world: Any) -> DriftWatch:
    """Return what looks for drift in all targets of ``world``."""
    targets = list({one.name: one for c in world.credentials.values() for one in c.targets}.values())
    return DriftWatch(targets, world.ledger, world.rollout, world.surroundings, MINUTES_15)


def delivery_target(world: Any, name: str = "ecr") -> Any:
    """Return the first target of a credential."""
    return world.credentials[name].targets[0]


def overwrite(target: Any, placement: str, credential: str = "ecr") -> None:
    """Put another login where ours is, as an operator of secrets would that restores an old value."""
    entry = target.held[placement][credential]
    target.held[placement][credential] = replace(entry, login=Login("AWS", Secret("an-old-secret")))


def said(world: Any, kind: type) -> list[Any]:
    """Return the events of ``kind``."""
    return [event for event in world.events if isinstance(event, kind)]


def state(world: Any, placement: str = "web", target: str = "prod", credential: str = "ecr") -> tuple[str, int, int]:
    """Return state, generation and confirmed generation of a delivery."""
    one = world.ledger.held_at(target, placement)[credential]
    return one.state.value, one.generation, one.confirmed_generation


async def test_what_something_else_changed_is_put_back(world: Any, target: Callable[..., Any]) -> None:
    """A placement that holds another login gets the same generation again; its neighbours are not written."""
    prod = target("prod", "web", "api")
    world.add("ecr", prod)
    await world.rotate("ecr")
    overwrite(prod, "web")
    prod.applied.clear()

    await drift_of(world).look(delivery_target(world))

    assert prod.applied == [("web", (("ecr", 1),))]
    assert prod.held["web"]["ecr"].login.secret.reveal() == "secret-number-0001"
    assert state(world) == ("confirmed", 1, 1)
    (found,), (repaired,) = said(world, DriftFound), said(world, DriftRepaired)
    assert (found.target, found.kind, found.placement, found.credentials) == ("prod", "fake", "web", ("ecr",))
    assert not found.is_contested
    assert (repaired.target, repaired.kind, repaired.placement, repaired.credentials) == (
        "prod",
        "fake",
        "web",
        ("ecr",),
    )


async def test_a_repair_is_recorded_before_and_after(world: Any, target: Callable[..., Any]) -> None:
    """I10: the audit has the intent of a repair before the place is written, and what came of it, and why."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    overwrite(prod, "web")
    before = len(await world.ledger.audit(0, 1000))
    apply = prod.apply
    seen: list[str] = []

    async def watching(*given: Any) -> Any:
        seen.extend(one.record.outcome for one in await world.ledger.audit(before, 1000))
        return await apply(*given)

    prod.apply = watching
    await drift_of(world).look(delivery_target(world))

    records = [one.record for one in await world.ledger.audit(before, 1000)]
    assert seen == ["intent"]
    assert [(one.action, one.outcome, one.generation, one.subject) for one in records] == [
        ("deliver", "intent", 1, "prod: web"),
        ("deliver", "confirmed", 1, "prod: web"),
        ("deliver", "repaired", 1, "prod: web"),
    ]
    assert records[-1].message == "something else had changed what it holds"


async def test_what_was_deleted_is_put_back(world: Any, target: Callable[..., Any]) -> None:
    """A placement that is still the target's, and holds nothing any more, gets its login again."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.held.clear()

    await drift_of(world).look(delivery_target(world))

    assert prod.generations("ecr") == {"web": 1}


async def test_nothing_is_written_where_nothing_drifted(world: Any, target: Callable[..., Any]) -> None:
    """A look at placements that hold what was confirmed writes nothing and says nothing."""
    prod = target("prod", "web", "api")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.applied.clear()
    world.events.clear()

    await drift_of(world).look(delivery_target(world))

    assert (prod.applied, world.events) == ([], [])


@pytest.mark.parametrize(
    "error", [UnavailableError("down"), PermanentError("no")], ids=["out of reach", "refuses to be read"]
)
async def test_what_cannot_be_read_is_no_drift(world: Any, target: Callable[..., Any], error: RotatorError) -> None:
    """I7: a read that cannot tell leaves placement and journal as they are."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    overwrite(prod, "web")
    prod.applied.clear()
    prod.read = failing(error)

    await drift_of(world).look(delivery_target(world))

    assert (prod.applied, said(world, DriftFound), state(world)) == ([], [], ("confirmed", 1, 1))


async def test_what_cannot_be_a_document_of_ours_is_drift(world: Any, target: Callable[..., Any]) -> None:
    """A placement whose content is readable and no docker configuration does not hold what was confirmed."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.read = failing(ShapeError("not JSON"))

    await drift_of(world).look(delivery_target(world))

    assert [one.placement for one in said(world, DriftFound)] == ["web"]


async def test_a_placement_that_vanished_is_no_drift(world: Any, target: Callable[..., Any]) -> None:
    """A namespace that was deleted is forgotten, not written again."""
    prod = target("prod", "web", "api")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.spots, prod.applied = ["web"], []
    del prod.held["api"]

    await drift_of(world).look(delivery_target(world))

    assert (prod.applied, said(world, DriftFound)) == ([], [])
    assert list(world.ledger.placements("prod")) == ["web"]


async def test_nothing_is_repaired_while_the_placements_cannot_be_listed(
    world: Any, target: Callable[..., Any]
) -> None:
    """Where the target cannot say whether the placement is still its own, nothing is written there."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.held.clear()
    prod.list_fault, prod.applied = UnavailableError("down"), []

    await drift_of(world).look(delivery_target(world))

    assert (prod.applied, state(world)) == ([], ("confirmed", 1, 1))


async def test_a_newer_generation_is_not_overwritten(world: Any, target: Callable[..., Any]) -> None:
    """I3: a placement that another daemon brought to a newer generation keeps it, and the fence is noted."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    newer = replace(prod.held["web"]["ecr"], generation=7, login=Login("AWS", Secret("from-another-daemon")))
    prod.held["web"]["ecr"] = newer

    await drift_of(world).look(delivery_target(world))

    assert prod.held["web"]["ecr"] is newer
    assert said(world, DriftRepaired) == []
    assert world.rollout.fence("ecr") == 7


@pytest.mark.parametrize("proof", [Proof.METADATA, Proof.NONE, Proof.OPERATOR])
async def test_what_shows_nothing_is_not_read(
    memory_world: Callable[..., Any], target: Callable[..., Any], proof: Proof
) -> None:
    """A target that does not show what it holds is never read for drift."""
    world, prod = memory_world(), target("prod", "web")
    prod.declares = Declares(readback=proof)
    world.add("ecr", prod)
    await world.rotate("ecr")
    overwrite(prod, "web")
    prod.applied.clear()

    await running(world, HOUR)

    assert (prod.applied, said(world, DriftFound)) == ([], [])


async def test_nobody_is_fought(memory_world: Callable[..., Any], target: Callable[..., Any]) -> None:
    """I5: after three repairs within an hour a placement is left alone for an hour, counts as failed, and says why."""
    world, prod = memory_world(), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    drift, ecr = drift_of(world), delivery_target(world)
    prod.applied.clear()

    for _ in range(6):
        overwrite(prod, "web")
        await drift.look(ecr)
        world.clock.advance(timedelta(minutes=5))

    assert len(prod.applied) == len(said(world, DriftRepaired)) == 3
    assert [one.is_contested for one in said(world, DriftFound)] == [False, False, False, True]
    assert state(world) == ("failed", 1, 0)
    message = world.ledger.held_at("prod", "web")["ecr"].message
    assert message.startswith("something else writes there: 3 repairs within an hour did not last")
    await world.rollout.reconcile(ecr)
    assert len(prod.applied) == 3, "the reconciliation does not go on fighting either"

    world.clock.advance(timedelta(minutes=50))
    await drift.look(ecr)
    assert (len(prod.applied), state(world)) == (4, ("confirmed", 1, 1))


async def test_a_restart_forgets_no_contest(world: Any, target: Callable[..., Any]) -> None:
    """I5: reloads and restarts start no new fight: three repairs within an hour are all there are, and are told of."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.applied.clear()

    for _ in range(12):
        overwrite(prod, "web")
        await drift_of(world).look(delivery_target(world))
        await world.restart()
        await world.rollout.reconcile(delivery_target(world))
        world.clock.advance(timedelta(minutes=3))

    assert len(prod.applied) == 3
    now = credential_status(world.credentials["ecr"], world.ledger, world.rollout, world.clock.now())
    assert [one.contested for one in now.targets] == [1]

    world.clock.advance(HOUR)
    await drift_of(world).look(delivery_target(world))
    assert (len(prod.applied), state(world)) == (4, ("confirmed", 1, 1))
    now = credential_status(world.credentials["ecr"], world.ledger, world.rollout, world.clock.now())
    assert [one.contested for one in now.targets] == [0]


async def test_a_clock_that_went_back_leaves_nothing_alone_for_long(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """What was noted by a clock that was wrong by a day does not keep a placement from being repaired."""
    world, prod = memory_world(), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    known, tomorrow = world.ledger.held_at("prod", "web")["ecr"], world.clock.now() + timedelta(days=1)
    odd = replace(known, repairs=(tomorrow,) * 3, left_until=tomorrow)
    await world.ledger.commit(Changes(deliveries=[odd]))
    overwrite(prod, "web")
    prod.applied.clear()

    await drift_of(world).look(delivery_target(world))

    assert (len(prod.applied), state(world)) == (1, ("confirmed", 1, 1))


async def test_a_new_generation_reaches_a_contested_placement(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """A rotation writes where something else writes, too: an old login there would end."""
    world, prod = memory_world(), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    drift, ecr = drift_of(world), delivery_target(world)
    for _ in range(4):
        overwrite(prod, "web")
        await drift.look(ecr)

    assert await world.rotate("ecr") == "succeeded"

    assert prod.generations("ecr") == {"web": 2}


async def test_repairs_that_are_far_apart_are_no_contest(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """A placement that drifts every half hour is repaired each time."""
    world, prod = memory_world(), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    drift = drift_of(world)

    for _ in range(6):
        overwrite(prod, "web")
        await drift.look(delivery_target(world))
        world.clock.advance(HOUR / 2)

    assert len(said(world, DriftRepaired)) == 6


async def test_a_look_waits_for_a_write_that_is_under_way(world: Any, target: Callable[..., Any]) -> None:
    """What a rotation is just writing is not taken for drift."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.gate = asyncio.Event()
    prod.entered.clear()
    rotating = asyncio.create_task(world.rotate("ecr"))
    await prod.entered.wait()

    reads: list[str] = []
    prod.read = counting(reads, prod.read)
    looking = asyncio.create_task(drift_of(world).look(delivery_target(world)))
    await idle()
    assert reads == []
    prod.gate.set()
    await asyncio.gather(rotating, looking)

    assert said(world, DriftFound) == []
    assert prod.generations("ecr") == {"web": 2}


async def test_placements_are_looked_at_in_the_interval(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """Drift is found within the interval, again and again, and a store that fails does not end the looks."""
    world, prod = memory_world(), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    drift = asyncio.create_task(drift_of(world).run())
    try:
        overwrite(prod, "web")
        await passing(world, MINUTES_15)
        assert len(said(world, DriftRepaired)) == 1

        overwrite(prod, "web")
        world.store.pause = refusing
        await passing(world, MINUTES_15)
        world.store.pause = None
        assert len(said(world, StoreFailed)) == 1

        await passing(world, MINUTES_15)
        assert len(said(world, DriftRepaired)) == 2
        assert said(world, Crashed) == []
    finally:
        drift.cancel()
        await asyncio.gather(drift, return_exceptions=True)


async def test_a_defect_in_a_target_ends_no_looks(memory_world: Callable[..., Any], target: Callable[..., Any]) -> None:
    """A target that breaks is told of; the others are looked at all the same."""
    world, prod, edge = memory_world(), target("prod", "web"), target("edge", "node")
    world.add("ecr", prod, edge)
    await world.rotate("ecr")
    prod.read = failing(KeyError("x"))
    overwrite(edge, "node")

    await running(world, MINUTES_15)

    assert [one.where for one in said(world, Crashed)][:1] == ["look for drift at prod"]
    assert [one.target for one in said(world, DriftRepaired)] == ["edge"]


async def test_only_what_drifted_is_journalled_anew(world: Any, target: Callable[..., Any]) -> None:
    """Of two credentials at one placement only the one whose login changed counts as repaired."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    world.add("ghcr", prod)
    await world.rotate("ecr")
    await world.rotate("ghcr")
    overwrite(prod, "web", "ghcr")
    ecr = delivery_target(world)
    before = world.ledger.held_at("prod", "web")["ecr"]

    await drift_of(world).look_at(ecr, "web", Rendering(world.ledger, ecr))

    assert [one.credentials for one in said(world, DriftRepaired)] == [("ghcr",)]
    assert world.ledger.held_at("prod", "web")["ecr"] == before


def failing(error: Exception) -> Callable[..., Any]:
    """Return a read that fails."""

    async def read(_placement: str, _entries: Any) -> Any:
        raise error

    return read


def counting(reads: list[str], read: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``read``, noting in ``reads`` which placement is read."""

    async def counted(placement: str, entries: Any) -> Any:
        reads.append(placement)
        return await read(placement, entries)

    return counted


async def refusing(_: str) -> None:
    """Refuse a commit."""
    raise StoreError("disk full")


async def idle(rounds: int = 100) -> None:
    """Let everything run that can run while the clock stands still."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def passing(world: Any, duration: timedelta) -> None:
    """Let ``duration`` pass, and whoever woke up do its work."""
    await idle()
    world.clock.advance(duration)
    await idle()


async def running(world: Any, duration: timedelta) -> None:
    """Run the looks for ``duration``."""
    looks = asyncio.create_task(drift_of(world).run())
    await passing(world, duration)
    assert not looks.done()
    looks.cancel()
    await asyncio.gather(looks, return_exceptions=True)


async def test_a_target_that_tells_of_changes_is_looked_at_at_once(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """What a target says was changed is repaired without waiting for the interval; nobody is fought there either."""
    world, prod = memory_world(), target("prod", "web", "api")
    world.add("ecr", prod)
    await world.rotate("ecr")
    told: asyncio.Queue[str] = asyncio.Queue()
    prod.changes = lambda: telling(told)
    looks = asyncio.create_task(drift_of(world).run())
    try:
        for _ in range(5):
            overwrite(prod, "web")
            told.put_nowait("web")
            await idle()
        assert [one.is_contested for one in said(world, DriftFound)] == [False, False, False, True]
        told.put_nowait("of no target")
        overwrite(prod, "api")
        told.put_nowait("api")
        await idle()
        assert [one.placement for one in said(world, DriftRepaired)] == ["web", "web", "web", "api"]
    finally:
        looks.cancel()
        await asyncio.gather(looks, return_exceptions=True)


async def test_a_target_whose_telling_broke_is_listened_to_again(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """What tells of changes is begun again after an interval, when it broke; no restart is needed."""
    world, prod = memory_world(), target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    told: asyncio.Queue[str] = asyncio.Queue()
    prod.changes = breaking
    looks = asyncio.create_task(drift_of(world).run())
    try:
        await idle()
        assert [one.where for one in said(world, Crashed)] == ["look for drift at prod"]
        prod.changes = lambda: telling(told)
        await passing(world, MINUTES_15)
        overwrite(prod, "web")
        told.put_nowait("web")
        await idle()
        assert [one.placement for one in said(world, DriftRepaired)] == ["web"]
    finally:
        looks.cancel()
        await asyncio.gather(looks, return_exceptions=True)


async def breaking() -> AsyncIterator[str]:
    """Break off as a target's telling does that has a defect."""
    raise KeyError("defect")
    yield  # type: ignore[unreachable]


async def telling(told: asyncio.Queue[str]) -> AsyncIterator[str]:
    """Yield what is put into ``told``."""
    while True:
        yield await told.get()


async def test_a_placement_that_comes_again_begins_anew(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """What happened in a namespace that is gone is forgotten: a new one of that name is repaired as any other."""
    prod = target("prod", "web")
    world = memory_world()
    world.add("ecr", prod)
    await world.rotate("ecr")
    drift, of_target = drift_of(world), delivery_target(world)
    for _ in range(REPAIRS + 1):
        overwrite(prod, "web")
        await drift.look(of_target)
    assert state(world)[0] == "failed", "it is left alone"
    prod.spots.clear()
    prod.held.clear()
    await world.rollout.reconcile(of_target)
    await drift.look(of_target)
    prod.spots.append("web")
    await world.rollout.reconcile(of_target)
    overwrite(prod, "web")
    await drift.look(of_target)
    assert len(said(world, DriftRepaired)) == REPAIRS + 1
