"""A target that is taken out of the configuration while it is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rotator.engine.recover import recover


async def test_a_removed_target_is_drained_first(world: Any, target: Callable[..., Any]) -> None:
    """A reload lets a write that is under way come to its end; only then is the target forgotten, and left alone."""
    prod, edge = target("prod", "web"), target("edge", "node")
    world.add("ecr", prod, edge)
    await world.rotate("ecr")
    edge.gate = asyncio.Event()
    edge.entered.clear()
    rotating = asyncio.create_task(world.rotate("ecr"))
    await edge.entered.wait()

    stopping = asyncio.create_task(world.dispatcher.stop(grace=5))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not stopping.done()
    edge.gate.set()
    await asyncio.gather(stopping, rotating, return_exceptions=True)
    assert edge.generations("ecr") == {"node": 2}

    credential = world.credentials["ecr"]
    world.credentials["ecr"] = replace(credential, targets=credential.targets[:1])
    await world.restart()
    edge.applied.clear()
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)

    assert list(world.ledger.placements("edge")) == []
    assert await world.rotate("ecr") == "succeeded"
    assert (prod.generations("ecr"), edge.applied) == ({"web": 3}, [])
