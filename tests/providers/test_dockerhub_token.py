"""Access tokens of Docker Hub: made beside the old one, found again by their label, and deleted."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.domain.inspection import NOTHING_KNOWN
from rotator.domain.model import Expiry
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
from rotator.ports import Clock, ListsMade, Made, MeasuresHeadroom, Order, Retires
from rotator.providers.context import ProviderContext
from rotator.providers.dockerhub_token import PULL, DockerHubToken, DockerHubTokenConfig
from rotator.sandbox.dockerhub import SandboxDockerHub
from rotator.sandbox.flavours import DOCKER_HUB
from rotator.sandbox.registry import SandboxRegistry

CANARY = "canary-7f3a9c51d2e8"
ORDER = Order("hub", "20261123T120000.000000Z-0001", "0a1b2c3d")
Make = Callable[..., DockerHubToken]


@pytest.fixture
async def hub_registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return a registry that refuses as Docker Hub's does."""
    async with SandboxRegistry(clock, auth=DOCKER_HUB) as server:
        yield server


@pytest.fixture
async def vendor(clock: Clock, hub_registry: SandboxRegistry) -> AsyncIterator[SandboxDockerHub]:
    """Return Docker Hub's API with one account, whose password is the canary."""
    async with SandboxDockerHub(clock, hub_registry, username="mona", password=CANARY, max_tokens=3) as server:
        yield server


@pytest.fixture
def make(
    make_context: Callable[[str], ProviderContext],
    hub_registry: SandboxRegistry,
    vendor: SandboxDockerHub,
    keep: Callable[[str, str], dict[str, str]],
) -> Make:
    """Return a function that makes a provider with further options."""

    def build(password: str = CANARY, **options: Any) -> DockerHubToken:
        given = {"registry": hub_registry.host, "username": "mona", "password": keep("password", password)}
        config = DockerHubTokenConfig.model_validate({**given, "api_url": vendor.url, "insecure": True, **options})
        return DockerHubToken(config, make_context(hub_registry.host))

    return build


def test_it_ends_lists_and_measures(make: Make) -> None:
    """The engine may end its versions, look for those that were left behind, and ask for the pull limit."""
    provider = make()
    assert isinstance(provider, Retires)
    assert isinstance(provider, ListsMade)
    assert isinstance(provider, MeasuresHeadroom)


async def test_a_personal_token_is_read_only_labelled_and_has_an_end(make: Make, vendor: SandboxDockerHub) -> None:
    """What is asked for names scope, label and expiry; what comes back says the same."""
    issued = await make(expires_in="10d").issue(ORDER)
    label = "rotator:0a1b2c3d:hub:20261123T120000.000000Z-0001"
    assert vendor.bodies == [{"token_label": label, "scopes": ["repo:read"], "expires_at": "2026-12-03T12:00:00Z"}]
    assert issued.expiry == Expiry(datetime(2026, 12, 3, 12, tzinfo=UTC))
    assert (issued.login.username, issued.principal, issued.scopes) == ("mona", "mona", frozenset({"repo:read"}))
    assert issued.handle in vendor.tokens
    assert await make().inspect(issued.login) == NOTHING_KNOWN


async def test_a_token_of_an_organization_logs_in_as_it_and_pulls_what_was_named(
    make: Make, vendor: SandboxDockerHub, hub_registry: SandboxRegistry
) -> None:
    """The user name is the organisation's; each repository is granted for pulls alone, all of them by default."""
    issued = await make(organization="acme", repositories=["acme/api", "acme/web-*"]).issue(ORDER)
    granted = [{"type": "TYPE_REPO", "path": path, "scopes": [PULL]} for path in ("acme/api", "acme/web-*")]
    assert vendor.bodies[0]["resources"] == granted
    assert issued.login.username == issued.principal == "acme"
    assert issued.scopes == frozenset({f"acme/api:{PULL}", f"acme/web-*:{PULL}"})
    assert hub_registry.accepts("acme", issued.login.secret.reveal())
    await make(organization="acme").issue(ORDER)
    assert vendor.bodies[1]["resources"][0]["path"] == "acme/*"


