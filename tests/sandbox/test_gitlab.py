"""The sandbox GitLab answers as its documentation and source say.

Source: https://docs.gitlab.com/api/deploy_tokens/, https://docs.gitlab.com/api/project_access_tokens/, read 2026-11-28.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from yarl import URL

from rotator.ports import Clock
from rotator.sandbox.flavours.gitlab import GITLAB
from rotator.sandbox.gitlab import SandboxGitLab
from rotator.sandbox.registry import SandboxRegistry

TOKEN = "glpat-of-a-maintainer"
DEPLOY = "/api/v4/projects/acme%2Fapp/deploy_tokens"
ACCESS = "/api/v4/projects/acme%2Fapp/access_tokens"
BODY = {"name": "n", "scopes": ["read_registry"], "expires_at": "2099-01-02"}


@pytest.fixture
async def registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return the registry that tokens work at."""
    async with SandboxRegistry(clock, auth=GITLAB) as server:
        yield server


@pytest.fixture
async def gitlab(clock: Clock, registry: SandboxRegistry) -> AsyncIterator[SandboxGitLab]:
    """Return the sandbox under test."""
    async with SandboxGitLab(clock, registry, api_token=TOKEN) as server:
        yield server


async def ask(gitlab: SandboxGitLab, method: str, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, Any]:
    """Return status and body of one call."""
    url = URL(gitlab.url + path, encoded=True)
    headers = {"PRIVATE-TOKEN": token}
    async with aiohttp.ClientSession(headers=headers) as session, session.request(method, url, json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_deploy_token_is_told_once(gitlab: SandboxGitLab, registry: SandboxRegistry) -> None:
    """It works at the registry, is listed without itself, and is gone once it was deleted."""
    status, made = await ask(gitlab, "POST", DEPLOY, BODY)
    assert (status, made["username"], made["expires_at"]) == (201, "gitlab+deploy-token-1", "2099-01-02T00:00:00.000Z")
    assert registry.accepts(made["username"], made["token"])
    _, listed = await ask(gitlab, "GET", DEPLOY)
    assert [("token" in one, one["id"]) for one in listed] == [(False, 1)]
    assert (await ask(gitlab, "DELETE", f"{DEPLOY}/1"))[0] == 204
    assert not registry.accepts(made["username"], made["token"])
    assert (await ask(gitlab, "DELETE", f"{DEPLOY}/1"))[0] == 404


async def test_an_access_token_stays_listed_once_revoked(gitlab: SandboxGitLab, registry: SandboxRegistry) -> None:
    """It expires with a date, knows itself, and is shown as revoked afterwards."""
    _, made = await ask(gitlab, "POST", ACCESS, BODY)
    assert made["expires_at"] == "2099-01-02"
    assert (await ask(gitlab, "GET", "/api/v4/personal_access_tokens/self", token=made["token"]))[1]["active"]
    assert (await ask(gitlab, "DELETE", f"{ACCESS}/1"))[0] == 204
    assert not registry.accepts("rotator", made["token"])
    assert (await ask(gitlab, "GET", ACCESS))[1][0]["revoked"]
    assert (await ask(gitlab, "GET", "/api/v4/personal_access_tokens/self", token=made["token"]))[0] == 401


async def test_a_deploy_token_does_not_know_itself(gitlab: SandboxGitLab) -> None:
    """Only personal, project and group access tokens may ask about themselves."""
    _, made = await ask(gitlab, "POST", DEPLOY, BODY)
    assert (await ask(gitlab, "GET", "/api/v4/personal_access_tokens/self", token=made["token"]))[0] == 401


async def test_a_token_dies_on_its_day(
    gitlab: SandboxGitLab, registry: SandboxRegistry, clock: Clock, advance: Callable[[timedelta], None]
) -> None:
    """The date is the first moment of that day, in UTC; what has expired is no longer active."""
    day = clock.now() + timedelta(days=2)
    _, made = await ask(gitlab, "POST", ACCESS, {**BODY, "expires_at": f"{day:%Y-%m-%d}"})
    assert registry.accepts("rotator", made["token"])
    advance(timedelta(days=2))
    assert not registry.accepts("rotator", made["token"])
    assert not (await ask(gitlab, "GET", ACCESS))[1][0]["active"]


@pytest.mark.parametrize("path", [DEPLOY, ACCESS])
@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"name": "x" * 256}, {"scopes": []}, {"scopes": ["root"]}],
    ids=["no-name", "long-name", "no-scope", "unknown-scope"],
)
async def test_a_bad_request_makes_nothing(gitlab: SandboxGitLab, path: str, change: dict[str, Any]) -> None:
    """Name and scopes are checked."""
    assert (await ask(gitlab, "POST", path, {**BODY, **change}))[0] == 400
    assert gitlab.tokens == {}


async def test_pages_are_followed_by_a_header(gitlab: SandboxGitLab) -> None:
    """``X-Next-Page`` is empty on the last one."""
    for _ in range(3):
        await ask(gitlab, "POST", DEPLOY, BODY)
    assert [one["id"] for one in (await ask(gitlab, "GET", f"{DEPLOY}?per_page=2&page=1"))[1]] == [1, 2]
    assert [one["id"] for one in (await ask(gitlab, "GET", f"{DEPLOY}?per_page=2&page=2"))[1]] == [3]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_strangers_and_unseen_projects_are_refused(gitlab: SandboxGitLab, method: str) -> None:
    """401 without the right token; 404 for what there is not, or may not be seen."""
    assert (await ask(gitlab, method, DEPLOY, BODY, token="wrong"))[0] == 401
    assert (await ask(gitlab, method, "/api/v4/projects/acme%2Fother/deploy_tokens", BODY))[0] == 404
    assert (await ask(gitlab, method, "/api/v4/groups/acme/deploy_tokens", BODY))[0] == 404
