"""The sandbox of Azure Resource Manager answers as the reference says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from rotator.ports import Clock
from rotator.sandbox.azure import ADMIN, PATH, TOKEN, SandboxArm
from rotator.sandbox.registry import SandboxRegistry

TOKEN_ID = f"{PATH}/tokens/{TOKEN}"


@pytest.fixture
async def registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return the registry that passwords work at."""
    async with SandboxRegistry(clock) as server:
        yield server


@pytest.fixture
async def arm(clock: Clock, registry: SandboxRegistry) -> AsyncIterator[SandboxArm]:
    """Return the API under test."""
    async with SandboxArm(clock, registry, bearer="known") as server:
        yield server


async def ask(arm: SandboxArm, method: str, path: str, body: object = None, **options: str) -> Any:
    """Ask; return status, document and place to look at."""
    headers = {"Authorization": f"Bearer {options.get('bearer', 'known')}"}
    url = f"{arm.url}{path}{options.get('query', '?api-version=2025-11-01')}"
    async with aiohttp.ClientSession() as client, client.request(method, url, json=body, headers=headers) as answer:
        is_json = answer.content_type == "application/json"
        return answer.status, await answer.json() if is_json else None, answer.headers.get("Location", "")


def values(document: Any) -> dict[str, str]:
    """Return the passwords that were told, by slot."""
    return {one["name"]: one["value"] for one in document["passwords"] if one.get("value")}


async def test_a_named_slot_leaves_the_other_alone(arm: SandboxArm, registry: SandboxRegistry) -> None:
    """Each order with a name sets that password and tells no other; a look tells none."""
    first = values(
        (await ask(arm, "POST", f"{PATH}/generateCredentials", {"tokenId": TOKEN_ID, "name": "password1"}))[1]
    )
    second = values(
        (await ask(arm, "POST", f"{PATH}/generateCredentials", {"tokenId": TOKEN_ID, "name": "password2"}))[1]
    )
    assert (list(first), list(second)) == (["password1"], ["password2"])
    assert all(registry.accepts(TOKEN, value) for value in (*first.values(), *second.values()))
    told = (await ask(arm, "GET", TOKEN_ID))[1]["properties"]["credentials"]
    assert [one["name"] for one in told["passwords"]] == ["password1", "password2"]
    assert values(told) == {}


async def test_an_order_without_a_name_sets_both(arm: SandboxArm, registry: SandboxRegistry) -> None:
    """Whoever leaves the name out loses the password that was in use."""
    old = values((await ask(arm, "POST", f"{PATH}/generateCredentials", {"tokenId": TOKEN_ID, "name": "password1"}))[1])
    new = values((await ask(arm, "POST", f"{PATH}/generateCredentials", {"tokenId": TOKEN_ID}))[1])
    assert sorted(new) == ["password1", "password2"]
    assert not registry.accepts(TOKEN, old["password1"])


async def test_the_admin_users_slots_are_called_otherwise(arm: SandboxArm, registry: SandboxRegistry) -> None:
    """``password1`` is none of them; both passwords are told with each order."""
    refused = await ask(arm, "POST", f"{PATH}/regenerateCredential", {"name": "password1"})
    assert refused[0] == 400
    told = values((await ask(arm, "POST", f"{PATH}/regenerateCredential", {"name": "password"}))[1])
    assert sorted(told) == ["password", "password2"]
    assert all(registry.accepts(ADMIN, value) for value in told.values())


async def test_a_slow_order_is_looked_at(arm: SandboxArm) -> None:
    """An accepted order names a place that answers 202 until the password is there."""
    arm.looks = 2
    status, _, place = await ask(arm, "POST", f"{PATH}/generateCredentials", {"tokenId": TOKEN_ID, "name": "password1"})
    answers = [await ask(arm, "GET", place.removeprefix(arm.url), query="") for _ in range(2)]
    assert [status, *(answer[0] for answer in answers)] == [202, 202, 200]
    assert values(answers[1][1])


@pytest.mark.parametrize(
    ("options", "status"),
    [
        pytest.param({"bearer": "unknown"}, 401, id="stranger"),
        pytest.param({"query": ""}, 400, id="no version"),
    ],
)
async def test_what_is_wrong_is_refused(arm: SandboxArm, options: dict[str, str], status: int) -> None:
    """Every path wants an access token and a version."""
    paths = [("GET", TOKEN_ID), ("GET", f"{PATH}/scopeMaps/pull")]
    paths += [("POST", f"{PATH}/{action}") for action in ("generateCredentials", "regenerateCredential")]
    assert {(await ask(arm, method, path, {}, **options))[0] for method, path in paths} == {status}
    assert arm.bodies == []
