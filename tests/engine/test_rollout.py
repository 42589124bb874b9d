"""Deliveries: how many at once, what is written where, and that nothing is confirmed that was not read back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any

import pytest

from rotator.config.rollout import RolloutConfig
from rotator.config.root import EngineConfig
from rotator.domain.delivery import merge
from rotator.domain.events import DeliveryFinished, TargetFailed
from rotator.domain.model import Delivery, DeliveryState
from rotator.engine.rollout import Rollout
from rotator.engine.writing import Work
from rotator.errors import (
    FencedError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    UnavailableError,
)
from rotator.ports import Changes
from rotator.secret import Secret

HOUR = timedelta(hours=1)

AT_ONCE = RolloutConfig(waves=(1.0,))
"""All placements of a target together, however many."""


class Busy:
    """Counts how many writes are under way at once, in all and at each placement, while a gate holds them."""

    def __init__(self, *targets: Any) -> None:
        self.at_once: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.gate = asyncio.Event()
        for target in targets:
            target.apply = self._counting(target, target.apply)

    def _counting(self, target: Any, apply: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(placement: str, entries: Any) -> Any:
            keys = ("all", target.name, f"{target.name}/{placement}")
            for key in keys:
                self.at_once[key] = self.at_once.get(key, 0) + 1
                self.most[key] = max(self.most.get(key, 0), self.at_once[key])
            try:
                await self.gate.wait()
                return await apply(placement, entries)
            finally:
                for key in keys:
                    self.at_once[key] -= 1

        return counted


def limited(world: Any, name: str, deliveries: int, concurrency: int) -> Rollout:
    """Return a rollout with these limits, and have the targets of ``name`` take this many at once."""
    credential = world.credentials[name]
    targets = tuple(replace(one, concurrency=concurrency) for one in credential.targets)
    world.credentials[name] = replace(credential, targets=targets)
    return Rollout(world.ledger, world.clock, world.events.append, EngineConfig(max_deliveries=deliveries))


async def idle(rounds: int = 200) -> None:
    """Let everything run that can run without the gate."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def target_of(world: Any, name: str, number: int = 0) -> Any:
    """Return a delivery target of a credential."""
    return world.credentials[name].targets[number]


def journal(world: Any, name: str) -> dict[str, tuple[str, int, int]]:
    """Return state, generation and attempts of each delivery of ``name``, by placement."""
    return {
        one.placement: (one.state.value, one.generation, one.attempts)
        for one in world.ledger.deliveries()
        if one.credential == name
    }


@pytest.mark.parametrize(
    ("deliveries", "concurrency", "in_all", "at_each"),
    [(64, 5, 10, 5), (7, 32, 7, None), (1, 1, 1, 1), (64, 64, 40, 20)],
    ids=["by target", "in all", "one by one", "as many as there are"],
)
async def test_writes_are_bounded(
    memory_world: Any, target: Callable[..., Any], deliveries: int, concurrency: int, in_all: int, at_each: int | None
) -> None:
    """I5: never more placements are written at once than the daemon and the target allow, and as many as they allow."""
    world = memory_world()
    places = [f"p{number}" for number in range(20)]
    prod, edge = target("prod", *places), target("edge", *places)
    world.add("ecr", prod, edge)
    await world.rotate("ecr")
    prod.spots = edge.spots = [f"new-{number}" for number in range(20)]
    busy = Busy(prod, edge)
    rollout = limited(world, "ecr", deliveries, concurrency)

    ecr = world.credentials["ecr"]
    spots = await rollout.spots(ecr)
    delivering = asyncio.create_task(rollout.deliver(ecr, world.ledger.current("ecr"), spots))
    await idle()
    busy.gate.set()
    await delivering

    assert busy.most["all"] == in_all
    if at_each is not None:
        assert (busy.most["prod"], busy.most["edge"]) == (at_each, at_each)
    assert len(prod.held) == len(edge.held) == 40


