"""Which rotations run, in which order, how many at once; and what happens when one breaks or the store fails."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from rotator.domain.events import Crashed, RotationFinished, RotationStarted, StoreFailed
from rotator.domain.model import Expiry, Stage, Strategy, Version
from rotator.domain.rotation import State
from rotator.engine.dispatch import Dispatcher
from rotator.errors import (
    ConflictError,
    NotFoundError,
    RateLimitedError,
    StoreError,
    UnavailableError,
)
from rotator.ports import Changes

HOUR = timedelta(hours=1)


async def quiet(world: Any) -> None:
    """Let everything that runs, and everything that waits for its slot, come to its end."""
    while world.dispatcher.running:
        await asyncio.gather(*(running.task for running in list(world.dispatcher._running.values())))
        await asyncio.sleep(0)
        await world.dispatcher.refill()


async def turn(world: Any) -> None:
    """Start what is due and wait until it has ended."""
    await world.dispatcher.turn()
    await quiet(world)


def started(world: Any) -> list[str]:
    """Return the credentials in the order in which their rotations began."""
    return [event.credential for event in world.events if isinstance(event, RotationStarted)]


def said(world: Any, kind: type) -> list[Any]:
    """Return the events of ``kind``."""
    return [event for event in world.events if isinstance(event, kind)]


async def give(world: Any, name: str, left: timedelta, **facts: Any) -> None:
    """Put a version that expires in ``left`` into use, without a rotation."""
    now = world.clock.now()
    issued_at = now - 100 * HOUR
    version = Version(name, 1, Stage.CURRENT, "8" * 16, "AWS", issued_at, Expiry(now + left), verified_at=now, **facts)
    record = replace(world.ledger.record(name), generation=1)
    await world.ledger.commit(Changes(records=[record], versions=[version]))


async def test_closest_to_expiry_first(world: Any) -> None:
    """F-47: what was never issued or is refused comes first, then what expires next, then what expires never."""
    for name, left in (("late", 3 * HOUR), ("expired", -HOUR), ("soon", HOUR), ("refused", 9 * HOUR)):
        world.add(name)
        await give(world, name, left, rejected_at=world.clock.now() if name == "refused" else None)
    world.add("new")
    world.dispatcher._slots = 1

    await turn(world)

    assert started(world) == ["refused", "new", "expired", "soon", "late"]


async def test_a_thousand_due_at_once(memory_world: Callable[..., Any]) -> None:
    """F-47: of 1,000 credentials due together with 4 slots none is dropped, none rotated twice, never 5 at once."""
    world, running = memory_world(), []
    vendors = {f"c{number:04d}": world.add(f"c{number:04d}") for number in range(1000)}
    for vendor in vendors.values():
        vendor.issue = slow(vendor.issue, lambda: running.append(len(world.dispatcher.running)))
    refills: list[asyncio.Task[None]] = []
    world.dispatcher.on_finished = lambda _: refills.append(asyncio.create_task(world.dispatcher.refill()))
    await world.dispatcher.turn()
    while world.dispatcher.running or world.dispatcher._backlog:
        await asyncio.gather(*(running.task for running in list(world.dispatcher._running.values())))
        await asyncio.sleep(0)
    await asyncio.gather(*refills)

    assert {vendor.minted for vendor in vendors.values()} == {1}
    assert sorted(started(world)) == sorted(vendors)
    assert max(running) == 4
    rotations = await world.store.rotations(None, 2000)
    assert len({rotation.id for rotation in rotations}) == 1000, "ids are unique though the clock stood still"
    assert {rotation.state for rotation in rotations} == {State.SUCCEEDED}


async def test_two_fillers_do_not_overfill(world: Any) -> None:
    """I5: a turn and several refills at the same time start no more than there are slots."""
    for number in range(12):
        world.add(f"c{number}").fault = UnavailableError("down")
    gate = asyncio.Event()
    hold_issues(world, gate)

    await asyncio.gather(
        world.dispatcher.turn(), *(world.dispatcher.refill() for _ in range(5)), world.dispatcher.turn()
    )

    assert len(world.dispatcher.running) == 4
    gate.set()


def slow(call: Callable[..., Any], note: Callable[[], None]) -> Callable[..., Any]:
    """Return ``call``, letting others run first and taking a note."""

    async def wait(*given: Any) -> Any:
        for _ in range(20):
            await asyncio.sleep(0)
        note()
        return await call(*given)

    return wait


def hold_issues(world: Any, gate: asyncio.Event) -> None:
    """Have every vendor's issue wait for ``gate``."""
    for credential in world.credentials.values():
        vendor = credential.provider
        vendor.issue = held(vendor.issue, gate)


