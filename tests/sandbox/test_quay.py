"""The sandbox Quay answers as its source says.

Source: quay/quay, ``endpoints/api/robot.py`` and ``robot_models_interface.py``, read 2026-11-28.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from rotator.ports import Clock
from rotator.sandbox.quay import SandboxQuay, SandboxQuayRobot

ROBOTS = "/api/v1/organization/acme/robots"
TOKEN = "oauth-token-of-an-administrator"


@pytest.fixture
async def quay(clock: Clock) -> AsyncIterator[SandboxQuay]:
    """Return the sandbox under test."""
    async with SandboxQuay(clock, api_token=TOKEN) as server:
        yield server


@pytest.fixture
def robot(quay: SandboxQuay) -> SandboxQuayRobot:
    """Return a robot in one team."""
    robot = quay.add_robot("acme+pull")
    robot.teams = ("builders",)
    return robot


async def ask(quay: SandboxQuay, method: str, path: str, token: str = TOKEN) -> tuple[int, Any]:
    """Return status and body of one call."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.request(method, quay.url + path) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_regenerating_replaces_the_token_at_once(quay: SandboxQuay, robot: SandboxQuayRobot) -> None:
    """The answer holds the new token; the old one is refused from then on, and the new one can be read again."""
    old = robot.token
    status, answer = await ask(quay, "POST", f"{ROBOTS}/pull/regenerate")
    assert (status, answer["name"]) == (200, "acme+pull")
    assert quay.accepts("acme+pull", answer["token"])
    assert not quay.accepts("acme+pull", old)
    assert (await ask(quay, "GET", f"{ROBOTS}/pull"))[1]["token"] == answer["token"]


@pytest.mark.usefixtures("robot")
async def test_rights_are_told_by_repository(quay: SandboxQuay) -> None:
    """Repositories come without their organization; teams are in the list of robots only, which holds no token."""
    rights = {"repository": {"name": "app", "is_public": False}, "role": "read"}
    assert (await ask(quay, "GET", f"{ROBOTS}/pull/permissions"))[1] == {"permissions": [rights]}
    listed = (await ask(quay, "GET", f"{ROBOTS}?permissions=true&token=false"))[1]["robots"][0]
    assert ([team["name"] for team in listed["teams"]], listed["repositories"]) == (["builders"], ["app"])
    assert "token" not in listed


@pytest.mark.parametrize("path", ["", "/pull", "/pull/permissions", "/pull/regenerate"])
@pytest.mark.usefixtures("robot")
async def test_strangers_are_refused(quay: SandboxQuay, path: str) -> None:
    """Without the right token nothing is told or done."""
    assert (await ask(quay, "POST" if path.endswith("regenerate") else "GET", ROBOTS + path, "wrong"))[0] == 401


async def test_a_robot_that_is_not_there_is_a_bad_request(quay: SandboxQuay, robot: SandboxQuayRobot) -> None:
    """Another organization's robot is not there either."""
    assert (await ask(quay, "GET", f"{ROBOTS}/other"))[0] == 400
    assert (await ask(quay, "GET", "/api/v1/organization/others/robots/pull"))[0] == 400
    assert (await ask(quay, "GET", "/api/v1/user/robots/pull"))[1]["name"] == robot.name