@pytest.mark.parametrize("organization", [None, "acme"])
async def test_an_ended_token_is_gone_and_ending_it_again_is_no_failure(
    make: Make, vendor: SandboxDockerHub, hub_registry: SandboxRegistry, organization: str | None
) -> None:
    """Ending deletes: the token stops working and counts no more; the other one works on."""
    provider = make(organization=organization)
    old, new = [await provider.issue(ORDER) for _ in range(2)]
    for _ in range(2):
        assert await provider.retire(old.handle, old.login) is Retirement.ENDED
    assert list(vendor.tokens) == [new.handle]
    assert not hub_registry.accepts(old.login.username, old.login.secret.reveal())
    assert hub_registry.accepts(new.login.username, new.login.secret.reveal())


async def test_an_organization_that_is_gone_ends_nothing(make: Make) -> None:
    """Where the whole list is missing, "not found" does not mean that the token is."""
    with pytest.raises(NotFoundError, match="organization"):
        await make(organization="other").retire("a7a5ef25", None)


async def test_a_handle_that_names_nothing_is_refused(make: Make, vendor: SandboxDockerHub) -> None:
    """Nothing is asked of the vendor for a version without an id."""
    with pytest.raises(PermanentError, match="without an id"):
        await make().retire("", None)
    assert not vendor.asked


async def test_what_a_lost_answer_left_behind_is_found_by_its_label(make: Make, vendor: SandboxDockerHub) -> None:
    """After a connection broke, the token is listed with the rotation that made it; foreign ones are not."""
    provider = make()
    vendor.lose(path="/v2/access-tokens", method="POST")
    with pytest.raises(UnavailableError):
        await provider.issue(ORDER)
    for foreign in (replace(ORDER, installation="ffffffff"), replace(ORDER, credential="hub2")):
        await provider.issue(foreign)
    (left, *_) = vendor.tokens
    assert await provider.made(ORDER) == [Made(left, ORDER.rotation)]
    assert await provider.retire(left, None) is Retirement.ENDED
    assert await provider.made(ORDER) == []


async def test_every_page_of_the_list_is_read(make: Make, vendor: SandboxDockerHub) -> None:
    """A label is found wherever it stands in a list of more than one page."""
    provider = make()
    for _ in range(101):
        await provider.issue(replace(ORDER, credential="other"))
    issued = await provider.issue(ORDER)
    assert [one.handle for one in await provider.made(ORDER)] == [issued.handle]
    assert vendor.count("POST", "/v2/auth/token") == 1


async def test_a_full_organization_is_named_with_its_cap(
    make: Make, vendor: SandboxDockerHub, advance: Callable[[timedelta], None]
) -> None:
    """At the cap nothing is asked for and nothing is deleted, and tokens that have expired count."""
    provider = make(organization="acme", max_tokens=3, expires_in="1h")
    for _ in range(3):
        await provider.issue(ORDER)
    advance(timedelta(days=1))
    with pytest.raises(PermanentError, match="acme has 3 organisation access tokens, and max_tokens is 3") as caught:
        await provider.issue(ORDER)
    assert "max_tokens: 100" in str(caught.value)
    assert len(vendor.tokens) == len(vendor.bodies) == 3
    await make().issue(ORDER)


async def test_a_session_serves_until_it_ends(
    make: Make, vendor: SandboxDockerHub, advance: Callable[[timedelta], None]
) -> None:
    """One login serves many calls; after its end, and when Docker Hub forgot it, there is another."""
    provider = make()
    for _ in range(3):
        await provider.issue(ORDER)
    assert vendor.count("POST", "/v2/auth/token") == 1
    advance(timedelta(minutes=9, seconds=30))
    await provider.issue(ORDER)
    assert vendor.count("POST", "/v2/auth/token") == 2
    vendor.end_sessions()
    await provider.issue(ORDER)
    assert vendor.count("POST", "/v2/auth/token") == 3


async def test_a_second_factor_is_told_from_a_wrong_password(make: Make, vendor: SandboxDockerHub) -> None:
    """A right password that does not suffice is named as such, with the way out."""
    vendor.has_second_factor = True
    with pytest.raises(AuthenticationError, match=r"two-factor.*provider: dockerhub") as caught:
        await make().issue(ORDER)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_a_wrong_password_is_not_repeated(make: Make) -> None:
    """The refusal names the account, not the password."""
    wrong = CANARY[::-1]
    with pytest.raises(AuthenticationError, match="log in as mona") as caught:
        await make(wrong).issue(ORDER)
    assert wrong not in "".join(traceback.format_exception(caught.value))


