"""TLS to Vault: whom we trust, and that a late call can be broken off under it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from rotator.errors import ConfigError, UnavailableError
from rotator.sandbox.server import Fault
from rotator.sandbox.vault import SandboxVault
from rotator.secret import Secret
from rotator.sources.vault import VaultSource

MakeSource = Callable[..., Awaitable[VaultSource]]
CANARY = "canary-7e15-secret"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority that nobody trusts by default."""
    return trustme.CA()


@asynccontextmanager
async def tls_vault(authority: trustme.CA, clock: Any, host: str = "127.0.0.1") -> AsyncIterator[SandboxVault]:
    """Serve a Vault with one secret over TLS, with a certificate for ``host``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    async with SandboxVault(clock=clock, tls=context) as server:
        server.add_approle("role-1", "secret-1")
        server.put("kv/a", {"token": CANARY})
        yield server


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Return the path of the authority's certificate."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


async def test_configured_authority_is_trusted(
    authority: trustme.CA, ca_file: str, fake_clock: Any, make_source: MakeSource
) -> None:
    """`ca_file` makes a private authority's certificate good."""
    async with tls_vault(authority, fake_clock) as server:
        source = await make_source(address=server.url, insecure=False, ca_file=ca_file)
        assert (await source.read("kv/a#token")).secret == Secret(CANARY)


@pytest.mark.parametrize("insecure", [False, True], ids=["secure", "insecure"])
async def test_unknown_authority_is_refused(
    authority: trustme.CA, fake_clock: Any, make_source: MakeSource, *, insecure: bool
) -> None:
    """Without `ca_file` a private authority is not trusted, not even with `insecure`, which only allows HTTP."""
    async with tls_vault(authority, fake_clock) as server:
        with pytest.raises(UnavailableError, match=r"vault\.ca_file") as caught:
            await (await make_source(address=server.url, insecure=insecure)).read("kv/a#token")
        assert (caught.value.cause, list(server.asked)) == ("tls", [])


async def test_certificate_for_another_host_is_refused(
    authority: trustme.CA, ca_file: str, fake_clock: Any, make_source: MakeSource
) -> None:
    """A trusted authority does not make a certificate for another name good."""
    async with tls_vault(authority, fake_clock, "vault.test") as server:
        with pytest.raises(UnavailableError) as caught:
            await (await make_source(address=server.url, ca_file=ca_file)).read("kv/a#token")
        assert (caught.value.cause, list(server.asked)) == ("tls", [])


async def test_late_call_over_tls_frees_its_thread(
    authority: trustme.CA, ca_file: str, executor: ThreadPoolExecutor, fake_clock: Any, make_source: MakeSource
) -> None:
    """Breaking a call off works under TLS as well."""
    async with tls_vault(authority, fake_clock) as server:
        never = asyncio.Event()

        async def hang(_: web.Request) -> web.Response:
            await never.wait()
            return web.Response()

        server.faults.append(Fault(lambda request: request.path.startswith("/v1/kv/data"), hang))
        source = await make_source(address=server.url, ca_file=ca_file, timeout="500ms")
        with pytest.raises(UnavailableError) as caught:
            await source.read("kv/a#token")
        assert caught.value.cause == "timeout"
        async with asyncio.timeout(2):
            await asyncio.to_thread(executor.shutdown)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_tls_is_refused(authority: trustme.CA, ca_file: str, make_source: MakeSource) -> None:
    """A server that speaks nothing newer than TLS 1.1 is not talked to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with SandboxVault(tls=context) as server:
        with pytest.raises(UnavailableError) as caught:
            await (await make_source(address=server.url, ca_file=ca_file)).read("kv/a#token")
        assert (caught.value.cause, list(server.asked)) == ("tls", [])


async def test_authority_file_that_is_none_is_a_configuration_error(make_source: MakeSource, tmp_path: Path) -> None:
    """A missing or broken `ca_file` is found when the source is made."""
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "absent.pem"):
        with pytest.raises(ConfigError, match="cannot be used for TLS"):
            await make_source(ca_file=str(tmp_path / name))
