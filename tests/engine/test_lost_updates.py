"""What one part of the engine writes is not undone by another that looked before and writes after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.due import Due
from rotator.domain.events import VersionEnded
from rotator.domain.model import Stage, Strategy

DAY = timedelta(days=1)


async def settle() -> None:
    """Let everything come to where it waits for something."""
    for _ in range(50):
        await asyncio.sleep(0)


async def leak_while_begun(world: Any, gate: Any, vendor: Any, due: Due) -> None:
    """Rotate for ``due``; a leak is reported meanwhile, whose commit lasts until the rotation has come to its own."""
    vendor.issuing.shut()
    ticket = await world.dispatcher.begin_planned("ghcr", due, "test")
    await vendor.issuing.reached.wait()
    gate.shut()
    leak = asyncio.create_task(world.leaks.report("ghcr", "in a public log", "ann"))
    await gate.reached.wait()
    vendor.issuing.open()
    await settle()
    gate.open()
    await leak
    await ticket.finished


@pytest.mark.parametrize("refused", [set(), {"token-1"}], ids=["still works", "is refused"])
async def test_a_leak_reported_while_the_source_is_found_unchanged_stays_reported(
    memory_world: Callable[..., Any], target: Callable[..., Any], gate: Any, refused: set[str]
) -> None:
    """A rotation that finds the value in use at the source again does not take back that it leaked."""
    world = memory_world(gate)
    vendor = world.add("ghcr", target("prod", "web"), strategy=Strategy.READ)
    vendor.value, vendor.source_revision, vendor.lifetime = "token-1", "1", None
    assert await world.rotate("ghcr") == "succeeded"
    vendor.refused = refused

    await leak_while_begun(world, gate, vendor, Due("ManuallyTriggered", "a test asks"))

    current = world.ledger.current("ghcr")
    assert current.leaked_at is not None
    assert world.store.kept["ghcr", 1] == current
    assert (current.rejected_at is not None) == bool(refused)


async def test_a_leak_reported_while_a_withdrawn_value_is_left_alone_stays_reported(
    memory_world: Callable[..., Any], target: Callable[..., Any], gate: Any
) -> None:
    """A rotation that does not take a withdrawn value again does not take back that the one in use leaked."""
    world, prod = memory_world(gate), target("prod", "web")
    vendor = world.add("ghcr", prod, strategy=Strategy.READ)
    vendor.value, vendor.source_revision, vendor.lifetime = "token-1", "1", None
    assert await world.rotate("ghcr") == "succeeded"
    vendor.value, vendor.source_revision, prod.finds_broken = "token-2", "2", {"token-2"}
    assert await world.rotate("ghcr") == "failed"
    await (await world.dispatcher.begin_planned("ghcr", Due("Withdrawn", "put it back"), "test")).finished
    assert world.ledger.current("ghcr").restores == 1

    await leak_while_begun(world, gate, vendor, Due("SourceChanged", "the source has news"))

    assert world.ledger.last_rotation("ghcr").message.startswith("the source still holds the value that was withdrawn")
    assert world.ledger.current("ghcr").leaked_at is not None
    assert world.store.kept["ghcr", 3].leaked_at is not None


async def let_go_of_while_ended(world: Any, prod: Any, vendor: Any) -> None:
    """Promote an eighth version, which lets go of the first while the vendor is told to end that one."""
    for _ in range(7):
        assert await world.rotate("gitlab") == "succeeded"
    world.clock.advance(2 * DAY)
    prod.gate = asyncio.Event()
    prod.entered.clear()
    rotating = asyncio.create_task(world.rotate("gitlab"))
    await prod.entered.wait()
    vendor.retiring.shut()
    turning = asyncio.create_task(world.retirer.turn())
    await vendor.retiring.reached.wait()
    prod.gate.set()
    assert await rotating == "succeeded"
    vendor.retiring.open()
    await turning


async def test_a_version_that_was_let_go_of_while_it_was_ended_stays_so(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """What a promotion let go of, and its secret with it, is not previous again once the vendor has ended it."""
    world, prod = memory_world(), target("prod", "web")
    vendor = world.add("gitlab", prod, strategy=Strategy.CREATE_RETIRE)
    vendor.lifetime = None
    await let_go_of_while_ended(world, prod, vendor)

    assert vendor.ended[0] == "token-1"
    assert world.store.kept["gitlab", 1].stage is Stage.RETIRED
    assert 1 not in {one.generation for one in world.ledger.live_versions("gitlab")}
    assert ("retire", "ended", 1) in {(one.action, one.outcome, one.generation) for one in world.store.audited}


async def test_an_old_version_without_its_secret_is_forgotten(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """An ended version whose secret is not there to be shown to the registry does not stay for ever."""
    world = memory_world()
    vendor = world.add("gitlab", target("prod", "web"), strategy=Strategy.CREATE_RETIRE)
    vendor.lifetime = None
    for _ in range(2):
        assert await world.rotate("gitlab") == "succeeded"
    world.clock.advance(2 * DAY)
    vendor.cannot_tell = True
    await world.retirer.turn()
    del world.store.secrets["gitlab", 1]
    world.clock.advance(DAY)
    await world.retirer.turn()

    kept = world.store.kept["gitlab", 1]
    assert (kept.stage, kept.dead_at) == (Stage.RETIRED, None), "nobody has seen it refused"
    assert [one.outcome for one in world.events if isinstance(one, VersionEnded)] == ["ended", "failed", "forgotten"]
