"""JFrog's access tokens: read from a source, or made beside the old one, found by their description, and revoked."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Login
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
from rotator.ports import Clock, ListsMade, Made, Order, Retires
from rotator.providers.context import ProviderContext
from rotator.providers.jfrog import JFrog, JFrogConfig
from rotator.providers.jfrog_token import JFrogToken, JFrogTokenConfig
from rotator.sandbox.jfrog import SandboxJFrog
from rotator.sandbox.registry import SandboxRegistry
from rotator.secret import Secret

CANARY = "canary-7f3a9c51d2e8"
SUBJECT = "jfac@01sandbox/users/mona"
ORDER = Order("art", "20261123T120000.000000Z-0001", "0a1b2c3d")
PLACE = "registries/art#token"
HeldSource = Any  # the class is in conftest, which tests do not import
Make = Callable[..., JFrogToken]
MakeReader = Callable[..., JFrog]


@pytest.fixture
async def art(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return the registry that tokens work at."""
    async with SandboxRegistry(clock) as server:
        yield server


@pytest.fixture
async def vendor(clock: Clock, art: SandboxRegistry) -> AsyncIterator[SandboxJFrog]:
    """Return the platform's API, whose administrator's token is the canary."""
    async with SandboxJFrog(clock, art, api_token=CANARY) as server:
        yield server


@pytest.fixture
def make(
    make_context: Callable[[str], ProviderContext],
    art: SandboxRegistry,
    vendor: SandboxJFrog,
    keep: Callable[[str, str], dict[str, str]],
) -> Make:
    """Return a function that makes a provider that makes tokens, with further options."""

    def build(**options: Any) -> JFrogToken:
        given = {"registry": art.host, "username": "mona", "api_token": keep("api-token", CANARY)}
        config = JFrogTokenConfig.model_validate({**given, "api_url": vendor.url, "insecure": True, **options})
        return JFrogToken(config, make_context(art.host))

    return build


@pytest.fixture
def reader(make_context: Callable[[str], ProviderContext], art: SandboxRegistry, vendor: SandboxJFrog) -> MakeReader:
    """Return a function that makes a provider that reads its token from the source."""

    def build(**options: Any) -> JFrog:
        given = {"registry": art.host, "username": "mona", "token": {"vault": PLACE}, "api_url": vendor.url}
        return JFrog(JFrogConfig.model_validate({**given, "insecure": True, **options}), make_context(art.host))

    return build


def test_it_ends_and_lists(make: Make) -> None:
    """The engine may end its versions, and look for those that were left behind."""
    assert isinstance(make(), Retires)
    assert isinstance(make(), ListsMade)


async def test_a_token_is_labelled_and_has_an_end(make: Make, vendor: SandboxJFrog) -> None:
    """What is asked for names user, scope, lifetime and label; what comes back says what the token says."""
    issued = await make(expires_in="10d", scope="applied-permissions/groups:readers").issue(ORDER)
    assert vendor.bodies == [
        {
            "grant_type": "client_credentials",
            "username": "mona",
            "scope": "applied-permissions/groups:readers",
            "expires_in": 864_000,
            "refreshable": False,
            "include_reference_token": False,
            "description": "rotator:0a1b2c3d:art:20261123T120000.000000Z-0001",
        }
    ]
    expiry = Expiry(datetime(2026, 12, 3, 12, tzinfo=UTC))
    assert (issued.expiry, issued.principal) == (expiry, SUBJECT)
    assert issued.scopes == frozenset({"applied-permissions/groups:readers"})
    assert issued.handle in vendor.tokens
    assert await make().inspect(issued.login) == Inspection(expiry, issued.scopes, SUBJECT)


@pytest.mark.parametrize(("life", "extra"), [("1h", [True]), ("5h59m", [True]), ("6h", []), ("30d", [])])
async def test_a_short_life_is_kept_revocable(make: Make, vendor: SandboxJFrog, life: str, extra: list[bool]) -> None:
    """Below six hours the platform is told to keep the token revocable, and so it can be ended, as any other."""
    provider = make(expires_in=life)
    issued = await provider.issue(ORDER)
    assert [value for key, value in vendor.bodies[0].items() if key == "force_revocable"] == extra
    assert await provider.retire(issued.handle, issued.login) is Retirement.ENDED