def held(call: Callable[..., Any], gate: asyncio.Event) -> Callable[..., Any]:
    """Return ``call``, waiting for ``gate`` first."""

    async def wait(*given: Any) -> Any:
        await gate.wait()
        return await call(*given)

    return wait


async def test_a_hundred_requests_are_one_rotation(world: Any, target: Callable[..., Any]) -> None:
    """F-48: 100 requests at the same time are one rotation; each gets its id, all but the first as joined."""
    vendor = world.add("ecr", target("prod", "web"))

    tickets = await asyncio.gather(*(world.dispatcher.request("ecr", f"alert {n}", "alerts") for n in range(100)))
    ended = await asyncio.gather(*(ticket.finished for ticket in tickets))

    assert len({ticket.rotation for ticket in tickets}) == 1
    assert [ticket.joined for ticket in tickets].count(False) == 1
    assert {rotation.id for rotation in ended} == {tickets[0].rotation}
    assert vendor.minted == 1


async def test_a_request_joins_a_scheduled_rotation(world: Any) -> None:
    """F-48: a person's request during a scheduled rotation joins it and is told its id."""
    gate = asyncio.Event()
    vendor = world.add("ecr")
    hold_issues(world, gate)
    await world.dispatcher.turn()

    ticket = await world.dispatcher.request("ecr", "on-call asks", "alice")
    gate.set()
    rotation = await ticket.finished

    assert ticket.joined
    assert (rotation.id, rotation.by, rotation.reason) == (ticket.rotation, "schedule", "NeverIssued")
    assert vendor.minted == 1


async def test_a_waiter_that_gives_up_interrupts_nobody(world: Any) -> None:
    """Cancelling the wait for a rotation neither stops the rotation nor the others who wait for it."""
    gate = asyncio.Event()
    world.add("ecr")
    hold_issues(world, gate)
    impatient = await world.dispatcher.request("ecr", "one asks", "a")
    patient = await world.dispatcher.request("ecr", "another asks", "b")
    waiting = asyncio.create_task(asyncio.wait_for(impatient.finished, timeout=0))
    with pytest.raises(TimeoutError):
        await waiting
    gate.set()

    assert (await patient.finished).state is State.SUCCEEDED


