"""A real transport, a clock that stands still, and sandbox registries in both modes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from rotator.domain.model import Login
from rotator.ports import Clock
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import SandboxServer
from rotator.secret import Secret
from rotator.transport import Transport


class HeldClock:
    """Shows one instant until it is told to advance."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the instant."""
        return self._now

    def monotonic(self) -> float:
        """Return the instant as seconds."""
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Advance instead of waiting."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self._now += by


@pytest.fixture(name="held")
def _held() -> HeldClock:
    return HeldClock()


@pytest.fixture
def clock(held: HeldClock) -> Clock:
    """Return the clock that everything in a test uses."""
    return held


@pytest.fixture
def advance(held: HeldClock) -> Callable[[timedelta], None]:
    """Return a function that moves the clock."""
    return held.advance


@pytest.fixture
async def transport(clock: Clock) -> AsyncIterator[Transport]:
    """Return a transport that is closed afterwards."""
    transport = Transport(clock=clock)
    yield transport
    await transport.close()


@pytest.fixture
def login() -> Login:
    """Return the login that the sandbox registries know."""
    return Login("AWS", Secret("correct-horse-battery"))


def _fill(server: SandboxRegistry, login: Login) -> SandboxRegistry:
    server.add_image("team/app:1.0")
    server.add_image("other/app:1.0")
    server.add_image("open/app:1.0", public=True)
    server.add_login(login.username, login.secret.reveal(), repositories="team/")
    return server


@pytest.fixture
async def hub(clock: Clock, login: Login) -> AsyncIterator[SandboxRegistry]:
    """Return a bearer registry where the login pulls ``team/`` only, with a pull limit."""
    async with SandboxRegistry(clock, service="registry of the tests", rate_limit=100) as server:
        yield _fill(server, login)


@pytest.fixture
async def ecr(clock: Clock, login: Login) -> AsyncIterator[SandboxRegistry]:
    """Return a basic registry where the login pulls ``team/`` only."""
    async with SandboxRegistry(clock, auth="basic") as server:
        yield _fill(server, login)


@pytest.fixture(params=["bearer", "basic"])
async def either(request: pytest.FixtureRequest, clock: Clock, login: Login) -> AsyncIterator[SandboxRegistry]:
    """Return both registries, one after the other."""
    async with SandboxRegistry(clock, auth=request.param) as server:
        yield _fill(server, login)


@pytest.fixture
def client_of(transport: Transport) -> Callable[[SandboxServer], RegistryClient]:
    """Return a function that makes a plain-HTTP client of a sandbox server, with a short deadline."""

    def make(server: SandboxServer) -> RegistryClient:
        settings = RegistrySettings(insecure=True, deadline=1.0)
        return RegistryClient(transport, host=server.host, settings=settings)

    return make
