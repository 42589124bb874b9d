"""The sandbox of JFrog's API answers as the reference says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from rotator.ports import Clock
from rotator.sandbox.jfrog import SandboxJFrog
from rotator.sandbox.registry import SandboxRegistry

PATH = "/access/api/v1/tokens"


@pytest.fixture
async def registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return the registry that tokens work at."""
    async with SandboxRegistry(clock) as server:
        yield server


@pytest.fixture
async def jfrog(clock: Clock, registry: SandboxRegistry) -> AsyncIterator[SandboxJFrog]:
    """Return the API under test."""
    async with SandboxJFrog(clock, registry, api_token="admin") as server:
        yield server


async def ask(jfrog: SandboxJFrog, method: str, path: str, body: object = None, bearer: str = "admin") -> Any:
    """Ask; return status and document."""
    headers = {"Authorization": f"Bearer {bearer}"}
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, jfrog.url + path, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json() if answer.content_type == "application/json" else None


async def test_a_token_works_until_it_is_revoked(jfrog: SandboxJFrog, registry: SandboxRegistry) -> None:
    """Revoking answers 200, then 204; the registry refuses the token and its reference."""
    body = {"username": "mona", "expires_in": 86_400, "include_reference_token": True}
    made = (await ask(jfrog, "POST", PATH, body))[1]
    values = (made["access_token"], made["reference_token"])
    assert all(registry.accepts("mona", value) for value in values)
    assert len(made["reference_token"]) == 64
    path = f"{PATH}/{made['token_id']}"
    assert [(await ask(jfrog, "DELETE", path))[0] for _ in range(2)] == [200, 204]
    assert not any(registry.accepts("mona", value) for value in values)


async def test_a_short_life_is_not_revocable_unless_forced(jfrog: SandboxJFrog) -> None:
    """Below six hours only a token that was forced to be revocable can be revoked."""
    answers = []
    for forced in (False, True):
        body = {"username": "mona", "expires_in": 3600, "force_revocable": forced}
        made = (await ask(jfrog, "POST", PATH, body))[1]
        answers.append((await ask(jfrog, "DELETE", f"{PATH}/{made['token_id']}"))[0])
    assert answers == [400, 200]


async def test_a_token_tells_of_itself(jfrog: SandboxJFrog) -> None:
    """Whoever shows a token learns its subject, expiry and scope; an unknown one learns nothing."""
    made = (await ask(jfrog, "POST", PATH, {"username": "mona", "expires_in": 60}))[1]
    status, told = await ask(jfrog, "GET", f"{PATH}/me", bearer=made["access_token"])
    assert (status, told["subject"], told["token_id"]) == (200, "jfac@01sandbox/users/mona", made["token_id"])
    assert (await ask(jfrog, "GET", f"{PATH}/me", bearer="unknown"))[0] == 401


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("GET", ""), ("GET", "/x"), ("DELETE", "/x")])
async def test_only_the_administrator_manages(jfrog: SandboxJFrog, method: str, path: str) -> None:
    """Anybody else is refused."""
    assert (await ask(jfrog, method, PATH + path, {"username": "mona"}, bearer="mona"))[0] == 401


@pytest.mark.parametrize("body", [{}, {"username": "mona", "expires_in": 0}], ids=["nobody", "for ever"])
async def test_a_request_that_is_none_makes_nothing(jfrog: SandboxJFrog, body: dict[str, Any]) -> None:
    """A user and an end are needed."""
    assert (await ask(jfrog, "POST", PATH, body))[0] == 400
    assert jfrog.tokens == {}
