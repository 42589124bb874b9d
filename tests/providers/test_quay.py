"""Quay's robots: read, in exchange for an OIDC token, or regenerated in turn."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from rotator.domain.model import NEVER, UNKNOWN, Expiry, Issued, Login, Stage, Strategy, Version
from rotator.domain.retirement import Retirement
from rotator.domain.verdict import Verdict
from rotator.errors import (
    AuthenticationError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    ShapeError,
    UnavailableError,
)
from rotator.ports import Clock, Order
from rotator.providers.context import ProviderContext
from rotator.providers.quay import Quay, QuayConfig
from rotator.sandbox.quay import SandboxQuay
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
        pytest.param({"token": None}, id="no-token"),
        pytest.param({"username": None}, id="no-username"),
        pytest.param({"robots": [ROBOT]}, id="robots-and-a-token"),
        pytest.param({"api_token": {"vault": "api"}}, id="two-tokens"),
        pytest.param({"accept_gap": True}, id="no-gap-to-accept"),
    ],
)
def test_options_that_cannot_work_are_refused(make: Make, options: dict[str, Any]) -> None:
    """Each mistake is found when the configuration is read."""
    with pytest.raises(ValidationError):
        make(**options)


A, B = "acme+pull_a", "acme+pull_b"
API_TOKEN = "canary-of-the-api-61bd"


@pytest.fixture
async def quay(clock: Clock, held_source: HeldSource) -> AsyncIterator[SandboxQuay]:
    """Return a Quay with two robots; the API's token is in the source."""
    held_source.put("api", API_TOKEN)
    async with SandboxQuay(clock, api_token=API_TOKEN) as registry:
        registry.add_robot(A)
        registry.add_robot(B)
        yield registry


@pytest.fixture
def make_robots(make_context: Callable[[str], ProviderContext], quay: SandboxQuay) -> Make:
    """Return a function that makes a provider which regenerates."""

    def build(**options: Any) -> Quay:
        given = {"registry": quay.host, "mode": "regenerate", "robots": [A, B], "api_token": {"vault": "api"}}
        return Quay(QuayConfig.model_validate({**given, **options}), make_context(quay.host))

    return build


def order_of(*issued: Issued) -> Order:
    """Return an order whose last version is in use, and the one before in its grace."""
    stages = [*[Stage.PREVIOUS] * (len(issued) - 1), Stage.CURRENT]
    live = [
        Version("c", number, stage, "print", one.login.username, one.issued_at, one.expiry, handle=one.handle)
        for number, (one, stage) in enumerate(zip(issued, stages, strict=False), 1)
    ]
    return Order(live=live, is_live=[one.login for one in issued].__contains__)


async def test_the_first_version_is_what_the_robot_has(make_robots: Make, quay: SandboxQuay) -> None:
    """Nobody who pulls with the robot's present token is cut off: it is adopted, and nothing is regenerated."""
    issued = await make_robots().issue(Order())
    assert issued.login == Login(A, Secret(quay.robots[A].token))
    assert (issued.expiry, issued.handle, issued.principal, issued.revision) == (NEVER, A, A, None)
    assert quay.count("POST", "/") == 0


async def test_robots_take_turns(make_robots: Make, quay: SandboxQuay) -> None:
    """Each version goes to the robot that is not in use; once both were used, each has a new token."""
    provider = make_robots()
    issued: list[Issued] = []
    for _ in range(4):
        issued.append(await provider.issue(order_of(*issued[-2:])))
    assert [one.handle for one in issued] == [A, B, A, B]
    assert len({one.login.secret.reveal() for one in issued}) == 4
    accepted = [quay.accepts(one.login.username, one.login.secret.reveal()) for one in issued]
    assert accepted == [False, False, True, True]
    assert provider.strategy is Strategy.TWO_SLOT


@pytest.mark.parametrize("robots", [[A], [A, B]], ids=["one", "two"])
async def test_a_lost_answer_is_found_by_reading_again(make_robots: Make, quay: SandboxQuay, robots: list[str]) -> None:
    """A token that nobody has is adopted: an interrupted regenerate is not done a second time."""
    provider = make_robots(robots=robots, accept_gap=True)
    issued = [await provider.issue(Order())]
    issued += [await provider.issue(order_of(*issued))]
    quay.lose(path="/api", method="POST")
    with pytest.raises(UnavailableError):
        await provider.issue(order_of(*issued))
    done = quay.count("POST", "/api")
    found = await provider.issue(order_of(*issued))
    assert quay.accepts(found.login.username, found.login.secret.reveal())
    assert found.login not in [one.login for one in issued]
    assert quay.count("POST", "/api") == done


async def test_a_single_robot_is_overwritten(make_robots: Make, quay: SandboxQuay) -> None:
    """With one robot the old token is refused at once, which the configuration says; what is in force is left alone."""
    provider = make_robots(robots=[B], accept_gap=True)
    first = await provider.issue(Order())
    second = await provider.issue(order_of(first))
    assert provider.strategy is Strategy.OVERWRITE
    assert not quay.accepts(B, first.login.secret.reveal())
    assert await provider.retire(B, first.login) is Retirement.ENDED
    assert await provider.retire(B, second.login) is Retirement.PERSON
    assert quay.accepts(B, second.login.secret.reveal())


async def test_rights_come_from_repositories_and_teams(make_robots: Make, quay: SandboxQuay) -> None:
    """What a team brings is named beside the rights on repositories."""
    quay.robots[A].rights["tools"] = "write"
    quay.robots[A].teams = ("builders",)
    issued = await make_robots().issue(Order())
    assert issued.scopes == frozenset({"app:read", "tools:write", "team builders"})
    assert (await make_robots().inspect(issued.login)).scopes == issued.scopes