async def test_a_reference_is_delivered_where_one_is_asked_for(
    make: Make, vendor: SandboxJFrog, art: SandboxRegistry
) -> None:
    """The login holds the 64 characters, which pull, and the platform tells of them what the token says."""
    provider = make(form="reference")
    issued = await provider.issue(ORDER)
    assert len(issued.login.secret) == 64
    assert art.accepts("mona", issued.login.secret.reveal())
    assert await provider.inspect(issued.login) == Inspection(issued.expiry, issued.scopes, SUBJECT)
    assert vendor.count("GET", "/access/api/v1/tokens/me") == 1


async def test_a_revoked_token_is_refused_and_ending_it_again_is_no_failure(
    make: Make, vendor: SandboxJFrog, art: SandboxRegistry
) -> None:
    """Ending revokes; "already revoked" and "no such token" count as ended; the other token works on."""
    provider = make()
    old, new = [await provider.issue(ORDER) for _ in range(2)]
    for _ in range(2):
        assert await provider.retire(old.handle, old.login) is Retirement.ENDED
    assert await provider.retire("never-was", None) is Retirement.ENDED
    assert list(vendor.tokens) == [new.handle]
    assert not art.accepts("mona", old.login.secret.reveal())
    assert art.accepts("mona", new.login.secret.reveal())


async def test_not_found_by_the_wrong_address_ends_nothing(make: Make, vendor: SandboxJFrog) -> None:
    """Where the whole API is missing, "not found" does not mean that the token is."""
    issued = await make().issue(ORDER)
    vendor.fail(404)
    with pytest.raises(NotFoundError, match="api_url"):
        await make().retire(issued.handle, issued.login)
    with pytest.raises(PermanentError, match="without an id"):
        await make().retire("", None)


async def test_what_a_lost_answer_left_behind_is_found_by_its_label(make: Make, vendor: SandboxJFrog) -> None:
    """After a connection broke, the token is listed with the rotation that made it; foreign ones are not."""
    provider = make()
    vendor.lose(path="/access/api/v1/tokens", method="POST")
    with pytest.raises(UnavailableError):
        await provider.issue(ORDER)
    for foreign in (replace(ORDER, installation="ffffffff"), replace(ORDER, credential="art2")):
        await provider.issue(foreign)
    (left, *_) = vendor.tokens
    assert await provider.made(ORDER) == [Made(left, ORDER.rotation)]
    assert await provider.retire(left, None) is Retirement.ENDED
    assert await provider.made(ORDER) == []


@pytest.mark.parametrize(
    ("status", "expected", "hint"),
    [
        pytest.param(400, PermanentError, "scope", id="bad-request"),
        pytest.param(401, AuthenticationError, "api_token", id="unknown"),
        pytest.param(403, PermissionDeniedError, "administrator", id="forbidden"),
        pytest.param(404, NotFoundError, "api_url", id="missing"),
        pytest.param(409, ConflictError, "", id="conflict"),
        pytest.param(429, RateLimitedError, "", id="slow-down"),
        pytest.param(502, UnavailableError, "", id="down"),
    ],
)
async def test_each_refusal_has_its_class_and_its_hint(
    make: Make, vendor: SandboxJFrog, status: int, expected: type[RotatorError], hint: str
) -> None:
    """Issuing, ending and listing raise the error of the answer's status, without its text."""
    vendor.fail(status, body=CANARY)
    provider = make()
    for call in (provider.issue(ORDER), provider.retire("some-id", None), provider.made(ORDER)):
        with pytest.raises(expected, match=f"(?s).*{hint}") as caught:
            await call
        assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "{}", '{"access_token": "x"}', '{"token_id": "x"}', '{"tokens": {}}']
)
async def test_garbage_is_unavailable(make: Make, vendor: SandboxJFrog, body: str) -> None:
    """An answer without a token and its id is no token, one without a list is no list."""
    vendor.fail(200, body=body)
    with pytest.raises(UnavailableError):
        await make().issue(ORDER)
    with pytest.raises(UnavailableError):
        await make().made(ORDER)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"username": "a:b"}, "username", id="colon"),
        pytest.param({"scope": "admin"}, "scope", id="scope"),
        pytest.param({"expires_in": "400d"}, "expires_in", id="too-long"),
        pytest.param({"form": "opaque"}, "form", id="form"),
        pytest.param({"insecure": False}, "not https", id="plain-http"),
    ],
)
def test_options_that_cannot_work_are_refused(make: Make, options: dict[str, Any], reason: str) -> None:
    """Each mistake is named when the configuration is read."""
    with pytest.raises(ValidationError, match=reason):
        make(**options)


