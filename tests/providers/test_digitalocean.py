"""Credentials of DigitalOcean's registry: each GET makes some, and the user name is the secret."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from rotator.domain.inspection import NOTHING_KNOWN
from rotator.domain.model import SAME_AS_SECRET, Expiry, Login
from rotator.domain.shape import check_shape
from rotator.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
)
from rotator.ports import Clock, Order
from rotator.providers.context import ProviderContext
from rotator.providers.digitalocean import READ_ONLY, DigitalOcean, DigitalOceanConfig
from rotator.sandbox.digitalocean import SandboxDigitalOcean
from rotator.sandbox.registry import SandboxRegistry
from rotator.secret import Secret

CANARY = "canary-7f3a9c51d2e8"
Make = Callable[..., DigitalOcean]


@pytest.fixture
async def docr(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return the registry that the credentials are for."""
    async with SandboxRegistry(clock) as server:
        server.add_image("acme/api:1")
        yield server


@pytest.fixture
async def vendor(clock: Clock, docr: SandboxRegistry) -> AsyncIterator[SandboxDigitalOcean]:
    """Return DigitalOcean's API, whose API token is the canary."""
    async with SandboxDigitalOcean(clock, docr, name="acme", api_token=CANARY) as server:
        yield server


@pytest.fixture
def make(
    make_context: Callable[[str], ProviderContext],
    docr: SandboxRegistry,
    vendor: SandboxDigitalOcean,
    keep: Callable[[str, str], dict[str, str]],
) -> Make:
    """Return a function that makes a provider with further options."""

    def build(**options: Any) -> DigitalOcean:
        given = {"registry": docr.host, "registry_name": "acme", "api_token": keep("api-token", CANARY)}
        config = DigitalOceanConfig.model_validate({**given, "api_url": vendor.url, "insecure": True, **options})
        return DigitalOcean(config, make_context(docr.host))

    return build


async def test_what_is_asked_for_is_read_only_and_has_an_end(make: Make, vendor: SandboxDigitalOcean) -> None:
    """Each request names an expiry and no right to write; the version says the same."""
    issued = await make(expires_in="1h").issue(Order())
    assert parse_qs(vendor.asked[-1].query) == {"expiry_seconds": ["3600"], "read_write": ["false"]}
    assert issued.expiry == Expiry(datetime(2026, 11, 23, 13, tzinfo=UTC))
    assert issued.scopes == frozenset({READ_ONLY})


async def test_a_login_dies_when_it_was_said_to(
    make: Make, docr: SandboxRegistry, advance: Callable[[timedelta], None]
) -> None:
    """The registry takes the login until the expiry that the version carries, and not after."""
    login = (await make(expires_in="1h").issue(Order())).login
    advance(timedelta(minutes=59))
    assert docr.accepts(login.username, login.secret.reveal())
    advance(timedelta(minutes=2))
    assert not docr.accepts(login.username, login.secret.reveal())


async def test_looking_makes_nothing(make: Make, vendor: SandboxDigitalOcean) -> None:
    """Probing, inspecting and asking for the revision leave the number of credentials as it is."""
    provider = make()
    login = (await provider.issue(Order())).login
    for _ in range(3):
        await provider.probe(login)
        assert await provider.inspect(login) == NOTHING_KNOWN
        assert await provider.revision() is None
    assert len(vendor.minted) == 1


async def test_one_call_serves_equal_credentials(make: Make, vendor: SandboxDigitalOcean) -> None:
    """Two credentials for one registry share what was made within a minute; another lifetime is another login."""
    first, second = [await make().issue(Order()) for _ in range(2)]
    assert first == second
    await make(expires_in="30m").issue(Order())
    assert len(vendor.minted) == 2


async def test_the_user_name_is_the_secret_and_is_not_shown(make: Make) -> None:
    """The login carries the token twice, is a login by its shape, and neither text of it holds the token."""
    issued = await make().issue(Order())
    token = issued.login.secret.reveal()
    check_shape(issued.login)
    assert issued.login.username == token
    assert issued.login.public_username == SAME_AS_SECRET
    assert token not in f"{issued!r} {issued.login} {issued.login.public_username}"
    assert Login.restore(SAME_AS_SECRET, issued.login.secret) == issued.login


@pytest.mark.parametrize(
    ("status", "expected", "hint"),
    [
        pytest.param(401, AuthenticationError, "token", id="unknown"),
        pytest.param(403, PermissionDeniedError, "registry:read", id="forbidden"),
        pytest.param(404, NotFoundError, "registry_name", id="no-such-registry"),
        pytest.param(409, ConflictError, "", id="conflict"),
        pytest.param(429, RateLimitedError, "", id="slow-down"),
        pytest.param(500, UnavailableError, "", id="down"),
    ],
)
async def test_each_refusal_has_its_class_and_its_hint(
    make: Make, vendor: SandboxDigitalOcean, status: int, expected: type[RotatorError], hint: str
) -> None:
    """What the API answers arrives as the error of its status, and says what to look at; the token is not in it."""
    vendor.fail(status, body=CANARY)
    with pytest.raises(expected, match=f"(?s).*{hint}") as caught:
        await make().issue(Order())
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[]",
        "{}",
        '{"auths": 7}',
        '{"auths": {}}',
        '{"auths": {"a": {"auth": "dG9rZW4="}}}',
        '{"auths": {"a": {"auth": "dDp0"}, "b": {"auth": "dDp0"}}}',
    ],
)
async def test_an_answer_without_our_login_is_unavailable(make: Make, vendor: SandboxDigitalOcean, body: str) -> None:
    """A page of somebody in between, half a login or somebody else's is no login."""
    vendor.fail(200, body=body)
    with pytest.raises(UnavailableError):
        await make().issue(Order())


async def test_a_lost_answer_is_unavailable(make: Make, vendor: SandboxDigitalOcean) -> None:
    """When the connection breaks after the API did its work, it is tried again later; what was made has an end."""
    vendor.lose(times=None)
    with pytest.raises(UnavailableError):
        await make().issue(Order())
    vendor.fail(200, body="{}")
    assert vendor.minted
    assert all("expiry_seconds=43200" in asked.query for asked in vendor.asked)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"registry_name": "a/../b"}, "registry_name", id="path-in-name"),
        pytest.param({"expires_in": "60d"}, "expires_in", id="too-long"),
        pytest.param({"expires_in": "1s"}, "expires_in", id="too-short"),
        pytest.param({"insecure": False}, "not https", id="plain-http"),
    ],
)
def test_options_that_cannot_work_are_refused(make: Make, options: dict[str, Any], reason: str) -> None:
    """Each mistake is named when the configuration is read."""
    with pytest.raises(ValidationError, match=reason):
        make(**options)


async def test_a_login_of_two_equal_halves_from_elsewhere_is_hidden_as_well() -> None:
    """Any login whose user name is its secret shows a placeholder, whoever made it."""
    login = Login(CANARY, Secret(CANARY))
    assert CANARY not in repr(login)
    assert repr(login) == "Login(username=':secret:', secret=Secret('********'))"
