"""The ledger: memory and store agree, and a placement never has to hold less than it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.audit import AuditRecord
from rotator.domain.model import UNKNOWN, Delivery, DeliveryState, Record, Stage, Version
from rotator.domain.rotation import Rotation, State, Step, end
from rotator.engine.audit import AuditTrail
from rotator.engine.ledger import Ledger
from rotator.errors import NotFoundError, StoreError
from rotator.ports import Changes
from rotator.secret import Secret
from rotator.store.audit_file import AuditFile

AT = datetime(2026, 1, 1, tzinfo=UTC)


def version(generation: int, stage: Stage, name: str = "ecr") -> Version:
    """Return a version."""
    return Version(name, generation, stage, f"{generation:016x}", "AWS", AT, UNKNOWN)


def delivery(generation: int, name: str = "ecr", placement: str = "web", confirmed: int = 0) -> Delivery:
    """Return a delivery to target ``prod``."""
    state = DeliveryState.CONFIRMED if confirmed == generation else DeliveryState.INTENDED
    return Delivery("prod", placement, name, generation, state, AT, confirmed_generation=confirmed)


def rotation(number: int, state: State = State.RUNNING) -> Rotation:
    """Return a rotation of ``ecr``."""
    return Rotation(f"{number}", "ecr", "NeverIssued", "", Step.ISSUE, state, AT)


def picture(ledger: Ledger) -> object:
    """Return all that the ledger says."""
    return (
        ledger.record("ecr"),
        [ledger.version("ecr", stage) for stage in Stage],
        ledger.open_rotations(),
        ledger.last_rotation("ecr"),
        sorted(ledger.deliveries(), key=lambda one: one.placement),
        ledger.live_versions("ecr"),
    )


EVERYTHING = Changes(
    records=[Record("ecr", 3, failures=2)],
    versions=[version(1, Stage.PREVIOUS), version(2, Stage.CURRENT), version(3, Stage.PENDING)],
    secrets={("ecr", 3): Secret("the-third-secret")},
    rotations=[end(rotation(1), State.FAILED, "no", at=AT), rotation(2)],
    deliveries=[delivery(2, confirmed=2), delivery(3, placement="api", confirmed=2)],
)


async def test_what_was_committed_is_there_after_a_restart(world: Any) -> None:
    """A new ledger on the same store says the same; of the rotations it knows the open ones and the newest."""
    await world.ledger.commit(replace(EVERYTHING, rotations=[rotation(2)]))
    before = picture(world.ledger)
    await world.restart()
    assert picture(world.ledger) == before
    assert (await world.ledger.login(version(3, Stage.PENDING))).secret == Secret("the-third-secret")


@pytest.mark.parametrize("where", ["before a commit", "after a commit"])
async def test_a_store_that_fails_changes_no_memory(memory_world: Callable[..., Any], where: str) -> None:
    """What could not be written durably is not remembered."""
    full: list[bool] = []

    async def pause(point: str) -> None:
        if full and point == where:
            raise StoreError("the state: disk full")

    world = memory_world(pause)
    await world.ledger.commit(EVERYTHING)
    before = picture(world.ledger)
    full.append(True)

    with pytest.raises(StoreError, match="disk full"):
        await world.ledger.commit(
            Changes(
                records=[Record("ecr", 9)],
                versions=[version(3, Stage.CURRENT)],
                rotations=[end(rotation(2), State.SUCCEEDED, "yes", at=AT)],
                deliveries=[delivery(9, placement="new")],
                removed=[("prod", "web", "ecr")],
            )
        )
    assert picture(world.ledger) == before


@pytest.mark.parametrize("where", ["before a commit", "after a commit"])
@pytest.mark.parametrize("how", [StoreError("the state: no answer"), asyncio.CancelledError()], ids=["failed", "gone"])
async def test_a_commit_whose_answer_is_lost_leaves_memory_and_store_together(
    memory_world: Callable[..., Any], where: str, how: BaseException
) -> None:
    """Whether the store took it or not: the next change is built from what the store holds, and nothing is in doubt."""
    lost: list[BaseException] = []

    async def pause(point: str) -> None:
        if lost and point == where:
            raise lost.pop()

    world = memory_world(pause)
    await world.ledger.commit(EVERYTHING)
    world.ledger.note(replace(version(2, Stage.CURRENT), verified_at=AT))
    lost.append(how)
    with pytest.raises(type(how)):
        await world.ledger.commit(
            Changes(
                records=[Record("ecr", 9)],
                versions=[version(1, Stage.RETIRED), version(2, Stage.PREVIOUS), version(3, Stage.CURRENT)],
                rotations=[end(rotation(2), State.SUCCEEDED, "yes", at=AT)],
                deliveries=[delivery(9, placement="new")],
                removed=[("prod", "web", "ecr")],
            )
        )
    seen: list[object] = []

    def build() -> Changes:
        seen.append(picture(world.ledger))
        return Changes()

    await world.ledger.amend(build)
    fresh = Ledger(world.store)
    await fresh.load()
    assert seen == [picture(fresh)]
    assert world.ledger.record("ecr").generation == (3 if where == "before a commit" else 9)
    world.ledger.note(replace(version(3, Stage.CURRENT), verified_at=AT))
    await world.ledger.clear_doubt()
    assert world.ledger.current("ecr").verified_at == AT, "without doubt nothing is read anew"


async def test_nothing_is_built_while_the_memory_is_in_doubt(memory_world: Callable[..., Any]) -> None:
    """A store that cannot be read after a commit that failed takes no change; nothing is built from what is stale."""
    world = memory_world()
    await world.ledger.commit(EVERYTHING)
    before, world.store.fault = picture(world.ledger), StoreError("the state: no answer")
    with pytest.raises(StoreError):
        await world.ledger.commit(Changes(records=[Record("ecr", 9)]))
    built: list[bool] = []

    def build() -> Changes:
        built.append(True)
        return Changes()

    with pytest.raises(StoreError):
        await world.ledger.amend(build)
    with pytest.raises(StoreError):
        await world.ledger.clear_doubt()

    assert built == []
    assert picture(world.ledger) == before, "what was known is known still"


async def test_a_commit_that_was_begun_is_remembered_though_its_caller_is_gone(
    memory_world: Callable[..., Any],
) -> None:
    """Memory and store agree when a caller is cancelled in the middle of a commit; the cancellation comes after it."""
    gate, begun = asyncio.Event(), asyncio.Event()

    async def pause(where: str) -> None:
        begun.set()
        if where == "before a commit":
            await gate.wait()

    world = memory_world(pause)
    committing = asyncio.create_task(world.ledger.commit(EVERYTHING))
    await begun.wait()
    committing.cancel()
    await asyncio.sleep(0)
    assert not committing.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await committing

    assert world.ledger.current("ecr") == version(2, Stage.CURRENT)
    assert world.store.records == {"ecr": Record("ecr", 3, failures=2)}


async def test_an_amendment_sees_what_was_committed_before_it(memory_world: Callable[..., Any]) -> None:
    """A change built from memory is built after every earlier commit is in it, so that no update is lost."""

    async def pause(_where: str) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    world = memory_world(pause)
    ledger = world.ledger

    def one_more() -> Changes:
        record = ledger.record("ecr")
        return Changes(records=[replace(record, failures=record.failures + 1)])

    await asyncio.gather(*(ledger.amend(one_more) for _ in range(20)))

    assert ledger.record("ecr").failures == 20
    assert world.store.records["ecr"].failures == 20


async def test_what_was_never_seen_is_blank(world: Any) -> None:
    """Of an unknown credential there is a blank record, and nothing else."""
    assert world.ledger.record("nope") == Record("nope")
    assert world.ledger.current("nope") is None
    assert world.ledger.open_rotation("nope") is None
    assert world.ledger.wanted_at("prod", "web", "nope") is None
    assert world.ledger.newest_begun("nope") == 0
    assert list(world.ledger.deliveries_of("prod", "nope")) == []
    assert dict(world.ledger.held_at("prod", "web")) == {}
    with pytest.raises(NotFoundError):
        await world.ledger.login(version(1, Stage.CURRENT))


@pytest.mark.parametrize(
    ("stages", "begun", "wanted"),
    [
        ([Stage.CURRENT], None, 1),
        ([Stage.CURRENT], 1, 1),
        ([Stage.CURRENT, Stage.PENDING], None, 1),
        ([Stage.CURRENT, Stage.PENDING], 1, 1),
        ([Stage.CURRENT, Stage.PENDING], 2, 2),
        ([Stage.CURRENT, Stage.PREVIOUS], 2, 2),
        ([Stage.CURRENT, Stage.PREVIOUS, Stage.PENDING], 2, 2),
        ([Stage.CURRENT, Stage.PREVIOUS, Stage.PENDING], 3, 3),
        ([Stage.CURRENT, Stage.ABANDONED], 2, 1),
        ([Stage.CURRENT], 9, 1),
        ([Stage.PREVIOUS, Stage.CURRENT], 1, 2),
        ([Stage.PENDING], 1, 1),
        ([Stage.PENDING], None, None),
        ([], 1, None),
    ],
    ids=[
        "nothing delivered",
        "delivered",
        "a pending one not begun here",
        "a pending one begun elsewhere",
        "a pending one begun here",
        "one given up after it came here",
        "and another one pending",
        "which came here as well",
        "one abandoned: its secret is gone",
        "one from a state that is lost",
        "behind",
        "a first one begun here",
        "a first one not begun here",
        "no version at all",
    ],
)
async def test_wanted_at(world: Any, stages: list[Stage], begun: int | None, wanted: int | None) -> None:
    """I3: a placement must hold the current version, or a newer one whose delivery there began."""
    versions = [version(number, stage) for number, stage in enumerate(stages, start=1)]
    deliveries = [] if begun is None else [delivery(begun)]
    await world.ledger.commit(Changes(versions=versions, deliveries=[*deliveries, delivery(1, "ecr", "api")]))

    found = world.ledger.wanted_at("prod", "web", "ecr")

    assert (found.generation if found else None) == wanted


async def test_newest_begun(world: Any) -> None:
    """The newest begun generation is that of any placement of any target, for one credential only."""
    await world.ledger.commit(
        Changes(deliveries=[delivery(2), delivery(5, placement="api"), delivery(9, "ghcr"), delivery(1, placement="x")])
    )
    assert world.ledger.newest_begun("ecr") == 5


async def test_what_was_retired_is_forgotten(world: Any) -> None:
    """Memory holds what is live; a retired or abandoned version goes once a newer one is there."""
    ledger = world.ledger
    await ledger.commit(Changes(versions=[version(1, Stage.CURRENT), version(2, Stage.PENDING)]))
    await ledger.commit(Changes(versions=[version(2, Stage.ABANDONED)]))
    assert ledger.version("ecr", Stage.ABANDONED) == version(2, Stage.ABANDONED)
    await ledger.commit(Changes(versions=[version(1, Stage.RETIRED), version(3, Stage.CURRENT)]))

    assert ledger.live_versions("ecr") == [version(3, Stage.CURRENT)]
    assert [ledger.version("ecr", stage) for stage in (Stage.RETIRED, Stage.ABANDONED)] == [None, None]


async def test_rotations_open_and_close(world: Any) -> None:
    """An open rotation is known until it ends; ending one that was overtaken leaves the newer one open."""
    ledger = world.ledger
    await ledger.commit(Changes(rotations=[rotation(1)]))
    await ledger.commit(Changes(rotations=[rotation(2)]))
    await ledger.commit(Changes(rotations=[end(rotation(1), State.ABANDONED, "overtaken", at=AT)]))
    assert ledger.open_rotation("ecr") == rotation(2)
    assert ledger.last_rotation("ecr").state is State.ABANDONED
    await ledger.commit(Changes(rotations=[end(rotation(2), State.DELIVERING, "some wait", at=AT)]))
    assert ledger.open_rotation("ecr").state is State.DELIVERING


async def test_removed_deliveries_are_gone(world: Any) -> None:
    """A delivery is forgotten alone; a placement without deliveries is forgotten with its last one."""
    ledger = world.ledger
    await ledger.commit(Changes(deliveries=[delivery(1), delivery(1, "ghcr"), delivery(1, placement="api")]))
    await ledger.commit(Changes(removed=[("prod", "web", "ecr"), ("prod", "never", "ecr")]))
    assert list(ledger.held_at("prod", "web")) == ["ghcr"]
    await ledger.commit(Changes(removed=[("prod", "web", "ghcr")]))
    assert ledger.placements("prod") == ["api"]
    assert len((await world.store.load()).deliveries) == 1


async def test_nothing_is_journalled_without_the_second_copy_of_the_audit(world: Any) -> None:
    """Where the copy cannot be written and that stops, neither the store nor the memory takes the change."""
    ledger = Ledger(world.store, AuditTrail(AuditFile(Path("/dev/full"))))
    told = AuditRecord(world.clock.now(), "uid 0", "rotate", "new", "intent")
    with pytest.raises(StoreError, match="cannot be written"):
        await ledger.commit(Changes(records=[Record("new", generation=3)], audit=[told]))
    assert ledger.record("new").generation == 0
    assert "new" not in {one.name for one in (await world.store.load()).records}
    assert await world.store.newest_audit(1) == []

    lenient = Ledger(world.store, AuditTrail(AuditFile(Path("/dev/full")), "continue"))
    await lenient.commit(Changes(records=[Record("new", generation=3)], audit=[told]))
    assert (await world.store.newest_audit(1))[0].record == told
