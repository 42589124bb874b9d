"""Calls to Vault end in time, stay with Vault, and take nothing from the environment."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rotator.config.vault import VaultConfig
from rotator.errors import UnavailableError
from rotator.sandbox.server import Fault
from rotator.sandbox.vault import SandboxVault
from rotator.secret import Secret
from rotator.sources.vault import VaultSource
from rotator.sources.vault_wire import VaultWire

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MakeSource = Callable[..., Awaitable[VaultSource]]
CANARY = "canary-d00d-secret"
SHORT = timedelta(milliseconds=300)
PATIENCE_SECONDS = 2.0
"""Far more than `SHORT`, far less than a drip would take."""


@pytest.fixture
def readable(vault: SandboxVault) -> SandboxVault:
    """Return the Vault with one secret in it."""
    vault.put("kv/a", {"token": CANARY})
    return vault


@asynccontextmanager
async def raw_server(talk: Talk) -> AsyncIterator[str]:
    """Serve plain TCP; ``talk`` writes after the request's head has come. Yield the base URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def drip_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send headers for ever, a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a body for ever, a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_chunks(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send small chunks for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\n \r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Never answer; wait until the client has gone."""
    await reader.read()


@asynccontextmanager
async def wire_to(url: str, executor: ThreadPoolExecutor, clock: Any, **settings: Any) -> AsyncIterator[VaultWire]:
    """Yield a wire to ``url``; plain HTTP is allowed."""
    auth = {"method": "token", "token": {"env": "TOKEN"}}
    config = VaultConfig.model_validate({"address": url, "insecure": True, "auth": auth, **settings})
    wire = VaultWire(config, executor=executor, clock=clock)
    yield wire
    wire.close()


async def get(wire: VaultWire, path: str = "/v1/x") -> Any:
    """Ask for one path without a token."""
    return await wire.call(lambda client: client.adapter.get(path), wire.client())


@pytest.mark.parametrize("talk", [drip_head, drip_body, drip_chunks, say_nothing])
async def test_late_call_ends_at_its_deadline_and_frees_its_thread(
    executor: ThreadPoolExecutor, fake_clock: Any, talk: Talk
) -> None:
    """However a peer stalls, the caller waits no longer than the deadline, and all threads are free again."""
    loop = asyncio.get_running_loop()
    async with raw_server(talk) as url, wire_to(url, executor, fake_clock, timeout=SHORT) as wire:
        started = loop.time()
        results = await asyncio.gather(*(get(wire) for _ in range(12)), return_exceptions=True)
        assert loop.time() - started < PATIENCE_SECONDS
        assert {getattr(result, "cause", None) for result in results} == {"timeout"}
        async with asyncio.timeout(PATIENCE_SECONDS):
            gate = threading.Barrier(4)
            await asyncio.gather(*(loop.run_in_executor(executor, gate.wait, PATIENCE_SECONDS) for _ in range(4)))


async def test_cancelled_call_frees_its_thread(executor: ThreadPoolExecutor, fake_clock: Any) -> None:
    """Cancelling the caller shuts the socket under the thread, so that shutting down does not wait."""
    async with raw_server(say_nothing) as url, wire_to(url, executor, fake_clock, timeout=timedelta(hours=1)) as wire:
        call = asyncio.create_task(get(wire))
        await asyncio.sleep(0.1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.to_thread(executor.shutdown)


async def test_read_with_a_dripping_vault_ends_at_its_deadline(readable: SandboxVault, make_source: MakeSource) -> None:
    """A source's read keeps the configured time-out, and works again once the drip has stopped."""

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    readable.faults.append(Fault(lambda request: request.path.startswith("/v1/kv/data"), drip, times=1))
    source = await make_source(timeout=SHORT)
    with pytest.raises(UnavailableError) as caught:
        await source.read("kv/a#token")
    assert caught.value.cause == "timeout"
    assert (await source.read("kv/a#token")).secret == Secret(CANARY)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/v1/kv/data", "/v1/auth/approle/login"], ids=["read", "login"])
async def test_redirect_carries_nothing_to_another_host(
    readable: SandboxVault, make_source: MakeSource, status: int, path: str
) -> None:
    """No redirect is followed; the error names where it led and what to configure."""
    async with SandboxVault() as other:
        readable.fail(status, path=path, headers={"Location": f"{other.url}{path}/a"})
        with pytest.raises(UnavailableError, match="redirects are not followed") as caught:
            await (await make_source()).read("kv/a#token")
        assert "configure it as vault.address" in str(caught.value)
        assert other.url in str(caught.value)
        assert list(other.asked) == []


@pytest.mark.parametrize(
    "location",
    [
        "/v1/other",
        "//127.0.0.1:1/x",
        "",
        "http://[",
        "javascript:alert(1)",
        "http://a\u00fc/\u202e",
        f"http://u:{CANARY}@h/x",
    ],
    ids=["path", "no scheme", "empty", "broken", "script", "unicode", "userinfo"],
)
async def test_any_location_is_refused_alike(readable: SandboxVault, make_source: MakeSource, location: str) -> None:
    """A redirect is refused whatever it points to; a password in it is not repeated."""
    readable.fail(307, path="/v1/kv/data", headers={"Location": location})
    with pytest.raises(UnavailableError, match="redirects are not followed") as caught:
        await (await make_source()).read("kv/a#token")
    assert CANARY not in str(caught.value)
    assert readable.count("GET", "/v1/other") == 0


async def test_standby_that_redirects_is_named(readable: SandboxVault, make_source: MakeSource) -> None:
    """A standby's 307 tells the operator the active node's address."""
    readable.become_standby("http://10.9.8.7:8200")
    with pytest.raises(UnavailableError, match=r"http://10\.9\.8\.7:8200"):
        await (await make_source()).read("kv/a#token")


async def test_compressed_answer_is_refused_unopened(readable: SandboxVault, make_source: MakeSource) -> None:
    """We ask for identity; 100 MB of zeros in 100 kB are not unpacked."""
    bomb = gzip.compress(b"\0" * 100_000_000, 9)
    asked: list[str] = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request.headers["Accept-Encoding"])
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    readable.faults.append(Fault(lambda request: request.path.startswith("/v1/kv/data"), answer))
    with pytest.raises(UnavailableError, match="compressed although asked not to be"):
        await (await make_source()).read("kv/a#token")
    assert asked == ["identity"]


