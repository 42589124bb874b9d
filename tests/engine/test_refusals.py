"""What policy refuses is never written, is shown, and blocks nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rotator.domain.events import DeliveryRefused
from rotator.domain.policy import Renewal
from rotator.engine.places import try_target
from rotator.engine.status import credential_status

HOUR = timedelta(hours=1)


def restrict(world: Any, credential: str, *namespaces: str) -> None:
    """Let policy allow ``credential`` in ``namespaces`` only, in every target of every credential."""
    for name, one in world.credentials.items():
        targets = [replace(target, only_in={**target.only_in, credential: namespaces}) for target in one.targets]
        world.credentials[name] = replace(one, targets=tuple(targets))


async def test_a_refused_placement_gets_nothing(world: Any, target: Callable[..., Any]) -> None:
    """A namespace that came at run time and that policy does not allow gets nothing, and no rotation waits for it."""
    cluster = target("prod", "web-1/pull", "evil/pull")
    world.add("ecr", cluster)
    restrict(world, "ecr", "web-*")

    assert await world.rotate("ecr") == "succeeded"

    assert list(cluster.held) == ["web-1/pull"]
    told = [event for event in world.events if isinstance(event, DeliveryRefused)]
    why = "policy allows it in namespaces web-* only"
    assert told == [DeliveryRefused("prod", "fake", "evil/pull", "ecr", why)]
    status = credential_status(world.credentials["ecr"], world.ledger, world.rollout, world.clock.now())
    (seen,) = status.targets
    assert (seen.confirmed, seen.placements, seen.refused) == (1, 1, ("evil/pull",))
    assert status.message.endswith("policy keeps it from 1 placement")


async def test_neighbours_of_a_refused_credential_are_served(world: Any, target: Callable[..., Any]) -> None:
    """I2: a placement gets the credentials that may be there, whoever of them is rotated, and never the others."""
    cluster = target("prod", "a/pull", "b/pull")
    world.add("one", cluster)
    world.add("two", cluster)
    restrict(world, "one", "a")
    restrict(world, "two", "b")

    assert [await world.rotate(name) for name in ("one", "two", "one")] == ["succeeded"] * 3
    await world.rollout.reconcile(world.credentials["one"].targets[0])

    assert cluster.generations("one") == {"a/pull": 2}
    assert cluster.generations("two") == {"b/pull": 1}
    written = {(placement, name) for placement, entries in cluster.applied for name, _ in entries}
    assert written == {("a/pull", "one"), ("b/pull", "two")}


async def test_a_policy_that_came_later_is_not_waited_for(world: Any, target: Callable[..., Any]) -> None:
    """What was delivered before policy refused it no longer counts as a placement; nothing is written there again."""
    cluster = target("prod", "a/pull", "b/pull")
    world.add("ecr", cluster)
    await world.rotate("ecr")
    restrict(world, "ecr", "a")

    assert await world.rotate("ecr") == "succeeded"

    assert cluster.generations("ecr") == {"a/pull": 2, "b/pull": 1}
    assert [one.placement for one in world.ledger.deliveries()] == ["a/pull"]


async def test_what_is_refused_is_told_once(world: Any, target: Callable[..., Any]) -> None:
    """Looking at the placements again does not fill the log."""
    world.add("ecr", target("prod", "evil/pull"))
    restrict(world, "ecr", "web-*")

    for _ in range(3):
        await world.rollout.reconcile(world.credentials["ecr"].targets[0])

    assert sum(isinstance(event, DeliveryRefused) for event in world.events) == 1


async def test_a_trial_does_not_look_for_what_is_refused(world: Any, target: Callable[..., Any]) -> None:
    """Reading a placement by hand asks for nothing that may not be there."""
    world.add("ecr", target("prod", "evil/pull"))
    await world.rotate("ecr")
    restrict(world, "ecr", "web-*")

    (trial,) = await try_target(world.credentials["ecr"].targets[0], world.ledger)

    assert trial.message == "not read: there is no login yet to look for"


async def test_the_floor_holds_renewal_back_and_nothing_else(world: Any, target: Callable[..., Any]) -> None:
    """With a floor, renewal by schedule waits for it even beyond the expiry; a person and a refusal do not."""
    vendor = world.add("ecr", target("prod", "web"))
    vendor.lifetime = timedelta(minutes=5)
    world.credentials["ecr"] = replace(
        world.credentials["ecr"], limits=Renewal(not_more_often_than=timedelta(minutes=10))
    )
    await world.rotate("ecr")
    started = world.clock.now()

    assert world.dispatcher.next_wake_at("ecr") == started + timedelta(minutes=10)
    assert await world.rotate("ecr") == "succeeded"
    current = world.ledger.current("ecr")
    refused = replace(current, rejected_at=world.clock.now())
    world.ledger.note(refused)
    due = world.dispatcher.prospect("ecr").due
    assert due is not None
    assert due.reason == "Rejected"


async def test_ceilings_go_before_what_a_credential_says(world: Any, target: Callable[..., Any]) -> None:
    """A ceiling of age and a floor before the expiry hold where the credential's own options say less or nothing."""
    world.add("ecr", target("prod", "web"), max_age=30 * HOUR)
    world.credentials["ecr"] = replace(
        world.credentials["ecr"], limits=Renewal(at_least_before=2 * HOUR, at_most_age=3 * HOUR)
    )
    rule = world.credentials["ecr"].rule
    assert (rule.outage_budget, rule.max_age) == (2 * HOUR, 3 * HOUR)
    await world.rotate("ecr")
    assert world.dispatcher.next_wake_at("ecr") == world.clock.now() + 3 * HOUR
