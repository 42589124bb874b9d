"""The sandbox of Docker Hub's API answers as the reference says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from rotator.ports import Clock
from rotator.sandbox.dockerhub import SESSION, SandboxDockerHub
from rotator.sandbox.registry import SandboxRegistry

PERSONAL = "/v2/access-tokens"
TEAM = "/v2/orgs/acme/access-tokens"
BODIES: dict[str, dict[str, Any]] = {
    PERSONAL: {"token_label": "x", "scopes": ["repo:read"], "expires_at": "2026-11-23T13:00:00Z"},
    TEAM: {"label": "x", "resources": [{"type": "TYPE_REPO", "path": "acme/*", "scopes": ["scope-image-pull"]}]},
}


@pytest.fixture
async def registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return the registry that tokens work at."""
    async with SandboxRegistry(clock) as server:
        yield server


@pytest.fixture
async def hub(clock: Clock, registry: SandboxRegistry) -> AsyncIterator[SandboxDockerHub]:
    """Return the API under test; its organisation may have two tokens."""
    async with SandboxDockerHub(clock, registry, username="mona", password="right", max_tokens=2) as server:
        yield server


async def ask(hub: SandboxDockerHub, method: str, path: str, body: object = None, session: str = "") -> tuple[int, Any]:
    """Ask; return status and document."""
    headers = {"Authorization": f"Bearer {session}"}
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, hub.url + path, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json() if answer.content_type == "application/json" else None


async def log_in(hub: SandboxDockerHub, secret: str = "right") -> tuple[int, Any]:
    """Open a session."""
    return await ask(hub, "POST", "/v2/auth/token", {"identifier": "mona", "secret": secret})


@pytest.mark.parametrize(("path", "owner", "key"), [(PERSONAL, "mona", "uuid"), (TEAM, "acme", "id")])
async def test_a_token_is_told_once_and_works_until_it_is_deleted(
    hub: SandboxDockerHub, registry: SandboxRegistry, path: str, owner: str, key: str
) -> None:
    """Making tells the value, the list does not; a deleted token is refused, and then not found."""
    session = (await log_in(hub))[1]["access_token"]
    status, made = await ask(hub, "POST", path, BODIES[path], session)
    assert status == 201
    assert registry.accepts(owner, made["token"])
    listed = (await ask(hub, "GET", path, session=session))[1]
    assert [(one[key], one["token"]) for one in listed["results"]] == [(made[key], "")]
    assert (await ask(hub, "DELETE", f"{path}/{made[key]}", session=session))[0] == 204
    assert not registry.accepts(owner, made["token"])
    assert (await ask(hub, "DELETE", f"{path}/{made[key]}", session=session))[0] == 404


async def test_an_expired_token_counts_against_the_cap(
    hub: SandboxDockerHub, registry: SandboxRegistry, advance: Callable[[timedelta], None]
) -> None:
    """A token that has expired is refused by the registry and still in the organisation's way."""
    body = {**BODIES[TEAM], "expires_at": "2026-11-23T13:00:00Z"}
    session = (await log_in(hub))[1]["access_token"]
    made = [(await ask(hub, "POST", TEAM, body, session))[1]["token"] for _ in range(2)]
    advance(timedelta(hours=2))
    assert not registry.accepts("acme", made[0])
    session = (await log_in(hub))[1]["access_token"]
    assert (await ask(hub, "POST", TEAM, body, session))[0] == 400


async def test_the_list_comes_in_pages(hub: SandboxDockerHub) -> None:
    """The list ends where nothing is next."""
    session = (await log_in(hub))[1]["access_token"]
    for _ in range(3):
        await ask(hub, "POST", PERSONAL, BODIES[PERSONAL], session)
    first = (await ask(hub, "GET", f"{PERSONAL}?page=1&page_size=2", session=session))[1]
    last = (await ask(hub, "GET", f"{PERSONAL}?page=2&page_size=2", session=session))[1]
    assert (len(first["results"]), len(last["results"]), last["next"]) == (2, 1, None)
    assert first["next"]


async def test_only_a_password_opens_what_manages_tokens(
    hub: SandboxDockerHub, advance: Callable[[timedelta], None]
) -> None:
    """A wrong password opens nothing, a token opens a session that may not, and each session ends."""
    assert (await log_in(hub, "wrong"))[0] == 401
    session = (await log_in(hub))[1]["access_token"]
    token = (await ask(hub, "POST", PERSONAL, BODIES[PERSONAL], session))[1]["token"]
    weak = (await log_in(hub, token))[1]["access_token"]
    status, refusal = await ask(hub, "GET", PERSONAL, session=weak)
    assert (status, "personal access token is not allowed" in refusal["message"]) == (403, True)
    advance(SESSION)
    assert (await ask(hub, "GET", PERSONAL, session=session))[0] == 401


async def test_a_second_factor_refuses_the_right_password(hub: SandboxDockerHub) -> None:
    """The refusal of a right password carries a token for the second step; that of a wrong one does not."""
    hub.has_second_factor = True
    assert "login_2fa_token" in (await log_in(hub))[1]
    assert "login_2fa_token" not in (await log_in(hub, "wrong"))[1]


@pytest.mark.parametrize(
    "body", [{}, {"token_label": "x"}, {"token_label": "x" * 101, "scopes": ["repo:read"]}], ids=len
)
async def test_a_request_that_is_none_makes_nothing(hub: SandboxDockerHub, body: dict[str, Any]) -> None:
    """A label of 1 to 100 characters and a scope are needed."""
    session = (await log_in(hub))[1]["access_token"]
    assert (await ask(hub, "POST", PERSONAL, body, session))[0] == 400
    assert hub.tokens == {}
