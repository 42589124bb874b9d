"""The two passwords of a scope-map token and of the admin user at Azure, set in turn."""

from __future__ import annotations

import sys
import traceback
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Issued, Login, Stage, Version
from rotator.domain.retirement import Retirement
from rotator.domain.verdict import Verdict
from rotator.errors import (
    AuthenticationError,
    ConfigError,
    ConflictError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
)
from rotator.ports import Clock, Order, Retires, SettlesSlowly
from rotator.providers.acr_token import ADMIN_ACTIONS, AcrToken, AcrTokenConfig
from rotator.providers.context import ProviderContext
from rotator.sandbox.azure import ACTIONS, ADMIN, PATH, SUBSCRIPTION, TOKEN, SandboxArm
from rotator.sandbox.flavours import ACR
from rotator.sandbox.registry import SandboxRegistry
from rotator.secret import Secret

CANARY = "canary-7f3a9c51d2e8"
AUDIENCE = "https://management.azure.com/.default"
ONE, TWO = (f"acme0/{TOKEN}/{slot}" for slot in ("password1", "password2"))
ADMIN_USER = {"token": None, "admin_user": True, "max_age": "30d"}
Entra = Any  # the class is in conftest, which tests do not import
Make = Callable[..., AcrToken]


@pytest.fixture
async def acr_registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return a registry that refuses as Azure's does."""
    async with SandboxRegistry(clock, auth=ACR) as server:
        yield server


@pytest.fixture
async def arm(clock: Clock, acr_registry: SandboxRegistry) -> AsyncIterator[SandboxArm]:
    """Return Azure Resource Manager, which takes Entra's tokens for it."""
    async with SandboxArm(clock, acr_registry, bearer=f"entra-for:{AUDIENCE}") as server:
        yield server


@pytest.fixture
def make(
    make_context: Callable[[str], ProviderContext],
    acr_registry: SandboxRegistry,
    arm: SandboxArm,
    entra: Entra,
    keep: Callable[[str, str], dict[str, str]],
) -> Make:
    """Return a function that makes a provider with a service principal and further options."""

    def build(**options: Any) -> AcrToken:
        given = {
            "registry": acr_registry.host,
            "registry_name": "acme0",
            "subscription": SUBSCRIPTION,
            "resource_group": "rg",
            "token": TOKEN,
            "tenant": "contoso.example",
            "service_principal": {"client_id": "app-1", "client_secret": keep("client-secret", CANARY)},
            "authority_url": entra.url,
            "arm_url": arm.url,
            "arm_audience": AUDIENCE,
            "insecure": True,
        }
        config = AcrTokenConfig.model_validate({**given, **options})
        return AcrToken(config, make_context(acr_registry.host))

    return build


def after(*issued: Issued) -> Order:
    """Return an order after versions of which the last is in use and the others await their end."""
    stages = [*[Stage.PREVIOUS] * (len(issued) - 1), Stage.CURRENT]
    live = [
        Version("acr", number, stage, "print", one.login.username, one.issued_at, handle=one.handle)
        for number, (one, stage) in enumerate(zip(issued, stages, strict=False), 1)
    ]
    return Order("acr", "20261123T120000.000000Z-0001", "0a1b2c3d", live[::-1])


def works(registry: SandboxRegistry, issued: Issued) -> bool:
    """Return whether the registry takes a version."""
    return registry.accepts(issued.login.username, issued.login.secret.reveal())


def test_it_ends_and_settles_slowly(make: Make) -> None:
    """The engine may end its versions, and asks a refused new one again for longer than Azure's minute."""
    provider = make()
    assert isinstance(provider, Retires)
    assert isinstance(provider, SettlesSlowly)
    assert provider.settles_within == timedelta(seconds=90)


