"""A rollout in stages: it stops when a place says that the version does not work, and what changed is put back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.config.rollout import RolloutConfig
from rotator.domain.model import Stage, Strategy
from rotator.domain.waves import Halt
from rotator.engine.recover import recover
from rotator.errors import ConflictError, NotFoundError, PermanentError, UnavailableError
from rotator.ports import Changes

ISSUED_THEN = "when a new one is issued"
SO_THE_OTHERS_GO = "so the others do not wait for it"


async def settle(world: Any) -> None:
    """Start what is due and wait for it, until nothing is."""
    for _ in range(5):
        await world.dispatcher.turn()
        for running in list(world.dispatcher._running.values()):
            await running.done


def fleet(target: Callable[..., Any], name: str = "prod", count: int = 40) -> Any:
    """Return a target of many placements."""
    return target(name, *(f"p{number:02d}" for number in range(count)))


async def test_a_bad_version_stops_at_the_canary(world: Any, target: Callable[..., Any]) -> None:
    """I2: where the canary says that it does not work, no other placement sees it, and the canary is put right."""
    canary, prod = target("canary", "one"), fleet(target)
    world.add("ecr", canary, prod, rollout=RolloutConfig(canary=("canary",)))
    await world.rotate("ecr")
    canary.finds_broken = {"secret-number-0002"}

    assert await world.rotate("ecr") == "failed"
    assert world.ledger.last_rotation("ecr").error == "halted"
    assert set(prod.generations("ecr").values()) == {1}
    await settle(world)

    assert canary.held["one"]["ecr"].login.secret.reveal() == "secret-number-0001"
    current = world.ledger.current("ecr")
    assert (current.generation, current.restores) == (3, 1)
    assert set(prod.generations("ecr").values()) | set(canary.generations("ecr").values()) == {3}


async def test_a_bad_version_stops_in_its_wave(world: Any, target: Callable[..., Any]) -> None:
    """A placement of a later wave that says no stops the rest, and every placement holds the old secret again."""
    prod = fleet(target)
    world.add("ecr", prod)
    await world.rotate("ecr")
    reached = 0

    async def apply(placement: str, entries: Any, apply: Any = prod.apply) -> Any:
        nonlocal reached
        reached += any(entry.login.secret.reveal() == "secret-number-0002" for entry in entries)
        prod.finds_broken = {"secret-number-0002"} if placement == "p05" else set()
        return await apply(placement, entries)

    prod.apply = apply
    assert await world.rotate("ecr") == "failed"
    assert reached <= 20, "one, 10 %, 50 %, and no more"
    await settle(world)

    secrets = {held["ecr"].login.secret.reveal() for held in prod.held.values()}
    assert secrets == {"secret-number-0001"}


async def test_what_was_halted_is_not_tried_again_at_once(world: Any, target: Callable[..., Any]) -> None:
    """I5: after a halt and its repair the next version is held back as after any failure."""
    prod = fleet(target)
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    prod.finds_broken = {"secret-number-0002"}
    await world.rotate("ecr")
    await settle(world)

    assert vendor.minted == 2
    record = world.ledger.record("ecr")
    assert record.failures == 1
    assert record.next_attempt_at > world.clock.now()


async def test_a_place_that_likes_nothing_starts_no_loop(world: Any, target: Callable[..., Any]) -> None:
    """I5: where a place says of the version before, too, that it does not work, it is put back once and that is all."""
    canary = target("canary", "one")
    vendor = world.add("ecr", canary, fleet(target), rollout=RolloutConfig(canary=("canary",)))
    await world.rotate("ecr")
    canary.finds_broken = {"secret-number-0001", "secret-number-0002"}
    await world.rotate("ecr")
    for _ in range(5):
        await settle(world)

    rotations = await world.store.rotations("ecr", 100)
    assert [one.reason for one in rotations] == ["Withdrawn", "ManuallyTriggered", "ManuallyTriggered"]
    assert vendor.minted == 2


async def test_what_cannot_be_put_back_is_replaced(world: Any, target: Callable[..., Any]) -> None:
    """I1: where the version in use is refused, too, nobody tries for ever to put it back: a new one is issued."""
    canary = target("canary", "one")
    vendor = world.add("ecr", canary, fleet(target), rollout=RolloutConfig(canary=("canary",)))
    await world.rotate("ecr")
    canary.finds_broken = {"secret-number-0002"}
    await world.rotate("ecr")
    vendor.refused = {"secret-number-0001"}
    await settle(world)
    assert world.ledger.current("ecr").rejected_at is not None
    world.clock.advance(timedelta(hours=1))
    await settle(world)

    assert canary.held["one"]["ecr"].login.secret.reveal() == "secret-number-0003"


async def test_nothing_is_halted_where_the_version_in_use_is_refused(world: Any, target: Callable[..., Any]) -> None:
    """I5: there is nothing to go back to, so what the registry accepts goes everywhere, and no loop begins."""
    vendor = world.add("ecr", target("canary", "one"), fleet(target), rollout=RolloutConfig(canary=("canary",)))
    await world.rotate("ecr")
    world.credentials["ecr"].targets[0].port.finds_broken = {"secret-number-0002"}
    vendor.refused.add("secret-number-0001")
    await world.ledger.commit(Changes(versions=[replace(world.ledger.current("ecr"), rejected_at=world.clock.now())]))
    for _ in range(5):
        await settle(world)

    assert world.ledger.current("ecr").generation == 2
    assert set(world.credentials["ecr"].targets[1].port.generations("ecr").values()) == {2}
    assert vendor.minted == 2


async def test_a_first_version_that_places_dislike_is_not_tried_again_at_once(
    world: Any, target: Callable[..., Any]
) -> None:
    """I5: where there is no version in use to put back, a halt is followed by a pause as any failure is."""
    prod = target("prod", "one")
    vendor = world.add("ecr", prod)
    prod.finds_broken = {f"secret-number-{number:04d}" for number in range(1, 50)}
    for _ in range(5):
        await settle(world)

    assert vendor.minted == 1


async def test_a_withdrawn_value_is_used_where_the_one_in_use_is_refused(
    world: Any, target: Callable[..., Any]
) -> None:
    """I1: what a place did not like is better than what the registry refuses; nobody has to ask for it."""
    prod = target("prod", "one")
    vendor = world.add("ghcr", prod, strategy=Strategy.READ)
    vendor.value, vendor.source_revision = "token-1", "1"
    await world.rotate("ghcr")
    vendor.value, vendor.source_revision = "token-2", "2"
    prod.finds_broken = {"token-2"}
    await world.rotate("ghcr")
    await settle(world)
    assert prod.held["one"]["ghcr"].login.secret.reveal() == "token-1"

    vendor.refused.add("token-1")
    await world.ledger.commit(Changes(versions=[replace(world.ledger.current("ghcr"), rejected_at=world.clock.now())]))
    prod.finds_broken = set()
    world.clock.advance(timedelta(minutes=10))
    await settle(world)

    assert prod.held["one"]["ghcr"].login.secret.reveal() == "token-2"
    assert world.ledger.current("ghcr").generation == 4


async def test_a_withdrawn_value_that_leaked_is_not_used_again(world: Any, target: Callable[..., Any]) -> None:
    """Where the source holds only what leaked, a person has to act, and is told so."""
    prod = target("prod", "one")
    vendor = world.add("ghcr", prod, strategy=Strategy.READ)
    vendor.value, vendor.source_revision = "token-1", "1"
    await world.rotate("ghcr")
    vendor.value, vendor.source_revision = "token-2", "2"
    prod.finds_broken = {"token-2"}
    await world.rotate("ghcr")
    await settle(world)
    versions = await world.store.versions("ghcr")
    second = next(one for one in versions if one.generation == 2)
    current = world.ledger.current("ghcr")
    now = world.clock.now()
    await world.ledger.commit(Changes(versions=[replace(second, leaked_at=now), replace(current, rejected_at=now)]))
    vendor.refused.add("token-1")
    world.clock.advance(timedelta(minutes=10))
    await settle(world)

    last = world.ledger.last_rotation("ghcr")
    assert "and so did the value at the source" in last.message
    assert prod.held["one"]["ghcr"].login.secret.reveal() == "token-1"


async def test_a_withdrawn_value_is_no_news_twice(world: Any, target: Callable[..., Any]) -> None:
    """A source that keeps a withdrawn value under a new revision is read once, not at every look."""
    prod = target("prod", "one")
    vendor = world.add("ghcr", prod, strategy=Strategy.READ)
    vendor.value, vendor.source_revision = "token-1", "1"
    await world.rotate("ghcr")
    vendor.value, vendor.source_revision = "token-2", "2"
    prod.finds_broken = {"token-2"}
    await world.rotate("ghcr")
    await settle(world)
    vendor.source_revision, read = "3", vendor.minted
    for _ in range(5):
        world.dispatcher.source_said("ghcr", "3")
        await settle(world)
        world.clock.advance(timedelta(minutes=10))

    assert vendor.minted == read + 1


async def test_what_a_person_began_is_brought_to_its_end(world: Any, target: Callable[..., Any]) -> None:
    """A version that reached placements though its rotation failed is taken into use once that can be."""
    prod = target("prod", "one")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    prod.loses_answer = UnavailableError("time-out")
    prod.corrupts = {"one"}
    assert await world.rotate("ecr") == "failed"
    assert prod.generations("ecr") == {"one": 2}
    prod.loses_answer, prod.corrupts = None, set()
    world.clock.advance(timedelta(minutes=10))
    await settle(world)

    assert world.ledger.current("ecr").generation == 2
    assert world.ledger.last_rotation("ecr").reason == "Unfinished"
    assert vendor.minted == 2


async def test_what_was_given_up_on_its_way_is_taken_back(world: Any, target: Callable[..., Any]) -> None:
    """I2: where a version that placements hold is refused before it came into use, they get the one in use again."""
    prod = target("prod", "one")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    prod.loses_answer = UnavailableError("time-out")
    prod.corrupts = {"one"}
    assert await world.rotate("ecr") == "failed"
    prod.loses_answer, prod.corrupts = None, set()
    vendor.refused.add("secret-number-0002")
    for _ in range(3):
        world.clock.advance(timedelta(minutes=10))
        await settle(world)

    assert prod.held["one"]["ecr"].login.secret.reveal() == "secret-number-0001"
    current = world.ledger.current("ecr")
    assert (current.generation, current.restores) == (3, 1)


async def test_an_old_secret_read_back_says_nothing_of_a_lost_answer(world: Any, target: Callable[..., Any]) -> None:
    """I7: what is put back has a secret that its place may hold from before: a lost answer is not taken for done."""
    prod = target("prod", "one", "two")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.faults["two"] = UnavailableError("down")
    prod.finds_broken = {"secret-number-0002"}
    assert await world.rotate("ecr") == "failed"
    prod.finds_broken = set()
    await settle(world)

    held = {one.placement: one.confirmed_generation for one in world.ledger.deliveries()}
    assert held == {"one": 3, "two": 1}
    assert prod.generations("ecr") == {"one": 3, "two": 1}


async def test_a_rollback_that_got_nowhere_before_it_expired_is_replaced(
    world: Any, target: Callable[..., Any]
) -> None:
    """I1: an old version that was to be put back, and expired on its way, is given up for a new one."""
    prod = target("prod", "one")
    world.add("ecr", prod)
    await world.rotate("ecr")
    await world.rotate("ecr")
    prod.loses_answer = UnavailableError("time-out")
    ticket = await world.dispatcher.restore("ecr", None, "worse", "test")
    assert (await ticket.finished).error == "unavailable"
    world.clock.advance(timedelta(hours=13))
    prod.loses_answer = None
    await settle(world)

    assert prod.held["one"]["ecr"].login.secret.reveal() == "secret-number-0003"
    assert world.ledger.current("ecr").generation == 4


async def test_a_crash_between_halt_and_repair_is_made_good(world: Any, target: Callable[..., Any]) -> None:
    """What a halt left to be put back is put back after a crash."""
    canary = target("canary", "one")
    world.add("ecr", canary, fleet(target), rollout=RolloutConfig(canary=("canary",)))
    await world.rotate("ecr")
    canary.finds_broken = {"secret-number-0002"}
    await world.rotate("ecr")
    await world.restart()
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)
    await settle(world)

    assert canary.held["one"]["ecr"].login.secret.reveal() == "secret-number-0001"


async def test_places_out_of_reach_stop_nothing(world: Any, target: Callable[..., Any]) -> None:
    """I1: hosts that are down do not keep the others from their new version."""
    prod = fleet(target)
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.faults = {f"p{number:02d}": UnavailableError("down") for number in range(10)}

    assert await world.rotate("ecr") == "delivering"
    assert sum(generation == 2 for generation in prod.generations("ecr").values()) == 30


@pytest.mark.parametrize(
    ("rollout", "most"),
    [
        pytest.param(RolloutConfig(), 1, id="default"),
        pytest.param(RolloutConfig(waves=(0.1, 0.5, 1.0), halt_on=Halt(3, None)), 10, id="a count of failures"),
    ],
)
async def test_many_small_targets_are_staged_together(
    world: Any, target: Callable[..., Any], rollout: RolloutConfig, most: int
) -> None:
    """I2: of a hundred targets with one placement each no more see a bad version than of one target with a hundred."""
    hosts = [target(f"h{number:03d}", "file") for number in range(100)]
    world.add("ecr", *hosts, rollout=rollout)
    first = await world.dispatcher.replace_leaked("ecr", "test", "test")
    assert (await first.finished).state.value == "succeeded"
    for host in hosts:
        host.finds_broken = {"secret-number-0002"}

    assert await world.rotate("ecr") == "failed"
    assert world.ledger.last_rotation("ecr").error == "halted"
    assert sum(host.generations("ecr")["file"] == 2 for host in hosts) == most


async def test_failures_count_over_all_targets(world: Any, target: Callable[..., Any]) -> None:
    """I2: a rule of three failures stops a version that one placement in each of three targets speaks against."""
    fleets = [fleet(target, name) for name in ("prod", "edge", "lab")]
    world.add("ecr", *fleets, rollout=RolloutConfig(halt_on=Halt(3, None)))
    first = await world.dispatcher.replace_leaked("ecr", "test", "test")
    assert (await first.finished).state.value == "succeeded"
    for one in fleets:

        async def apply(placement: str, entries: Any, one: Any = one, apply: Any = one.apply) -> Any:
            one.finds_broken = {"secret-number-0002"} if placement == "p00" else set()
            return await apply(placement, entries)

        one.apply = apply
    assert await world.rotate("ecr") == "failed"
    assert "1 of 1 placements, and 2 before, speak against it" in world.ledger.last_rotation("ecr").message


async def test_small_targets_out_of_reach_stop_nothing(world: Any, target: Callable[..., Any]) -> None:
    """I1: of many small targets some are always down, the first one among them; the others get their version."""
    hosts = [target(f"h{number:03d}", "file") for number in range(40)]
    world.add("ecr", *hosts)
    await world.rotate("ecr")
    for host in hosts[:5]:
        host.faults = {"file": UnavailableError("down")}

    assert await world.rotate("ecr") == "delivering"
    assert [host.generations("ecr")["file"] for host in hosts] == [1] * 5 + [2] * 35


async def test_a_canary_out_of_reach_defers(world: Any, target: Callable[..., Any]) -> None:
    """Nobody goes beyond canaries of which none confirmed; the version waits, and nothing is taken back or minted."""
    canary, prod = target("canary", "one"), fleet(target)
    vendor = world.add("ecr", canary, prod, rollout=RolloutConfig(canary=("canary",)))
    await world.rotate("ecr")
    canary.faults = {"one": UnavailableError("down")}
    prod.applied.clear()

    assert await world.rotate("ecr") == "failed"
    last = world.ledger.last_rotation("ecr")
    assert last.error == "unavailable"
    assert last.message.startswith("ecr: the rollout waits: no canary confirmed it: canary: down. None of the other")
    assert last.message.endswith("From 2026-01-01 11:30:00Z on they do not wait for it any more")
    for _ in range(5):
        world.clock.advance(timedelta(minutes=6))
        await settle(world)
    assert (vendor.minted, world.ledger.pending("ecr").generation, prod.applied) == (2, 2, [])

    canary.faults = {}
    world.clock.advance(timedelta(minutes=6))
    await settle(world)
    assert set(prod.generations("ecr").values()) == {2}
    assert (vendor.minted, world.ledger.last_rotation("ecr").state.value) == (2, "succeeded")


async def test_no_login_expires_because_a_canary_is_down(world: Any, target: Callable[..., Any]) -> None:
    """I1: once only the outage budget is left, the others do not wait, and message, status and audit say so."""
    canary, prod = target("canary", "one"), target("prod", "web")
    vendor = world.add("ecr", canary, prod, rollout=RolloutConfig(canary=("canary",)))
    await world.rotate("ecr")
    expiry = world.ledger.current("ecr").expiry.at
    canary.faults = {"one": UnavailableError("host is dead")}
    prod.applied.clear()
    while prod.generations("ecr")["web"] == 1 and world.clock.now() < expiry:
        world.clock.advance(timedelta(minutes=2))
        await settle(world)

    assert expiry - timedelta(minutes=30) <= world.clock.now() <= expiry - timedelta(minutes=25)
    assert (vendor.minted, len(prod.applied)) == (2, 1)
    told = "no canary confirmed it: canary: host is dead"
    waits = world.ledger.open_rotation("ecr")
    assert waits.message == f"1 of 2 placements confirmed; {told}, and the others did not wait for it"
    passed = [one.record for one in await world.store.audit(0, 5000) if one.record.outcome == "passed over"]
    assert [one.message for one in passed] == [f"{told}; only the outage budget is left, {SO_THE_OTHERS_GO}"]


async def test_a_canary_that_cannot_be_listed_defers(world: Any, target: Callable[..., Any]) -> None:
    """A target that cannot say which canaries it has is no reason to do without them."""
    canary, prod = target("canary", "one"), fleet(target)
    world.add("ecr", canary, prod, rollout=RolloutConfig(canary=("canary/o*",)))
    await world.rotate("ecr")
    canary.list_fault = UnavailableError("no route")

    assert await world.rotate("ecr") == "failed"
    assert set(prod.generations("ecr").values()) == {1}
    assert "no canary confirmed it: canary: no route" in world.ledger.last_rotation("ecr").message


async def test_a_canary_of_which_nobody_knows_the_expiry_is_waited_for(world: Any, target: Callable[..., Any]) -> None:
    """Where the version in use does not expire, nothing is lost by waiting, and a person is told what to do."""
    canary = target("canary", "one")
    vendor = world.add("ghcr", canary, target("prod", "p"), strategy=Strategy.READ, rollout={"canary": ("canary",)})
    vendor.lifetime, vendor.value = None, "token-1"
    await world.rotate("ghcr")
    vendor.value, canary.faults = "token-2", {"one": UnavailableError("down")}
    for _ in range(3):
        assert await world.rotate("ghcr") == "failed"
        world.clock.advance(timedelta(days=100))

    assert "Mend the canary, or name another (rollout.canary)" in world.ledger.last_rotation("ghcr").message
    assert world.ledger.pending("ghcr").generation == 2
    assert world.credentials["ghcr"].targets[1].port.generations("ghcr") == {"p": 1}


async def test_a_canary_that_says_no_halts_whatever_the_count(world: Any, target: Callable[..., Any]) -> None:
    """I2: where no canary confirmed and one says that it does not work, that is a halt, not a wait."""
    canary = target("canary", "one")
    rollout = RolloutConfig(canary=("canary",), halt_on="3 failures")
    world.add("ecr", canary, fleet(target), rollout=rollout)
    await world.rotate("ecr")
    canary.finds_broken = {"secret-number-0002"}

    assert await world.rotate("ecr") == "failed"
    assert world.ledger.last_rotation("ecr").error == "halted"
    await settle(world)
    assert canary.held["one"]["ecr"].login.secret.reveal() == "secret-number-0001"


async def test_a_canary_ahead_of_us_is_overtaken(world: Any, target: Callable[..., Any]) -> None:
    """I3: a canary that holds a newer generation is not waited for: a version above that is issued."""
    canary = target("canary", "one")
    world.add("ecr", canary, target("prod", "web"), rollout=RolloutConfig(canary=("canary",)))
    await world.rotate("ecr")
    canary.held["one"]["ecr"] = replace(canary.held["one"]["ecr"], generation=7)
    assert await world.rotate("ecr") == "failed"
    assert world.ledger.last_rotation("ecr").error == "verification"
    world.clock.advance(timedelta(minutes=6))
    await settle(world)

    assert world.ledger.current("ecr").generation == 8
    assert canary.generations("ecr") == {"one": 8}


async def test_a_pause_between_waves(world: Any, target: Callable[..., Any]) -> None:
    """The configured pause is made after canaries and between waves, and not for what has confirmed already."""
    world.add("ecr", fleet(target), rollout=RolloutConfig(pause=timedelta(seconds=30)))
    rotating = await world.dispatcher.request("ecr", "test", "test")
    for _ in range(3):
        while not world.clock.is_slept_on:
            await asyncio.sleep(0)
        world.clock.advance(timedelta(seconds=30))

    assert (await rotating.finished).state.value == "succeeded"


async def test_a_leak_ends_a_pause(world: Any, target: Callable[..., Any]) -> None:
    """What leaks while its replacement waits between waves is replaced everywhere at once, without further waves."""
    prod = fleet(target)
    world.add("ecr", prod, rollout=RolloutConfig(pause=timedelta(hours=1)))
    first = await world.dispatcher.replace_leaked("ecr", "test", "test")
    assert (await first.finished).state.value == "succeeded"
    ticket = await world.dispatcher.request("ecr", "test", "test")
    while not world.clock.is_slept_on:
        await asyncio.sleep(0)
    assert sum(generation == 2 for generation in prod.generations("ecr").values()) == 1
    await world.leaks.report("ecr", "on a forum", "maria")

    assert (await ticket.finished).state.value == "succeeded"
    assert set(prod.generations("ecr").values()) == {2}


async def test_a_token_that_a_person_made_after_a_leak_knows_no_pause(world: Any, target: Callable[..., Any]) -> None:
    """Whatever brings the replacement of a leaked version, it goes everywhere at once."""
    prod = fleet(target)
    vendor = world.add("ghcr", prod, strategy=Strategy.READ, rollout=RolloutConfig(pause=timedelta(hours=1)))
    vendor.value, vendor.source_revision = "token-1", "1"
    first = await world.dispatcher.replace_leaked("ghcr", "test", "test")
    assert (await first.finished).state.value == "succeeded"
    await world.leaks.report("ghcr", "on a forum", "maria")
    await settle(world)
    vendor.value, vendor.source_revision = "token-2", "2"
    world.dispatcher.source_said("ghcr", "2")
    await settle(world)

    assert world.ledger.last_rotation("ghcr").reason == "SourceChanged"
    assert set(prod.generations("ghcr").values()) == {2}


async def test_a_pause_ends_before_the_version_in_use_does(world: Any, target: Callable[..., Any]) -> None:
    """I1: once only the outage budget is left of the version in use, nothing waits between waves any more."""
    prod = fleet(target)
    world.add("ecr", prod, rollout=RolloutConfig(pause=timedelta(hours=20)))
    first = await world.dispatcher.replace_leaked("ecr", "test", "test")
    await first.finished
    expiry = world.ledger.current("ecr").expiry.at
    ticket = await world.dispatcher.request("ecr", "test", "test")
    while not ticket.finished.done() and world.clock.now() < expiry:
        while not world.clock.is_slept_on and not ticket.finished.done():
            await asyncio.sleep(0)
        world.clock.advance(timedelta(minutes=1))

    assert ticket.finished.result().state.value == "succeeded"
    assert world.clock.now() <= expiry - timedelta(minutes=28)


async def test_rollback_puts_the_version_before_back(world: Any, target: Callable[..., Any]) -> None:
    """I3: a rollback is a new generation that carries the old secret, verified before it is delivered."""
    prod = target("prod", "web", "api")
    world.add("ecr", prod)
    for _ in range(2):
        await world.rotate("ecr")
    ticket = await world.dispatcher.restore("ecr", None, "the new one is bad", "maria")
    rotation = await ticket.finished

    assert (rotation.state.value, rotation.reason, rotation.restores) == ("succeeded", "RolledBack", 1)
    assert prod.generations("ecr") == {"web": 3, "api": 3}
    assert {held["ecr"].login.secret.reveal() for held in prod.held.values()} == {"secret-number-0001"}
    stages = {one.generation: one.stage for one in await world.store.versions("ecr")}
    assert stages == {1: Stage.RETIRED, 2: Stage.PREVIOUS, 3: Stage.CURRENT}


async def test_a_rollback_past_the_renewal_point_stays(world: Any, target: Callable[..., Any]) -> None:
    """What a person put back stays until only the outage budget is left of its life, and they are told until when."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    world.clock.advance(timedelta(hours=6, minutes=40))
    await settle(world)
    rotation = await (await world.dispatcher.restore("ecr", None, "the new one is bad", "maria")).finished
    until = world.ledger.current("ecr").expiry.at - timedelta(minutes=30)
    assert rotation.message == f"1 of 1 placement confirmed; it stays until {until:%Y-%m-%d %H:%M:%SZ}, {ISSUED_THEN}"
    assert world.dispatcher.next_wake_at("ecr") == until

    for step in (timedelta(seconds=31), until - world.clock.now() - timedelta(seconds=32)):
        world.clock.advance(step)
        await settle(world)
        assert (prod.held["web"]["ecr"].login.secret.reveal(), vendor.minted) == ("secret-number-0001", 2)
    world.clock.advance(timedelta(seconds=1))
    await settle(world)
    assert prod.held["web"]["ecr"].login.secret.reveal() == "secret-number-0003"