async def test_large_answer_is_refused(readable: SandboxVault, make_source: MakeSource) -> None:
    """More than 1 MiB is not read to its end, announced or not."""
    body = json.dumps({"data": {"data": {"token": "x" * (1 << 20)}, "metadata": {"version": 1}}})
    readable.fail(200, path="/v1/kv/data", body=body)
    with pytest.raises(UnavailableError, match="larger than 1048576 bytes"):
        await (await make_source()).read("kv/a#token")


@pytest.mark.parametrize("status", [200, 307, 404, 500])
async def test_endless_answer_is_refused(readable: SandboxVault, make_source: MakeSource, status: int) -> None:
    """A body without an end is cut off at the same size, that of an error or a redirect as well."""

    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Location": "http://127.0.0.1:1/"})
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)

    readable.faults.append(Fault(lambda request: request.path.startswith("/v1/kv/data"), pour))
    with pytest.raises(UnavailableError, match="larger than 1048576 bytes"):
        await (await make_source()).read("kv/a#token")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.1 xxx\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "garbage", "cut short", "no status", "many headers", "long header"],
)
async def test_answer_that_is_no_http_is_unavailable(
    executor: ThreadPoolExecutor, fake_clock: Any, answer: bytes
) -> None:
    """Broken HTTP of any kind is an outage with a cause."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    async with raw_server(talk) as url, wire_to(url, executor, fake_clock) as wire:
        with pytest.raises(UnavailableError) as caught:
            await get(wire)
    assert caught.value.cause in {"reset", "protocol"}


@pytest.mark.parametrize(
    ("url", "cause"),
    [("http://127.0.0.1:1", "refused"), ("http://vault.invalid:8200", "dns")],
    ids=["refused", "dns"],
)
async def test_vault_that_cannot_be_reached_says_why(
    executor: ThreadPoolExecutor, fake_clock: Any, url: str, cause: str
) -> None:
    """A closed port and an unknown name are told apart."""
    async with wire_to(url, executor, fake_clock) as wire:
        with pytest.raises(UnavailableError) as caught:
            await get(wire)
    assert caught.value.cause == cause


async def test_environment_has_no_say(
    readable: SandboxVault, make_source: MakeSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxies, tokens, addresses, namespaces and a netrc of the environment change no request."""
    async with SandboxVault() as other:
        netrc = tmp_path / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login u password {CANARY}\n")
        netrc.chmod(0o600)
        (tmp_path / ".vault-token").write_text(CANARY)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "VAULT_ADDR"):
            monkeypatch.setenv(name, other.url)
        for name in ("VAULT_TOKEN", "VAULT_NAMESPACE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, CANARY)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(netrc))
        source = await make_source()
        assert (await source.read("kv/a#token")).secret == Secret(CANARY)
        assert list(other.asked) == []
    assert not [asked for asked in readable.asked if CANARY in asked.credential or "Basic" in asked.credential]


async def test_configured_proxy_is_used(readable: SandboxVault, make_source: MakeSource) -> None:
    """With a proxy in the configuration the name in the address is not even looked up here."""
    source = await make_source(address="http://vault.invalid:8200", proxy=readable.url)
    assert (await source.read("kv/a#token")).secret == Secret(CANARY)


async def test_cookies_are_not_kept(readable: SandboxVault, make_source: MakeSource) -> None:
    """What a load balancer sets is not sent again."""
    seen: list[str] = []

    def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie", ""))
        return web.Response(status=500, headers={"Set-Cookie": "a=b"})

    readable.faults.append(Fault(lambda request: request.path.startswith("/v1/kv/data"), answer, times=2))
    source = await make_source()
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await source.read("kv/a#token")
    assert seen == ["", ""]


async def test_debug_logs_of_the_libraries_hold_no_secret(
    readable: SandboxVault, make_source: MakeSource, caplog: pytest.LogCaptureFixture
) -> None:
    """With every logger at DEBUG, a login, a read and a failure leave no secret in the log."""
    readable.add_approle("role-1", f"{CANARY}-id")
    with caplog.at_level(logging.DEBUG):
        source = await make_source(bootstrap={"ROLE_ID": "role-1", "SECRET_ID": f"{CANARY}-id"})
        await source.read("kv/a#token")
        readable.fail(500, path="/v1/kv/data", body=CANARY)
        with pytest.raises(UnavailableError):
            await source.read("kv/a#token")
    tokens = {asked.credential for asked in readable.asked} - {""}
    assert "/v1/kv/data/a" in caplog.text
    assert not [secret for secret in {CANARY, *tokens} if secret in caplog.text]


async def test_connections_are_kept_between_calls(readable: SandboxVault, make_source: MakeSource) -> None:
    """Ten reads one after the other use one connection."""
    peers: set[Any] = set()

    def note(request: web.Request) -> bool:
        peers.add(request.transport.get_extra_info("peername") if request.transport else None)
        return False

    readable.faults.append(Fault(note, lambda _: web.Response()))
    source = await make_source()
    for _ in range(10):
        await source.read("kv/a#token")
    assert len(peers) == 1
