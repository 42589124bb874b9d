"""Vendors are asked about the versions in use, and what they tell is kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.config.image import Image
from rotator.domain.events import Crashed, StoreFailed, VersionInspected
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Strategy
from rotator.engine.inspect import Inspector
from rotator.errors import StoreError, UnavailableError
from rotator.ports import Changes

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def begin(world: Any) -> Inspector:
    """Return what asks about the credentials of ``world``, as after a start."""
    return Inspector(world.credentials, world.ledger, world.surroundings, DAY)


async def used(world: Any, name: str = "hub", strategy: Strategy = Strategy.READ, **options: Any) -> Any:
    """Return the vendor of a credential whose first version is in use, and does not tell when it ends."""
    vendor = world.add(name, strategy=strategy, **options)
    vendor.lifetime, vendor.identity = None, name
    assert await world.rotate(name) == "succeeded"
    return vendor


def told(world: Any) -> list[VersionInspected]:
    """Return what was told of inspections."""
    return [event for event in world.events if isinstance(event, VersionInspected)]


async def test_what_is_told_is_kept_over_a_restart(world: Any) -> None:
    """Expiry, scopes and principal are the vendor's word, in memory and in the store."""
    vendor = await used(world)
    expiry = Expiry(world.clock.now() + DAY)
    vendor.told = Inspection(expiry, frozenset({"repo:read"}), "acme")
    assert await begin(world).poll() is True
    await world.restart()
    version = world.ledger.current("hub")
    assert (version.expiry, version.scopes, version.principal) == (expiry, {"repo:read"}, "acme")


async def test_an_expiry_that_becomes_known_makes_a_rotation_due(world: Any) -> None:
    """A version without a known end is not due; once its end is known and near, it is."""
    vendor = await used(world, strategy=Strategy.EPHEMERAL)
    assert world.dispatcher.next_wake_at("hub") is None
    vendor.told = Inspection(Expiry(world.clock.now() + HOUR))
    assert await begin(world).poll() is True
    due_at = world.dispatcher.next_wake_at("hub")
    assert due_at is not None
    assert due_at < world.clock.now() + HOUR


@pytest.mark.parametrize("known", [Expiry, lambda _: NEVER], ids=["known", "never"])
async def test_a_vendor_that_cannot_be_asked_takes_nothing_away(world: Any, known: Any) -> None:
    """After an answer that says nothing, expiry and scopes are what they were, and nothing is due."""
    vendor = await used(world)
    vendor.told = Inspection(known(world.clock.now() + DAY), frozenset({"repo:write"}), "acme")
    inspector = begin(world)
    await inspector.poll()
    before = world.ledger.current("hub")
    vendor.told = NOTHING_KNOWN
    world.clock.advance(DAY)
    assert await inspector.poll() is False
    assert (len(vendor.inspected), world.ledger.current("hub")) == (2, before)
    assert told(world)[-1].is_news is False


async def test_a_version_is_asked_about_once_an_interval(world: Any) -> None:
    """After a start it is asked about, then when the interval has passed, and at once when a new one is in use."""
    vendor = await used(world)
    inspector = begin(world)
    for step, asked in ((timedelta(), 1), (timedelta(hours=22), 1), (timedelta(hours=2), 2), (timedelta(), 2)):
        world.clock.advance(step)
        await inspector.poll()
        assert len(vendor.inspected) == asked
    vendor.value = "another-login-0002"
    await world.rotate("hub")
    await inspector.poll()
    assert vendor.inspected[-1] == "another-login-0002"


async def test_a_new_version_is_asked_about_without_waiting(world: Any) -> None:
    """Whoever waits for the next look is woken by a promotion; what is due is looked at anew when an end is known."""
    vendor = world.add("hub")
    vendor.lifetime = None
    inspector, woken = begin(world), asyncio.Event()
    vendor.told = Inspection(Expiry(world.clock.now() + HOUR))
    running = asyncio.create_task(inspector.run(woken.set))
    await asyncio.sleep(0)
    await world.rotate("hub")
    promoted = [event for event in world.events if type(event).__name__ == "VersionPromoted"]
    inspector(promoted[0])
    async with asyncio.timeout(10):
        await woken.wait()
    running.cancel()


async def test_a_refused_login_is_not_shown_for_this(world: Any) -> None:
    """What the registry refuses could lock an account; nobody is asked with it."""
    vendor = await used(world)
    version = world.ledger.current("hub")
    await world.ledger.commit(Changes(versions=[replace(version, rejected_at=world.clock.now())]))
    await begin(world).poll()
    assert vendor.inspected == []


async def test_before_anything_is_in_use_nobody_is_asked(world: Any) -> None:
    """Without a version nothing is asked and nothing judged."""
    vendor = world.add("hub")
    inspector = begin(world)
    assert await inspector.poll() is False
    assert (vendor.inspected, inspector.of("hub").is_excessive, inspector.of("hub").lints) == ([], None, ())


