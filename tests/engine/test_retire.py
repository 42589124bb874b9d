"""Old versions come to their end, and are shown to be dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.events import OrphansSwept, VersionEnded
from rotator.domain.model import Stage, Strategy
from rotator.domain.rotation import State, Step
from rotator.engine.history import History
from rotator.engine.status import credential_status
from rotator.errors import UnavailableError
from rotator.ports import Changes

DAY = timedelta(days=1)
KEEPING = Strategy.CREATE_RETIRE


@pytest.fixture
async def twice(world: Any, target: Callable[..., Any]) -> Any:
    """Return a vendor whose second token is in use, and its world: ``(vendor, world, target)``."""
    prod = target("prod", "web")
    vendor = world.add("gitlab", prod, strategy=KEEPING)
    vendor.lifetime = None
    for _ in range(2):
        assert await world.rotate("gitlab") == "succeeded"
    return vendor, world, prod


def told(world: Any) -> list[str]:
    """Return what was told of old versions."""
    return [event.outcome for event in world.events if isinstance(event, VersionEnded)]


async def stage(world: Any, generation: int) -> Stage:
    """Return the stage of a version."""
    stages: dict[int, Stage] = {one.generation: one.stage for one in await world.store.versions("gitlab")}
    return stages[generation]


async def test_nothing_is_ended_in_its_grace(twice: Any) -> None:
    """The version before stays valid at the vendor for its grace."""
    vendor, world, _ = twice
    world.clock.advance(DAY - timedelta(seconds=1))
    await world.retirer.turn()

    assert vendor.ended == []
    assert told(world) == []


async def test_after_its_grace_it_is_ended_and_shown_dead(twice: Any) -> None:
    """After the grace the old version is ended at the vendor, shown to be refused, and only then forgotten."""
    vendor, world, _ = twice
    world.clock.advance(DAY)
    await world.retirer.turn()

    assert vendor.ended == ["token-1"]
    assert told(world) == ["ended", "dead"]
    assert await stage(world, 1) is Stage.RETIRED
    old = next(one for one in await world.store.versions("gitlab") if one.generation == 1)
    assert old.ended_at == old.dead_at == world.clock.now()
    await world.retirer.turn()
    assert vendor.ended == ["token-1"], "what is dead is left alone"


async def test_nothing_is_ended_while_a_required_target_lacks_the_new_one(twice: Any) -> None:
    """F-44: an old version lives until every required target has confirmed the new one, whatever its grace."""
    vendor, world, prod = twice
    prod.faults["web"] = UnavailableError("down")
    await world.rotate("gitlab")
    prod.spots.append("api")
    prod.faults.clear()
    prod.faults["api"] = UnavailableError("down")
    assert await world.rotate("gitlab") == "delivering"
    world.clock.advance(30 * DAY)
    await world.retirer.turn()
    assert vendor.ended == []

    prod.faults.clear()
    await world.rollout.reconcile(world.credentials["gitlab"].targets[0])
    await world.retirer.turn()
    assert "token-1" in vendor.ended


async def test_a_vendor_that_lies_is_found_out(twice: Any) -> None:
    """I7: a version that still works after its end is not called dead; it is looked at again, less and less often."""
    vendor, world, _ = twice
    vendor.revokes_nothing = True
    world.clock.advance(DAY)
    for _ in range(5):
        await world.retirer.turn()

    assert told(world) == ["ended", "alive"]
    assert await stage(world, 1) is Stage.PREVIOUS
    world.clock.advance(timedelta(seconds=10))
    await world.retirer.turn()
    assert told(world) == ["ended", "alive", "alive"]
    vendor.refused.add("secret-number-0001")
    world.clock.advance(timedelta(seconds=20))
    await world.retirer.turn()
    assert told(world)[-1] == "dead"


async def test_a_vendor_that_fails_is_asked_again_later(twice: Any) -> None:
    """I5: where the vendor cannot end it now, it is asked again after a pause, as long as it asked for."""
    vendor, world, _ = twice
    vendor.retire_fault = UnavailableError("503", retry_after=timedelta(minutes=3))
    world.clock.advance(DAY)
    for _ in range(9):
        await world.retirer.turn()
        world.clock.advance(timedelta(seconds=19))
    assert told(world) == ["failed"]

    vendor.retire_fault = None
    world.clock.advance(timedelta(seconds=20))
    await world.retirer.turn()
    assert told(world) == ["failed", "ended", "dead"]


async def test_a_crash_between_end_and_proof_is_made_good(twice: Any) -> None:
    """Whatever the crash left undone of an end is done after the restart; ending twice does no harm."""
    vendor, world, _ = twice
    world.clock.advance(DAY)
    vendor.cannot_tell = True
    await world.retirer.turn()
    assert told(world) == ["ended", "failed"]
    await world.restart()
    vendor.cannot_tell = False
    await world.retirer.turn()

    assert told(world)[-1] == "dead"


async def test_the_oldest_are_ended_early_where_many_wait(world: Any, target: Callable[..., Any]) -> None:
    """None is let go of alive: beyond five that wait, the oldest lose their grace, but for what a token may outlive."""
    vendor = world.add("gitlab", target("prod", "web"), strategy=KEEPING)
    vendor.lifetime = None
    for _ in range(9):
        assert await world.rotate("gitlab") == "succeeded"
    world.clock.advance(timedelta(minutes=5) - timedelta(seconds=1))
    await world.retirer.turn()
    assert vendor.ended == []

    world.clock.advance(timedelta(seconds=1))
    await world.retirer.turn()
    assert vendor.ended == ["token-1", "token-2", "token-3"]

    world.clock.advance(DAY)
    await world.retirer.turn()
    assert list(vendor.tokens) == ["token-9"]


async def test_nothing_is_made_by_schedule_while_too_many_cannot_be_ended(
    world: Any, target: Callable[..., Any]
) -> None:
    """I5: while a vendor ends nothing, new versions come as late as the expiry allows, and none is dropped."""
    vendor = world.add("gitlab", target("prod", "web"), strategy=KEEPING, max_age=timedelta(hours=1))
    vendor.lifetime = timedelta(days=2)
    vendor.retire_fault = UnavailableError("503")
    for _ in range(7):
        await world.rotate("gitlab")
    world.clock.advance(timedelta(hours=30))
    await world.retirer.turn()
    credential, now = world.credentials["gitlab"], world.clock.now()

    assert world.dispatcher.next_wake_at() == now + timedelta(hours=17, minutes=30)
    status = credential_status(credential, world.ledger, world.rollout, now)
    assert status.renewal_at == now + timedelta(hours=17, minutes=30)
    assert status.message.endswith(
        "; 6 old versions could not be ended yet, so that a new one is made only when it must be"
    )
    assert [one.generation for one in History(world.ledger, world.retirer).old(credential, now)] == [6, 5, 4, 3, 2, 1]

    vendor.retire_fault = None
    world.clock.advance(timedelta(minutes=10))
    await world.retirer.turn()
    assert list(vendor.tokens) == ["token-7"]
    assert world.dispatcher.next_wake_at() == world.clock.now(), "the configured age was reached long ago"


async def test_a_leak_is_not_forgotten_by_many_rotations(world: Any, target: Callable[..., Any]) -> None:
    """I7: the response to a leak stays open until its secret is dead, however many versions come before that."""
    vendor = world.add("gitlab", target("prod", "web"), strategy=KEEPING)
    vendor.lifetime = None
    await world.rotate("gitlab")
    vendor.retire_fault = UnavailableError("503")
    await world.leaks.report("gitlab", "it was in a log", "test")
    for _ in range(8):
        await world.rotate("gitlab")
        await world.retirer.turn()
    (leak,) = await world.leaks.open()
    assert leak.next_step == "generation 1 is ended as soon as nobody needs it"

    vendor.retire_fault = None
    world.clock.advance(timedelta(minutes=10))
    await world.retirer.turn()
    assert "token-1" in vendor.ended
    assert await world.leaks.open() == []


@pytest.mark.parametrize(
    ("grace", "expected"),
    [(timedelta(minutes=1), timedelta(minutes=5)), (timedelta(minutes=9), timedelta(minutes=9))],
    ids=["shorter than a token", "longer than a token"],
)
async def test_a_version_outlives_the_tokens_handed_out_for_it(
    world: Any, target: Callable[..., Any], grace: timedelta, expected: timedelta
) -> None:
    """However short its grace, an old version is not ended before the longest token that the registry gave for it."""
    vendor = world.add("gitlab", target("prod", "web"), strategy=KEEPING, grace=grace)
    for _ in range(2):
        await world.rotate("gitlab")
    world.clock.advance(expected - timedelta(seconds=1))
    await world.retirer.turn()
    assert vendor.ended == []

    world.clock.advance(timedelta(seconds=1))
    await world.retirer.turn()
    assert vendor.ended == ["token-1"]


async def test_a_registry_that_refuses_everybody_proves_nobody_dead(twice: Any) -> None:
    """I7: an old version is dead only where the version in use is accepted; until then nobody can tell, for a while."""
    vendor, world, _ = twice
    vendor.revokes_nothing = True
    vendor.refused = {"secret-number-0001", "secret-number-0002"}
    world.clock.advance(DAY)
    await world.retirer.turn()

    last = next(event for event in reversed(world.events) if isinstance(event, VersionEnded))
    assert (told(world), await stage(world, 1)) == (["ended", "failed"], Stage.PREVIOUS)
    assert last.message == "cannot tell whether it still works: the registry refuses the version in use as well: 401"

    vendor.refused.clear()
    world.clock.advance(timedelta(minutes=9))
    await world.retirer.turn()
    assert len(told(world)) == 2, "each look would be another refusal of the login in use"
    world.clock.advance(timedelta(minutes=1))
    await world.retirer.turn()
    assert told(world)[-1] == "alive"


async def test_without_a_version_that_works_nobody_is_shown_an_old_one(twice: Any) -> None:
    """I7: where the version in use is known not to work, an old one is not shown at all, since nothing would follow."""
    vendor, world, _ = twice
    world.clock.advance(DAY)
    current = world.ledger.current("gitlab")
    await world.ledger.commit(Changes(versions=[replace(current, rejected_at=world.clock.now())]))
    await world.retirer.turn()

    last = next(event for event in reversed(world.events) if isinstance(event, VersionEnded))
    assert (vendor.ended, told(world)) == (["token-1"], ["ended", "failed"])
    assert last.message == "cannot tell whether it still works: the version in use does not work either"


async def test_a_token_of_a_person_is_watched_until_they_end_it(world: Any, target: Callable[..., Any]) -> None:
    """What only a person can end is shown to the registry every six hours after its grace, until it is refused."""
    vendor = world.add("ghcr", target("prod", "web"), strategy=Strategy.READ)
    vendor.lifetime = None
    for value in ("the-old-token", "the-new-token"):
        vendor.value = value
        await world.rotate("ghcr")
    world.clock.advance(DAY)
    for _ in range(3):
        await world.retirer.turn()
    assert told(world) == ["alive"]

    vendor.refused.add("the-old-token")
    world.clock.advance(timedelta(hours=6))
    await world.retirer.turn()
    assert told(world) == ["alive", "dead"]


async def test_what_dies_by_itself_is_not_asked_about(world: Any, target: Callable[..., Any]) -> None:
    """An ECR password is forgotten at its expiry, without a single question."""
    world.add("ecr", target("prod", "web"))
    for _ in range(2):
        await world.rotate("ecr")
    world.clock.advance(timedelta(hours=11))
    await world.retirer.turn()
    assert told(world) == []
    world.clock.advance(timedelta(hours=1))
    await world.retirer.turn()
    assert told(world) == ["forgotten"]


async def test_two_slots_are_used_in_turn(world: Any, target: Callable[..., Any]) -> None:
    """The slot that is regenerated is never the one in use, and the version it held is ended with it."""
    vendor = world.add("gitlab", target("prod", "web"), strategy=Strategy.TWO_SLOT)
    for _ in range(3):
        assert await world.rotate("gitlab") == "succeeded"

    versions = {one.generation: one for one in await world.store.versions("gitlab")}
    assert [versions[number].handle for number in (1, 2, 3)] == ["one", "two", "one"]
    assert (versions[1].stage, versions[2].stage) == (Stage.RETIRED, Stage.PREVIOUS)
    assert versions[1].ended_at is not None
    assert vendor.ended == []


async def test_a_slot_that_may_still_be_needed_is_not_overwritten(world: Any, target: Callable[..., Any]) -> None:
    """I2: the other slot is not regenerated while a required target may hold what is in it; a leak does not wait."""
    prod = target("prod", "web", "api")
    vendor = world.add("gitlab", prod, strategy=Strategy.TWO_SLOT)
    await world.rotate("gitlab")
    prod.faults["api"] = UnavailableError("down")
    assert await world.rotate("gitlab") == "delivering"

    assert await world.rotate("gitlab") == "failed"
    assert "may still be needed at prod" in world.ledger.last_rotation("gitlab").message
    assert "secret-number-0001" not in vendor.refused

    ticket = await world.dispatcher.replace_leaked("gitlab", "leaked", "test")
    assert (await ticket.finished).generation == 3
    assert "secret-number-0001" in vendor.refused


async def test_the_slot_of_a_version_that_was_taken_back_is_not_overwritten(
    world: Any, target: Callable[..., Any]
) -> None:
    """I2: until what holds a withdrawn version has the one in use again, a person's request does not end it either."""
    prod = target("prod", *(f"p{number:02d}" for number in range(40)))
    vendor = world.add("gitlab", prod, strategy=Strategy.TWO_SLOT)
    await world.rotate("gitlab")
    apply = prod.apply

    async def broken_at_the_fifth(placement: str, entries: Any) -> Any:
        prod.finds_broken = {"secret-number-0002"} if placement == "p05" else set()
        return await apply(placement, entries)

    prod.apply = broken_at_the_fifth
    assert await world.rotate("gitlab") == "failed"
    assert world.ledger.last_rotation("gitlab").error == "halted"

    assert await world.rotate("gitlab") == "failed"
    assert "the other slot holds generation 2, which may still be needed at prod" in (
        world.ledger.last_rotation("gitlab").message
    )
    assert "secret-number-0002" not in vendor.refused