async def test_an_access_token_instead_of_a_password_is_named(make: Make) -> None:
    """Docker Hub lets no token manage tokens, and the error says so."""
    token = (await make().issue(ORDER)).login.secret.reveal()
    with pytest.raises(PermissionDeniedError, match=r"password is one.*account's password") as caught:
        await make(token).issue(ORDER)
    assert token not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("path", ["/v2/auth/token", "/v2/access-tokens"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(400, PermanentError, id="bad-request"),
        pytest.param(401, AuthenticationError, id="unknown"),
        pytest.param(403, PermissionDeniedError, id="forbidden"),
        pytest.param(404, NotFoundError, id="missing"),
        pytest.param(409, ConflictError, id="conflict"),
        pytest.param(429, RateLimitedError, id="slow-down"),
        pytest.param(503, UnavailableError, id="down"),
    ],
)
async def test_each_refusal_has_its_class(
    make: Make, vendor: SandboxDockerHub, path: str, status: int, expected: type[RotatorError]
) -> None:
    """What the API answers arrives as the error of its status, without its text."""
    vendor.fail(status, path=path, body=CANARY)
    with pytest.raises(expected) as caught:
        await make().issue(ORDER)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", '{"token": "x"}', '{"uuid": "x", "token": ""}'])
async def test_an_answer_without_a_token_is_unavailable(make: Make, vendor: SandboxDockerHub, body: str) -> None:
    """Garbage instead of a token is a reason to wait."""
    vendor.fail(201, path="/v2/access-tokens", body=body)
    with pytest.raises(UnavailableError):
        await make().issue(ORDER)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"results": {}}'])
async def test_garbage_instead_of_a_list_is_unavailable(make: Make, vendor: SandboxDockerHub, body: str) -> None:
    """A list that is none does not mean that nothing was made."""
    vendor.fail(200, path="/v2/access-tokens", body=body)
    with pytest.raises(UnavailableError):
        await make().made(ORDER)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"access_token": 7}'])
async def test_an_answer_without_a_session_is_unavailable(make: Make, vendor: SandboxDockerHub, body: str) -> None:
    """Garbage instead of a session is a reason to wait."""
    vendor.fail(200, path="/v2/auth/token", body=body)
    with pytest.raises(UnavailableError):
        await make().issue(ORDER)


async def test_a_label_that_is_too_long_is_refused_before_anything_is_asked(
    make: Make, vendor: SandboxDockerHub
) -> None:
    """Docker Hub takes 100 characters; a longer name of a credential is a mistake that says what to do."""
    with pytest.raises(PermanentError, match="shorter name"):
        await make().issue(replace(ORDER, credential="x" * 63))
    assert not vendor.asked


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"repositories": ["acme/api"]}, "write organization", id="repositories-of-a-personal-token"),
        pytest.param({"organization": "acme", "repositories": ["api"]}, "repositories", id="no-namespace"),
        pytest.param({"organization": "a/b"}, "organization", id="path-in-organization"),
        pytest.param({"organization": "acme", "repositories": ["acme/a"] * 51}, "at most 50", id="too-many"),
        pytest.param({"scope": "repo:admin"}, "scope", id="too-much"),
        pytest.param({"max_tokens": 1}, "max_tokens", id="no-room-for-two"),
        pytest.param({"insecure": False}, "not https", id="plain-http"),
    ],
)
def test_options_that_cannot_work_are_refused(make: Make, options: dict[str, Any], reason: str) -> None:
    """Each mistake is named when the configuration is read."""
    with pytest.raises(ValidationError, match=reason):
        make(**options)


def test_the_identity_tells_accounts_and_rights_apart(make: Make) -> None:
    """Another account, organisation or right is another token."""
    ways: tuple[dict[str, str], ...] = (
        {},
        {"username": "other"},
        {"organization": "acme"},
        {"scope": "repo:public_read"},
    )
    assert len({make(**way).identity for way in ways}) == len(ways)
