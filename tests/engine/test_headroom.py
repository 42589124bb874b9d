"""Limits are measured, kept and foretold, and nothing that goes wrong there stops anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.events import Crashed, HeadroomAsked, StoreFailed
from rotator.domain.headroom import ANONYMOUS, Headroom, HeadroomState
from rotator.domain.model import Login
from rotator.engine.headroom import LONGEST_TICK, HeadroomWatch
from rotator.errors import AuthenticationError, RateLimitedError, RotatorError, StoreError, UnavailableError
from rotator.ports import Changes

INTERVAL = timedelta(minutes=5)
UNKNOWN = Headroom(HeadroomState.UNKNOWN)
UNLIMITED = Headroom(HeadroomState.UNLIMITED)


def left(remaining: int) -> Headroom:
    """Return a limit of 100 pulls in six hours."""
    return Headroom(HeadroomState.LIMITED, 100, remaining, 21_600)


class Meter:
    """Answers what is left; the test decides what."""

    def __init__(self) -> None:
        self.answer: Headroom | Exception = left(50)
        self.asked: list[Login | None] = []

    async def __call__(self, login: Login | None) -> Headroom:
        """Return the answer, or raise it."""
        self.asked.append(login)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def measured(world: Any, name: str = "hub", identity: str = "") -> Meter:
    """Configure a credential whose vendor tells what is left; return what answers for it."""
    vendor, meter = world.add(name), Meter()
    vendor.headroom, vendor.identity = meter, identity or name
    vendor.limit_host, vendor.limit_cost = f"{name}.example.com", 0
    return meter


def watch_of(world: Any) -> HeadroomWatch:
    """Return what measures in ``world``."""
    return HeadroomWatch(world.credentials, world.ledger, world.clock, world.events.append, INTERVAL)


def told(world: Any, name: str) -> Sequence[HeadroomAsked]:
    """Return what was emitted about one credential."""
    return [one for one in world.events if isinstance(one, HeadroomAsked) and one.credential == name]


def shown(watch: HeadroomWatch) -> dict[str, Headroom]:
    """Return the last known value of each limit by its credential."""
    return {one.sample.credential: one.sample.headroom for one in watch.limits()}


async def polled(world: Any, watch: HeadroomWatch, times: int = 1) -> None:
    """Poll, an interval apart."""
    for _ in range(times):
        world.clock.advance(INTERVAL)
        await watch.poll()


async def test_each_limit_is_asked_for_with_and_without_the_login(world: Any) -> None:
    """A vendor that can tell is asked with the login in use and without; the values are shown and told."""
    meter = measured(world)
    await world.rotate("hub")
    watch = watch_of(world)
    await polled(world, watch)
    assert {login and login.secret.reveal() for login in meter.asked} == {"secret-number-0001", None}
    assert shown(watch) == {"hub": left(50), ANONYMOUS: left(50)}
    assert [one.headroom for one in told(world, "hub")] == [left(50)]


async def test_who_cannot_tell_is_not_asked(world: Any) -> None:
    """Vendors that do not measure are passed over without a word."""
    world.add("ecr")
    watch = watch_of(world)
    await polled(world, watch)
    assert (watch.limits(), world.events) == ((), [])


async def test_one_identity_is_asked_once(world: Any) -> None:
    """Of credentials with the same login only the first asks."""
    for name in ("hub", "twin"):
        measured(world, name, "same")
        await world.rotate(name)
    watch = watch_of(world)
    await polled(world, watch)
    assert set(shown(watch)) == {"hub", ANONYMOUS}


async def test_a_credential_called_anonymous_keeps_its_name(world: Any) -> None:
    """No two limits are shown under one name."""
    meter = measured(world, ANONYMOUS)
    await world.rotate(ANONYMOUS)
    watch = watch_of(world)
    await polled(world, watch)
    assert len(watch.limits()) == 1
    assert None not in meter.asked


async def test_no_version_no_question(world: Any) -> None:
    """Before there is a login only the address is asked about; once there is, the next look asks."""
    meter = measured(world)
    watch = watch_of(world)
    await watch.poll()
    assert meter.asked == [None]
    await world.rotate("hub")
    world.clock.advance(LONGEST_TICK)
    await watch.poll()
    assert len(meter.asked) == 2


async def test_the_interval_is_kept(world: Any) -> None:
    """However often it is looked whom to ask, each is asked once an interval."""
    meter = measured(world)
    watch = watch_of(world)
    for _ in range(40):
        await watch.poll()
        world.clock.advance(LONGEST_TICK)
    assert len(meter.asked) == 2


async def test_what_is_unknown_leaves_the_last_value(world: Any) -> None:
    """An unreadable answer is told as such, and what is shown stays with its age."""
    meter = measured(world)
    watch = watch_of(world)
    await polled(world, watch)
    before = watch.limits()
    meter.answer = UNKNOWN
    await polled(world, watch)
    assert watch.limits() == before
    assert told(world, ANONYMOUS)[-1].headroom == UNKNOWN


async def test_no_limit_is_shown_as_such(world: Any) -> None:
    """A vendor who says there is no limit is believed, and nothing is foretold."""
    meter = measured(world)
    watch = watch_of(world)
    await polled(world, watch)
    meter.answer = UNLIMITED
    await polled(world, watch)
    assert shown(watch) == {ANONYMOUS: UNLIMITED}
    assert watch.limits()[0].exhausted_at is None


async def test_the_end_is_foretold_also_after_a_restart(world: Any) -> None:
    """From a steady use the end is foretold; value and forecast survive a crash."""
    meter = measured(world)
    watch = watch_of(world)
    for remaining in (80, 70, 60, 50):
        meter.answer = left(remaining)
        await polled(world, watch)
    (limit,) = watch.limits()
    assert limit.exhausted_at == world.clock.now() + timedelta(minutes=25)
    await world.restart()
    assert watch_of(world).limits() == (limit,)


@pytest.mark.parametrize(
    "error",
    [UnavailableError("no answer"), RateLimitedError("slow down"), AuthenticationError("refused")],
    ids=lambda error: error.code,
)
async def test_a_failure_is_told_and_the_value_stays(world: Any, error: RotatorError) -> None:
    """What could not be asked is told with its code; the last value stays."""
    meter = measured(world)
    watch = watch_of(world)
    await polled(world, watch)
    meter.answer = error
    await polled(world, watch)
    assert shown(watch) == {ANONYMOUS: left(50)}
    assert told(world, ANONYMOUS)[-1].error == error.code


async def test_a_refused_version_is_not_shown_again(world: Any) -> None:
    """A login that was refused is kept from the registry, which may lock it out, until there is a new version."""
    meter = measured(world)
    await world.rotate("hub")
    watch = watch_of(world)
    meter.answer = AuthenticationError("refused")
    await polled(world, watch, 5)
    assert sum(login is not None for login in meter.asked) == 1
    await world.rotate("hub")
    await polled(world, watch)
    assert sum(login is not None for login in meter.asked) == 2


async def test_a_rejected_version_is_not_shown(world: Any) -> None:
    """A version that a probe found rejected is not used for asking."""
    meter = measured(world)
    await world.rotate("hub")
    rejected = replace(world.ledger.current("hub"), rejected_at=world.clock.now())
    await world.ledger.commit(Changes(versions=[rejected]))
    await polled(world, watch_of(world))
    assert meter.asked == [None]


async def test_a_registry_is_left_alone_for_as_long_as_it_asks(world: Any) -> None:
    """After a wish to be left alone for an hour nothing is asked for an hour."""
    meter = measured(world)
    watch = watch_of(world)
    meter.answer = RateLimitedError("slow down", retry_after=timedelta(hours=1))
    await polled(world, watch, 12)
    assert len(meter.asked) == 1
    await polled(world, watch)
    assert len(meter.asked) == 2


async def test_a_defect_stops_nothing(world: Any) -> None:
    """A vendor that breaks is reported as a defect, and others are measured all the same."""
    measured(world, "broken").answer = KeyError("x")
    measured(world, "hub")
    watch = watch_of(world)
    await polled(world, watch)
    assert [one.where for one in world.events if isinstance(one, Crashed)] == ["headroom of broken.example.com"]
    assert [one.sample.registry for one in watch.limits()] == ["hub.example.com"]


async def test_a_store_that_fails_is_told(memory_world: Any) -> None:
    """What cannot be kept is reported as the store's failure; the next answer is kept again."""
    faults: list[StoreError] = []

    async def pause(_moment: str) -> None:
        if faults:
            raise faults.pop()

    world = memory_world(pause)
    measured(world)
    watch = watch_of(world)
    faults.append(StoreError("disk full"))
    await polled(world, watch)
    assert [one.error for one in world.events if isinstance(one, StoreFailed)] == ["store"]
    assert watch.limits() == ()
    await polled(world, watch)
    assert shown(watch) == {ANONYMOUS: left(50)}