async def test_a_password_is_set_by_name_and_with_an_end(make: Make, arm: SandboxArm, entra: Entra) -> None:
    """The order names token, slot and expiry; the version carries the slot, the expiry and the scope map's actions."""
    issued = await make(expires_in="10d").issue(after())
    token_id = f"{PATH}/tokens/{TOKEN}"
    assert arm.bodies == [{"tokenId": token_id, "name": "password1", "expiry": "2026-12-03T12:00:00Z"}]
    assert {asked.query for asked in arm.asked} == {"api-version=2025-11-01"}
    assert [form["scope"] for form in entra.forms] == [AUDIENCE]
    assert issued.expiry == Expiry(datetime(2026, 12, 3, 12, tzinfo=UTC))
    assert (issued.handle, issued.principal, issued.scopes) == (ONE, TOKEN, frozenset(ACTIONS))
    assert await make().inspect(issued.login) == Inspection(issued.expiry, frozenset(ACTIONS), TOKEN)


@pytest.mark.parametrize("options", [{}, ADMIN_USER], ids=["token", "admin user"])
async def test_the_slot_in_use_is_never_set(make: Make, acr_registry: SandboxRegistry, options: dict[str, Any]) -> None:
    """Rotation after rotation the slots take turns, and the version in use works on each time."""
    provider = make(**options)
    versions = [await provider.issue(after())]
    for _ in range(4):
        versions.append(await provider.issue(after(*versions[-2:])))
        assert works(acr_registry, versions[-1])
        assert works(acr_registry, versions[-2])
        assert versions[-1].handle != versions[-2].handle
    assert not works(acr_registry, versions[0])


async def test_a_lost_answer_costs_the_slot_in_use_nothing(
    make: Make, arm: SandboxArm, acr_registry: SandboxRegistry
) -> None:
    """Where the connection broke after the password was set, the next order sets the same slot again."""
    provider = make()
    current = await provider.issue(after())
    arm.lose(path=f"{PATH}/generateCredentials")
    with pytest.raises(UnavailableError):
        await provider.issue(after(current))
    issued = await provider.issue(after(current))
    assert [body["name"] for body in arm.bodies] == ["password1", "password2", "password2"]
    assert works(acr_registry, current)
    assert works(acr_registry, issued)


async def test_without_a_version_in_use_the_emptiest_slot_is_taken(
    make: Make, advance: Callable[[timedelta], None]
) -> None:
    """What somebody else set is spared as long as it can be: empty slots first, then expired ones, then the older."""
    short, long = make(expires_in="1h"), make(expires_in="30d")
    handles = [(await long.issue(after())).handle]
    advance(timedelta(minutes=1))
    handles.append((await short.issue(after())).handle)
    advance(timedelta(minutes=1))
    handles.append((await long.issue(after())).handle)
    assert handles == [ONE, TWO, ONE]
    advance(timedelta(hours=2))
    assert (await long.issue(after())).handle == TWO
    advance(timedelta(minutes=1))
    assert (await long.issue(after())).handle == ONE


async def test_an_order_that_takes_its_time_is_waited_for(make: Make, arm: SandboxArm, clock: Clock) -> None:
    """After a 202 the place that Azure names is looked at, as often as it asks, until the password is there."""
    arm.looks = 3
    began = clock.now()
    issued = await make().issue(after())
    assert arm.count("GET", "/operations/") == 3
    assert clock.now() - began == timedelta(seconds=12)
    assert issued.issued_at == began


async def test_an_order_that_never_ends_is_given_up(make: Make, arm: SandboxArm) -> None:
    """After two minutes it is a reason to try again later."""
    arm.looks = 1000
    with pytest.raises(UnavailableError, match="not done within 120 s"):
        await make().issue(after())


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        pytest.param({}, "where to look", id="nowhere"),
        pytest.param({"Location": "https://elsewhere.example/operations/1"}, "another host", id="elsewhere"),
    ],
)
async def test_the_access_token_goes_nowhere_else(
    make: Make, arm: SandboxArm, headers: dict[str, str], reason: str
) -> None:
    """An accepted order without a place at Azure's own address is not followed."""
    arm.fail(202, path=f"{PATH}/generateCredentials", headers=headers)
    with pytest.raises(UnavailableError, match=reason):
        await make().issue(after())