async def test_a_rollback_past_the_highest_age_stays(world: Any, target: Callable[..., Any]) -> None:
    """What never expires and was put back is not replaced because of its age: a person decides."""
    prod = target("prod", "web")
    vendor = world.add("gitlab", prod, strategy=Strategy.CREATE_RETIRE, max_age=timedelta(days=30), grace="10d")
    vendor.lifetime = None
    await world.rotate("gitlab")
    world.clock.advance(timedelta(days=30))
    await settle(world)
    assert vendor.minted == 2
    rotation = await (await world.dispatcher.restore("gitlab", None, "the new one is bad", "maria")).finished
    world.clock.advance(timedelta(days=1))
    await settle(world)

    assert rotation.message == "1 of 1 placement confirmed; it stays until somebody asks for a new one"
    assert (prod.held["web"]["gitlab"].login.secret.reveal(), vendor.minted) == ("secret-number-0001", 2)


async def test_a_rollback_after_failures_stays(world: Any, target: Callable[..., Any]) -> None:
    """Attempts that failed before a person put a version back do not undo it."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    world.clock.advance(timedelta(hours=5))
    await world.rotate("ecr")
    world.clock.advance(timedelta(hours=1, minutes=40))
    vendor.fault = UnavailableError("down")
    assert await world.rotate("ecr") == "failed"
    await (await world.dispatcher.restore("ecr", None, "the new one is bad", "maria")).finished
    vendor.fault = None
    world.clock.advance(timedelta(minutes=10))
    await settle(world)

    assert (prod.held["web"]["ecr"].login.secret.reveal(), vendor.minted) == ("secret-number-0001", 2)


async def test_what_a_halt_put_back_is_renewed_as_ever(world: Any, target: Callable[..., Any]) -> None:
    """I1: only a person's rollback stays; after a halt a new version is tried once the pause is over."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    prod.finds_broken = {"secret-number-0002"}
    world.clock.advance(timedelta(hours=6, minutes=40))
    await settle(world)
    assert world.ledger.current("ecr").restores == 1
    world.clock.advance(timedelta(minutes=6))
    await settle(world)

    assert (prod.held["web"]["ecr"].login.secret.reveal(), vendor.minted) == ("secret-number-0003", 3)


