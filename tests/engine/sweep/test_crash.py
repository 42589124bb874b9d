"""A crash at any point of whatever the engine does: what was half-done is finished or abandoned, nothing is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from rotator.domain.model import Strategy
from rotator.errors import NotFoundError, PermanentError, UnavailableError

Stage = Callable[..., Any]
Act = Callable[[], Coroutine[Any, Any, None]]

NAMES = ("ecr", "ghcr", "gitlab", "quay", "harbor")
LONGEST_SCENE = 600
"""More interactions than any one scene has; reaching it means that something never ends."""

SHARE = 6
"""`make test` crashes at every sixth point of each scene, each scene from another one on; `make soak` at all."""


async def renew(scene: Any, name: str) -> Act:
    """Have a version replaced: by time, by its source, or by a person."""
    await scene.settle()
    if scene.vendors[name].strategy is Strategy.EPHEMERAL:
        scene.pass_time(timedelta(hours=7))
        return scene.live  # type: ignore[no-any-return]
    if scene.vendors[name].strategy is Strategy.READ:
        scene.source_changes(name)
        return scene.live  # type: ignore[no-any-return]
    return await by_hand(scene, name)


async def by_hand(scene: Any, name: str) -> Act:
    """Have a person ask."""

    async def act() -> None:
        scene.prompt(name)
        await scene.world.dispatcher.request(name, "a person asks", "test")
        await scene.live()

    return act


async def first(scene: Any, name: str) -> Act:
    """Have the first versions made."""
    del name
    return scene.live  # type: ignore[no-any-return]


async def roll_back(scene: Any, name: str) -> Act:
    """Have a person put the version before back."""
    await (await renew(scene, name))()
    await scene.settle()

    async def act() -> None:
        try:
            await scene.world.dispatcher.restore(name, None, "a person asks", "test")
        except (NotFoundError, PermanentError):
            assert name == "harbor", "only a slot that was overwritten cannot be put back"
        await scene.live()

    return act


async def halt(scene: Any, name: str) -> Act:
    """Have a placement say that the new version does not work, and the version before restored."""
    act = await renew(scene, name)
    for target in scene.targets:
        target.finds_broken = {scene.next_secret(name)}
    return act


async def leak(scene: Any, name: str) -> Act:
    """Have a secret replaced that others know."""
    await scene.settle()

    async def act() -> None:
        scene.prompt(name)
        await scene.report_leak(name)
        if scene.vendors[name].strategy is Strategy.READ:
            scene.source_changes(name)
        await scene.live()

    return act


async def retire(scene: Any, name: str) -> Act:
    """Have an old version ended after its grace."""
    await (await renew(scene, name))()
    await scene.settle()
    scene.pass_time(timedelta(hours=25))
    return scene.live  # type: ignore[no-any-return]


async def wait_for_a_straggler(scene: Any, name: str) -> Act:
    """Have a placement down for longer than the grace of the version that it holds, and one more version asked for."""
    act = await renew(scene, name)
    scene.prod.faults["other"] = UnavailableError("down")
    await act()
    for _ in range(3):
        scene.pass_time(timedelta(hours=9))
        await scene.live()
    scene.check()
    return await by_hand(scene, name)


async def suffer_an_outage(scene: Any, name: str) -> Act:
    """Have a version refused while its vendor is down, for a minute of seconds: it is not asked each second."""
    await scene.settle()
    vendor, current = scene.vendors[name], scene.world.ledger.current(name)
    vendor.refused.add(scene.world.store.secrets[name, current.generation].reveal())
    vendor.fault = UnavailableError("down")
    await scene.live()
    for _ in range(60):
        scene.pass_time(timedelta(seconds=1))
        await scene.world.dispatcher.turn()
        await scene.quiet()
    scene.check()
    return scene.live  # type: ignore[no-any-return]


SCENES: dict[str, Callable[[Any, str], Awaitable[Act]]] = {
    "first": first,
    "renewal": renew,
    "rollback": roll_back,
    "halt": halt,
    "leak": leak,
    "retirement": retire,
    "outage": suffer_an_outage,
    "straggler": wait_for_a_straggler,
}


async def crash_at(stage: Stage, scenario: str, name: str, number: int) -> tuple[bool, int]:
    """Play a scene with a crash at interaction ``number``, see that all comes right.

    Returns:
        Whether the scene came so far, and how many versions the vendor made from its beginning to the end.
    """
    scene = stage(name, "ghcr" if name == "ecr" else "ecr")
    act = await SCENES[scenario](scene, name)
    minted = scene.vendors[name].minted
    scene.crash_at = scene.count + number
    await scene.until_crash(act)
    await scene.quiet()
    has_crashed = scene.down.is_set()
    await scene.settle()
    scene.check_settled()
    await scene.world.dispatcher.stop(grace=0)
    return has_crashed, scene.vendors[name].minted - minted


async def sweep(stage: Stage, scenario: str, name: str, step: int) -> int:
    """Crash at every ``step``-th interaction of a scene; return at how many."""
    begin = 1 + (NAMES.index(name) + list(SCENES).index(scenario)) % step
    made: dict[int, int] = {}
    for number in range(begin, LONGEST_SCENE, step):
        has_crashed, minted = await crash_at(stage, scenario, name, number)
        if not has_crashed:  # it was played to its end: what it makes without a crash is known now
            assert {at: one for at, one in made.items() if one > minted + 1} == {}
            return len(made)
        made[number] = minted
    pytest.fail("the scene never ends")


@pytest.mark.parametrize("scenario", SCENES)
@pytest.mark.parametrize("name", NAMES)
async def test_a_crash_at_some_points(stage: Stage, scenario: str, name: str) -> None:
    """F-01..F-04: wherever the daemon dies, it converges after its restart, with at most one more mint for it."""
    assert await sweep(stage, scenario, name, SHARE) > 0


@pytest.mark.soak
@pytest.mark.parametrize("scenario", SCENES)
@pytest.mark.parametrize("name", NAMES)
async def test_a_crash_at_every_point(
    stage: Stage, scenario: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """F-01..F-04: as above, at every interaction with the world outside."""
    points = await sweep(stage, scenario, name, 1)
    assert points > 0
    with capsys.disabled():
        print(f"\n{name}, {scenario}: {points} crashes, 0 violations")


@pytest.mark.parametrize("seed", range(15))
async def test_a_crash_while_recovering(stage: Stage, seed: int) -> None:
    """F-06: a crash during the recovery from a crash, several times over, is recovered from as well."""
    random = Random(seed)
    name = NAMES[seed % len(NAMES)]
    scene = stage(name, "ghcr" if name == "ecr" else "ecr")
    act = await renew(scene, name)
    minted = scene.vendors[name].minted

    async def recover_and_act() -> None:
        await scene.recover()
        await act()

    for _ in range(6):
        if scene.down.is_set():
            await scene.revive()
        scene.crash_at = scene.count + random.randint(1, 40)
        await scene.until_crash(recover_and_act)

    await scene.settle()
    scene.check_settled()
    assert scene.vendors[name].minted - minted <= scene.crashes + 1
    await scene.world.dispatcher.stop(grace=0)