async def test_who_shares_a_login_shares_the_question(world: Any) -> None:
    """One question serves all with the same identity, login and images; each keeps the answer."""
    vendors = []
    for name in ("one", "two"):
        vendor = world.add(name)
        vendor.value, vendor.lifetime, vendor.identity = "the-same-login-01", None, "same"
        vendor.told = Inspection(NEVER)
        await world.rotate(name)
        vendors.append(vendor)
    await begin(world).poll()
    assert sum(len(vendor.inspected) for vendor in vendors) == 1
    assert [world.ledger.current(name).expiry for name in ("one", "two")] == [NEVER, NEVER]


async def test_other_images_are_another_question(world: Any) -> None:
    """What a registry grants depends on the images, so the answer about one's is not the other's."""
    vendors = []
    for name in ("one", "two"):
        vendor = world.add(name, images=(Image(f"{name}.example.com/acme/{name}:1"),))
        vendor.value, vendor.identity = "the-same-login-01", "same"
        await world.rotate(name)
        vendors.append(vendor)
    await begin(world).poll()
    assert [len(vendor.inspected) for vendor in vendors] == [1, 1]


async def test_a_broken_adapter_stops_neither_others_nor_the_daemon(world: Any) -> None:
    """A defect is reported, and the neighbour is asked all the same."""
    broken, sound = await used(world, "broken"), await used(world, "sound")
    broken.inspect_fault, sound.told = KeyError("x"), Inspection(NEVER)
    assert await begin(world).poll() is True
    assert [event.where for event in world.events if isinstance(event, Crashed)] == ["inspection of broken"]
    assert world.ledger.current("broken").expiry == UNKNOWN


async def test_a_store_that_fails_is_reported(memory_world: Any) -> None:
    """What cannot be written is not remembered either."""
    locked: list[str] = []

    async def pause(when: str) -> None:
        if locked:
            raise StoreError(f"{locked[0]} {when}")

    world = memory_world(pause)
    vendor = await used(world)
    vendor.told = Inspection(NEVER)
    locked.append("locked")
    assert await begin(world).poll() is False
    locked.clear()
    assert [event.operation for event in world.events if isinstance(event, StoreFailed)] == ["probe"]
    assert world.ledger.current("hub").expiry == UNKNOWN


async def test_an_answer_about_yesterdays_version_is_dropped(world: Any) -> None:
    """Whatever is told about a version that was replaced meanwhile is not written to its successor."""
    vendor = await used(world)
    inspector, inspect = begin(world), vendor.inspect

    async def slow(login: Any) -> Inspection:
        await inspect(login)
        vendor.value = "another-login-0002"
        await world.rotate("hub")
        return Inspection(NEVER)

    vendor.inspect = slow
    assert await inspector.poll() is False
    current = world.ledger.current("hub")
    assert (current.generation, current.expiry, told(world)) == (2, UNKNOWN, [])


async def test_a_login_that_may_push_is_reported_with_what_to_request(world: Any) -> None:
    """Its vendor's words and the kind of secret are judged; it is news once."""
    vendor = await used(world)
    config = world.credentials["hub"].config.model_copy(update={"provider": "dockerhub"})
    world.credentials["hub"] = replace(world.credentials["hub"], config=config)
    vendor.told = Inspection(scopes=frozenset({"repo:write"}))
    inspector = begin(world)
    await inspector.poll()
    found = inspector.of("hub")
    assert (found.is_excessive, [lint.code for lint in found.lints]) == (True, ["over_privileged", "password"])
    world.clock.advance(DAY)
    await inspector.poll()
    assert [event.is_news for event in told(world)] == [True, False]
    assert "repo:write" in told(world)[0].message


async def test_a_replaced_password_is_not_reported_any_more(world: Any) -> None:
    """What was said of one secret is not said of the next before that was looked at."""
    vendor = await used(world)
    config = world.credentials["hub"].config.model_copy(update={"provider": "dockerhub"})
    world.credentials["hub"] = replace(world.credentials["hub"], config=config)
    inspector = begin(world)
    await inspector.poll()
    assert [lint.code for lint in inspector.of("hub").lints] == ["password"]
    vendor.value = "dckr_pat_another0002"
    await world.rotate("hub")
    assert inspector.of("hub").lints == ()


async def test_a_vendor_without_an_answer_is_no_defect_of_others(world: Any) -> None:
    """An adapter that lets an error out loses its own answer alone."""
    vendor = await used(world)
    vendor.inspect_fault = UnavailableError("down")
    assert await begin(world).poll() is False
    assert world.ledger.current("hub").expiry == UNKNOWN