async def test_what_was_taken_back_and_leaked_is_not_ended_where_it_is_held(
    world: Any, target: Callable[..., Any]
) -> None:
    """I2: a leaked version that was withdrawn is ended when the one in use is in its place, not before."""
    prod = target("prod", *(f"p{number:02d}" for number in range(40)))
    vendor = world.add("gitlab", prod, strategy=KEEPING)
    await world.rotate("gitlab")
    apply = prod.apply

    async def broken_at_the_fifth(placement: str, entries: Any) -> Any:
        prod.finds_broken = {"secret-number-0002"} if placement == "p05" else set()
        return await apply(placement, entries)

    prod.apply = broken_at_the_fifth
    await world.rotate("gitlab")
    second = next(one for one in world.ledger.live_versions("gitlab") if one.generation == 2)
    await world.ledger.commit(Changes(versions=[replace(second, leaked_at=world.clock.now())]))
    await world.retirer.turn()
    assert vendor.ended == []

    await world.dispatcher.turn()
    for running in list(world.dispatcher._running.values()):
        await running.done
    await world.retirer.turn()
    assert vendor.ended == ["token-2"]


async def test_a_vendor_that_hangs_holds_up_no_other_end(world: Any, target: Callable[..., Any]) -> None:
    """F-45: while one vendor takes its time to make a version, old versions of the others come to their end."""
    slow = world.add("harbor", target("edge", "file"), strategy=KEEPING)
    quick = world.add("gitlab", target("prod", "web"), strategy=KEEPING)
    slow.lifetime = quick.lifetime = None
    for name in ("harbor", "gitlab"):
        await world.rotate(name)
        await world.rotate(name)
    gate, issue = asyncio.Event(), slow.issue

    async def hanging(order: Any) -> Any:
        await gate.wait()
        return await issue(order)

    slow.issue = hanging
    ticket = await world.dispatcher.request("harbor", "please", "test")
    while not world.credentials["harbor"].at_vendor.locked():
        await asyncio.sleep(0)
    world.clock.advance(2 * DAY)
    await world.retirer.turn()
    assert (slow.ended, quick.ended) == ([], ["token-1"])

    gate.set()
    await ticket.finished
    world.retirer.wake()
    world.clock.advance(2 * DAY)
    await world.retirer.turn()
    assert slow.ended == ["token-1"]