@pytest.mark.parametrize(
    "path", ["/api/v1/organization/acme/robots/pull_a/permissions", "/api/v1/organization/acme/robots"]
)
@pytest.mark.parametrize("body", ["[]", "<html>", '{"robots": 7}'])
async def test_rights_that_cannot_be_read_are_unknown(
    make_robots: Make, quay: SandboxQuay, path: str, body: str
) -> None:
    """Half of them would say too little: none are told, and the token is handed over all the same."""
    expected = None if path.endswith("robots") or body != '{"robots": 7}' else frozenset[str]()
    quay.faults.append(Fault(lambda request: request.path == path, lambda _: web.Response(text=body)))
    assert (await make_robots().issue(Order())).scopes == expected


async def test_a_users_robots_are_asked_for_as_such(make_robots: Make, quay: SandboxQuay) -> None:
    """Robots of a user have paths of their own."""
    provider = make_robots(owner="user")
    await provider.issue(order_of(await provider.issue(Order())))
    assert quay.count("GET", "/api/v1/user/robots/pull_b") == 2
    assert quay.count("GET", "/api/v1/organization") == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (429, RateLimitedError),
        (503, UnavailableError),
    ],
)
async def test_each_refusal_of_the_api_has_its_class(
    make_robots: Make, quay: SandboxQuay, method: str, status: int, expected: type[RotatorError]
) -> None:
    """What Quay's API answers arrives as the error of its status, and quotes nothing."""
    provider = make_robots(robots=[A], accept_gap=True)
    order = order_of(await provider.issue(Order()))
    quay.fail(status, path="/api", method=method, body=API_TOKEN)
    with pytest.raises(expected, match=r"robot acme\+pull_a") as caught:
        await provider.issue(order)
    assert API_TOKEN not in str(caught.value)
    assert bool(caught.value.hint) == (status in {401, 403})


async def test_a_robot_that_is_not_there_is_named(make_robots: Make, quay: SandboxQuay) -> None:
    """Quay answers 400, which says little: the list of robots tells. Nothing is left to end of it."""
    provider = make_robots()
    issued = await provider.issue(Order())
    del quay.robots[A]
    with pytest.raises(NotFoundError, match=r"robot acme\+pull_a does not exist"):
        await provider.issue(Order())
    assert await provider.retire(A, issued.login) is Retirement.ENDED


async def test_a_strange_refusal_ends_nothing(make_robots: Make, quay: SandboxQuay) -> None:
    """400 about a robot that is in the list is not taken for its end."""
    provider = make_robots()
    issued = await provider.issue(Order())
    quay.fail(400, path="/api/v1/organization/acme/robots/pull_a")
    with pytest.raises(PermanentError):
        await provider.retire(A, issued.login)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"token": ""}', '{"token": 7}', "<html>"])
async def test_an_answer_of_the_api_without_a_token_is_unavailable(
    make_robots: Make, quay: SandboxQuay, body: str
) -> None:
    """No token in it: no version, and nothing is regenerated."""
    quay.fail(200, path="/api", body=body)
    with pytest.raises(UnavailableError):
        await make_robots().issue(Order())
    assert quay.count("POST", "/") == 0


@pytest.mark.parametrize("token", ["", "two\nlines", "é"])
async def test_an_api_token_that_no_header_carries_is_refused(
    make_robots: Make, quay: SandboxQuay, held_source: HeldSource, token: str
) -> None:
    """It is not sent, and not shown."""
    held_source.put("api", token)
    with pytest.raises(ShapeError, match="what a header cannot carry"):
        await make_robots().issue(Order())
    assert list(quay.asked) == []


@pytest.mark.parametrize(
    ("options", "handle", "expected"),
    [
        pytest.param({"mode": "read"}, ROBOT, Retirement.PERSON, id="read"),
        pytest.param({"mode": "federated"}, ROBOT, Retirement.DIES, id="federated"),
    ],
)
async def test_without_an_api_nothing_is_ended(
    make: Make, server: SandboxRegistry, options: dict[str, Any], handle: str, expected: Retirement
) -> None:
    """A person ends what a person made; an hour's token dies."""
    assert await make(**options).retire(handle, Login(ROBOT, Secret(OIDC))) is expected
    assert list(server.asked) == []


@pytest.mark.parametrize(
    ("handle", "login"),
    [
        pytest.param(A, None, id="token-not-kept"),
        pytest.param("", Login(A, Secret("x")), id="no-handle"),
        pytest.param("acme+x/../y", Login(A, Secret("x")), id="no-robot"),
    ],
)
async def test_what_cannot_be_told_apart_is_not_ended(
    make_robots: Make, quay: SandboxQuay, handle: str, login: Login | None
) -> None:
    """Without the login or the robot nobody knows whose token would be overwritten: none is."""
    assert await make_robots().retire(handle, login) is Retirement.PERSON
    assert list(quay.asked) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"robots": []}, "needs robots", id="no-robot"),
        pytest.param({"robots": [A, B, ROBOT]}, "at most 2", id="three-robots"),
        pytest.param({"robots": [A, A]}, "twice", id="same-robot"),
        pytest.param({"robots": [A]}, "accept_gap: true", id="unsaid-gap"),
        pytest.param({"robots": ["alone"]}, "match pattern", id="not-a-robot"),
        pytest.param({"api_token": None}, "needs robots and api_token", id="no-api-token"),
        pytest.param({"username": A}, "write the robots' names in robots", id="username"),
        pytest.param({"token": {"vault": "robot"}}, "write the robots' names in robots", id="token"),
    ],
)
def test_options_of_robots_that_cannot_work_are_refused(
    make_robots: Make, options: dict[str, Any], expected: str
) -> None:
    """Each mistake is found when the configuration is read."""
    with pytest.raises(ValidationError, match=expected):
        make_robots(**options)
