"""Harbor's robots: secrets of ours, set in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from rotator.domain.inspection import NOTHING_KNOWN
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Issued, Login, Stage, Strategy, Version
from rotator.domain.retirement import Retirement
from rotator.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
)
from rotator.ports import Clock, Order
from rotator.providers.context import ProviderContext
from rotator.providers.harbor import Harbor, HarborConfig, is_renewed_for_nothing, new_secret, parse_robot
from rotator.sandbox.harbor import NEVER_DAYS, SandboxHarbor
from rotator.sandbox.server import Fault
from rotator.secret import Secret

HeldSource = Any  # the class is in conftest, which tests do not import
Advance = Callable[[timedelta], None]
Make = Callable[..., Harbor]
PASSWORD = "canary-7f3a9c51d2e8"
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
A, B = "robot$acme+pull-a", "robot$acme+pull-b"


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[SandboxHarbor]:
    """Return a Harbor with two robots, 1 and 2, that live 30 days."""
    async with SandboxHarbor(clock, password=PASSWORD) as harbor:
        harbor.add_robot("acme", "pull-a")
        harbor.add_robot("acme", "pull-b")
        yield harbor


@pytest.fixture
def make(make_context: Callable[[str], ProviderContext], server: SandboxHarbor, held_source: HeldSource) -> Make:
    """Return a function that makes a provider; the administrator's password is in the source."""
    held_source.put("password", PASSWORD)

    def build(**options: Any) -> Harbor:
        given = {
            "registry": server.host,
            "robots": [1, 2],
            "api_username": "admin",
            "api_password": {"vault": "password"},
        }
        return Harbor(HarborConfig.model_validate({**given, **options}), make_context(server.host))

    return build


def order_of(*issued: Issued) -> Order:
    """Return an order whose last version is in use, and the one before in its grace."""
    stages = [*[Stage.PREVIOUS] * (len(issued) - 1), Stage.CURRENT]
    return Order(
        live=[
            Version("c", number, stage, "print", one.login.username, one.issued_at, one.expiry, handle=one.handle)
            for number, (one, stage) in enumerate(zip(issued, stages, strict=False), 1)
        ]
    )


async def test_robots_take_turns(make: Make, server: SandboxHarbor) -> None:
    """Each version goes to the robot that is not in use; the secret of the other is not touched."""
    harbor = make()
    issued: list[Issued] = []
    for _ in range(4):
        issued.append(await harbor.issue(order_of(*issued[-2:])))
    assert [one.login.username for one in issued] == [A, B, A, B]
    assert [one.handle for one in issued] == ["1", "2", "1", "2"]
    assert harbor.strategy is Strategy.TWO_SLOT
    accepted = [server.accepts(one.login.username, one.login.secret.reveal()) for one in issued]
    assert accepted == [False, False, True, True]


async def test_an_issued_version_carries_what_harbor_tells_of_the_robot(make: Make) -> None:
    """The robot's own expiry, rights and name; the secret changes none of them."""
    issued = await make().issue(Order())
    assert issued.expiry == Expiry(START + 30 * DAY)
    assert issued.scopes == frozenset({"project acme repository:pull"})
    assert (issued.principal, issued.issued_at, issued.revision) == (A, START, None)


async def test_a_single_robot_is_overwritten(make: Make, server: SandboxHarbor) -> None:
    """With one robot the old secret is refused as soon as the new one is set, which the configuration says."""
    harbor = make(robots=[2], accept_gap=True)
    first = await harbor.issue(Order())
    second = await harbor.issue(order_of(first))
    assert (harbor.strategy, second.login.username) == (Strategy.OVERWRITE, B)
    assert not server.accepts(B, first.login.secret.reveal())
    assert server.accepts(B, second.login.secret.reveal())


async def test_a_single_robots_secret_in_force_is_left_alone(make: Make, server: SandboxHarbor) -> None:
    """What was overwritten is ended already; what still works is all there is, and only a person may end it."""
    harbor = make(robots=[2], accept_gap=True)
    first = await harbor.issue(Order())
    second = await harbor.issue(order_of(first))
    assert await harbor.retire("2", first.login) is Retirement.ENDED
    assert await harbor.retire("2", second.login) is Retirement.PERSON
    assert server.accepts(B, second.login.secret.reveal())


@pytest.mark.parametrize(
    ("handle", "login"),
    [
        pytest.param("1", None, id="secret-not-kept"),
        pytest.param("", Login(A, Secret("x")), id="no-handle"),
        pytest.param("1/../2", Login(A, Secret("x")), id="no-number"),
    ],
)
async def test_what_cannot_be_told_apart_is_not_ended(
    make: Make, server: SandboxHarbor, handle: str, login: Login | None
) -> None:
    """Without the login or the robot nobody knows whose secret would be overwritten: none is."""
    assert await make().retire(handle, login) is Retirement.PERSON
    assert list(server.asked) == []


