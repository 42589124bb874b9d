"""The sandbox TagoIO behaves as the documented one, and its control plane as a project is said to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from rotator.ports import Clock
from rotator.sandbox.tagoio import ErrorShape, SandboxTagoio

TOKEN = {"token": "p-sandbox"}
FORM = {"username": "robot", "password": "new"}


@pytest.fixture
async def tagoio(clock: Clock) -> AsyncIterator[SandboxTagoio]:
    """Return the sandbox under test, with one project."""
    async with SandboxTagoio(clock) as server:
        server.add_project("acme", image="ghcr.io/acme/app", image_tag="v1", username="old-robot", password="old")
        yield server


Ask = Callable[..., Any]


@pytest.fixture
def ask(tagoio: SandboxTagoio, http: aiohttp.ClientSession) -> Ask:
    """Return a function that sends a request and returns status and document."""

    async def send(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        shown = TOKEN if headers is None else headers
        async with http.request(method, f"{tagoio.url}{path}", json=body, headers=shown) as answer:
            return answer.status, await answer.json()

    return send


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"token": "p-other"}, id="another"),
        pytest.param({"Authorization": "Bearer p-sandbox"}, id="in another header"),
    ],
)
async def test_a_token_is_needed(ask: Ask, headers: dict[str, str]) -> None:
    """Whoever does not show the token in its header is not let in."""
    assert await ask("GET", "/secrets", headers=headers) == (401, {"status": False, "message": "Authorization Denied"})


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        pytest.param(ErrorShape.MESSAGE, {"status": False, "message": "Secret not found"}, id="message"),
        pytest.param(ErrorShape.RESULT, {"status": False, "result": {"message": "Secret not found"}}, id="result"),
        pytest.param(ErrorShape.TEXT, {"status": False, "result": "Secret not found"}, id="text"),
    ],
)
async def test_three_shapes_of_errors(tagoio: SandboxTagoio, ask: Ask, shape: ErrorShape, body: Any) -> None:
    """An error's text stands in one of three places."""
    tagoio.shape = shape
    assert await ask("GET", "/secrets/none") == (404, body)


async def test_a_secret_is_never_shown_again(tagoio: SandboxTagoio, ask: Ask) -> None:
    """A secret is made, found by its key, changed and described, and its value is in no answer."""
    _, made = await ask(
        "POST", "/secrets", {"key": "REGISTRY", "value": "hidden", "tags": [{"key": "a", "value": "1"}]}
    )
    path = f"/secrets/{made['result']['id']}"
    assert await ask("PUT", path, {"value": "hidden-too"}) == (200, {"status": True, "result": "Successfully Updated"})
    _, listed = await ask("GET", "/secrets?filter[key]=registry")
    _, shown = await ask("GET", path)
    assert listed["result"] == [{"id": made["result"]["id"], "key": "REGISTRY"}]
    assert (shown["result"]["value_length"], shown["result"]["tags"]) == (10, [{"key": "a", "value": "1"}])
    assert "hidden" not in str(shown)
    assert [one.value for one in tagoio.secrets.values()] == ["hidden-too"]


async def test_a_key_is_unique(tagoio: SandboxTagoio, ask: Ask) -> None:
    """A second secret of one key is refused."""
    tagoio.add_secret("REGISTRY", "x")
    status, _ = await ask("POST", "/secrets", {"key": "REGISTRY", "value": "y"})
    assert status == 400


async def test_the_wait_is_in_the_text(tagoio: SandboxTagoio, ask: Ask, advance: Callable[[timedelta], None]) -> None:
    """Too many requests in a clock minute are refused until the next one begins, and only the text says how long."""
    tagoio.limit = 1
    advance(timedelta(seconds=52))
    await ask("GET", "/secrets")
    assert await ask("GET", "/secrets") == (
        429,
        {"status": False, "message": "Too many requests (Retry-After: 8)"},
    )
    assert (await ask("GET", "/secrets/none"))[0] == 404, "another route has a limit of its own"
    advance(timedelta(seconds=8))
    assert (await ask("GET", "/secrets"))[0] == 200


async def test_a_change_is_a_deployment(tagoio: SandboxTagoio, ask: Ask, advance: Callable[[timedelta], None]) -> None:
    """What was changed runs once its deployment has ended, and is shown without the password."""
    assert (await ask("PUT", "/made-up/acme/image", FORM))[0] == 200
    _, running = await ask("GET", "/made-up/acme/deployments")
    assert [one["status"] for one in running["result"]] == ["In Progress", "Success"]
    assert tagoio.form("acme")["username"] == "old-robot"
    advance(tagoio.deploy_time)
    _, ended = await ask("GET", "/made-up/acme/deployments")
    _, shown = await ask("GET", "/made-up/acme/image")
    assert [one["status"] for one in ended["result"]] == ["Success", "Success"]
    assert tagoio.form("acme") == {"image": "ghcr.io/acme/app", "image_tag": "v1", **FORM}
    assert (shown["result"]["username"], "password" in shown["result"]) == ("robot", False)


async def test_a_busy_project_takes_no_change(tagoio: SandboxTagoio, ask: Ask) -> None:
    """While a deployment runs the project cannot be modified."""
    tagoio.deploy("acme")
    status, body = await ask("PUT", "/made-up/acme/image", FORM)
    assert (status, "in progress" in body["message"]) == (400, True)


async def test_a_failed_deployment_changes_nothing(
    tagoio: SandboxTagoio, ask: Ask, advance: Callable[[timedelta], None]
) -> None:
    """What runs stays when the deployment of a change ends in an error."""
    tagoio.deployments_fail = True
    await ask("PUT", "/made-up/acme/image", FORM)
    advance(tagoio.deploy_time)
    _, ended = await ask("GET", "/made-up/acme/deployments")
    assert ended["result"][0]["status"] == "Error"
    assert tagoio.form("acme")["password"] == "old"


async def test_a_blank_password_keeps_the_old_one(
    tagoio: SandboxTagoio, ask: Ask, advance: Callable[[timedelta], None]
) -> None:
    """As on TagoIO's own pages, a password that is left blank is not changed."""
    await ask("PUT", "/made-up/acme/image", {"username": "robot", "password": ""})
    advance(tagoio.deploy_time)
    assert (tagoio.form("acme")["username"], tagoio.form("acme")["password"]) == ("robot", "old")
