"""How things stand, gathered from the ledger: nothing is said that was not confirmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rotator.domain.model import Expiry
from rotator.domain.outage import Deadline
from rotator.domain.status import CredentialStatus, Health
from rotator.engine.places import place_status
from rotator.engine.status import SHOWN_BEHIND, credential_status
from rotator.engine.usage import usage_of
from rotator.errors import UnavailableError
from rotator.ports import Changes

HOUR = timedelta(hours=1)


def status(world: Any, name: str = "ecr") -> CredentialStatus:
    """Return how ``name`` stands."""
    return credential_status(world.credentials[name], world.ledger, world.rollout, world.clock.now())


async def test_before_the_first_rotation(world: Any, target: Callable[..., Any]) -> None:
    """A credential that was never issued is missing, with nothing planned and nothing confirmed."""
    world.add("ecr", target("prod", "web"))
    now = status(world)
    assert (now.health, now.current, now.pending, now.renewal_at, now.running, now.last) == (
        Health.MISSING,
        *[None] * 5,
    )
    (prod,) = now.targets
    assert (prod.confirmed, prod.placements, prod.expires_at, prod.confirmed_at, prod.error) == (0, 0, None, None, "")


async def test_in_use_and_confirmed(world: Any, target: Callable[..., Any]) -> None:
    """After a rotation the status names the version, its renewal, and what each target confirmed and when."""
    world.add("ecr", target("prod", "web", "api"))
    await world.rotate("ecr")
    now = status(world)
    (prod,) = now.targets
    assert (now.health, now.strategy, now.provider, now.registry) == (Health.OK, "ephemeral", "fake", "ecr.example.com")
    assert now.current is not None
    assert now.renewal_at == world.dispatcher.next_wake_at("ecr")
    assert (prod.confirmed, prod.placements, prod.behind, prod.in_sync) == (2, 2, (), True)
    assert (prod.expires_at, prod.confirmed_at) == (now.current.expiry.at, world.clock.now())


async def test_nothing_is_confirmed_before_anything_is_in_use(world: Any, target: Callable[..., Any]) -> None:
    """I7: a first version that no placement took is not in use, and no placement counts as confirmed."""
    prod = target("prod", "web")
    prod.faults["web"] = UnavailableError("down")
    world.add("ecr", prod)
    assert await world.rotate("ecr") == "failed"
    now = status(world)
    assert (now.health, now.message) == (Health.MISSING, "no version is in use yet after 1 failed attempt")
    assert (now.targets[0].confirmed, now.targets[0].placements, now.targets[0].confirmed_at) == (0, 1, None)
    assert now.pending is not None


async def test_what_is_behind_is_shown_oldest_first(world: Any, target: Callable[..., Any]) -> None:
    """Placements that have not confirmed are listed, the most outdated first, at most twenty, with what they hold."""
    prod = target("prod", "web", *(f"late-{number:02d}" for number in range(30)))
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    first = world.ledger.current("ecr").expiry
    prod.spots.append("never")
    prod.faults.update({spot: UnavailableError("down") for spot in prod.spots if spot != "web"})
    vendor.lifetime = 20 * HOUR
    assert await world.rotate("ecr") == "delivering"
    now = status(world)
    (held,) = now.targets
    assert now.health is Health.PARTIAL
    assert now.running is not None
    assert (held.confirmed, held.placements, len(held.behind)) == (1, 32, SHOWN_BEHIND)
    assert [one.placement for one in held.behind][:3] == ["never", "late-00", "late-01"]
    assert held.expires_at == first.at, "the earliest expiry of what the placements hold"


async def test_a_target_that_cannot_be_listed_says_why(world: Any, target: Callable[..., Any]) -> None:
    """I7: a target that does not answer is not in sync, whatever was confirmed before."""
    prod = target("prod", "web")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.list_fault = UnavailableError("cluster down")
    await world.rollout.reconcile(world.credentials["ecr"].targets[0])
    now = status(world)
    assert (now.health, now.targets[0].error, now.targets[0].in_sync) == (Health.PARTIAL, "cluster down", False)


async def test_an_expired_version_is_said_to_be_expired(world: Any, target: Callable[..., Any]) -> None:
    """What expired while the source was down is shown as expired, with the failures beside it."""
    vendor = world.add("ecr", target("prod", "web"))
    await world.rotate("ecr")
    vendor.fault = UnavailableError("down")
    world.clock.advance(13 * HOUR)
    await world.rotate("ecr")
    now = status(world)
    assert (now.health, now.record.failures) == (Health.EXPIRED, 1)
    assert now.last is not None
    assert now.last.error == "unavailable"
    assert now.current is not None
    assert now.current.expiry == Expiry(world.clock.now() - HOUR)


async def test_a_target_that_holds_what_expired_long_ago_is_the_deadline(
    world: Any, target: Callable[..., Any]
) -> None:
    """I1, I7: what a target that was not reached holds is known after two more rotations, and after a restart."""
    prod, edge = target("prod", "web"), target("edge", "node")
    world.add("ecr", prod, edge)
    await world.rotate("ecr")
    first = world.ledger.current("ecr").expiry.at
    edge.faults["node"] = UnavailableError("down")
    for _ in range(3):
        world.clock.advance(5 * HOUR)
        await world.rotate("ecr")
    assert [one.generation for one in world.ledger.live_versions("ecr") if one.generation == 1] == []

    for _ in range(2):
        now = status(world)
        assert now.outage_deadline == Deadline(first, "edge")
        held = usage_of(world.credentials["ecr"], world.ledger, world.rollout, (), world.clock.now()).holders[1]
        assert [one.at for one in held.expiries] == [first]
        assert held.others == ("node",), "another login than the one in use"
        (there,) = place_status(world.credentials["ecr"].targets[1], world.ledger, world.rollout).holdings
        assert there.expires_at == first
        await world.restart()

    del edge.faults["node"]
    await world.rotate("ecr")
    assert status(world).outage_deadline == Deadline(world.ledger.current("ecr").expiry.at, "prod")


async def test_what_is_held_is_known_however_many_versions_came_after(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """What was let go of is remembered as long as a placement holds it, and no longer."""
    world, edge = memory_world(), target("edge", "node")
    world.add("ecr", target("prod", "web"), edge)
    await world.rotate("ecr")
    edge.faults["node"] = UnavailableError("down")
    for _ in range(5):
        await world.rotate("ecr")

    assert [one.generation for one in world.ledger.versions_at("edge", "ecr")] == [1]
    assert len(world.ledger._bygone["ecr"]) == 1


async def test_what_the_registry_refuses_has_ended(world: Any, target: Callable[..., Any]) -> None:
    """I7: a target that holds a version that is refused is without a valid login since then, not at its expiry."""
    world.add("ecr", target("prod", "web"))
    await world.rotate("ecr")
    world.clock.advance(HOUR)
    refused = replace(world.ledger.current("ecr"), rejected_at=world.clock.now())
    await world.ledger.commit(Changes(versions=[refused]))

    assert status(world).outage_deadline == Deadline(world.clock.now(), "prod")