async def test_a_deleted_robot_is_ended(make: Make, server: SandboxHarbor) -> None:
    """A robot that is gone logs nobody in, and is not asked for."""
    issued = await make().issue(Order())
    server.revoke(A)
    del server.robots[1]
    assert await make().retire("1", issued.login) is Retirement.ENDED


@pytest.mark.parametrize("status", [429, 502])
async def test_a_registry_that_cannot_tell_ends_nothing(make: Make, server: SandboxHarbor, status: int) -> None:
    """While nobody knows whether the old secret is in force, no secret is overwritten."""
    issued = await make().issue(Order())
    server.fail(status, path="/service/token")
    with pytest.raises(UnavailableError, match="cannot tell"):
        await make().retire("1", issued.login)
    assert server.count("PATCH", "/api") == 1


async def test_a_robot_is_extended_where_that_is_configured(
    make: Make, server: SandboxHarbor, advance: Advance
) -> None:
    """``duration`` counts from the robot's making: it grows by what is missing, and the answer is what is reported."""
    advance(20 * DAY)
    issued = await make(validity="45d").issue(Order())
    assert server.robots[1].days == 65
    assert issued.expiry == Expiry(START + 65 * DAY)
    assert server.accepts(A, issued.login.secret.reveal())
    assert server.robots[2].days == 30


@pytest.mark.parametrize(("days", "validity"), [(30, "30d"), (NEVER_DAYS, "90d")], ids=["long-enough", "never-expires"])
async def test_a_robot_with_time_left_is_not_changed(
    make: Make, server: SandboxHarbor, days: int, validity: str
) -> None:
    """No duration is written where the robot lives as long as asked."""
    number = server.add_robot("acme", "other", days=days).number
    issued = await make(robots=[number, 1], validity=validity).issue(Order())
    assert server.count("PUT", "/") == 0
    assert issued.expiry == (NEVER if days == NEVER_DAYS else Expiry(START + 30 * DAY))


async def test_an_expired_robot_is_named_and_nothing_is_set(
    make: Make, server: SandboxHarbor, advance: Advance
) -> None:
    """A new secret would not work: a person is told what moves the expiry."""
    advance(31 * DAY)
    with pytest.raises(PermanentError, match=r"pull-a expired at 2026-12-23 12:00Z, .* validity: 90d"):
        await make().issue(Order())
    assert server.count("PATCH", "/") == 0


async def test_an_expired_robot_that_may_be_extended_comes_back(
    make: Make, server: SandboxHarbor, advance: Advance
) -> None:
    """With ``validity`` an expired robot is given more days first."""
    advance(31 * DAY)
    issued = await make(validity="10d").issue(Order())
    assert server.accepts(A, issued.login.secret.reveal())


async def test_a_disabled_robot_is_named_and_nothing_is_set(make: Make, server: SandboxHarbor) -> None:
    """Somebody took the robot out of service; that is not undone."""
    server.robots[1].is_disabled = True
    with pytest.raises(PermanentError, match=r"pull-a is disabled\. Enable it in Harbor"):
        await make().issue(Order())
    assert server.count("PATCH", "/") == 0


async def test_rotations_end_before_they_become_a_flurry(make: Make, server: SandboxHarbor, advance: Advance) -> None:
    """Robots that both expire stop being rotated for their expiry, with the reason; by age they still are."""
    harbor = make()
    first = await harbor.issue(Order())
    advance(7 * DAY)
    second = await harbor.issue(order_of(first))
    advance(13 * DAY)
    with pytest.raises(PermanentError, match="which a new secret does not move"):
        await harbor.issue(order_of(first, second))
    assert server.count("PATCH", "/") == 2


LATER, SOONER = Expiry(START + 31 * DAY), Expiry(START + 30 * DAY)
USED = Version("c", 1, Stage.CURRENT, "print", A, START, SOONER)


@pytest.mark.parametrize(
    ("current", "expiry", "days", "expected"),
    [
        pytest.param(USED, SOONER, 15, True, id="same-end-half-way"),
        pytest.param(USED, SOONER, 11, False, id="same-end-early"),
        pytest.param(USED, LATER, 25, False, id="lives-longer"),
        pytest.param(USED, NEVER, 25, False, id="lives-for-ever"),
        pytest.param(None, SOONER, 25, False, id="first"),
        pytest.param(Version("c", 1, Stage.CURRENT, "p", A, START), SOONER, 25, False, id="expiry-unknown"),
        pytest.param(
            Version("c", 1, Stage.CURRENT, "p", A, START, SOONER, rejected_at=START), SOONER, 25, False, id="refused"
        ),
    ],
)
def test_a_renewal_that_gains_nothing_is_told(
    current: Version | None, expiry: Expiry, days: int, *, expected: bool
) -> None:
    """Only what replaces a version for its expiry, and would not outlive it, is for nothing."""
    assert is_renewed_for_nothing(current, expiry, START + days * DAY) is expected


