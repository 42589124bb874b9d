"""Any registry's login, kept in a source."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from rotator.domain.headroom import Headroom, HeadroomState
from rotator.domain.model import UNKNOWN, Expiry, Login
from rotator.errors import AuthenticationError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.custom import Custom, CustomConfig
from rotator.sandbox.server import SandboxServer
from rotator.secret import Secret

HeldSource = Any  # the class is in conftest, which tests do not import
PLACE = "registries/harbor#password"
EARLY, LATE = (Expiry(datetime(year, 1, 1, tzinfo=UTC)) for year in (2027, 2028))


def jwt(expiry: Expiry) -> str:
    """Return a token that says it expires then."""
    assert expiry.at is not None
    payload = base64.urlsafe_b64encode(json.dumps({"exp": int(expiry.at.timestamp())}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.c2ln"


@pytest.fixture
def custom(make_context: Callable[[str], ProviderContext]) -> Custom:
    """Return a provider whose password is in the source."""
    options = {"registry": "harbor.example", "username": "robot$pull", "password": {"vault": PLACE}}
    return Custom(CustomConfig.model_validate(options), make_context("harbor.example"))


async def test_a_password_says_nothing_of_its_expiry(custom: Custom, held_source: HeldSource) -> None:
    """Without a date in the source or the password nothing is known."""
    held_source.put(PLACE, "hunter2", revision="3")
    issued = await custom.issue(Order())
    assert (issued.login, issued.expiry, issued.revision) == (Login("robot$pull", Secret("hunter2")), UNKNOWN, "3")


@pytest.mark.parametrize(
    ("kept", "told"), [pytest.param(UNKNOWN, EARLY, id="unknown"), pytest.param(LATE, EARLY, id="later")]
)
async def test_a_jwt_tells_its_expiry(custom: Custom, held_source: HeldSource, kept: Expiry, told: Expiry) -> None:
    """The earlier of the source's date and the token's own counts."""
    held_source.put(PLACE, jwt(told), expiry=kept)
    assert (await custom.issue(Order())).expiry == told
    assert (await custom.inspect(Login("x", Secret(jwt(told))))).expiry == told


async def test_the_sources_earlier_date_wins(custom: Custom, held_source: HeldSource) -> None:
    """A person may know better than the token."""
    held_source.put(PLACE, jwt(LATE), expiry=EARLY)
    assert (await custom.issue(Order())).expiry == EARLY


def test_identity_is_registry_and_places(custom: Custom) -> None:
    """The identity names where the login is kept."""
    assert custom.identity == "harbor.example|robot$pull with vault:registries/harbor#password"


def test_a_registry_must_be_named() -> None:
    """There is no registry to assume."""
    with pytest.raises(ValidationError, match="registry"):
        CustomConfig.model_validate({"username": "x", "password": {"env": "X"}})


JSON = '{"resources": {"api": {"limit": 5400, "remaining": 54, "reset": 0, "interval": 0.6, "throttled": false}}}'
HEADERS = {"X-RateLimit-Limit": "5400", "X-RateLimit-Remaining": "54"}


@pytest.fixture
async def limiter() -> AsyncIterator[SandboxServer]:
    """Return a server that the test makes answer."""
    async with SandboxServer(web.Application()) as server:
        yield server


def measured(server: SandboxServer, make_context: Callable[[str], ProviderContext]) -> Custom:
    """Return a provider that asks ``server`` what is left."""
    options = {"registry": server.host, "username": "ann", "password": {"env": "X"}}
    limit = {"rate_limit_url": f"{server.url}/v1/rates/limits/"}
    return Custom(CustomConfig.model_validate({**options, **limit}), make_context(server.host))


@pytest.mark.parametrize(
    ("headers", "body", "found"),
    [
        pytest.param({}, JSON, Headroom(HeadroomState.LIMITED, 5400, 54, 3600), id="JSON"),
        pytest.param(HEADERS, JSON, Headroom(HeadroomState.LIMITED, 5400, 54, 3600), id="both"),
        pytest.param(HEADERS, "fine", Headroom(HeadroomState.LIMITED, 5400, 54), id="headers"),
        pytest.param({"X-RateLimit-Remaining": ""}, "[]", Headroom(HeadroomState.UNKNOWN), id="neither"),
    ],
)
async def test_the_limit_is_read_where_it_is_configured(
    limiter: SandboxServer,
    make_context: Callable[[str], ProviderContext],
    headers: dict[str, str],
    body: str,
    found: Headroom,
) -> None:
    """What is left stands in the answer's JSON or headers; missing is unknown, not zero and not no limit."""
    limiter.fail(200, path="/v1/rates/limits/", headers=headers, body=body)
    custom = measured(limiter, make_context)
    assert await custom.headroom(Login("ann", Secret("pass"))) == found
    assert [(one.path, one.credential) for one in limiter.asked] == [("/v1/rates/limits/", "Basic YW5uOnBhc3M=")]


async def test_a_refused_login_is_raised(
    limiter: SandboxServer, make_context: Callable[[str], ProviderContext]
) -> None:
    """A refusal is no headroom; without a login nobody is asked."""
    limiter.fail(401)
    custom = measured(limiter, make_context)
    with pytest.raises(AuthenticationError):
        await custom.headroom(Login("ann", Secret("pass")))
    limiter.asked.clear()
    assert await custom.headroom(None) == Headroom(HeadroomState.UNKNOWN)
    assert not limiter.asked


async def test_without_an_address_nobody_is_asked(custom: Custom) -> None:
    """A credential without rate_limit_url has no limit to ask for."""
    assert custom.limit_host == ""
    assert await custom.headroom(Login("ann", Secret("pass"))) == Headroom(HeadroomState.UNKNOWN)


def test_the_login_is_not_sent_in_the_clear() -> None:
    """Plain HTTP is for the registry itself alone, and there only where the registry is configured so."""
    options = {"registry": "registry.example", "username": "x", "password": {"env": "X"}}
    CustomConfig.model_validate({**options, "rate_limit_url": "http://registry.example/limits"})
    with pytest.raises(ValidationError, match="not https"):
        CustomConfig.model_validate({**options, "rate_limit_url": "http://api.example/limits"})
