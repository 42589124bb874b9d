"""Images are looked at with the versions in use, as often as the registries' limits allow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.config.image import Image
from rotator.domain.events import Crashed, ImageLookedAt, StoreFailed, VersionPromoted
from rotator.domain.headroom import Counted, Headroom, HeadroomState, fair_pause
from rotator.domain.image import ImageStatus
from rotator.domain.model import UNKNOWN, Login
from rotator.domain.reference import parse
from rotator.engine.headroom import HeadroomWatch
from rotator.engine.images import LONGEST_TICK, LOOK_REQUESTS, ImageWatch
from rotator.errors import StoreError
from rotator.ports import Changes
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.registry.ratelimit import read_headroom
from rotator.registry.verify import RegistryVerifier
from rotator.sandbox.registry import SandboxRegistry
from rotator.transport import Transport

INTERVAL = timedelta(minutes=15)
WINDOW = 21_600
DAY = timedelta(days=1)
PREVIEW = "ratelimitpreview/test"


class Yard:
    """An engine whose credentials are for one sandbox registry, and what watches over their images."""

    def __init__(self, world: Any, server: SandboxRegistry, client: RegistryClient) -> None:
        self.world, self.server, self.client = world, server, client
        self.world.surroundings = replace(world.surroundings, verifier=RegistryVerifier(lambda _: client))
        self.watch: ImageWatch = self.begin()

    def begin(self) -> ImageWatch:
        """Begin to watch what is configured now, as after a start."""
        world = self.world
        self.limits = HeadroomWatch(world.credentials, world.ledger, world.clock, world.events.append, DAY)
        self.watch = ImageWatch(world.credentials, world.ledger, world.surroundings, INTERVAL, self.limits.limit_of)
        return self.watch

    async def add(self, name: str, *images: str, secret: str = "first-login-0001") -> Any:
        """Configure a credential with images of the registry, and bring its first version into use."""
        vendor = self.world.add(name)
        vendor.value, vendor.identity, vendor.lifetime = secret, secret, None
        vendor.headroom, vendor.limit_host, vendor.limit_cost = self._ask, self.server.host, 0
        self.server.add_login("AWS", secret)
        credential = self.world.credentials[name]
        references = tuple(Image(f"{self.server.host}/{image}") for image in images)
        config = credential.config.model_copy(update={"registry": self.server.host, "images": references})
        self.world.credentials[name] = replace(credential, config=config)
        await self.rotate(name)
        return vendor

    async def rotate(self, name: str) -> None:
        """Bring a new version into use."""
        assert await self.world.rotate(name) == "succeeded"

    async def _ask(self, login: Login | None) -> Headroom:
        answer = await self.client.open(login).peek_manifest(parse(f"{self.server.host}/{PREVIEW}:latest"))
        return read_headroom(answer.limits, self.world.clock.now(), absent=HeadroomState.UNLIMITED)

    async def passes(self, duration: timedelta, step: timedelta = INTERVAL) -> None:
        """Let time pass, looking at each step."""
        for _ in range(round(duration / step)):
            await self.limits.poll()
            await self.watch.poll()
            self.world.clock.advance(step)

    def asked(self, image: str = "") -> int:
        """Return how many requests for manifests the registry saw, without those that ask for the limit."""
        paths = [one.path for one in self.server.asked if "/manifests/" in one.path and PREVIEW not in one.path]
        return sum(image in path for path in paths)

    def status(self, name: str = "hub") -> ImageStatus:
        """Return how the first image of a credential stands."""
        return self.watch.of(name)[0]

    def pulls(self, name: str = "hub") -> tuple[bool | None, str]:
        """Return whether its first image pulls, and the reason."""
        status = self.status(name)
        return status.is_pullable, status.reason


@pytest.fixture
async def yard_with(world: Any) -> AsyncIterator[Callable[[int | None], Any]]:
    """Return what opens a yard with a pull limit."""
    transport = Transport(clock=world.clock)

    @asynccontextmanager
    async def open_yard(limit: int | None) -> AsyncIterator[Yard]:
        async with SandboxRegistry(world.clock, rate_limit=limit, window_seconds=WINDOW) as server:
            for image in ("acme/api:1", "acme/web:1", "acme/db:1"):
                server.add_image(image)
            server.add_image(f"{PREVIEW}:latest", public=True)
            client = RegistryClient(transport, host=server.host, settings=RegistrySettings(insecure=True))
            yield Yard(world, server, client)

    yield open_yard
    await transport.close()


@pytest.fixture
async def yard(yard_with: Callable[[int | None], Any]) -> AsyncIterator[Yard]:
    """Return a yard without a limit."""
    async with yard_with(None) as yard:
        yield yard


@pytest.mark.parametrize("image", ["acme/api:1", "acme/missing:1"])
@pytest.mark.parametrize("limit", [100, 200, 1000, 5000])
async def test_a_day_takes_a_hundredth_at_most(yard_with: Callable[[int], Any], limit: int, image: str) -> None:
    """Over a day no more than 1 % of the pulls that are granted is asked for, and none of it is used up."""
    async with yard_with(limit) as yard:
        await yard.add("hub", image)
        await yard.limits.poll()
        yard.begin()
        await yard.limits.poll()
        await yard.passes(DAY)
        await yard.limits.poll()
        granted = limit * DAY.total_seconds() / WINDOW
        assert 1 <= yard.asked() <= granted / 100
        assert yard.limits.limits()[0].sample.headroom.remaining == limit


async def test_several_images_share_the_hundredth(yard_with: Callable[[int], Any]) -> None:
    """With more images each is looked at less often, and every one of them has its turn."""
    async with yard_with(200) as yard:
        await yard.add("hub", "acme/api:1", "acme/web:1", "acme/db:1")
        yard.begin()
        await yard.limits.poll()
        await yard.passes(3 * DAY)
        assert yard.asked() <= 3 * 200 * 4 / 100
        assert min(yard.asked(image) for image in ("api", "web", "db")) >= 2


async def test_without_a_limit_the_interval_counts(yard: Yard) -> None:
    """Where the vendor says that there is no limit, each image is looked at four times an hour."""
    await yard.add("hub", "acme/api:1", "acme/web:1")
    await yard.passes(DAY, step=INTERVAL / 5)
    assert 96 <= yard.asked("api") <= 107
    assert yard.asked("api") == yard.asked("web")


async def test_one_login_looks_once(yard: Yard) -> None:
    """Credentials that share a login and an image share one look, and each is told."""
    await yard.add("hub", "acme/api:1", "acme/web:1")
    await yard.add("twin", "acme/api:1")
    await yard.add("other", "acme/api:1", secret="second-login-0002")
    yard.server.asked.clear()
    await yard.watch.poll()
    assert (yard.asked("api"), yard.asked("web")) == (2, 1)
    assert [yard.pulls(name) for name in ("hub", "twin", "other")] == [(True, "ok")] * 3


async def test_before_the_first_look_nothing_is_claimed(yard: Yard) -> None:
    """What was not looked at is not said to pull, nor not to."""
    await yard.add("hub", "acme/api:1")
    assert yard.status() == ImageStatus("acme-api-1", f"{yard.server.host}/acme/api:1")
    assert yard.status().message == "not asked yet"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [(503, "", "unreachable"), (429, "", "rate_limited"), (302, "", "not_a_registry")],
    ids=["down", "limited", "redirected"],
)
async def test_what_cannot_be_told_leaves_the_value(yard: Yard, status: int, body: str, reason: str) -> None:
    """A registry that cannot tell changes the reason and not the value; its age shows."""
    await yard.add("hub", "acme/api:1")
    await yard.watch.poll()
    told_at = yard.status().told_at
    yard.server.fail(status, path="/v2/acme", body=body)
    yard.world.clock.advance(INTERVAL)
    await yard.watch.poll()
    assert yard.pulls() == (True, reason)
    assert (yard.status().told_at, yard.status().looked_at) == (told_at, yard.world.clock.now())


async def test_never_told_is_not_no(yard: Yard) -> None:
    """An image that the registry never could tell about is neither pullable nor not."""
    await yard.add("hub", "acme/api:1")
    yard.server.fail(503)
    await yard.watch.poll()
    assert yard.pulls() == (None, "unreachable")


async def test_an_image_that_vanishes_is_noticed(yard: Yard) -> None:
    """A tag that was removed does not pull any more, with the reason; it is told once as news."""
    await yard.add("hub", "acme/api:1")
    await yard.watch.poll()
    gone = yard.server.fail(404, path="/v2/acme/api", body='{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
    for _ in range(3):
        yard.world.clock.advance(INTERVAL)
        await yard.watch.poll()
    assert yard.pulls() == (False, "not_found")
    yard.server.faults.remove(gone)
    yard.world.clock.advance(INTERVAL)
    await yard.watch.poll()
    assert yard.pulls() == (True, "ok")
    looks = [one for one in yard.world.events if isinstance(one, ImageLookedAt)]
    assert [one.is_news for one in looks] == [True, True, False, False, True]


async def test_a_new_version_is_looked_at_at_once(yard_with: Callable[[int], Any]) -> None:
    """However small the limit, a new version in use is looked at without waiting; the wait afterwards is the longer."""
    async with yard_with(100) as yard:
        vendor = await yard.add("hub", "acme/api:1")
        yard.begin()
        await yard.limits.poll()
        await yard.watch.poll()
        yard.server.add_login("AWS", "second-login-0002")
        vendor.value = "second-login-0002"
        await yard.rotate("hub")
        yard.server.asked.clear()
        await yard.watch.poll()
        assert yard.asked() == 1
        owed = 2 * fair_pause(yard.limits.limit_of("hub"), LOOK_REQUESTS)
        await yard.passes(owed - INTERVAL)
        assert yard.asked() == 1
        await yard.passes(2 * INTERVAL)
        assert yard.asked() == 2


async def test_a_restart_is_no_reason_to_look_at_all(yard_with: Callable[[int], Any]) -> None:
    """After a start with a small limit one image is looked at, not each."""
    async with yard_with(100) as yard:
        await yard.add("hub", "acme/api:1", "acme/web:1", "acme/db:1")
        yard.begin()
        await yard.limits.poll()
        yard.server.asked.clear()
        await yard.begin().poll()
        assert yard.asked() == 1


async def test_a_limit_of_the_address_is_shared_by_all(yard: Yard) -> None:
    """Where the registry counts the address, logins share one budget."""
    limit = Headroom(HeadroomState.LIMITED, 100, 50, WINDOW, source=Counted.ADDRESS)
    await yard.add("hub", "acme/api:1")
    other = await yard.add("other", "acme/web:1", secret="second-login-0002")
    version = replace(yard.world.ledger.current("other"), username="somebody")
    yard.server.add_login("somebody", "second-login-0002")
    await yard.world.ledger.commit(Changes(versions=[version]))
    yard.server.asked.clear()
    watch = ImageWatch(yard.world.credentials, yard.world.ledger, yard.world.surroundings, INTERVAL, lambda _: limit)
    await watch.poll()
    assert yard.asked() == 1
    assert other.minted == 1


async def test_a_refused_login_is_not_shown_again(yard: Yard) -> None:
    """A login that is refused is not shown for images until a probe finds it accepted, or there is a new version."""
    await yard.add("hub", "acme/api:1")
    yard.server.revoke("AWS")
    await yard.passes(4 * INTERVAL)
    assert yard.pulls() == (False, "auth_failed")
    refused = yard.server.count("GET", "/token")
    await yard.passes(4 * INTERVAL)
    assert yard.server.count("GET", "/token") == refused
    yard.server.add_login("AWS", "first-login-0001")
    current = yard.world.ledger.current("hub")
    yard.world.ledger.note(replace(current, verified_at=yard.world.clock.now()))
    await yard.passes(INTERVAL)
    assert yard.pulls() == (True, "ok")


async def test_a_clock_that_was_set_back_keeps_no_image_from_being_looked_at(yard: Yard) -> None:
    """What a probe finds accepted again is looked at, though the clock says that it was refused after that."""
    await yard.add("hub", "acme/api:1")
    yard.server.revoke("AWS")
    await yard.passes(INTERVAL)
    assert yard.pulls() == (False, "auth_failed")
    yard.server.add_login("AWS", "first-login-0001")
    yard.world.clock.set_wall(yard.world.clock.now() - DAY)
    yard.world.ledger.note(replace(yard.world.ledger.current("hub"), verified_at=yard.world.clock.now()))
    await yard.passes(INTERVAL)
    assert yard.pulls() == (True, "ok")


async def test_a_version_that_a_probe_found_refused_is_not_shown(yard: Yard) -> None:
    """What a probe found refused is not asked with; the reason says so and the last value stays."""
    await yard.add("hub", "acme/api:1")
    await yard.watch.poll()
    current = yard.world.ledger.current("hub")
    yard.world.ledger.note(replace(current, rejected_at=yard.world.clock.now()))
    yard.server.asked.clear()
    await yard.passes(3 * INTERVAL)
    assert yard.asked() == 0
    assert yard.pulls() == (True, "auth_failed")
    assert yard.status().message == "not asked, because the registry refuses the login"


async def test_a_registry_is_left_alone_for_as_long_as_it_asks(yard: Yard) -> None:
    """After a wish to be left alone for two hours nothing is asked for two hours."""
    await yard.add("hub", "acme/api:1")
    yard.server.fail(429, path="/v2/acme", headers={"Retry-After": "7200"}, times=1)
    await yard.passes(timedelta(hours=2))
    assert yard.pulls() == (None, "rate_limited")
    await yard.passes(INTERVAL)
    assert yard.pulls() == (True, "ok")


async def test_a_defect_stops_nothing(yard: Yard) -> None:
    """An adapter that breaks is reported as a defect, and so is a store that fails; the watch goes on."""
    await yard.add("hub", "acme/api:1")
    broken = replace(yard.world.surroundings, verifier=None)
    await ImageWatch(yard.world.credentials, yard.world.ledger, broken, INTERVAL, lambda _: None).poll()
    assert [one.where for one in yard.world.events if isinstance(one, Crashed)] == ["images of hub"]


async def test_a_store_that_fails_is_told(memory_world: Any) -> None:
    """A login that cannot be read is the store's failure, and nothing is said about the image."""
    world = memory_world(None)
    world.add("hub", images=("hub.example.com/a:1",))
    assert await world.rotate("hub") == "succeeded"

    async def fail(credential: str, generation: int) -> None:
        raise StoreError(f"no {credential} {generation}")

    world.store.secret = fail
    watch = ImageWatch(world.credentials, world.ledger, world.surroundings, INTERVAL, lambda _: None)
    await watch.poll()
    failed = [one for one in world.events if isinstance(one, StoreFailed)]
    assert [one.operation for one in failed] == ["probe"]
    assert watch.of("hub")[0].looked_at is None


async def test_running_looks_when_a_version_comes(memory_world: Any) -> None:
    """The task looks at each tick, and without waiting for one when a version came into use."""
    world = memory_world(None)
    world.add("hub", images=("hub.example.com/a:1",))
    watch = ImageWatch(world.credentials, world.ledger, world.surroundings, INTERVAL, lambda _: None)
    running = asyncio.create_task(watch.run())
    assert await world.rotate("hub") == "succeeded"
    before = world.registry.asked
    watch(VersionPromoted("hub", 1, world.clock.now(), UNKNOWN))
    async with asyncio.timeout(20):
        while world.registry.asked == before:
            await asyncio.sleep(0)
    assert watch.of("hub")[0].is_pullable
    async with asyncio.timeout(20):
        while world.registry.asked == before + 1:
            await asyncio.sleep(0)
            world.clock.advance(LONGEST_TICK if world.clock._sleepers else timedelta())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
