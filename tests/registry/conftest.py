"""A real transport, a clock that stands still, and sandbox registries in both modes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
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


class RawServer:
    """Answers whatever bytes it is given, one request a connection, and records the head of each request.

    ``answers`` holds by place (``ping``, ``token``, ``manifest``) the bytes, in which ``{a}`` and ``{b}`` stand for the
    ports of the pair, or a coroutine function that writes; a HEAD gets no body in the places of ``knows_heads``.
    """

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Callable[[asyncio.StreamWriter, str], Awaitable[None]]] = {}
        self.knows_heads = {"ping", "token", "manifest"}
        self.heads: list[tuple[str, dict[str, str]]] = []
        self.ports: dict[str, str] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, and close it."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        with suppress(OSError, EOFError, asyncio.CancelledError, asyncio.LimitOverrunError):
            await self._say((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"), writer)
            await writer.drain()
        writer.close()

    async def _say(self, head: str, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.heads.append((first, headers))
        path = first.split(" ")[1]
        place = "token" if "/token" in path.partition("?")[0] else "manifest" if "/manifests/" in path else "ping"
        send = self.answers[place]
        if not isinstance(send, bytes):
            await send(writer, headers.get("authorization", ""))
            return
        for name, port in self.ports.items():
            send = send.replace(f"{{{name}}}".encode(), port.encode())
        is_cut = first.startswith("HEAD") and place in self.knows_heads
        writer.write(b"".join(send.partition(b"\r\n\r\n")[:2]) if is_cut else send)


@pytest.fixture
async def raw_pair() -> AsyncIterator[tuple[RawServer, RawServer]]:
    """Return two servers that know each other's ports."""
    pair = (RawServer(), RawServer())
    servers = [await asyncio.start_server(one.accept, "127.0.0.1", 0, limit=1 << 20) for one in pair]
    ports = [str(server.sockets[0].getsockname()[1]) for server in servers]
    pair[0].ports = pair[1].ports = dict(zip("ab", ports, strict=True))
    yield pair
    for server in servers:
        server.close()
    for task in (tasks := pair[0].tasks | pair[1].tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