async def test_one_targets_limit_holds_over_all_its_deliveries(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """I5: two rotations and a reconciliation at one target together stay within its limit."""
    world = memory_world()
    prod = target("prod", *(f"p{number}" for number in range(30)))
    for name in ("ecr", "ghcr"):
        world.add(name, prod, rollout=AT_ONCE)
    busy = Busy(prod)
    listings = [list(prod.spots), list(reversed(prod.spots))]

    async def from_either_end() -> list[str]:
        return listings.pop()

    prod.placements = from_either_end
    listings *= 2
    for name in ("ecr", "ghcr"):
        world.rollout = limited(world, name, 64, 6)
    world.rotator._rollout = world.rollout

    rotating = asyncio.gather(world.rotate("ecr"), world.rotate("ghcr"))
    await idle()
    keeping = asyncio.create_task(world.rollout.reconcile(target_of(world, "ecr")))
    await idle()
    busy.gate.set()
    await asyncio.gather(rotating, keeping)

    assert busy.most["prod"] == 6


async def test_writes_to_one_placement_are_serialised(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """Five rotations that share a placement write it one after the other; in the end it holds all five."""
    world = memory_world()
    prod = target("prod", "shared")
    names = [f"c{number}" for number in range(5)]
    for name in names:
        world.add(name, prod)
    busy = Busy(prod)

    rotating = asyncio.gather(*(world.rotate(name) for name in names))
    await idle()
    busy.gate.set()

    assert await rotating == ["succeeded"] * 5
    assert busy.most["prod/shared"] == 1
    assert prod.held["shared"].keys() == set(names)


async def test_a_hanging_target_holds_no_other(memory_world: Callable[..., Any], target: Callable[..., Any]) -> None:
    """F-45: while every placement of one target hangs, another target is written and confirmed in the journal."""
    world = memory_world()
    prod, edge = target("prod", *(f"p{number}" for number in range(100))), target("edge", "file")
    prod.gate = asyncio.Event()
    world.add("ecr", prod, edge)
    world.add("ghcr", prod)
    world.add("hub", edge)
    tickets = [await world.dispatcher.request(name, "test", "test") for name in ("ecr", "ghcr", "hub")]

    assert (await tickets[2].finished).state.value == "succeeded"
    await idle()
    assert edge.held["file"].keys() == {"ecr", "hub"}
    assert journal(world, "hub")["file"] == ("confirmed", 1, 1)
    prod.gate.set()
    await asyncio.gather(*(ticket.finished for ticket in tickets))


async def test_waiting_for_a_hanging_placement_takes_no_slot(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """F-45: many who wait for one hanging placement leave the slots to the placements that answer."""
    world = memory_world()
    world.config = EngineConfig(max_deliveries=2)
    world._wire()
    prod, edge = target("prod", "shared"), target("edge", "file")
    prod.gate = asyncio.Event()
    names = [f"c{number}" for number in range(6)]
    for name in names:
        world.add(name, prod)
    world.add("ecr", edge)
    tickets = [await world.dispatcher.request(name, "test", "test") for name in (*names, "ecr")]
    await idle()

    assert edge.generations("ecr") == {"file": 1}
    prod.gate.set()
    await asyncio.gather(*(ticket.finished for ticket in tickets))


async def test_a_new_placement_gets_what_is_current(world: Any, target: Callable[..., Any]) -> None:
    """A placement that appears gets the current versions of all credentials at the next look, in one write."""
    prod = target("prod", "web")
    for name in ("ecr", "ghcr"):
        world.add(name, prod)
        await world.rotate(name)
    await world.rotate("ecr")
    prod.spots.append("new")
    prod.applied.clear()

    await world.rollout.reconcile(target_of(world, "ecr"))

    assert prod.applied == [("new", (("ecr", 2), ("ghcr", 1)))]
    assert journal(world, "ghcr")["new"] == ("confirmed", 1, 1)


async def test_nothing_to_do_writes_nothing(world: Any, target: Callable[..., Any]) -> None:
    """Looking again at a target that holds everything neither writes there nor to the journal."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.applied.clear()
    world.events.clear()

    for _ in range(3):
        await world.rollout.reconcile(target_of(world, "ecr"))
        ecr, current = world.credentials["ecr"], world.ledger.current("ecr")
        await world.rollout.deliver(ecr, current, await world.rollout.spots(ecr))
        report = world.rollout.report(ecr, current)

    assert prod.applied == []
    assert world.events == []
    assert (report.confirmed, report.failed, report.waiting) == (1, 0, frozenset())


async def test_before_anything_is_current_nothing_is_written(world: Any, target: Callable[..., Any]) -> None:
    """A target whose credentials were never issued is left alone."""
    prod = target("prod", "web")
    world.add("ecr", prod)

    await world.rollout.reconcile(target_of(world, "ecr"))

    assert prod.applied == []
    assert list(world.ledger.deliveries()) == []


async def test_a_vanished_placement_is_forgotten(world: Any, target: Callable[..., Any]) -> None:
    """I7: a placement that is gone is no longer counted as late, in memory and in the store."""
    prod = target("prod", "web", "gone")
    prod.faults["gone"] = NotFoundError("namespace gone")
    world.add("ecr", prod)
    assert await world.rotate("ecr") == "delivering"
    prod.spots.remove("gone")

    await world.rollout.reconcile(target_of(world, "ecr"))

    assert [one.placement for one in world.ledger.deliveries()] == ["web"]
    assert [one.placement for one in (await world.store.load()).deliveries] == ["web"]
    assert world.rollout.report(world.credentials["ecr"], world.ledger.current("ecr")).waiting == frozenset()


async def test_a_late_answer_forgets_nothing_that_came_after_it(world: Any, target: Callable[..., Any]) -> None:
    """I2: what was delivered while a target lists its placements stays known; no token in use there is ended."""
    prod = target("prod", "gone", "again")
    world.add("ecr", prod)
    assert await world.rotate("ecr") == "succeeded"
    prod.spots = []
    prod.listing.shut()
    asking = asyncio.create_task(world.rollout.placements(target_of(world, "ecr")))
    await prod.listing.reached.wait()
    prod.spots = ["new", "again"]
    current = world.ledger.current("ecr")
    second = replace(current, generation=2)
    await world.ledger.commit(Changes(versions=[second], secrets={("ecr", 2): Secret("the-second-secret")}))
    await world.rollout.deliver(world.credentials["ecr"], second, [("prod", "new"), ("prod", "again")])
    prod.listing.open()
    await asking

    assert journal(world, "ecr") == {"new": ("confirmed", 2, 1), "again": ("confirmed", 2, 1)}


async def test_a_placement_that_vanishes_while_it_is_written(world: Any, target: Callable[..., Any]) -> None:
    """A write that fails because its placement was deleted meanwhile is no defect and leaves no trace."""
    prod = target("prod", "web", "gone")
    prod.gate = asyncio.Event()
    world.add("ecr", prod)
    ticket = await world.dispatcher.request("ecr", "test", "test")
    await prod.entered.wait()
    prod.spots.remove("gone")
    prod.faults["gone"] = NotFoundError("namespace gone")
    await world.rollout.reconcile(replace(target_of(world, "ecr"), credentials={}))
    prod.gate.set()

    assert (await ticket.finished).state.value == "succeeded"
    assert journal(world, "ecr") == {"web": ("confirmed", 1, 1)}


async def test_a_target_that_cannot_be_listed_keeps_what_is_known(world: Any, target: Callable[..., Any]) -> None:
    """F-44: a target that does not answer loses no record; it is said, waits, and recovers."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.list_fault = UnavailableError("cluster down")

    await world.rollout.reconcile(target_of(world, "ecr"))

    assert world.rollout.unlisted("prod") == "cluster down"
    assert [event.message for event in world.events if isinstance(event, TargetFailed)] == ["cluster down"]
    assert journal(world, "ecr") == {"web": ("confirmed", 1, 1)}
    assert world.rollout.report(world.credentials["ecr"], world.ledger.current("ecr")).waiting == {"prod"}
    prod.list_fault = None
    await world.rollout.reconcile(target_of(world, "ecr"))
    assert world.rollout.unlisted("prod") == ""


async def test_pauses_at_a_failing_placement_grow_and_stop_growing(world: Any, target: Callable[..., Any]) -> None:
    """I5: a failing placement is tried after 5, 10, 20... seconds, at last every 5 minutes, however often one looks."""
    prod = target("prod", "web", "api")
    world.add("ecr", prod)
    prod.faults["api"] = PermissionDeniedError("forbidden")
    await world.rotate("ecr")
    begun = world.clock.monotonic()
    tries: list[float] = []
    known = 1
    while len(tries) < 9:
        world.clock.advance(timedelta(seconds=1))
        await world.rollout.reconcile(target_of(world, "ecr"))
        attempts = journal(world, "ecr")["api"][2]
        if attempts != known:
            known = attempts
            tries.append(world.clock.monotonic() - begun)

    pauses = [later - earlier for earlier, later in zip([0.0, *tries], tries, strict=False)]
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


async def test_a_clock_set_back_does_not_prolong_a_pause(world: Any, target: Callable[..., Any]) -> None:
    """F-31: after the wall clock was set back an hour a failed placement is tried at the next look."""
    prod = target("prod", "web", "api")
    world.add("ecr", prod)
    prod.faults["api"] = PermissionDeniedError("forbidden")
    await world.rotate("ecr")
    prod.faults.clear()

    world.clock.set_wall(world.clock.now() - HOUR)
    await world.rollout.reconcile(target_of(world, "ecr"))

    assert prod.generations("ecr") == {"web": 1, "api": 1}


async def test_a_new_generation_ignores_the_pause_of_the_old(world: Any, target: Callable[..., Any]) -> None:
    """A rotation tries a failing placement at once; its attempts are counted anew."""
    prod = target("prod", "web", "api")
    world.add("ecr", prod)
    prod.faults["api"] = PermissionDeniedError("forbidden")
    await world.rotate("ecr")
    await world.rotate("ecr")

    assert journal(world, "ecr")["api"] == ("failed", 2, 1)


async def test_a_failure_keeps_what_was_confirmed_before(world: Any, target: Callable[..., Any]) -> None:
    """I7: a placement that fails for a new generation still counts as holding the one it confirmed."""
    prod = target("prod", "web", "api")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.faults["api"] = PermissionDeniedError("forbidden: no right to patch secrets")
    await world.rotate("ecr")

    (failed,) = [one for one in world.ledger.deliveries() if one.state is DeliveryState.FAILED]
    assert (failed.placement, failed.generation, failed.confirmed_generation) == ("api", 2, 1)
    assert (failed.error, failed.message) == ("permission_denied", "forbidden: no right to patch secrets")


async def test_events_say_what_was_delivered(world: Any, target: Callable[..., Any]) -> None:
    """Each placement's outcome is told once, with its generation, its error, and whether anything changed."""
    prod = target("prod", "web", "api")
    prod.faults["api"] = UnavailableError("timeout")
    world.add("ecr", prod)
    await world.rotate("ecr")

    told = {event.placement: event for event in world.events if isinstance(event, DeliveryFinished)}
    assert (told["web"].error, told["web"].generation, told["web"].changed) == ("", 1, True)
    assert (told["api"].error, told["api"].message, told["api"].changed) == ("unavailable", "timeout", False)


async def test_nothing_is_written_that_cannot_be_journalled(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """I10: when the intents cannot be journalled, the target is untouched and the caller gets the store's own error."""
    full: list[bool] = []

    async def pause(where: str) -> None:
        if full and where == "before a commit":
            raise StoreError("the state: disk full")

    world = memory_world(pause)
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.spots = [f"p{number}" for number in range(50)]
    prod.applied.clear()
    full.append(True)

    with pytest.raises(StoreError, match="disk full"):
        await world.rollout.reconcile(target_of(world, "ecr"))
    assert prod.applied == []


async def test_a_store_that_fails_after_the_writes_is_told_and_made_good(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """Outcomes that could not be journalled are not believed: the placements are confirmed by the next look."""
    full: list[bool] = []

    async def pause(where: str) -> None:
        if full and where == "before a commit":
            raise StoreError("the state: disk full")

    world = memory_world(pause)
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.spots = ["new"]
    apply = prod.apply

    async def fill_the_disk(placement: str, entries: Any) -> Any:
        full.append(True)
        return await apply(placement, entries)

    prod.apply = fill_the_disk
    with pytest.raises(StoreError, match="disk full"):
        await world.rollout.reconcile(target_of(world, "ecr"))
    assert journal(world, "ecr")["new"] == ("intended", 1, 1)

    full.clear()
    prod.apply = apply
    await world.rollout.reconcile(target_of(world, "ecr"))
    assert journal(world, "ecr")["new"] == ("confirmed", 1, 2)


async def test_outcomes_reach_the_store_in_batches(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """F-46: 2,000 placements cost a handful of commits, not one each."""
    commits: list[str] = []

    async def pause(where: str) -> None:
        commits.append(where)

    world = memory_world(pause)
    prod = target("prod", *(f"p{number}" for number in range(2000)))
    world.add("ecr", prod, rollout=AT_ONCE)
    await world.rotate("ecr")

    assert len(prod.held) == 2000
    assert commits.count("before a commit") < 12


async def test_a_fan_out_holds_one_secret(memory_world: Any, target: Callable[..., Any]) -> None:
    """F-07: 2,000 placements share one login in memory, unsealed once for each wave and not for each placement."""
    world, prod = memory_world(), target("prod", *(f"ns-{number}" for number in range(2000)))
    world.add("ecr", prod)
    unsealed, unseal = 0, world.store.secret

    async def counted(credential: str, generation: int) -> Any:
        nonlocal unsealed
        unsealed += 1
        return await unseal(credential, generation)

    world.store.secret = counted
    assert await world.rotate("ecr") == "succeeded"

    logins = {id(held["ecr"].login) for held in prod.held.values()}
    assert len(prod.held) == 2000
    assert len(logins) <= unsealed <= 10


async def test_a_slow_outcome_does_not_undo_a_newer_one(memory_world: Any, target: Callable[..., Any]) -> None:
    """I3: an outcome that is journalled late leaves the record of a newer generation as it is."""
    world = memory_world()
    prod = target("prod", "fast", "slow")
    world.add("ecr", prod)
    world.add("ghcr", prod)
    await world.rotate("ecr")
    prod.spots = ["new-fast", "new-slow"]
    apply, gates = prod.apply, {1: asyncio.Event(), 2: asyncio.Event()}

    async def slow(placement: str, entries: Any) -> Any:
        if placement == "new-slow":
            await gates[entries[0].generation].wait()
        return await apply(placement, entries)

    prod.apply = slow
    keeping = asyncio.create_task(world.rollout.reconcile(target_of(world, "ecr")))
    await idle()
    assert prod.generations("ecr")["new-fast"] == 1
    ticket = await world.dispatcher.request("ecr", "test", "test")
    await idle()
    assert prod.generations("ecr")["new-fast"] == 2
    gates[1].set()
    await keeping
    assert journal(world, "ecr")["new-fast"] == ("intended", 2, 1)
    assert {one.confirmed_generation for one in world.ledger.deliveries()} == {1}
    gates[2].set()
    await ticket.finished
    await world.rotate("ghcr")

    assert journal(world, "ecr")["new-fast"][:2] == ("confirmed", 2)
    assert prod.generations("ecr") == {"fast": 1, "slow": 1, "new-fast": 2, "new-slow": 2}


INTENDED, CONFIRMED, FAILED = DeliveryState.INTENDED, DeliveryState.CONFIRMED, DeliveryState.FAILED


@pytest.mark.parametrize(
    ("known", "outcome", "expected"),
    [
        ((INTENDED, 2, 1, 1), (CONFIRMED, 2, 1, 2), (CONFIRMED, 2, 1, 2)),
        ((INTENDED, 2, 1, 1), (FAILED, 2, 1, 1), (FAILED, 2, 1, 1)),
        ((INTENDED, 3, 1, 1), (CONFIRMED, 2, 1, 2), (INTENDED, 3, 1, 2)),
        ((INTENDED, 3, 1, 1), (FAILED, 2, 4, 1), (INTENDED, 3, 1, 1)),
        ((CONFIRMED, 3, 1, 3), (CONFIRMED, 2, 1, 2), (CONFIRMED, 3, 1, 3)),
        ((CONFIRMED, 3, 1, 3), (FAILED, 2, 4, 1), (CONFIRMED, 3, 1, 3)),
        ((INTENDED, 2, 2, 1), (CONFIRMED, 2, 1, 2), (CONFIRMED, 2, 2, 2)),
        ((INTENDED, 2, 2, 1), (FAILED, 2, 1, 1), (INTENDED, 2, 2, 1)),
        ((CONFIRMED, 2, 1, 2), (FAILED, 2, 2, 1), (FAILED, 2, 2, 0)),
        ((FAILED, 2, 2, 1), (CONFIRMED, 2, 1, 2), (FAILED, 2, 2, 0)),
        ((FAILED, 2, 1, 0), (CONFIRMED, 2, 2, 2), (CONFIRMED, 2, 2, 2)),
    ],
    ids=[
        "confirmed",
        "failed",
        "a newer one is meant",
        "a newer one is meant, the older failed",
        "a newer one is there",
        "a newer one is there, the older failed",
        "meant again, but there already",
        "meant again, the first try failed",
        "there, but a later try failed",
        "a later try failed, the earlier one is told late",
        "there at last",
    ],
)
def test_merge(world: Any, known: tuple[Any, ...], outcome: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    """I7: what is remembered is the latest try; what a failed one left behind counts as not confirmed."""

    def delivery(state: DeliveryState, generation: int, attempts: int, confirmed: int) -> Delivery:
        one = Delivery("prod", "web", "ecr", generation, state, world.clock.now(), attempts=attempts)
        return replace(one, confirmed_generation=confirmed)

    assert merge(delivery(*known), delivery(*outcome)) == delivery(*expected)


async def test_a_reconciliation_during_a_rotation_never_lowers(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """I3: a look at a target while a rotation writes there leaves the newer generation, and confirms what it wrote."""
    world = memory_world()
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.spots.append("new")
    prod.gate = asyncio.Event()
    keeping = asyncio.create_task(world.rollout.reconcile(target_of(world, "ecr")))
    await prod.entered.wait()
    ticket = await world.dispatcher.request("ecr", "test", "test")
    await idle()
    prod.gate.set()
    await keeping

    assert (await ticket.finished).state.value == "succeeded"
    assert prod.generations("ecr") == {"web": 2, "new": 2}
    assert {state[:2] for state in journal(world, "ecr").values()} == {("confirmed", 2)}


class Dawdling:
    """Makes everything take a random while, some writes fail, and remembers what was written and what was refused."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.written: list[tuple[str, dict[str, int]]] = []
        self.fenced: list[str] = []

    async def __call__(self, _where: str = "") -> None:
        """Let others run for a random while."""
        for _ in range(self.random.randint(0, 6)):
            await asyncio.sleep(0)

    def writing(self, apply: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``apply``, dawdling, failing at times, and remembered."""

        async def dawdling(placement: str, entries: Any) -> Any:
            await self()
            if self.random.random() < 0.2:
                raise UnavailableError("timeout")
            try:
                answer = await apply(placement, entries)
            except FencedError as error:
                self.fenced.append(str(error))
                raise
            self.written.append((placement, {entry.credential: entry.generation for entry in entries}))
            await self()
            return answer

        return dawdling

    def generations(self, placement: str, name: str) -> list[int]:
        """Return the generations of ``name`` written to ``placement``, in order."""
        return [entries[name] for spot, entries in self.written if spot == placement and name in entries]


async def test_a_reconciliation_in_a_rotation_does_not_take_its_intent_back(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """I3: a look that comes after a rotation's intent at a new placement writes what the rotation writes."""
    world = memory_world()
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.spots.append("new")
    prod.gate = asyncio.Event()
    prod.entered.clear()
    ticket = await world.dispatcher.request("ecr", "test", "test")
    await prod.entered.wait()
    keeping = asyncio.create_task(world.rollout.reconcile(target_of(world, "ecr")))
    await idle()
    assert journal(world, "ecr")["new"] == ("intended", 2, 1)
    prod.gate.set()
    await keeping

    assert (await ticket.finished).state.value == "succeeded"
    assert journal(world, "ecr")["new"][:2] == ("confirmed", 2)
    assert {dict(entries)["ecr"] for spot, entries in prod.applied if spot == "new"} == {2}


@pytest.mark.parametrize("seed", range(60))
async def test_no_interleaving_lowers_or_lies(memory_world: Any, target: Callable[..., Any], seed: int) -> None:
    """I3, I7: rotations of neighbours and looks at their placement, in any order, never lower and never lie."""
    dawdle = Dawdling(seed)
    world, prod = memory_world(dawdle), target("prod", "shared", "other")
    prod.apply = dawdle.writing(prod.apply)
    for name in ("ecr", "ghcr"):
        world.add(name, prod)

    async def look() -> None:
        await dawdle()
        await world.rollout.reconcile(target_of(world, dawdle.random.choice(["ecr", "ghcr"])))

    for _ in range(6):
        await asyncio.gather(world.rotate("ecr"), look(), world.rotate("ghcr"), look())
        for one in world.ledger.deliveries():
            held = prod.held.get(one.placement, {}).get(one.credential)
            assert one.confirmed_generation <= (held.generation if held else 0), "confirmed, but not there"
        world.clock.advance(timedelta(minutes=6))

    assert dawdle.fenced == []
    for spot, name in product(("shared", "other"), ("ecr", "ghcr")):
        assert dawdle.generations(spot, name) == sorted(dawdle.generations(spot, name))


async def test_what_was_confirmed_meanwhile_is_not_meant_again(world: Any, target: Callable[..., Any]) -> None:
    """I7: a delivery that a neighbour's write confirmed after the work was planned does not fall back to intended."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    one = target_of(world, "ecr")
    planned = [Work("web", {"ecr": world.ledger.current("ecr")})]

    await world.rollout._journal_intents(one, planned)

    assert journal(world, "ecr")["web"] == ("confirmed", 1, 1)


async def test_removed_credentials_do_not_disturb_a_look(world: Any, target: Callable[..., Any]) -> None:
    """A delivery of a credential that is not configured any more is neither retried nor an error."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    world.add("gone", prod)
    await world.rotate("gone")
    del world.held["prod"]["gone"]
    await world.rotate("ecr")
    prod.applied.clear()

    await world.rollout.reconcile(target_of(world, "ecr"))

    assert prod.applied == []
    assert prod.held["web"].keys() == {"gone", "ecr"}


async def test_a_secret_that_is_gone_fails_its_placement_only(world: Any, target: Callable[..., Any]) -> None:
    """A version whose secret is not kept any more fails its deliveries with that reason instead of the daemon."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    current = world.ledger.current("ecr")
    await world.ledger.commit(Changes(versions=[replace(current, generation=7)]))

    ecr, current = world.credentials["ecr"], world.ledger.current("ecr")
    await world.rollout.deliver(ecr, current, await world.rollout.spots(ecr))
    report = world.rollout.report(ecr, current)

    assert (report.confirmed, report.failed, report.waiting) == (0, 1, {"prod"})
    assert "generation 7 is not kept any more" in str(report.error)


async def test_the_report_counts_and_names(world: Any, target: Callable[..., Any]) -> None:
    """A report counts placements over all targets, names required targets that wait, and gives the first error."""
    prod, edge = target("prod", "a", "b"), target("edge", "file")
    prod.faults["b"] = UnavailableError("timeout")
    edge.faults["file"] = PermissionDeniedError("read-only")
    world.add("ecr", prod, edge)
    credential = world.credentials["ecr"]
    optional = replace(credential.targets[1], required=False)
    world.credentials["ecr"] = replace(credential, targets=(credential.targets[0], optional))
    await world.rotate("ecr")

    report = world.rollout.report(world.credentials["ecr"], world.ledger.current("ecr"))

    assert (report.confirmed, report.failed, report.waiting) == (1, 2, {"prod"})
    assert str(report) == "1 of 3 placements confirmed"
    assert str(report.error) == "prod: b: timeout"
