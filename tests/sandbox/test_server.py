"""The base of every sandbox server: starting, stopping, recording, faults."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import pytest
import trustme
from aiohttp import web

from rotator.sandbox.server import RECORDED_REQUESTS, Fault, SandboxServer


def make_server(*, tls: ssl.SSLContext | None = None) -> SandboxServer:
    """Return a server that answers every request with ``hello``."""

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", hello)
    return SandboxServer(app, tls=tls)


async def _get(http: aiohttp.ClientSession, url: str, **options: object) -> tuple[int, str]:
    async with http.get(url, **options) as response:  # type: ignore[arg-type]
        return response.status, await response.text()


async def test_started_server_answers_on_loopback(http: aiohttp.ClientSession) -> None:
    """A started server has a port of its own on 127.0.0.1 and answers there."""
    async with make_server() as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert await _get(http, server.url) == (200, "hello")


async def test_stopped_server_refuses_connections(http: aiohttp.ClientSession) -> None:
    """Nothing listens any more once a server is stopped, also when it is stopped twice."""
    server = await make_server().start()
    url = server.url
    await server.stop()
    await server.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await _get(http, url)


async def test_server_starts_again_on_the_same_port(http: aiohttp.ClientSession) -> None:
    """A stopped server starts again on the port it had, keeps its record, and answers as before."""
    server = await make_server().start()
    assert await _get(http, f"{server.url}/first") == (200, "hello")
    port = int(server.host.rpartition(":")[2])
    for number in range(2, 4):
        await server.stop()
        await server.start(port)
        assert await _get(http, f"{server.url}/{number}") == (200, "hello")
    assert [asked.path for asked in server.asked] == ["/first", "/2", "/3"]
    await server.stop()


async def test_taken_port_is_an_error_and_leaves_nothing_behind(http: aiohttp.ClientSession) -> None:
    """Starting on a port that is taken raises OSError; the server can then start elsewhere."""
    async with make_server() as first:
        second = make_server()
        with pytest.raises(OSError, match="address already in use"):
            await second.start(int(first.host.rpartition(":")[2]))
        await second.start()
        assert await _get(http, second.url) == (200, "hello")
        await second.stop()


async def test_stopping_cuts_open_connections(http: aiohttp.ClientSession) -> None:
    """A request that hangs is cut when the server stops; stopping does not wait for it."""
    server = await make_server().start()
    reached = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        reached.set()
        await asyncio.Event().wait()
        return web.Response()

    server.faults.append(Fault(matches=lambda _: True, answer=hang))
    task = asyncio.create_task(_get(http, server.url))
    await reached.wait()
    await asyncio.wait_for(server.stop(), 5)
    with pytest.raises(aiohttp.ClientError):
        await task


async def test_fault_hits_only_what_it_names(http: aiohttp.ClientSession) -> None:
    """A fault hits its path and method, as often as ordered, and then heals by itself."""
    async with make_server() as server:
        server.fail(503, path="/a", method="GET", times=2, headers={"Retry-After": "7"}, body="later")
        assert await _get(http, f"{server.url}/b") == (200, "hello")
        async with http.post(f"{server.url}/a") as response:
            assert response.status == 200
        async with http.get(f"{server.url}/a") as response:
            assert (response.status, response.headers["Retry-After"], await response.text()) == (503, "7", "later")
        assert (await _get(http, f"{server.url}/a"))[0] == 503
        assert (await _get(http, f"{server.url}/a"))[0] == 200


async def test_removed_fault_no_longer_hits(http: aiohttp.ClientSession) -> None:
    """A fault without a count hits until it is removed."""
    async with make_server() as server:
        fault = server.fail(500)
        assert [(await _get(http, server.url))[0] for _ in range(3)] == [500, 500, 500]
        server.faults.remove(fault)
        assert (await _get(http, server.url))[0] == 200


async def test_requests_are_recorded_with_their_credential(http: aiohttp.ClientSession) -> None:
    """The record holds method, path, query and credential, in order, and counts by method and path."""
    async with make_server() as server:
        await _get(http, f"{server.url}/x?q=1%202", headers={"Authorization": "Basic abc"})
        await _get(http, f"{server.url}/xy", headers={"X-Vault-Token": "hvs"})
        first, second = server.asked
        assert (first.method, first.path, first.query, first.credential) == ("GET", "/x", "q=1%202", "Basic abc")
        assert second.credential == "hvs"
        assert (server.count("GET", "/x"), server.count("POST", "/x")) == (2, 0)


def test_record_is_bounded() -> None:
    """The record forgets the oldest requests instead of growing for ever."""
    assert make_server().asked.maxlen == RECORDED_REQUESTS


async def test_server_speaks_tls(http: aiohttp.ClientSession) -> None:
    """With a TLS context the server is reached by https, after a restart too."""
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    server = await make_server(tls=server_side).start()
    assert server.url.startswith("https://")
    await server.stop()
    await server.start()
    assert await _get(http, server.url, ssl=client_side) == (200, "hello")
    await server.stop()