async def test_a_new_password_is_refused_until_it_is_everywhere(make: Make, arm: SandboxArm) -> None:
    """Before it is replicated the probe says no, afterwards yes: what `settles_within` is for."""
    arm.replicates = False
    provider = make()
    issued = await provider.issue(after())
    assert (await provider.probe(issued.login)).verdict is Verdict.REJECTED
    arm.replicate()
    assert (await provider.probe(issued.login)).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("options", [{}, ADMIN_USER], ids=["token", "admin user"])
async def test_ending_sets_the_slot_anew_and_tells_nobody(
    make: Make, arm: SandboxArm, acr_registry: SandboxRegistry, options: dict[str, Any]
) -> None:
    """The old password is refused, the current one works; ending again leaves the slot as it is."""
    provider = make(**options)
    old = await provider.issue(after())
    new = await provider.issue(after(old))
    for _ in range(2):
        assert await provider.retire(old.handle, old.login) is Retirement.ENDED
    assert len(arm.bodies) == 3
    assert not works(acr_registry, old)
    assert works(acr_registry, new)


async def test_a_slot_that_holds_a_newer_password_is_left_alone(make: Make, arm: SandboxArm) -> None:
    """A version that was overwritten counts as ended, and nothing is ordered; without its login nobody can tell."""
    provider = make()
    first = await provider.issue(after())
    second = await provider.issue(after(first))
    await provider.issue(after(first, second))
    assert await provider.retire(first.handle, first.login) is Retirement.ENDED
    assert await provider.retire(first.handle, None) is Retirement.PERSON
    assert len(arm.bodies) == 3


async def test_a_registry_that_does_not_answer_ends_nothing(
    make: Make, arm: SandboxArm, acr_registry: SandboxRegistry
) -> None:
    """Where it is not known what a slot holds, it is not touched."""
    provider = make()
    issued = await provider.issue(after())
    await acr_registry.stop()
    with pytest.raises(UnavailableError, match="cannot tell"):
        await provider.retire(issued.handle, issued.login)
    assert len(arm.bodies) == 1


@pytest.mark.parametrize(
    "handle", ["", "password1", "acme0/other-token/password1", "acme0/admin/password", f"acme0/{TOKEN}/password3"]
)
async def test_a_foreign_handle_is_refused(make: Make, arm: SandboxArm, handle: str) -> None:
    """What a configuration that named another token left behind is not ended at this one."""
    with pytest.raises(PermanentError, match="is none of"):
        await make().retire(handle, Login(TOKEN, Secret("x")))
    assert not arm.asked


async def test_the_admin_user_is_flagged_by_what_it_may_do(make: Make, arm: SandboxArm) -> None:
    """Its scopes name writing and deleting everywhere, its user name is the registry's, and it never expires."""
    issued = await make(**ADMIN_USER).issue(after())
    assert arm.bodies == [{"name": "password"}]
    assert (issued.handle, issued.login.username, issued.expiry) == ("acme0/admin/password", ADMIN, NEVER)
    assert issued.scopes == ADMIN_ACTIONS
    assert "repositories/*/content/delete" in ADMIN_ACTIONS


async def test_a_disabled_token_is_named(make: Make, arm: SandboxArm) -> None:
    """No password is set for a token that may not log in."""
    arm.is_enabled = False
    with pytest.raises(PermanentError, match=f"{TOKEN} is disabled"):
        await make().issue(after())
    assert arm.bodies == []


async def test_scopes_that_may_not_be_read_are_unknown(make: Make, arm: SandboxArm) -> None:
    """An identity without the right to read scope maps still sets passwords."""
    arm.fail(403, path=f"{PATH}/scopeMaps")
    assert (await make().issue(after())).scopes is None


