"""The sandbox of DigitalOcean answers as the reference says."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from rotator.ports import Clock
from rotator.sandbox.digitalocean import SandboxDigitalOcean
from rotator.sandbox.registry import SandboxRegistry


@pytest.fixture
async def registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return the registry that the credentials are for."""
    async with SandboxRegistry(clock) as server:
        yield server


@pytest.fixture
async def vendor(clock: Clock, registry: SandboxRegistry) -> AsyncIterator[SandboxDigitalOcean]:
    """Return the API under test."""
    async with SandboxDigitalOcean(clock, registry, name="acme", api_token="known") as server:
        yield server


async def ask(vendor: SandboxDigitalOcean, query: str = "", *, name: str = "acme", token: str = "known") -> Any:
    """Ask for credentials; return status and document."""
    url = f"{vendor.url}/v2/registries/{name}/docker-credentials{query}"
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_each_request_makes_a_login_of_two_equal_halves(
    vendor: SandboxDigitalOcean, registry: SandboxRegistry, advance: Callable[[timedelta], None]
) -> None:
    """Two requests, two tokens; each is user name and password, and without an expiry it works for ever."""
    documents = [(await ask(vendor))[1] for _ in range(2)]
    logins = {base64.b64decode(one["auths"][registry.host]["auth"]).decode() for one in documents}
    assert logins == {f"{token}:{token}" for token in vendor.minted}
    assert len(logins) == 2
    advance(timedelta(days=4000))
    assert all(registry.accepts(token, token) for token in vendor.minted)


async def test_an_expiry_is_kept(
    vendor: SandboxDigitalOcean, registry: SandboxRegistry, advance: Callable[[timedelta], None]
) -> None:
    """A login with ``expiry_seconds`` stops working after so many."""
    await ask(vendor, "?expiry_seconds=60")
    advance(timedelta(seconds=61))
    assert not registry.accepts(vendor.minted[0], vendor.minted[0])


@pytest.mark.parametrize(
    ("options", "status"),
    [
        pytest.param({"token": "wrong"}, 401, id="token"),
        pytest.param({"name": "other"}, 404, id="registry"),
        pytest.param({"query": "?expiry_seconds=soon"}, 422, id="number"),
    ],
)
async def test_what_is_wrong_is_refused(vendor: SandboxDigitalOcean, options: dict[str, str], status: int) -> None:
    """An unknown token, an unknown registry and a number that is none make nothing."""
    assert (await ask(vendor, **options))[0] == status
    assert vendor.minted == []


async def test_a_lost_answer_is_work_done(vendor: SandboxDigitalOcean) -> None:
    """Where the connection breaks instead of an answer, the credentials were made all the same."""
    vendor.lose(times=None)
    with pytest.raises(aiohttp.ClientError):
        await ask(vendor)
    assert vendor.minted