@pytest.mark.parametrize("byte", [b"\x00", b"\xff", b"\x69"], ids=["zeros", "ones", "letters"])
def test_any_entropy_gives_a_secret_that_harbor_takes(byte: bytes) -> None:
    """Length and kinds of characters are right whatever the bytes, and the bytes are all in it."""
    secret = new_secret(lambda count: byte * count).reveal()
    assert len(secret) == 46
    assert any(map(str.isupper, secret))
    assert any(map(str.islower, secret))
    assert any(map(str.isdigit, secret))
    assert secret != new_secret(lambda count: byte * (count - 1) + b"\x10").reveal()


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, PermanentError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ConflictError),
        (429, RateLimitedError),
        (500, UnavailableError),
        (503, UnavailableError),
    ],
)
async def test_each_refusal_has_its_class(
    make: Make, server: SandboxHarbor, method: str, status: int, expected: type[RotatorError]
) -> None:
    """What Harbor answers arrives as the error of its status, which names the robot and quotes nothing."""
    server.fail(status, path="/api", method=method, body=PASSWORD)
    with pytest.raises(expected, match="robot 1: ") as caught:
        await make().issue(Order())
    assert PASSWORD not in str(caught.value)
    assert bool(caught.value.hint) == (status in {401, 403, 404})


@pytest.mark.parametrize("body", ["", "[]", "null", "{}", '{"name": ""}', '{"name": 7}', "<html>", '{"name": "x"'])
async def test_an_answer_without_a_robot_is_unavailable(make: Make, server: SandboxHarbor, body: str) -> None:
    """Nothing is set on a robot that cannot be read."""
    server.fail(200, path="/api", method="GET", body=body)
    with pytest.raises(UnavailableError):
        await make().issue(Order())
    assert server.count("PATCH", "/") == 0


@pytest.mark.parametrize(
    ("fields", "expiry", "scopes"),
    [
        pytest.param({}, UNKNOWN, None, id="nothing-told"),
        pytest.param({"expires_at": -1, "permissions": []}, NEVER, set(), id="never"),
        pytest.param({"expires_at": 0, "permissions": {}}, UNKNOWN, None, id="zero"),
        pytest.param({"expires_at": True, "permissions": [7, {}]}, UNKNOWN, set(), id="not-numbers"),
        pytest.param({"expires_at": 10**30}, UNKNOWN, None, id="beyond-time"),
        pytest.param(
            {
                "permissions": [
                    {
                        "kind": "system",
                        "namespace": "/",
                        "access": [
                            {"resource": "registry", "action": "read"},
                            {"resource": "project", "action": "delete", "effect": "deny"},
                        ],
                    }
                ]
            },
            UNKNOWN,
            {"system / registry:read"},
            id="denied",
        ),
    ],
)
def test_what_harbor_does_not_tell_is_unknown(fields: dict[str, Any], expiry: Expiry, scopes: set[str] | None) -> None:
    """Each field that makes no sense counts as not told."""
    robot = parse_robot({"name": A, **fields}, "robot 1")
    assert (robot.expiry, robot.scopes, robot.created_at) == (expiry, scopes, None)


async def test_an_unreadable_birthday_extends_nothing(make: Make, server: SandboxHarbor) -> None:
    """Without it nobody knows which duration would do."""
    body = '{"name": "robot$x", "expires_at": 1, "creation_time": "yesterday"}'
    server.faults.append(Fault(lambda request: request.method == "GET", lambda _: web.Response(text=body)))
    with pytest.raises(UnavailableError, match="when it was made"):
        await make(validity="90d").issue(Order())
    assert server.count("PUT", "/") == 0


async def test_inspection_knows_only_our_robots(make: Make, server: SandboxHarbor) -> None:
    """The robot is found by its name; another name, or a Harbor that does not answer, is nothing known."""
    found = await make().inspect(Login(B, Secret("whatever")))
    assert (found.expiry, found.principal) == (Expiry(START + 30 * DAY), B)
    assert await make().inspect(Login("robot$acme+other", Secret("x"))) == NOTHING_KNOWN
    server.fail(503, path="/api")
    assert await make().inspect(Login(B, Secret("x"))) == NOTHING_KNOWN


async def test_the_password_is_read_afresh(make: Make, held_source: HeldSource) -> None:
    """A new password at its source is used at once."""
    harbor = make()
    held_source.put("password", "wrong")
    with pytest.raises(AuthenticationError, match="api_password"):
        await harbor.issue(Order())
    held_source.put("password", PASSWORD)
    assert (await harbor.issue(Order())).handle == "1"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"robots": []}, "at least 1", id="no-robot"),
        pytest.param({"robots": [1, 2, 3]}, "at most 2", id="three-robots"),
        pytest.param({"robots": [0, 1]}, "greater than 0", id="no-id"),
        pytest.param({"robots": [1, 1]}, "twice", id="same-robot"),
        pytest.param({"robots": [1]}, "accept_gap: true", id="unsaid-gap"),
        pytest.param({"api_username": "a:b"}, "match pattern", id="colon"),
    ],
)
def test_options_that_cannot_work_are_refused(make: Make, options: dict[str, Any], expected: str) -> None:
    """Each mistake is found when the configuration is read."""
    with pytest.raises(ValidationError, match=expected):
        make(**options)
