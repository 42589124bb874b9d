"""A real transport, and raw servers on loopback that may be as rude as a test wants."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from rotator.sandbox.clock import ManualClock
from rotator.transport import Call, Peer, Transport

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[..., Awaitable[str]]


@pytest.fixture
def calls() -> list[Call]:
    """Return what the transport told its observer."""
    return []


@pytest.fixture
async def transport(clock: ManualClock, calls: list[Call]) -> AsyncIterator[Transport]:
    """Return a transport that is closed afterwards."""
    transport = Transport(clock=clock, observe=calls.append)
    yield transport
    await transport.close()


@pytest.fixture
def peer() -> Peer:
    """Return a peer that speaks plain HTTP."""
    return Peer("stub", insecure=True)


class RawServers:
    """Starts servers and ends them, whatever they hang in."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, handler: Handler, *, context: ssl.SSLContext | None = None, path: Path | None = None) -> str:
        """Serve ``handler`` and return ``host:port``, or the path of the socket."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            with suppress(OSError, EOFError, asyncio.CancelledError, asyncio.LimitOverrunError):
                await handler(reader, writer)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

        if path is not None:
            self._servers.append(await asyncio.start_unix_server(accept, path))
            return str(path)
        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context, limit=1 << 20)
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def stop(self) -> None:
        """End every server and connection."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Return a function that serves a handler of raw connections and returns ``host:port``."""
    servers = RawServers()
    yield servers.start
    await servers.stop()


@pytest.fixture
def answering(serve: Serve) -> Callable[..., Awaitable[str]]:
    """Return a function that serves one raw answer to every request; requests' heads go to ``seen``."""

    async def start(answer: bytes, seen: list[bytes] | None = None, **how: object) -> str:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if seen is not None:
                    seen.append(head)
                writer.write(answer)
                await writer.drain()

        return await serve(handler, **how)

    return start


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return an authority that only the tests that name it trust."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the authority's certificate as a PEM file."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)