async def test_a_source_does_not_undo_a_rollback(world: Any, target: Callable[..., Any]) -> None:
    """The value that was rolled back from is still at the source; it does not come back until somebody asks for it."""
    prod = target("prod", "web")
    vendor = world.add("ghcr", prod, strategy=Strategy.READ)
    for number in (1, 2):
        vendor.value, vendor.source_revision = f"token-{number}", str(number)
        await world.rotate("ghcr")
    await (await world.dispatcher.restore("ghcr", None, "bad", "maria")).finished
    world.dispatcher.source_said("ghcr", "2")
    await settle(world)
    assert prod.held["web"]["ghcr"].login.secret.reveal() == "token-1"

    world.dispatcher.source_said("ghcr", None)
    world.clock.advance(timedelta(minutes=6))
    await settle(world)
    assert prod.held["web"]["ghcr"].login.secret.reveal() == "token-1"

    assert await world.rotate("ghcr") == "succeeded"
    assert prod.held["web"]["ghcr"].login.secret.reveal() == "token-2"


async def test_a_rollback_to_what_the_registry_refuses_changes_nothing(world: Any, target: Callable[..., Any]) -> None:
    """I2: an earlier version that does not work any more is not put back."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    for _ in range(2):
        await world.rotate("ecr")
    vendor.refused = {"secret-number-0001"}
    rotation = await (await world.dispatcher.restore("ecr", 1, "bad", "maria")).finished

    assert rotation.state.value == "failed"
    assert prod.generations("ecr") == {"web": 2}
    assert world.ledger.current("ecr").generation == 2


async def test_a_mistaken_rollback_says_what_is_possible(world: Any, target: Callable[..., Any]) -> None:
    """Unknown names, versions that are gone or expired, and a running rotation each get a sentence with a way out."""
    vendor = world.add("ecr", target("prod", "web"))
    await world.rotate("ecr")
    with pytest.raises(NotFoundError, match=r"no credential is named ecc") as raised:
        await world.dispatcher.restore("ecc", None, "", "")
    assert raised.value.hint == "Configured are: ecr"
    with pytest.raises(NotFoundError, match="an earlier version is not kept"):
        await world.dispatcher.restore("ecr", None, "", "")
    await world.rotate("ecr")
    with pytest.raises(NotFoundError, match="generation 7 is not kept") as raised:
        await world.dispatcher.restore("ecr", 7, "", "")
    assert raised.value.hint == "Kept besides the one in use: 1 (rotator versions ecr)"
    with pytest.raises(PermanentError, match="generation 2 is in use already"):
        await world.dispatcher.restore("ecr", 2, "", "")
    world.clock.advance(timedelta(hours=12))
    with pytest.raises(PermanentError, match="does not work any more"):
        await world.dispatcher.restore("ecr", 1, "", "")

    world.clock.advance(-timedelta(hours=12))
    vendor.cannot_tell = True
    ticket = await world.dispatcher.request("ecr", "", "")
    with pytest.raises(ConflictError, match="runs, and what it brings is not known yet"):
        await world.dispatcher.restore("ecr", 1, "", "")
    await ticket.finished


async def test_what_leaked_is_not_put_back(world: Any, target: Callable[..., Any]) -> None:
    """I2: a version whose secret others know is no way back."""
    world.add("ecr", target("prod", "web"))
    for _ in range(2):
        await world.rotate("ecr")
    await world.leaks.report("ecr", "on a forum", "maria")
    await settle(world)

    with pytest.raises(PermanentError, match="generation 2 was reported as leaked"):
        await world.dispatcher.restore("ecr", None, "the new one is slow", "jo")


async def test_leaked_goes_everywhere_at_once_and_is_ended(world: Any, target: Callable[..., Any]) -> None:
    """A leaked version is replaced without pauses, ended without grace, and shown to be dead."""
    prod = fleet(target)
    vendor = world.add("gitlab", prod, strategy=Strategy.CREATE_RETIRE, rollout=RolloutConfig(pause=timedelta(hours=1)))
    first = await world.dispatcher.replace_leaked("gitlab", "test", "test")
    assert (await first.finished).state.value == "succeeded"
    await world.leaks.report("gitlab", "pushed to a public repository", "maria")
    await settle(world)
    await world.retirer.turn()

    assert set(prod.generations("gitlab").values()) == {2}
    assert vendor.ended == ["token-1"]
    assert (await world.leaks.progress("gitlab")).is_over


async def test_what_was_let_go_of_and_still_works_has_leaked_too(world: Any, target: Callable[..., Any]) -> None:
    """A leak is not over while an older token that nobody keeps any more works; only its expiry ends it."""
    world.add("ecr", target("prod", "web"))
    for _ in range(3):
        await world.rotate("ecr")
    assert await world.leaks.open() == []
    await world.leaks.report("ecr", "on a forum", "maria")
    await settle(world)

    ended = next(step for step in (await world.leaks.progress("ecr")).steps if step.name == "ended")
    assert (ended.is_done, ended.waits_for.value) == (False, "time")
    assert "generations 1, 2, 3 cannot be ended" in ended.message
    assert [one.credential for one in await world.leaks.open()] == ["ecr"]
    assert {one.stage for one in world.ledger.live_versions("ecr")} == {Stage.CURRENT, Stage.PREVIOUS}
    world.clock.advance(timedelta(hours=12))
    await settle(world)
    assert (await world.leaks.progress("ecr")).is_over


async def test_a_person_is_told_where_the_new_token_goes(world: Any, target: Callable[..., Any]) -> None:
    """Where a person makes the token, the first step names the place in the configuration's words."""
    vendor = world.add("ghcr", target("prod", "web"), strategy=Strategy.READ)
    vendor.origin = "vault: registries/ghcr#token"
    vendor.value, vendor.source_revision = "token-1", "1"
    await world.rotate("ghcr")
    progress = await world.leaks.report("ghcr", "on a forum", "maria")
    await settle(world)
    assert progress.next_step.startswith("make a new token at the vendor and put it at vault: registries/ghcr#token")
    assert progress.steps[0].waits_for.value == "person"


async def test_what_another_credential_uses_is_not_ended(world: Any, target: Callable[..., Any]) -> None:
    """I1: a login that another credential has in use as well is not ended under it."""
    vendor = world.add("one", target("prod", "web"), strategy=Strategy.CREATE_RETIRE)
    other = world.add("two", target("spare", "api"), strategy=Strategy.READ)
    vendor.value = other.value = "the-very-same-token"
    await world.rotate("one")
    await world.rotate("two")
    vendor.value = None
    await world.leaks.report("one", "on a forum", "maria")
    await settle(world)
    await world.retirer.turn()
    assert world.ledger.current("one").generation == 2
    assert vendor.ended == []

    other.value, other.source_revision = "another-token", "2"
    await world.rotate("two")
    await world.retirer.turn()
    assert vendor.ended == ["token-1"]
