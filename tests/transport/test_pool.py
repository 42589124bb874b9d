"""Connections are kept while they are of use, and not longer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import trustme

from rotator.sandbox.clock import ManualClock
from rotator.transport import Peer, Request, Transport
from rotator.transport.pool import Pools

Start = Callable[..., Awaitable[str]]
URL = "http://127.0.0.1:1/"


async def test_connection_is_used_again(serve: Start, transport: Transport, peer: Peer) -> None:
    """Two calls in a row to one peer share a connection."""
    connections: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    host = await serve(handler)
    for _ in range(3):
        await transport.send(peer, Request("GET", f"http://{host}/"))

    assert len(connections) == 1


async def test_pool_of_a_forgotten_peer_is_closed(clock: ManualClock, peer: Peer) -> None:
    """A pool unused for over an hour is closed when another is opened; one that a call still uses is not."""
    pools = Pools(clock.monotonic)
    forgotten, busy = [await pools.take(replace(peer, name=name), URL) for name in ("forgotten", "busy")]
    await pools.give_back(forgotten)
    clock.advance(timedelta(hours=2))
    new = await pools.take(peer, URL)

    assert [pool.session.closed for pool in (forgotten, busy, new)] == [True, False, False]
    await pools.close()


async def test_replaced_pool_is_closed_after_its_last_call(clock: ManualClock, tmp_path: Path, ca_file: str) -> None:
    """A call that is under way when a certificate file is replaced ends in peace; then its pool is closed."""
    path = tmp_path / "ca.pem"
    path.write_bytes(Path(ca_file).read_bytes())
    peer = Peer("stub", ca_file=str(path))
    pools = Pools(clock.monotonic)
    old = await pools.take(peer, "https://x/")
    trustme.CA().cert_pem.write_to_path(str(path))
    new = await pools.take(peer, "https://x/")
    before = [old.session.closed, new.session.closed]
    await pools.give_back(old)

    assert before == [False, False]
    assert [old.session.closed, new.session.closed] == [True, False]
    assert await pools.take(peer, "https://x/") is new
    await pools.close()


async def test_closing_closes_every_pool(clock: ManualClock, peer: Peer) -> None:
    """Closing closes all, those in use too."""
    pools = Pools(clock.monotonic)
    taken = [await pools.take(replace(peer, name=name), URL) for name in ("a", "b")]
    await pools.close()

    assert [pool.session.closed for pool in taken] == [True, True]
