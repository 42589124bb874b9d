"""Entra tokens become registry passwords."""

from __future__ import annotations

import base64
import json
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.domain.model import UNKNOWN, Expiry, Login
from rotator.domain.verdict import Verdict
from rotator.errors import (
    AuthenticationError,
    ConfigError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
    UnsupportedError,
)
from rotator.ports import Clock, Order
from rotator.providers.acr import AUDIENCES, NULL_GUID, Acr, AcrConfig, inspect_refresh_token
from rotator.providers.context import ProviderContext
from rotator.sandbox.registry import SandboxRegistry
from rotator.secret import Secret

CANARY = "canary-7f3a9c51d2e8"
Entra = Any  # the class is in conftest, which tests do not import
Make = Callable[..., Acr]


@pytest.fixture
async def acr_registry(clock: Clock, entra: Entra) -> AsyncIterator[SandboxRegistry]:
    """Return a registry that exchanges Entra's tokens."""
    async with SandboxRegistry(clock) as server:
        entra.serve(server)
        yield server


@pytest.fixture
def make(
    make_context: Callable[[str], ProviderContext],
    acr_registry: SandboxRegistry,
    entra: Entra,
    keep: Callable[[str, str], dict[str, str]],
) -> Make:
    """Return a function that makes a provider with a service principal and further options."""

    def build(**options: Any) -> Acr:
        principal = {"client_id": "app-1", "client_secret": keep("client-secret", CANARY)}
        given = {"registry": acr_registry.host, "tenant": "contoso.example", "service_principal": principal}
        config = AcrConfig.model_validate({**given, "authority_url": entra.url, "insecure": True, **options})
        return Acr(config, make_context(acr_registry.host))

    return build


def refresh_token(claims: dict[str, Any]) -> Secret:
    """Return a token that says ``claims`` of itself."""
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return Secret(f"e30.{body}.c2ln")


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        pytest.param({"actions": ["read"], "notActions": []}, {"read"}, id="reader"),
        pytest.param({"actions": ["*"], "notActions": None}, {"*"}, id="everything"),
        pytest.param({"actions": [], "notActions": []}, set(), id="nothing"),
        pytest.param({"actions": ["*"], "notActions": ["delete"]}, None, id="less something"),
        pytest.param({"actions": ["read", 7]}, None, id="not words"),
        pytest.param({"actions": "read"}, None, id="a text"),
        pytest.param([], None, id="a list"),
        pytest.param(None, None, id="not told"),
    ],
)
def test_a_refresh_token_says_what_it_may(permissions: object, expected: set[str] | None) -> None:
    """Actions and subject are the token's own word; where actions are taken away again nothing is concluded."""
    found = inspect_refresh_token(refresh_token({"sub": "app-1", "exp": 1, "permissions": permissions}))
    assert (found.scopes, found.principal) == (expected, "app-1")
    assert found.expiry == Expiry(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))


async def test_issue_and_inspection_say_the_same(make: Make, entra: Entra) -> None:
    """What is known at the issue is what the password says of itself later."""
    entra.claims = {"sub": "app-1", "permissions": {"actions": ["read"], "notActions": []}}
    acr = make()
    issued = await acr.issue(Order())
    told = await acr.inspect(issued.login)
    assert (issued.expiry, issued.scopes, issued.principal) == (told.expiry, frozenset({"read"}), "app-1")
    assert (told.scopes, told.principal) == (frozenset({"read"}), "app-1")


async def test_a_token_becomes_a_password_for_three_hours(
    make: Make, entra: Entra, acr_registry: SandboxRegistry
) -> None:
    """The exchange gets the Entra token, the tenant and the host; the expiry is the refresh token's own."""
    issued = await make().issue(Order())
    assert issued.login.username == NULL_GUID
    assert issued.expiry == Expiry(datetime(2026, 11, 23, 15, tzinfo=UTC))
    assert entra.forms[0]["scope"] == AUDIENCES[0]
    assert entra.exchanges == [
        {
            "grant_type": "access_token",
            "service": acr_registry.host,
            "access_token": f"entra-for:{AUDIENCES[0]}",
            "tenant": "contoso.example",
        }
    ]


async def test_one_call_serves_all_who_ask_within_a_minute(
    make: Make, entra: Entra, advance: Callable[[timedelta], None]
) -> None:
    """Equal credentials share one password; a minute later there is a new one."""
    one, other = make(), make()
    first = await one.issue(Order())
    assert await other.issue(Order()) == first
    assert len(entra.exchanges) == 1
    advance(timedelta(minutes=2))
    assert (await one.issue(Order())).login != first.login


async def test_a_registry_that_distrusts_the_first_audience_gets_the_second(make: Make, entra: Entra) -> None:
    """After a 401 at the exchange the next audience is tried."""
    entra.trusted.discard(AUDIENCES[0])
    await make().issue(Order())
    assert [form["scope"] for form in entra.forms] == list(AUDIENCES)