def test_the_identity_tells_users_and_rights_apart(make: Make) -> None:
    """Another user, scope or form is another token."""
    ways: tuple[dict[str, str], ...] = (
        {},
        {"username": "other"},
        {"scope": "applied-permissions/groups:x"},
        {"form": "reference"},
    )
    assert len({make(**way).identity for way in ways}) == len(ways)


async def test_a_read_jwt_tells_what_it_is(make: Make, reader: MakeReader, held_source: HeldSource) -> None:
    """Of a token from a source, expiry, scopes and owner are read; the source's earlier expiry goes first."""
    made = await make().issue(ORDER)
    held_source.put(PLACE, made.login.secret.reveal(), revision="4")
    issued = await reader().issue(ORDER)
    assert (issued.expiry, issued.scopes, issued.principal) == (made.expiry, made.scopes, SUBJECT)
    assert (issued.revision, await reader().revision()) == ("4", "4")
    sooner = Expiry(datetime(2026, 11, 24, tzinfo=UTC))
    held_source.put(PLACE, made.login.secret.reveal(), expiry=sooner)
    assert (await reader().issue(ORDER)).expiry == sooner


async def test_a_read_reference_is_told_by_the_platform(
    make: Make, reader: MakeReader, held_source: HeldSource, vendor: SandboxJFrog
) -> None:
    """A reference token is shown to the platform alone, and when that is gone nothing is known and nothing raised."""
    made = await make(form="reference").issue(ORDER)
    held_source.put(PLACE, made.login.secret.reveal())
    assert (await reader().issue(ORDER)).expiry == made.expiry
    await vendor.stop()
    assert (await reader().issue(ORDER)).expiry == UNKNOWN


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            '{"expiry": 0, "scope": "a b", "subject": "s"}', Inspection(NEVER, frozenset("ab"), "s"), id="never"
        ),
        pytest.param('{"expiry": true, "scope": 7}', NOTHING_KNOWN, id="wrong types"),
        pytest.param('{"expiry": 99999999999999}', NOTHING_KNOWN, id="beyond the calendar"),
        pytest.param("[]", NOTHING_KNOWN, id="no object"),
    ],
)
async def test_only_what_the_platform_says_is_known(
    reader: MakeReader, vendor: SandboxJFrog, body: str, expected: Inspection
) -> None:
    """What it says of a reference token is read; what makes no sense is unknown."""
    vendor.fail(200, body=body)
    assert await reader().inspect(Login("mona", Secret("r" * 64))) == expected


async def test_a_password_is_shown_to_nobody(reader: MakeReader, vendor: SandboxJFrog) -> None:
    """What is neither a JWT nor a reference is not sent anywhere to be looked at."""
    assert await reader().inspect(Login("mona", Secret("hunter2"))) == NOTHING_KNOWN
    assert not vendor.asked


def test_the_api_is_at_the_registrys_host_by_default(make_context: Callable[[str], ProviderContext]) -> None:
    """Without api_url the platform is where the registry is, and by HTTPS."""
    options = {"registry": "acme.jfrog.io", "username": "mona", "token": {"vault": PLACE}}
    provider = JFrog(JFrogConfig.model_validate(options), make_context("acme.jfrog.io"))
    assert provider._api.url == "https://acme.jfrog.io"


async def test_a_token_dies_when_it_was_said_to(
    make: Make, art: SandboxRegistry, advance: Callable[[timedelta], None]
) -> None:
    """The registry takes the token until the expiry that the version carries, and not after."""
    login = (await make(expires_in="1h").issue(ORDER)).login
    advance(timedelta(minutes=59))
    assert art.accepts("mona", login.secret.reveal())
    advance(timedelta(minutes=2))
    assert not art.accepts("mona", login.secret.reveal())
