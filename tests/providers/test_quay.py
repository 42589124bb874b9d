"""Quay's robots: read, or in exchange for an OIDC token."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from rotator.domain.model import NEVER, UNKNOWN, Expiry, Login, Strategy
from rotator.domain.verdict import Verdict
from rotator.errors import AuthenticationError, RateLimitedError, RotatorError, UnavailableError
from rotator.ports import Clock, Order
from rotator.providers.context import ProviderContext
from rotator.providers.quay import Quay, QuayConfig
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import Fault
from rotator.secret import Secret

HeldSource = Any  # the class is in conftest, which tests do not import
Make = Callable[..., Quay]
ROBOT = "acme+pull"
OIDC = "canary-7f3a9c51d2e8"


def jwt(expires_at: datetime) -> str:
    """Return a token that says when it ends."""
    claims = json.dumps({"exp": int(expires_at.timestamp())}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


HOUR = jwt(datetime(2026, 11, 23, 13, tzinfo=UTC))


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return a registry that trusts one OIDC token of one robot.

    Behaviour: quay/quay, endpoints/oauth/robot_identity_federation.py.
    """
    expected = "Basic " + base64.b64encode(f"{ROBOT}:{OIDC}".encode()).decode()

    def exchange(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != expected:
            return web.json_response({"error": f"not trusted: {OIDC}"}, status=401)
        return web.json_response({"token": HOUR})

    async with SandboxRegistry(clock) as registry:
        registry.faults.append(Fault(lambda request: request.path.startswith("/oauth2/federation"), exchange))
        registry.add_login(ROBOT, HOUR)
        yield registry


@pytest.fixture
def make(make_context: Callable[[str], ProviderContext], server: SandboxRegistry, held_source: HeldSource) -> Make:
    """Return a function that makes a provider; the token is in the source."""
    held_source.put("robot", OIDC, revision="9")

    def build(**options: Any) -> Quay:
        given = {"registry": server.host, "username": ROBOT, "token": {"vault": "robot"}}
        return Quay(QuayConfig.model_validate({**given, **options}), make_context(server.host))

    return build


async def test_an_oidc_token_buys_an_hour(make: Make) -> None:
    """The exchange's token is the password; it tells its expiry, and has no revision of its own."""
    quay = make(mode="federated")
    issued = await quay.issue(Order())
    assert issued.login == Login(ROBOT, Secret(HOUR))
    assert issued.expiry == Expiry(datetime(2026, 11, 23, 13, tzinfo=UTC))
    assert (issued.revision, await quay.revision(), quay.strategy) == (None, None, Strategy.EPHEMERAL)
    assert (await quay.probe(issued.login)).verdict is Verdict.ACCEPTED


async def test_equal_credentials_share_one_exchange(make: Make, server: SandboxRegistry) -> None:
    """Two who ask within a minute cost one call."""
    assert await make(mode="federated").issue(Order()) == await make(mode="federated").issue(Order())
    assert server.count("GET", "/oauth2/federation") == 1


async def test_a_robots_own_token_never_expires(make: Make, server: SandboxRegistry) -> None:
    """Read mode hands over the source's token and asks nobody."""
    issued = await make().issue(Order())
    assert issued.login == Login(ROBOT, Secret(OIDC))
    assert (issued.expiry, issued.revision) == (NEVER, "9")
    assert list(server.asked) == []


async def test_an_exchanged_token_in_the_source_tells_its_expiry(make: Make, held_source: HeldSource) -> None:
    """Whoever keeps an hour's token in the source has its expiry known; what only looks like one has none."""
    held_source.put("robot", HOUR)
    assert (await make().issue(Order())).expiry == Expiry(datetime(2026, 11, 23, 13, tzinfo=UTC))
    assert (await make().inspect(Login(ROBOT, Secret("a.b.c")))).expiry == UNKNOWN


async def test_an_untrusted_token_is_an_authentication_error(make: Make, held_source: HeldSource) -> None:
    """The message names the robot, and nothing of the answer."""
    held_source.put("robot", "stranger")
    with pytest.raises(AuthenticationError, match=r"acme\+pull") as caught:
        await make(mode="federated").issue(Order())
    assert OIDC not in str(caught.value)


@pytest.mark.parametrize(("status", "expected"), [(429, RateLimitedError), (502, UnavailableError)])
async def test_each_refusal_has_its_class(
    make: Make, server: SandboxRegistry, status: int, expected: type[RotatorError]
) -> None:
    """What Quay answers arrives as the error of its status."""
    server.faults.clear()
    server.fail(status, path="/oauth2")
    with pytest.raises(expected):
        await make(mode="federated").issue(Order())


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"token": 7}', '{"token": ""}', "<html>"])
async def test_an_answer_without_a_token_is_unavailable(make: Make, server: SandboxRegistry, body: str) -> None:
    """No token in it: no password."""
    server.faults.clear()
    server.fail(200, path="/oauth2", body=body)
    with pytest.raises(UnavailableError):
        await make(mode="federated").issue(Order())


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"username": "alone"}, id="not-a-robot"),
        pytest.param({"mode": "federated", "token": {"env": "TOKEN"}}, id="frozen-token"),
        pytest.param({"mode": "other"}, id="unknown-mode"),
    ],
)
def test_options_that_cannot_work_are_refused(make: Make, options: dict[str, Any]) -> None:
    """Each mistake is found when the configuration is read."""
    with pytest.raises(ValidationError):
        make(**options)
