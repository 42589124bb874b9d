"""Turns: an expensive target is written in its window and not too often, and never at the price of a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, time, timedelta
from typing import Any

import pytest

from rotator.config.rollout import RolloutConfig
from rotator.domain.model import DeliveryState, Strategy
from rotator.domain.place import PlaceState
from rotator.domain.rotation import State
from rotator.domain.status import Health
from rotator.domain.window import Timing, Window
from rotator.engine.places import place_status
from rotator.engine.status import credential_status
from rotator.engine.watch import Watch, Watched
from rotator.errors import UnavailableError

HOUR = timedelta(hours=1)
TWO = Window(time(2), time(4), UTC)
"""The manual clock begins at midnight."""


def limit(world: Any, target: Any, timing: Timing) -> None:
    """Have the placements of ``target`` written by these rules, for every credential that goes there."""
    for name, credential in world.credentials.items():
        targets = tuple(
            replace(one, timing=timing, budgets=dict.fromkeys(one.credentials, HOUR / 2)) if one.port is target else one
            for one in credential.targets
        )
        world.credentials[name] = replace(credential, targets=targets)


def delivery_target(world: Any, target: Any) -> Any:
    """Return the delivery target of ``target``."""
    return next(one for c in world.credentials.values() for one in c.targets if one.port is target)


async def windowed(world: Any, target: Any, timing: Timing, *others: Any, **options: Any) -> Any:
    """Rotate a first version in, good for 48 hours, to a target that is written by ``timing`` from now on."""
    vendor = world.add("ecr", target, *others, **options)
    vendor.lifetime = 48 * HOUR
    await world.rotate("ecr")
    limit(world, target, timing)
    return vendor


async def test_a_placement_waits_for_its_window(world: Any, target: Callable[..., Any]) -> None:
    """I1, I7: outside of its window it keeps what is good; the rotation stays open, and status says why."""
    edge, prod = target("edge", "form"), target("prod", "web")
    await windowed(world, edge, Timing(windows=(TWO,)), prod)

    assert await world.rotate("ecr") == "delivering"

    assert (edge.generations("ecr"), prod.generations("ecr")) == ({"form": 1}, {"web": 2})
    status = credential_status(world.credentials["ecr"], world.ledger, world.rollout, world.clock.now())
    message = "waits for its window, which opens at 2026-01-01 02:00 UTC"
    assert status.health is Health.PARTIAL
    assert [one.message for one in status.targets[0].behind] == [message]
    place = place_status(delivery_target(world, edge), world.ledger, world.rollout)
    assert (place.state, place.next_step) == (PlaceState.BEHIND, message)
    assert status.running is not None
    assert "1 wait for their turn" in status.running.message


async def test_it_is_written_when_the_window_opens(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """The reconciliation wakes for the window, writes there, and ends the rotation that waited."""
    world, edge = memory_world(), target("edge", "form")
    await windowed(world, edge, Timing(windows=(TWO,)))
    world.config = world.config.model_copy(update={"resync_interval": 24 * HOUR})
    await world.rotate("ecr")
    targets = [delivery_target(world, edge)]
    watched = Watched(world.credentials, targets, 24 * HOUR, world.config)
    watch = Watch(watched, world.ledger, world.rollout, world.rotator, world.surroundings)

    running = asyncio.create_task(watch.run(world.dispatcher, lambda: None))
    try:
        await passing(world, 2 * HOUR - timedelta(seconds=1))
        assert edge.generations("ecr") == {"form": 1}
        await passing(world, timedelta(seconds=1))
        assert edge.generations("ecr") == {"form": 2}
        assert world.ledger.open_rotation("ecr") is None
        assert world.ledger.last_rotation("ecr").state is State.SUCCEEDED
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_target_that_waits_alone_fails_no_rotation(world: Any, target: Callable[..., Any]) -> None:
    """Where every placement waits for its turn, the new version is in use and the rotation goes on delivering."""
    edge = target("edge", "form")
    await windowed(world, edge, Timing(windows=(TWO,)))

    assert await world.rotate("ecr") == "delivering"
    assert world.ledger.record("ecr").failures == 0
    assert world.ledger.current("ecr").generation == 2


async def test_the_old_version_is_not_ended_while_a_placement_waits_with_it(
    world: Any, target: Callable[..., Any]
) -> None:
    """I1: what a placement holds until its window is not ended at the vendor, however long that is."""
    edge = target("edge", "form")
    vendor = await windowed(world, edge, Timing(windows=(TWO,)), strategy=Strategy.CREATE_RETIRE, grace=HOUR / 60)
    await world.rotate("ecr")
    world.clock.advance(HOUR)

    await world.retirer.turn()
    assert vendor.ended == []

    world.clock.advance(HOUR)
    await world.rollout.reconcile(delivery_target(world, edge))
    await world.retirer.turn()
    assert vendor.ended == ["token-1"]


async def test_what_would_expire_before_goes_at_once(world: Any, target: Callable[..., Any]) -> None:
    """I1: what is held and would not outlast the window by the outage budget is replaced outside of the window."""
    edge = target("edge", "form")
    vendor = world.add("ecr", edge)
    vendor.lifetime = 2 * HOUR + HOUR / 4
    await world.rotate("ecr")
    limit(world, edge, Timing(windows=(TWO,)))

    assert await world.rotate("ecr") == "succeeded"
    assert edge.generations("ecr") == {"form": 2}


async def test_what_leaked_goes_at_once(world: Any, target: Callable[..., Any]) -> None:
    """A login that others know is replaced whatever the window says."""
    edge = target("edge", "form")
    await windowed(world, edge, Timing(windows=(TWO,)))

    await world.leaks.report("ecr", "seen in a log", "a test")
    await world.dispatcher._running["ecr"].task

    assert edge.generations("ecr") == {"form": 2}


async def test_a_new_placement_does_not_wait(world: Any, target: Callable[..., Any]) -> None:
    """What holds nothing yet gets its first login at once."""
    edge = target("edge", "form")
    await windowed(world, edge, Timing(windows=(TWO,)))
    edge.spots.append("new")

    await world.rollout.reconcile(delivery_target(world, edge))

    assert edge.generations("ecr") == {"form": 1, "new": 1}


async def test_what_comes_too_early_is_written_together(world: Any, target: Callable[..., Any]) -> None:
    """Two rotations within the shortest interval cost an expensive target one write, of the newer version."""
    edge = target("edge", "form")
    await windowed(world, edge, Timing(6 * HOUR))
    edge.applied.clear()
    ecr = delivery_target(world, edge)

    world.clock.advance(HOUR)
    await world.rotate("ecr")
    await world.rollout.reconcile(ecr)
    world.clock.advance(5 * HOUR - timedelta(seconds=1))
    await world.rollout.reconcile(ecr)
    assert edge.applied == []

    world.clock.advance(timedelta(seconds=1))
    await world.rollout.reconcile(ecr)
    assert edge.applied == [("form", (("ecr", 2),))]


async def test_a_neighbours_write_counts_and_brings_what_waits(world: Any, target: Callable[..., Any]) -> None:
    """A write for one credential counts for its placement, and carries the versions in use of all that wait there."""
    edge = target("edge", "form")
    for name in ("ecr", "ghcr"):
        world.add(name, edge).lifetime = 48 * HOUR
        await world.rotate(name)
    limit(world, edge, Timing(6 * HOUR))
    world.clock.advance(HOUR)
    assert await world.rotate("ecr") == "delivering"
    edge.applied.clear()

    await world.leaks.report("ghcr", "seen in a log", "a test")
    await world.dispatcher._running["ghcr"].task

    assert edge.applied == [("form", (("ecr", 2), ("ghcr", 2)))]
    assert world.ledger.held_at("edge", "form")["ecr"].confirmed_generation == 2


async def test_any_write_to_a_placement_counts(world: Any, target: Callable[..., Any]) -> None:
    """The shortest time is between writes to the placement, whichever credential they were for."""
    edge = target("edge", "form")
    for name in ("ecr", "ghcr"):
        world.add(name, edge).lifetime = 48 * HOUR
        await world.rotate(name)
    limit(world, edge, Timing(6 * HOUR))
    world.clock.advance(7 * HOUR)
    assert await world.rotate("ghcr") == "succeeded"
    world.clock.advance(HOUR)

    assert await world.rotate("ecr") == "delivering"


async def test_a_write_that_failed_in_the_window_waits_for_the_next(world: Any, target: Callable[..., Any]) -> None:
    """A failure shortly before the window closes is not tried again outside of it, and its reason stays visible."""
    edge = target("edge", "form")
    await windowed(world, edge, Timing(windows=(TWO,)), target("prod", "web"))
    world.clock.advance(4 * HOUR - timedelta(seconds=1))
    edge.faults["form"] = UnavailableError("busy")
    await world.rotate("ecr")
    assert world.ledger.held_at("edge", "form")["ecr"].state is DeliveryState.FAILED
    edge.faults.clear()
    world.clock.advance(HOUR)

    ecr = delivery_target(world, edge)
    await world.rollout.reconcile(ecr)

    assert edge.generations("ecr") == {"form": 1}
    (holding,) = place_status(ecr, world.ledger, world.rollout).holdings
    assert [one.message for one in holding.behind] == [
        "busy; waits for its window, which opens at 2026-01-02 02:00 UTC"
    ]


async def test_a_canary_that_waits_holds_the_others_back(world: Any, target: Callable[..., Any]) -> None:
    """Nobody gets a version before a named canary has it; while the canary waits, it is tried again, not taken back."""
    edge, prod = target("edge", "form"), target("prod", "web")
    rollout = RolloutConfig(canary=("edge",))
    await windowed(world, edge, Timing(windows=(TWO,)), prod, rollout=rollout)

    assert await world.rotate("ecr") == "failed"

    assert (edge.generations("ecr"), prod.generations("ecr")) == ({"form": 1}, {"web": 1})
    assert "its canary waits for its window" in world.ledger.last_rotation("ecr").message
    assert world.ledger.pending("ecr").generation == 2

    world.clock.advance(2 * HOUR)
    assert await world.rotate("ecr") == "succeeded"
    assert (edge.generations("ecr"), prod.generations("ecr")) == ({"form": 2}, {"web": 2})


@pytest.mark.parametrize("hours", [1, 3], ids=["too early", "in time"])
async def test_a_restart_keeps_the_wait(world: Any, target: Callable[..., Any], hours: int) -> None:
    """When a placement was last written is in the journal: a restart makes no write due earlier."""
    edge = target("edge", "form")
    await windowed(world, edge, Timing(3 * HOUR))
    await world.rotate("ecr")
    await world.restart()
    world.clock.advance(hours * HOUR)

    await world.rollout.reconcile(delivery_target(world, edge))

    assert edge.generations("ecr") == {"form": 1 if hours == 1 else 2}


async def idle(rounds: int = 150) -> None:
    """Let everything run that can run while the clock stands still."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def passing(world: Any, duration: timedelta) -> None:
    """Let ``duration`` pass, and whoever woke up do its work."""
    await idle()
    world.clock.advance(duration)
    await idle()