async def test_orphans_of_interrupted_rotations_are_ended(world: Any, target: Callable[..., Any]) -> None:
    """F-02: what a rotation made before it could be journalled is ended by the next one; what others made is not."""
    vendor = world.add("gitlab", target("prod", "web"), strategy=KEEPING)
    vendor.tokens["not-ours"] = ("20200101T000000.000000Z-0000", "somebody-else's")
    issue = vendor.issue

    async def lost(order: Any) -> Any:
        await issue(order)
        raise UnavailableError("the answer got lost")

    vendor.issue = lost
    assert await world.rotate("gitlab") == "failed"
    vendor.issue = issue
    assert await world.rotate("gitlab") == "succeeded"

    assert vendor.ended == ["token-1"]
    assert set(vendor.tokens) == {"not-ours", "token-2"}
    assert [event.ended for event in world.events if isinstance(event, OrphansSwept)] == [1]
    audited = [one.record for one in await world.ledger.audit(0, 1000) if one.record.action == "retire"]
    (lost_rotation,) = [one.id for one in await world.ledger.rotations("gitlab", 9) if one.state is State.FAILED]
    assert [(one.outcome, one.rotation) for one in audited] == [("intent", lost_rotation), ("ended", lost_rotation)]


async def test_an_orphan_is_not_ended_unrecorded(world: Any, target: Callable[..., Any]) -> None:
    """I10: what could not be written into the audit is not done to an orphan; a vendor's refusal is recorded, too."""
    vendor = world.add("gitlab", target("prod", "web"), strategy=KEEPING)
    issue, retire = vendor.issue, vendor.retire
    seen: list[str] = []

    async def lost(order: Any) -> Any:
        await issue(order)
        raise UnavailableError("the answer got lost")

    async def refusing(*_: Any) -> Any:
        seen.extend(one.record.outcome for one in await world.ledger.newest_audit(1))
        raise UnavailableError("delete: 503")

    vendor.issue, vendor.retire = lost, refusing
    await world.rotate("gitlab")
    vendor.issue = issue
    await world.rotate("gitlab")

    outcomes = [one.record.outcome for one in await world.ledger.audit(0, 1000) if one.record.action == "retire"]
    assert (seen, outcomes) == (["intent"], ["intent", "failed"])
    vendor.retire = retire


