"""The answer to one commit is lost, whichever it is: nothing is stuck, and the memory agrees with the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.model import Strategy
from rotator.domain.rotation import ENDED
from rotator.engine.ledger import Ledger
from rotator.engine.watch import Watch, Watched
from rotator.errors import StoreError

MOST = 60
"""More commits than any scene has; reaching it means that something never ends."""


async def settle() -> None:
    """Let everything that runs come to its end."""
    for _ in range(150):
        await asyncio.sleep(0)


async def rotate(world: Any, prod: Any) -> None:
    """Bring a third version into use."""
    del prod
    await world.rotate("one")


async def leak(world: Any, prod: Any) -> None:
    """Report that the secret in use is known to others."""
    del prod
    await world.leaks.report("one", "in a public log", "ann")


async def roll_back(world: Any, prod: Any) -> None:
    """Put the first version back."""
    del prod
    await (await world.dispatcher.restore("one", 1, "put it back", "ann")).finished


async def halt(world: Any, prod: Any) -> None:
    """Have a placement say that the third version does not work."""
    prod.finds_broken = {"secret-number-0003"}
    await world.rotate("one")


SCENES: dict[str, Callable[[Any, Any], Awaitable[None]]] = {
    "a rotation": rotate,
    "a leak": leak,
    "a rollback": roll_back,
    "a halt": halt,
}


async def live(world: Any, rounds: int) -> None:
    """Do what the daemon does by itself, for a while."""
    targets = list(world.credentials["one"].targets)
    watched = Watched(world.credentials, targets, timedelta(seconds=30), world.config)
    watch = Watch(watched, world.ledger, world.rollout, world.rotator, world.surroundings)
    for _ in range(rounds):
        world.clock.advance(timedelta(minutes=6))
        await world.dispatcher.turn()
        await settle()
        for target in targets:
            with suppress(StoreError):
                await watch.keep(target)
        await world.retirer.turn()
        await settle()


def picture(ledger: Ledger) -> object:
    """Return what a ledger holds that lives; when something was seen last is not always written."""
    versions = [
        (one.generation, one.stage, one.leaked_at, one.ended_at, one.withdrawn_at)
        for one in ledger.live_versions("one")
        if one.stage.value in {"pending", "current", "previous"}
    ]
    places = [
        (one.placement, one.generation, one.state, one.confirmed_generation)
        for one in ledger.deliveries_of("prod", "one")
    ]
    return ledger.record("one").generation, sorted(versions), ledger.open_rotations(), sorted(places)


async def lose_answer(world: Any, prod: Any, lost: list[bool], act: Callable[[Any, Any], Awaitable[None]]) -> bool:
    """Play a scene from its beginning to long after its end; return whether there was an answer to lose."""
    world.add("one", prod, strategy=Strategy.CREATE_RETIRE)
    for _ in range(2):
        assert await world.rotate("one") == "succeeded"
    lost.append(True)
    with suppress(StoreError):
        await act(world, prod)
    await live(world, 5)
    has_lost = not lost
    lost.clear()
    await live(world, 3)
    return has_lost


@pytest.mark.parametrize("where", [pytest.param("before a commit", marks=pytest.mark.soak), "after a commit"])
@pytest.mark.parametrize("scene", SCENES)
async def test_one_lost_answer_leaves_memory_and_store_together(
    memory_world: Callable[..., Any], target: Callable[..., Any], scene: str, where: str
) -> None:
    """F-02: whether the store took the change or not, all goes on by itself, and no rotation stays open anywhere."""
    for number in range(1, MOST):
        lost: list[bool] = []
        count = iter(range(1, number + 1))

        async def pause(point: str, lost: list[bool] = lost, count: Any = count, number: int = number) -> None:
            if lost and point == where and next(count) == number:
                lost.clear()
                raise StoreError("the state: no answer within 30 s")

        world, prod = memory_world(pause), target("prod", "web", "api")
        if not await lose_answer(world, prod, lost, SCENES[scene]):
            return
        fresh = Ledger(world.store)
        await fresh.load()
        current = world.ledger.current("one")
        assert picture(world.ledger) == picture(fresh), f"commit {number}"
        assert [one.id for one in world.store.journal.values() if one.state not in ENDED] == []
        assert set(prod.generations("one").values()) == {current.generation}, f"commit {number}"
        unsealed = {one.generation for one in fresh.live_versions("one")} - {one for _, one in world.store.secrets}
        assert unsealed == set(), f"commit {number}"
    pytest.fail("the scene never ends")