async def test_whoever_asked_may_go_away(world: Any) -> None:
    """A request that is cancelled while its intent is being journalled leaves no rotation that nobody runs."""
    world.add("ecr")
    asking = asyncio.create_task(world.dispatcher.request("ecr", "a client that hangs up", "a"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    while not (world.ledger.last_rotation("ecr") or world.dispatcher.running):
        await asyncio.sleep(0)
    await quiet(world)

    assert world.ledger.open_rotations() == []
    assert world.ledger.last_rotation("ecr").state is State.SUCCEEDED


async def test_unknown_credential_is_named(world: Any) -> None:
    """A request for a credential that is not configured says which ones are."""
    world.add("ecr")
    with pytest.raises(NotFoundError, match=r"no credential is named nope. Configured are: ecr"):
        await world.dispatcher.request("nope", "typo", "a")


async def test_back_off_holds_back_the_schedule(world: Any) -> None:
    """After a failure the schedule waits until the journalled instant, then tries; failures and pauses grow."""
    vendor = world.add("ecr")
    vendor.fault = UnavailableError("down")
    await turn(world)
    first = world.ledger.record("ecr")
    await turn(world)
    assert len(started(world)) == 1

    world.clock.advance(first.next_attempt_at - world.clock.now())
    await turn(world)

    second = world.ledger.record("ecr")
    assert len(started(world)) == 2
    assert second.failures == 2
    assert second.next_attempt_at - second.looked_at == 2 * (first.next_attempt_at - first.looked_at)


async def test_back_off_survives_a_restart(world: Any) -> None:
    """A restart neither forgets the failures nor tries before the journalled instant."""
    vendor = world.add("ecr")
    vendor.fault = UnavailableError("down")
    await turn(world)
    at = world.ledger.record("ecr").next_attempt_at

    await world.restart()
    await turn(world)

    assert len(started(world)) == 1
    assert world.dispatcher.next_wake_at() == at
    world.clock.advance(at - world.clock.now())
    await turn(world)
    assert world.ledger.record("ecr").failures == 2


async def test_retry_after_is_the_pause(world: Any) -> None:
    """I5: a peer's Retry-After is the earliest instant of the next attempt."""
    vendor = world.add("ecr")
    vendor.fault = RateLimitedError("slow down", retry_after=timedelta(minutes=20))
    await turn(world)

    assert world.dispatcher.next_wake_at() == world.clock.now() + timedelta(minutes=20)


async def test_a_person_bypasses_the_back_off(world: Any) -> None:
    """A request is tried at once; a failure adds to the back-off, only a success resets it."""
    vendor = world.add("ecr")
    vendor.fault = UnavailableError("down")
    await turn(world)

    assert await world.rotate("ecr") == "failed"
    assert world.ledger.record("ecr").failures == 2
    assert world.ledger.record("ecr").next_attempt_at > world.clock.now()

    vendor.fault = None
    assert await world.rotate("ecr") == "succeeded"
    assert (world.ledger.record("ecr").failures, world.ledger.record("ecr").next_attempt_at) == (0, None)


async def static(world: Any, *targets: Any) -> Any:
    """Configure a static token whose source holds revision 1 with a good value; return its vendor."""
    vendor = world.add("ghcr", *targets, strategy=Strategy.READ)
    vendor.value, vendor.source_revision, vendor.lifetime = "a-good-token", "1", None
    world.dispatcher.source_said("ghcr", "1")
    await turn(world)
    world.events.clear()
    return vendor


def put(world: Any, vendor: Any, value: str, revision: str) -> bool:
    """Write ``value`` at the source; return whether its revision was news."""
    vendor.value, vendor.source_revision = value, revision
    return bool(world.dispatcher.source_said("ghcr", revision))


async def test_a_new_revision_bypasses_the_back_off_once(world: Any) -> None:
    """A mended source is tried at once whatever the back-off, but each revision only once."""
    vendor = await static(world)
    vendor.refused = {"a-bad-token", "a-worse-token"}

    assert put(world, vendor, "a-bad-token", "2")
    await turn(world)
    assert not put(world, vendor, "a-bad-token", "2")
    await turn(world)
    assert len(started(world)) == 1, "the same revision waits for the back-off"

    assert put(world, vendor, "a-worse-token", "3")
    await turn(world)
    assert len(started(world)) == 2

    assert put(world, vendor, "another-good-token", "4")
    await turn(world)
    assert world.ledger.current("ghcr").revision == "4"
    assert world.ledger.record("ghcr").failures == 0


async def test_a_first_value_that_is_mended_is_tried_at_once(world: Any) -> None:
    """A credential that never worked is tried at once when its source holds a new revision."""
    vendor = world.add("ghcr", strategy=Strategy.READ)
    vendor.refused = {"a-bad-token"}
    put(world, vendor, "a-bad-token", "1")
    await turn(world)
    assert world.ledger.current("ghcr") is None

    assert put(world, vendor, "a-good-token", "2")
    await turn(world)

    assert world.ledger.current("ghcr").revision == "2"


async def test_a_restart_does_not_try_a_bad_revision_again(world: Any) -> None:
    """F-06: the back-off of a bad value holds over a restart though the revision is heard for the first time."""
    vendor = await static(world)
    vendor.refused = {"a-bad-token"}
    put(world, vendor, "a-bad-token", "2")
    await turn(world)

    for _ in range(3):
        await world.restart()
        assert not world.dispatcher.source_said("ghcr", "2")
        await turn(world)

    assert len(started(world)) == 1


async def test_a_revision_that_changes_during_a_rotation_is_not_lost(world: Any) -> None:
    """A value written while the one before is being rotated in is rotated in right after it."""
    vendor = await static(world)
    gate = asyncio.Event()
    put(world, vendor, "token-number-2", "2")
    issue, vendor.issue = vendor.issue, held(vendor.issue, gate)
    await world.dispatcher.turn()
    gate.set()
    await asyncio.sleep(0)
    vendor.issue = issue
    put(world, vendor, "token-number-3", "3")
    await quiet(world)

    assert world.dispatcher.next_wake_at() == world.clock.now()
    await turn(world)
    assert world.ledger.current("ghcr").revision == "3"


async def test_a_revision_that_never_matches_is_no_hot_loop(world: Any) -> None:
    """I5: a source whose announced revision differs from what it hands over is read at most every 30 s."""
    vendor = await static(world)
    world.dispatcher.source_said("ghcr", "never handed over")
    for _ in range(60):
        await turn(world)
        assert world.dispatcher.next_wake_at() > world.clock.now()
        world.clock.advance(timedelta(seconds=1))

    assert len(started(world)) == 2
    assert vendor.source_revision == "1"


async def test_a_vendor_that_repeats_its_token_is_no_hot_loop(world: Any) -> None:
    """I5: a vendor that hands out its cached token after the renewal point is asked again at most every 30 s."""
    vendor = world.add("gar")
    vendor.value = "the-cached-token"
    await turn(world)
    world.events.clear()
    world.clock.advance(7 * HOUR)
    vendor.lifetime = 4 * HOUR
    for _ in range(60):
        await turn(world)
        world.clock.advance(timedelta(seconds=1))

    assert len(started(world)) == 2


async def test_a_refused_value_at_a_registry_that_is_down_backs_off(world: Any) -> None:
    """F-16: the value in use was refused and now the registry cannot tell: that is a failure with a back-off."""
    vendor = await static(world)
    now = world.clock.now()
    await world.ledger.commit(Changes(versions=[replace(world.ledger.current("ghcr"), rejected_at=now)]))
    vendor.cannot_tell = True

    await turn(world)

    assert world.ledger.last_rotation("ghcr").state is State.FAILED
    assert world.ledger.current("ghcr").rejected_at == now
    assert world.dispatcher.next_wake_at() > now


async def test_a_clock_set_back_does_not_prolong_the_back_off(world: Any) -> None:
    """F-31: when the wall clock is set back an hour, what had failed is tried now and not an hour later."""
    vendor = world.add("ecr")
    vendor.fault = UnavailableError("down")
    await turn(world)

    world.clock.set_wall(world.clock.now() - HOUR)
    await turn(world)
    assert len(started(world)) == 2
    await turn(world)

    assert len(started(world)) == 2, "the new failure's back-off counts on the new time"


async def test_a_defect_is_reported_and_the_daemon_goes_on(world: Any) -> None:
    """An exception nobody foresaw ends one rotation as failed; it is held back 30 s while others go on."""
    broken, sound = world.add("broken"), world.add("sound")
    issue = broken.issue

    async def defect(_: object) -> None:
        raise KeyError("defect")

    broken.issue = defect
    await turn(world)

    (crashed,) = said(world, Crashed)
    assert crashed.where == "rotation of broken"
    assert isinstance(crashed.error, KeyError)
    assert sound.minted == 1
    assert world.ledger.open_rotations() == []
    failed = world.ledger.last_rotation("broken")
    assert (failed.state, failed.error) == (State.FAILED, "internal")
    assert failed.id in {event.rotation for event in said(world, RotationFinished)}

    broken.issue = issue
    world.clock.advance(timedelta(seconds=29))
    await turn(world)
    assert world.ledger.current("broken") is None
    world.clock.advance(timedelta(seconds=1))
    await turn(world)
    assert world.ledger.current("broken").generation == 1


async def test_a_defect_does_not_burst_after_a_restart(world: Any) -> None:
    """The hold-back after a defect is journalled, so that a restart loop is no retry loop."""
    vendor = world.add("ecr")

    async def defect(_: object) -> None:
        raise ZeroDivisionError

    vendor.issue = defect
    await turn(world)
    for _ in range(3):
        await world.restart()
        await turn(world)

    assert len(said(world, Crashed)) == 1


async def test_a_defect_is_held_back_though_it_cannot_be_journalled(world: Any) -> None:
    """A defect while the store fails is held back for 30 s all the same, longer than a store failure alone is."""
    vendor = world.add("ecr")
    asked: list[str] = []

    async def defect(_: object) -> None:
        asked.append("ecr")
        raise ZeroDivisionError

    vendor.issue = defect
    ticket = await world.dispatcher.request("ecr", "test", "test")
    with refusing(world.path, "credentials", "INSERT"):
        assert await ticket.finished is None
    for _ in range(29):
        world.clock.advance(timedelta(seconds=1))
        await turn(world)

    assert asked == ["ecr"]
    world.clock.advance(timedelta(seconds=1))
    await turn(world)
    assert asked == ["ecr", "ecr"]


@contextmanager
def refusing(path: Path, table: str, operation: str) -> Iterator[None]:
    """Have a trigger refuse every ``operation`` on ``table``, as a full disk would."""
    other = sqlite3.connect(path, isolation_level=None)
    name = f"full_{operation}"
    other.execute(f"CREATE TRIGGER {name} BEFORE {operation} ON {table} BEGIN SELECT RAISE(FAIL, 'disk full'); END")
    try:
        yield
    finally:
        other.execute(f"DROP TRIGGER {name}")
        other.close()


async def test_nothing_starts_that_cannot_be_journalled(world: Any, target: Callable[..., Any]) -> None:
    """I10: while the store fails no vendor is asked and no target is touched; afterwards work goes on unaided."""
    prod = target("prod", "web")
    vendors = [world.add(f"c{number}", prod) for number in range(20)]

    with refusing(world.path, "rotations", "INSERT"):
        for _ in range(4):
            await turn(world)
            world.clock.advance(timedelta(seconds=1))
        with pytest.raises(StoreError, match="disk full"):
            await world.dispatcher.request("c7", "on-call asks", "alice")
        assert [vendor.minted for vendor in vendors] == [0] * 20
        assert prod.applied == []
        assert world.ledger.open_rotations() == []
        assert len(said(world, StoreFailed)) == 1, "one failure says it; the others would fail alike"
        assert world.dispatcher.next_wake_at() == world.clock.now() + timedelta(seconds=1)

    world.clock.advance(timedelta(seconds=1))
    await turn(world)
    assert {vendor.minted for vendor in vendors} == {1}
    assert len(prod.held["web"]) == 20


@pytest.mark.parametrize("table", ["versions", "deliveries", "credentials"])
async def test_a_store_that_fails_midway_stops_the_rotation(world: Any, target: Callable[..., Any], table: str) -> None:
    """I10: what cannot be journalled is not done; the version in use stays, and the next attempt succeeds unaided."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await turn(world)
    world.events.clear()
    world.clock.advance(7 * HOUR)

    with refusing(world.path, table, "INSERT"), refusing(world.path, table, "UPDATE"):
        await turn(world)
        assert prod.generations("ecr") == {"web": 1} or table == "credentials"
        assert world.ledger.current("ecr").generation == 1
        assert said(world, StoreFailed)[0].operation == "journal"

    world.clock.advance(timedelta(seconds=31))
    await turn(world)
    assert world.ledger.current("ecr").generation in {2, 3}
    assert prod.generations("ecr") == {"web": world.ledger.current("ecr").generation}
    assert world.ledger.open_rotations() == []


@pytest.mark.parametrize(
    ("table", "state"),
    [("versions", State.ABANDONED), ("deliveries", State.SUCCEEDED)],
    ids=["before a version was journalled", "after that"],
)
async def test_a_rotation_that_the_store_broke_off_does_not_run_for_ever(
    world: Any, target: Callable[..., Any], table: str, state: State
) -> None:
    """Though nothing is due any more, what the store broke off is ended, or goes on, once it may serve again."""
    vendor = world.add("ghcr", target("prod", "web"), strategy=Strategy.READ)
    vendor.value, vendor.source_revision, vendor.lifetime = "token-1", "1", None
    await world.rotate("ghcr")
    vendor.value, vendor.source_revision = "token-2", "2"
    with refusing(world.path, table, "INSERT"), refusing(world.path, table, "UPDATE"):
        assert await world.rotate("ghcr") == "crashed"
    vendor.value, vendor.source_revision = "token-1", "1"
    broken_off = world.ledger.open_rotation("ghcr")
    assert world.dispatcher.next_wake_at() == world.clock.now() + timedelta(seconds=30)

    world.clock.advance(timedelta(seconds=29))
    await turn(world)
    assert world.ledger.open_rotation("ghcr") == broken_off, "the store has its pause"
    world.clock.advance(timedelta(seconds=1))
    await turn(world)
    assert world.ledger.open_rotations() == []
    assert (await world.store.rotation(broken_off.id)).state is state


async def test_a_rollback_does_not_join_a_rotation_that_is_being_begun(
    memory_world: Callable[..., Any], target: Callable[..., Any], gate: Any
) -> None:
    """Whoever asks for an earlier version is never told of a rotation that brings another one."""
    world = memory_world(gate)
    world.add("gitlab", target("prod", "web"), strategy=Strategy.CREATE_RETIRE)
    for _ in range(2):
        assert await world.rotate("gitlab") == "succeeded"
    gate.shut()
    asking = asyncio.create_task(world.dispatcher.request("gitlab", "somebody else asks", "bob"))
    await gate.reached.wait()
    with pytest.raises(ConflictError, match="gitlab: a rotation begins, and what it brings is not known yet"):
        await world.dispatcher.restore("gitlab", 1, "put it back", "ann")
    gate.open()

    assert (await (await asking).finished).restores == 0


@contextmanager
def no_file_may_grow(path: Path) -> Iterator[None]:
    """Have the kernel refuse every write that makes a file longer than the database's log is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = path.with_name(f"{path.name}-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size if log.exists() else 0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_survived(world: Any, target: Callable[..., Any]) -> None:
    """A disk that takes nothing more fails a reconciliation before any target is touched; later it succeeds."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await turn(world)
    prod.spots = [f"namespace-{number:05d}" for number in range(5_000)]
    prod.applied.clear()

    with no_file_may_grow(world.path), pytest.raises(StoreError, match="the state"):
        await world.rollout.reconcile(world.credentials["ecr"].targets[0])
    assert prod.applied == []

    await world.rollout.reconcile(world.credentials["ecr"].targets[0])
    assert prod.generations("ecr") == dict.fromkeys(["web", *prod.spots], 1)


async def test_stop_lets_rotations_end_within_the_grace(world: Any) -> None:
    """I9: a rotation that ends in time is awaited; its tickets get the result."""
    gate = asyncio.Event()
    world.add("ecr")
    hold_issues(world, gate)
    ticket = await world.dispatcher.request("ecr", "test", "test")
    stopping = asyncio.create_task(world.dispatcher.stop(grace=30))
    await asyncio.sleep(0)
    gate.set()
    await stopping

    assert (await ticket.finished).state is State.SUCCEEDED


@pytest.mark.parametrize("grace", [0, 0.01])
async def test_stop_interrupts_what_does_not_end(world: Any, grace: float) -> None:
    """I9: a rotation that hangs is interrupted and stays running in the journal; its tickets get None."""
    world.add("ecr")
    hold_issues(world, asyncio.Event())
    ticket = await world.dispatcher.request("ecr", "test", "test")

    await world.dispatcher.stop(grace)

    assert await ticket.finished is None
    assert world.dispatcher.running == {}
    assert (await world.store.rotation(ticket.rotation)).state is State.RUNNING


async def test_nothing_starts_after_a_stop(world: Any) -> None:
    """I9: once stopped, neither a turn nor a person starts anything, and a request says why."""
    vendor = world.add("ecr")
    await world.dispatcher.stop(grace=0)

    await turn(world)
    with pytest.raises(UnavailableError, match="the daemon is stopping"):
        await world.dispatcher.request("ecr", "test", "test")

    assert vendor.minted == 0
    await world.dispatcher.stop(grace=0)


async def test_stop_knows_what_is_just_being_started(world: Any) -> None:
    """I9: a rotation whose intent is being journalled when the daemon stops is not left behind running."""
    world.add("ecr")
    asking = asyncio.create_task(world.dispatcher.request("ecr", "test", "test"))
    while not world.dispatcher._beginning.locked():
        await asyncio.sleep(0)
    await world.dispatcher.stop(grace=0)
    ticket = await asking

    assert world.dispatcher.running == {}
    assert await ticket.finished is None
    assert (await world.store.rotation(ticket.rotation)).state is State.RUNNING


async def test_waiting_for_a_slot_sets_no_alarm(world: Any) -> None:
    """What waits for a slot makes no alarm ring again and again; the next instant in time is still known."""
    gate = asyncio.Event()
    for number in range(10):
        world.add(f"c{number}")
    hold_issues(world, gate)
    world.add("later")
    await give(world, "later", 200 * HOUR)
    await world.dispatcher.turn()

    assert world.dispatcher.next_wake_at() > world.clock.now()
    gate.set()


async def test_wake_at_of_one_credential(world: Any) -> None:
    """The next instant of one credential is its renewal point; none while it runs or is not configured."""
    gate = asyncio.Event()
    world.add("ecr")
    await turn(world)
    at = world.dispatcher.next_wake_at("ecr")
    assert 0.45 * 12 * HOUR <= at - world.clock.now() <= 0.55 * 12 * HOUR
    assert world.dispatcher.next_wake_at() == at
    hold_issues(world, gate)
    await world.dispatcher.request("ecr", "test", "test")

    assert world.dispatcher.next_wake_at("ecr") is None
    assert world.dispatcher.next_wake_at("nope") is None
    gate.set()


async def test_an_unwatched_source_is_rechecked(world: Any) -> None:
    """A source that cannot tell its revision is read every 5 minutes, also once the question was answered late."""
    vendor = world.add("ghcr", strategy=Strategy.READ)
    vendor.value, vendor.lifetime = "a-good-token", None
    await turn(world)
    assert world.dispatcher.next_wake_at() is None

    assert world.dispatcher.source_said("ghcr", None)
    assert world.dispatcher.next_wake_at() == world.clock.now() + timedelta(minutes=5)
    world.clock.advance(timedelta(minutes=5))
    await turn(world)

    assert world.ledger.last_rotation("ghcr").state is State.UNCHANGED
    assert not world.dispatcher.source_said("ghcr", None)


async def test_an_idle_turn_decides_nothing_anew(world: Any) -> None:
    """A turn over 1,000 idle credentials asks neither the store nor what is due: it knows since the turn before."""
    for number in range(1_000):
        world.credentials[f"c{number}"] = replace(world.credentials["c"], name=f"c{number}") if number else idle(world)
    now = world.clock.now()
    version = Version("c", 1, Stage.CURRENT, "8" * 16, "AWS", now, Expiry(now + 12 * HOUR))
    await world.ledger.commit(Changes(versions=[replace(version, credential=name) for name in world.credentials]))
    dispatcher: Dispatcher = world.dispatcher
    first, again = await calls_of(dispatcher.turn), await calls_of(dispatcher.turn)

    assert dispatcher.running == {}
    assert first["domain/due.py"] >= 1_000
    assert [module for module in again if module.startswith(("domain/", "store/", "sqlalchemy/"))] == []


async def calls_of(action: Callable[[], Awaitable[None]]) -> Counter[str]:
    """Return how often ``action`` called functions of each module, by the last two parts of its path."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            calls["/".join(Path(frame.f_code.co_filename).parts[-2:])] += 1

    sys.setprofile(note)
    try:
        await action()
    finally:
        sys.setprofile(None)
    return calls


def idle(world: Any) -> Any:
    """Return a credential named ``c`` and configure it."""
    world.add("c")
    return replace(world.credentials["c"], name="c0")


async def test_requests_that_come_together_are_one_rotation(world: Any, target: Callable[..., Any]) -> None:
    """I5: a hundred requests at once ask the source once, however soon the rotation ends that the first one started."""
    vendor = world.add("ghcr", target("prod", "web"), strategy=Strategy.READ)
    vendor.value = "the-token"
    await world.rotate("ghcr")
    asked = vendor.minted

    tickets = await asyncio.gather(*(world.dispatcher.request("ghcr", "please", "test") for _ in range(100)))
    await asyncio.gather(*(one.finished for one in tickets))

    assert len({one.rotation for one in tickets}) == 1
    assert [one.joined for one in tickets].count(False) == 1
    assert vendor.minted == asked + 1