async def test_a_failing_sweep_holds_nothing_up(world: Any, target: Callable[..., Any]) -> None:
    """A vendor whose list cannot be read still issues; what could not be swept is told."""
    vendor = world.add("gitlab", target("prod", "web"), strategy=KEEPING)

    async def broken(_: Any) -> Any:
        raise UnavailableError("list: 503")

    vendor.made = broken

    assert await world.rotate("gitlab") == "succeeded"
    assert [event.error for event in world.events if isinstance(event, OrphansSwept)] == ["unavailable"]


async def test_what_dies_during_a_promotion_stays_dead(memory_world: Any, target: Callable[..., Any]) -> None:
    """A version that is seen dead while the next one is promoted is not brought back by the promotion."""
    deaths: list[asyncio.Task[None]] = []

    async def pause(_: str) -> None:
        promoting = any(one.step is Step.PROMOTE and one.is_running for one in world.store.journal.values())
        if promoting and not deaths and (1 in {one.generation for one in world.ledger.live_versions("gitlab")}):
            (old,) = [one for one in world.ledger.live_versions("gitlab") if one.generation == 1]
            dead = replace(old, stage=Stage.RETIRED, dead_at=world.clock.now())
            deaths.append(asyncio.create_task(world.ledger.commit(Changes(versions=[dead]))))
        for _turn in range(50):
            await asyncio.sleep(0)

    world = memory_world()
    vendor = world.add("gitlab", target("prod", "web"), strategy=KEEPING)
    vendor.lifetime = None
    for _ in range(2):
        assert await world.rotate("gitlab") == "succeeded"
    world.store.pause = pause
    assert await world.rotate("gitlab") == "succeeded"
    await asyncio.gather(*deaths)

    assert len(deaths) == 1
    assert await stage(world, 1) is Stage.RETIRED