async def test_a_cloud_without_the_first_audience_gets_the_second(make: Make, entra: Entra) -> None:
    """When Entra does not know the audience the next one is tried."""
    entra.audiences.discard(AUDIENCES[0])
    await make().issue(Order())
    assert [form["scope"] for form in entra.forms] == list(AUDIENCES)


async def test_when_no_audience_helps_the_last_refusal_counts(make: Make, entra: Entra) -> None:
    """Every audience refused by the registry means that it does not know us; refused by Entra, that none exists."""
    entra.trusted.clear()
    with pytest.raises(AuthenticationError, match="exchange the Entra token"):
        await make().issue(Order())
    entra.audiences.clear()
    with pytest.raises(UnsupportedError, match="invalid_resource"):
        await make().issue(Order())


async def test_a_wrong_secret_is_not_tried_twice_and_not_repeated(
    make: Make, entra: Entra, keep: Callable[[str, str], dict[str, str]]
) -> None:
    """Entra's refusal ends it at once, and its text, which may quote the secret, is not in ours."""
    principal = {"client_id": "app-1", "client_secret": keep("other", "wrong-secret")}
    with pytest.raises(AuthenticationError, match="invalid_client") as caught:
        await make(service_principal=principal).issue(Order())
    assert len(entra.forms) == 1
    assert "wrong-secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("path", ["/contoso.example", "/oauth2"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(302, PermanentError, id="redirect"),
        pytest.param(403, PermissionDeniedError, id="firewall"),
        pytest.param(429, RateLimitedError, id="slow-down"),
        pytest.param(503, UnavailableError, id="down"),
    ],
)
async def test_each_refusal_has_its_class(
    make: Make, entra: Entra, acr_registry: SandboxRegistry, path: str, status: int, expected: type[RotatorError]
) -> None:
    """What Entra or the registry answers arrives as the error of its status."""
    acr_registry.faults.reverse()
    for server in (entra, acr_registry):
        server.fail(status, path=path)
        server.faults.reverse()
    with pytest.raises(expected):
        await make().issue(Order())


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", '{"access_token": 7}', '{"access_token": ""}'])
async def test_an_answer_of_entra_without_a_token_is_unavailable(make: Make, entra: Entra, body: str) -> None:
    """A page of somebody in between is a reason to wait, not a password."""
    entra.fail(200, body=body)
    with pytest.raises(UnavailableError):
        await make().issue(Order())


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"refresh_token": null}', '{"refresh_token": ""}'])
async def test_an_exchange_without_a_token_is_unavailable(make: Make, acr_registry: SandboxRegistry, body: str) -> None:
    """An answer of the registry without a refresh token is no password."""
    acr_registry.faults.clear()
    acr_registry.fail(200, path="/oauth2/exchange", body=body)
    with pytest.raises(UnavailableError):
        await make().issue(Order())


async def test_a_password_that_is_no_jwt_has_no_known_expiry(make: Make) -> None:
    """Nothing is guessed about a text that says nothing."""
    assert (await make().inspect(Login(NULL_GUID, Secret("opaque")))).expiry == UNKNOWN


async def test_the_sdk_finds_the_machines_identity(
    make: Make, entra: Entra, acr_registry: SandboxRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a service principal the token comes from Azure's own chain, here an App Service's managed identity."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{entra.url}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", CANARY)
    provider = make(service_principal=None, authority_url="https://login.microsoftonline.com")
    issued = await provider.issue(Order())
    assert (await provider.probe(issued.login)).verdict is Verdict.ACCEPTED
    assert entra.exchanges[0]["access_token"] == f"entra-for:{AUDIENCES[0]}"
    assert acr_registry.accepts(NULL_GUID, issued.login.secret.reveal())


async def test_an_identity_that_is_refused_is_an_authentication_error(
    make: Make, entra: Entra, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's endpoint says no: the hint names what to configure, the header is not repeated."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{entra.url}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", f"{CANARY}-wrong")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AuthenticationError, match="service_principal") as caught:
        await make(service_principal=None, authority_url="https://login.microsoftonline.com").issue(Order())
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_without_the_sdk_the_message_names_the_extra(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is a mistake of the configuration, found when the daemon starts; HTTP alone needs none."""
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ConfigError, match=r"azure-identity.*\n.*rotator\[azure\]"):
        make(service_principal=None)
    make()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"tenant": None}, "write tenant", id="no-tenant"),
        pytest.param({"managed_identity": "x"}, "not both", id="two-identities"),
        pytest.param({"insecure": False}, "not https", id="plain-http"),
        pytest.param({"audiences": []}, "at least 1", id="no-audience"),
        pytest.param({"tenant": "a/../b"}, "tenant", id="path-in-tenant"),
    ],
)
def test_options_that_cannot_work_are_refused(make: Make, options: dict[str, Any], reason: str) -> None:
    """Each mistake is named when the configuration is read."""
    with pytest.raises(ValidationError, match=reason):
        make(**options)


def test_the_identity_tells_registries_and_principals_apart(make: Make) -> None:
    """Another registry or tenant is another password."""
    names = {make().identity, make(registry="a.azurecr.io").identity, make(tenant="other.example").identity}
    assert len(names) == 3