async def test_running_asks_again_and_again(memory_world: Any) -> None:
    """The task measures at once and after each interval, until it is cancelled."""
    world = memory_world(None)
    meter = measured(world)
    running = asyncio.create_task(watch_of(world).run())
    async with asyncio.timeout(20):
        while len(meter.asked) < 3:
            await asyncio.sleep(0)
            world.clock.advance(LONGEST_TICK if world.clock._sleepers else timedelta())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_asking_that_costs_is_paced(world: Any) -> None:
    """Where a question counts against the limit itself, it is asked so seldom that it takes a hundredth at most."""
    meter = measured(world)
    world.credentials["hub"].provider.limit_cost = 1
    watch = watch_of(world)
    await polled(world, watch, 24 * 12)
    assert len(meter.asked) == 4  # of 400 a day


async def test_the_limit_of_a_login_is_known_to_all_who_share_it(world: Any) -> None:
    """Whoever shares a measured identity has its limit; who is not measured has none."""
    for name in ("hub", "twin"):
        measured(world, name, "same")
        await world.rotate(name)
    world.add("other")
    watch = watch_of(world)
    await polled(world, watch)
    assert [watch.limit_of(name) for name in ("hub", "twin", "other")] == [left(50), left(50), None]


async def test_another_hosts_limit_is_not_asked_for_without_a_login(world: Any) -> None:
    """The limit of a vendor's API stands under that host, and is asked for with the login alone."""
    meter = measured(world)
    world.credentials["hub"].provider.limit_host = "api.example.com"
    await world.rotate("hub")
    watch = watch_of(world)
    await polled(world, watch)
    assert None not in meter.asked
    assert [(one.sample.registry, one.sample.credential) for one in watch.limits()] == [("api.example.com", "hub")]