async def test_what_differs_between_slots_is_unknown(make: Make, advance: Callable[[timedelta], None]) -> None:
    """Azure does not tell which slot a password is in: two expiries are none, and a silent Azure tells nothing."""
    provider = make()
    old = await provider.issue(after())
    advance(timedelta(minutes=1))
    issued = await provider.issue(after(old))
    assert await provider.inspect(issued.login) == Inspection(UNKNOWN, frozenset(ACTIONS), TOKEN)


async def test_inspecting_never_raises(make: Make, arm: SandboxArm) -> None:
    """Without Azure nothing is known."""
    await arm.stop()
    assert await make().inspect(Login(TOKEN, Secret("x"))) == NOTHING_KNOWN


@pytest.mark.parametrize("path", [f"{PATH}/tokens", f"{PATH}/generateCredentials"], ids=["look", "order"])
@pytest.mark.parametrize(
    ("status", "expected", "hint"),
    [
        pytest.param(400, PermanentError, "", id="bad-request"),
        pytest.param(401, AuthenticationError, "tenant", id="unknown"),
        pytest.param(403, PermissionDeniedError, "role", id="forbidden"),
        pytest.param(404, NotFoundError, "resource_group", id="missing"),
        pytest.param(409, ConflictError, "", id="conflict"),
        pytest.param(429, RateLimitedError, "", id="slow-down"),
        pytest.param(503, UnavailableError, "", id="down"),
    ],
)
async def test_each_refusal_has_its_class_and_its_hint(
    make: Make, arm: SandboxArm, path: str, status: int, expected: type[RotatorError], hint: str
) -> None:
    """What Azure answers arrives as the error of its status, without its text."""
    arm.fail(status, path=path, body=CANARY)
    with pytest.raises(expected, match=f"(?s).*{hint}") as caught:
        await make().issue(after())
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"passwords": 7}',
        '{"passwords": [{"name": "password2", "value": "x"}]}',
        '{"passwords": [{"name": "password1", "value": null}]}',
    ],
)
async def test_an_answer_without_our_password_is_unavailable(make: Make, arm: SandboxArm, body: str) -> None:
    """Garbage, or the other slot's password, is not the one that was ordered."""
    arm.fail(200, path=f"{PATH}/generateCredentials", body=body)
    with pytest.raises(UnavailableError):
        await make().issue(after())


async def test_without_the_sdk_the_message_names_the_extra(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is a mistake of the configuration, found when the daemon starts; HTTP alone needs none."""
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ConfigError, match=r"acr_token.*azure-identity.*\n.*rotator\[azure\]"):
        make(service_principal=None)
    make()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"token": None}, "write token", id="nobody"),
        pytest.param({"admin_user": True}, "not both", id="both"),
        pytest.param({**ADMIN_USER, "max_age": None}, "max_age", id="admin-for-ever"),
        pytest.param({**ADMIN_USER, "expires_in": "30d"}, "cannot expire", id="admin-with-an-end"),
        pytest.param({"tenant": None}, "write tenant", id="no-tenant"),
        pytest.param({"subscription": "prod"}, "subscription", id="subscription"),
        pytest.param({"resource_group": "a/b"}, "resource_group", id="path-in-group"),
        pytest.param({"token": "a/../b"}, "token", id="path-in-token"),
        pytest.param({"api_version": "latest"}, "api_version", id="version"),
        pytest.param({"insecure": False}, "not https", id="plain-http"),
    ],
)
def test_options_that_cannot_work_are_refused(make: Make, options: dict[str, Any], reason: str) -> None:
    """Each mistake is named when the configuration is read."""
    with pytest.raises(ValidationError, match=reason):
        make(**options)


def test_the_identity_tells_tokens_apart(make: Make) -> None:
    """Another token, registry or identity is another password."""
    ways: tuple[dict[str, Any], ...] = (
        {},
        {"token": "other-token"},
        {"registry_name": "other0"},
        {"tenant": "x"},
        ADMIN_USER,
    )
    assert len({make(**way).identity for way in ways}) == len(ways)
