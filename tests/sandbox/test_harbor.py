"""The sandbox Harbor answers as its source says.

Source: goharbor/harbor, ``src/server/v2.0/handler/robot.go``, read 2026-11-28.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from rotator.ports import Clock
from rotator.sandbox.harbor import SandboxHarbor, SandboxRobot

PASSWORD = "Harbor12345"
ADMIN = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
STRANGER = {"Authorization": aiohttp.encode_basic_auth("admin", "wrong")}
GOOD = "Abcdefg1"


@pytest.fixture
async def harbor(clock: Clock) -> AsyncIterator[SandboxHarbor]:
    """Return the sandbox under test."""
    async with SandboxHarbor(clock, password=PASSWORD) as server:
        yield server


@pytest.fixture
def robot(harbor: SandboxHarbor) -> SandboxRobot:
    """Return a robot that lives 30 days."""
    return harbor.add_robot("acme", "pull")


async def ask(
    harbor: SandboxHarbor, method: str, path: str = "/api/v2.0/robots/1", body: Any = None, headers: Any = ADMIN
) -> tuple[int, Any]:
    """Return status and body of one call."""
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, harbor.url + path, json=body) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def test_a_secret_of_ours_replaces_the_old_one_at_once(harbor: SandboxHarbor, robot: SandboxRobot) -> None:
    """The answer to a secret that was sent along holds none; the old one is refused from then on."""
    old = robot.secret
    assert await ask(harbor, "PATCH", body={"secret": GOOD}) == (200, {"secret": ""})
    assert harbor.accepts(robot.name, GOOD)
    assert not harbor.accepts(robot.name, old)


async def test_an_empty_secret_asks_for_one(harbor: SandboxHarbor, robot: SandboxRobot) -> None:
    """Harbor makes one up and tells it once."""
    status, answer = await ask(harbor, "PATCH", body={"secret": ""})
    assert status == 200
    assert harbor.accepts(robot.name, answer["secret"])
    assert "secret" not in (await ask(harbor, "GET"))[1]


@pytest.mark.parametrize("secret", ["Abcdef1", "abcdefg1", "ABCDEFG1", "Abcdefgh", "Aa1" * 43])
@pytest.mark.usefixtures("robot")
async def test_a_weak_secret_is_refused(harbor: SandboxHarbor, secret: str) -> None:
    """Too short, too long, or without one of the three kinds of characters."""
    assert (await ask(harbor, "PATCH", body={"secret": secret}))[0] == 400


async def test_a_new_secret_moves_no_expiry(
    harbor: SandboxHarbor, robot: SandboxRobot, advance: Callable[[timedelta], None]
) -> None:
    """A robot dies on its day, however fresh its secret."""
    advance(timedelta(days=29))
    await ask(harbor, "PATCH", body={"secret": GOOD})
    advance(timedelta(days=1))
    assert not harbor.accepts(robot.name, GOOD)


async def test_another_duration_counts_from_the_robots_making(
    harbor: SandboxHarbor, robot: SandboxRobot, advance: Callable[[timedelta], None]
) -> None:
    """Only a different duration moves the expiry, and not from now on."""
    advance(timedelta(days=10))
    _, told = await ask(harbor, "GET")
    assert (await ask(harbor, "PUT", body={**told, "duration": 40}))[0] == 200
    assert robot.expires_at == robot.created_at + timedelta(days=40)
    await ask(harbor, "PUT", body={**told, "duration": -1})
    assert (await ask(harbor, "GET"))[1]["expires_at"] == -1


@pytest.mark.parametrize("change", [{"name": "other"}, {"level": "system"}, {"permissions": []}])
@pytest.mark.usefixtures("robot")
async def test_a_change_must_carry_what_does_not_change(harbor: SandboxHarbor, change: dict[str, Any]) -> None:
    """Name, level and rights belong into every change."""
    _, told = await ask(harbor, "GET")
    assert (await ask(harbor, "PUT", body={**told, **change}))[0] == 400


async def test_a_disabled_robot_is_refused(harbor: SandboxHarbor, robot: SandboxRobot) -> None:
    """Its secret works again once it is enabled."""
    _, told = await ask(harbor, "GET")
    await ask(harbor, "PUT", body={**told, "disable": True})
    assert not harbor.accepts(robot.name, robot.secret)
    await ask(harbor, "PUT", body={**told, "disable": False})
    assert harbor.accepts(robot.name, robot.secret)


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT"])
@pytest.mark.usefixtures("robot")
async def test_strangers_and_unknown_robots_are_refused(harbor: SandboxHarbor, method: str) -> None:
    """401 to whoever is not the administrator, 404 for a robot that is not there."""
    assert (await ask(harbor, method, body={}, headers=STRANGER))[0] == 401
    assert (await ask(harbor, method, "/api/v2.0/robots/9", body={}))[0] == 404
    assert (await ask(harbor, method, "/api/v2.0/robots/x", body={}))[0] == 404


async def test_an_answer_can_be_lost(harbor: SandboxHarbor, robot: SandboxRobot) -> None:
    """What was asked is done, and whoever asked learns nothing; the next one is answered."""
    harbor.lose(path="/api", method="PATCH")
    with pytest.raises(aiohttp.ClientError):
        await ask(harbor, "PATCH", body={"secret": GOOD})
    assert harbor.accepts(robot.name, GOOD)
    assert (await ask(harbor, "PATCH", body={"secret": GOOD}))[0] == 200
