"""What one part of the engine writes is not undone by another that looked before and writes after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rotator.domain.due import Due
from rotator.domain.model import Strategy


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


@pytest.mark.parametrize("is_refused", [False, True], ids=["still works", "is refused"])
async def test_a_leak_reported_while_the_source_is_found_unchanged_stays_reported(
    memory_world: Callable[..., Any], target: Callable[..., Any], gate: Any, is_refused: bool
) -> None:
    """A rotation that finds the value in use at the source again does not take back that it leaked."""
    world = memory_world(gate)
    vendor = world.add("ghcr", target("prod", "web"), strategy=Strategy.READ)
    vendor.value, vendor.source_revision, vendor.lifetime = "token-1", "1", None
    assert await world.rotate("ghcr") == "succeeded"
    if is_refused:
        vendor.refused.add("token-1")

    await leak_while_begun(world, gate, vendor, Due("ManuallyTriggered", "a test asks"))

    current = world.ledger.current("ghcr")
    assert current.leaked_at is not None
    assert world.store.kept["ghcr", 1] == current
    assert (current.rejected_at is not None) == is_refused


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
