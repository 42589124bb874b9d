"""What GitHub tells about a token."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.domain.headroom import Counted, Headroom, HeadroomState
from rotator.domain.inspection import NOTHING_KNOWN
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Login
from rotator.domain.retirement import Retirement
from rotator.errors import AuthenticationError, NotFoundError, RateLimitedError, RotatorError, UnavailableError
from rotator.ports import MeasuresHeadroom, Order, ReadsOrigin, Retires
from rotator.providers.context import ProviderContext
from rotator.providers.ghcr import EXPIRY_HEADER, SCOPES_HEADER, Ghcr, GhcrConfig
from rotator.secret import Secret

GitHub = Any  # the classes are in conftest, which tests do not import
HeldSource = Any
TOKEN = "ghp_canary7f3a9c51d2e8"
PLACE = "registries/ghcr#token"
OCTOBER = Expiry(datetime(2026, 10, 15, 13, 19, 49, tzinfo=UTC))
MARCH = Expiry(datetime(2027, 3, 19, 5, tzinfo=UTC))


@pytest.fixture
def ghcr(make_context: Callable[[str], ProviderContext], github: GitHub, held_source: HeldSource) -> Ghcr:
    """Return a provider whose token is in the source and known to GitHub."""
    held_source.put(PLACE, TOKEN, revision="4")
    github.tokens[TOKEN] = {}
    config = GhcrConfig.model_validate(
        {"username": "mona", "token": {"vault": PLACE}, "api_url": github.url, "insecure": True}
    )
    return Ghcr(config, make_context("ghcr.io"))


def login(token: str = TOKEN) -> Login:
    """Return a login with ``token``."""
    return Login("mona", Secret(token))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("2026-10-15 13:19:49 UTC", OCTOBER, id="utc"),
        pytest.param("2027-03-19 00:00:00 -0500", MARCH, id="offset"),
        pytest.param("soon", UNKNOWN, id="unreadable"),
        pytest.param("", UNKNOWN, id="empty"),
    ],
)
async def test_the_header_tells_the_expiry(ghcr: Ghcr, github: GitHub, header: str, expected: Expiry) -> None:
    """Both formats are read; what cannot be read is unknown, not never."""
    github.tokens[TOKEN] = {EXPIRY_HEADER: header}
    assert (await ghcr.inspect(login())).expiry == expected


async def test_no_header_means_never(ghcr: Ghcr) -> None:
    """GitHub names a date for each token that has one."""
    assert (await ghcr.inspect(login())).expiry == NEVER


@pytest.mark.parametrize("token", ["ghs_app", "ghu_user", "gho_oauth", "ghr_refresh"])
async def test_no_header_for_an_apps_token_means_nothing(ghcr: Ghcr, github: GitHub, token: str) -> None:
    """Tokens of apps die within hours although no date is named."""
    github.tokens[token] = {}
    assert (await ghcr.inspect(login(token))).expiry == UNKNOWN


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500, 503])
async def test_any_failure_is_unknown(ghcr: Ghcr, github: GitHub, status: int) -> None:
    """Whatever else GitHub answers, nothing is concluded and nothing raised."""
    github.fail(status, headers={"Location": "/elsewhere"})
    assert (await ghcr.inspect(login())) == NOTHING_KNOWN
    assert (await ghcr.issue(Order())).expiry == UNKNOWN


async def test_an_enterprise_server_without_rate_limits_still_tells(ghcr: Ghcr, github: GitHub) -> None:
    """Where rate limits are switched off the answer is 404, with the expiry beside it."""
    github.fail(404, headers={EXPIRY_HEADER: "2026-10-15 13:19:49 UTC"})
    assert (await ghcr.inspect(login())).expiry == OCTOBER


@pytest.mark.parametrize("body", ["<html>Sign in to the network</html>", "{}", "[]", "7", "[" * 2000])
async def test_a_page_of_somebody_else_is_not_githubs_word(ghcr: Ghcr, github: GitHub, body: str) -> None:
    """A proxy's 200 without the header does not make a token live for ever."""
    github.fail(200, body=body)
    assert (await ghcr.inspect(login())).expiry == UNKNOWN


async def test_an_unreachable_github_is_unknown_and_no_failure(ghcr: Ghcr, github: GitHub) -> None:
    """Without the API the token is issued all the same."""
    await github.stop()
    issued = await ghcr.issue(Order())
    assert (issued.login, issued.expiry, issued.revision) == (login(), UNKNOWN, "4")
    assert issued.scopes is None


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("ghp_x\r\nX-Injected: 1", id="newline"),
        pytest.param("ghp_\x00", id="nul"),
        pytest.param("ghp_é", id="not-ascii"),
        pytest.param("ghp_x y", id="space"),
    ],
)
async def test_what_cannot_stand_in_a_header_is_not_sent(ghcr: Ghcr, github: GitHub, token: str) -> None:
    """A broken token is not shown to GitHub at all."""
    assert (await ghcr.inspect(login(token))).expiry == UNKNOWN
    assert list(github.asked) == []


async def test_issuing_asks_github_once(ghcr: Ghcr, github: GitHub) -> None:
    """One call gives expiry and scopes, with the token as a bearer."""
    github.tokens[TOKEN] = {EXPIRY_HEADER: "2027-03-19 00:00:00 -0500", SCOPES_HEADER: "repo, read:packages"}
    issued = await ghcr.issue(Order())
    assert (issued.expiry, issued.scopes) == (MARCH, frozenset({"read:packages", "repo"}))
    (asked,) = github.asked
    assert (asked.method, asked.path, asked.credential) == ("GET", "/rate_limit", f"Bearer {TOKEN}")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, None, id="no-classic-token"),
        pytest.param({SCOPES_HEADER: ""}, frozenset(), id="no-scope"),
        pytest.param({SCOPES_HEADER: "read:packages"}, frozenset({"read:packages"}), id="least"),
    ],
)
async def test_scopes_are_known_when_github_names_them(
    ghcr: Ghcr, github: GitHub, headers: dict[str, str], expected: frozenset[str] | None
) -> None:
    """An empty list is a fact; a missing header is none."""
    github.tokens[TOKEN] = headers
    assert (await ghcr.issue(Order())).scopes == expected
    assert (await ghcr.inspect(login())).scopes == expected


async def test_the_sources_earlier_date_wins(ghcr: Ghcr, github: GitHub, held_source: HeldSource) -> None:
    """Whoever names the earlier date is believed."""
    held_source.put(PLACE, TOKEN, expiry=OCTOBER)
    github.tokens[TOKEN] = {EXPIRY_HEADER: "2027-03-19 00:00:00 -0500"}
    assert (await ghcr.issue(Order())).expiry == OCTOBER


async def test_no_redirect_is_followed(ghcr: Ghcr, github: GitHub) -> None:
    """The token is shown to no other address than the configured one."""
    github.fail(302, path="/rate_limit", headers={"Location": f"{github.url}/elsewhere"})
    await ghcr.inspect(login())
    assert [asked.path for asked in github.asked] == ["/rate_limit"]


async def test_proxies_and_logins_of_the_environment_have_no_effect(
    ghcr: Ghcr, github: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Neither proxy variables nor a netrc change what is sent where."""
    (tmp_path / "netrc").write_text("default login thief password thief\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await ghcr.inspect(login())).expiry == NEVER
    assert github.asked[0].credential == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param({"token": "ghp_x"}, "a secret is never written here", id="inline-token"),
        pytest.param({"username": ""}, "should match pattern", id="empty-username"),
        pytest.param({"username": "mona:x"}, "should match pattern", id="colon-in-username"),
        pytest.param({"username": None}, "valid string", id="no-username"),
        pytest.param({"api_url": "http://ghe.example/api/v3"}, "api_url is not https", id="plain-http"),
        pytest.param({"api_url": "ghe.example"}, "write scheme, host", id="no-scheme"),
    ],
)
def test_mistakes_are_explained(options: dict[str, Any], sentence: str) -> None:
    """Each mistake is refused with a sentence that says what to write."""
    with pytest.raises(ValidationError, match=sentence):
        GhcrConfig.model_validate({"username": "mona", "token": {"env": "GHCR_TOKEN"}, **options})


def test_least_configuration() -> None:
    """A user name and a token are enough; the user name may be kept in a source too."""
    config = GhcrConfig.model_validate({"username": {"vault": "x#user"}, "token": {"vault": "x#token"}})
    assert (config.registry, config.api_url, str(config.username)) == (
        "ghcr.io",
        "https://api.github.com",
        "vault:x#user",
    )


def resources(**core: object) -> str:
    """Return GitHub's answer about limits."""
    search = {"limit": 30, "remaining": 0, "reset": 1}
    return json.dumps({"resources": {"core": core, "search": search}})


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        pytest.param(
            200,
            resources(limit=5000, remaining=4990, reset=0),
            Headroom(HeadroomState.LIMITED, 5000, 4990, 3600, source=Counted.ACCOUNT),
            id="limited",
        ),
        pytest.param(404, '{"message": "Rate limiting is not enabled."}', Headroom(HeadroomState.UNLIMITED), id="off"),
        pytest.param(200, resources(limit=5000), Headroom(HeadroomState.UNKNOWN, source=Counted.ACCOUNT), id="unread"),
    ],
)
async def test_the_headroom_is_that_of_the_api(
    ghcr: Ghcr, github: GitHub, status: int, body: str, found: Headroom
) -> None:
    """What is left for the token is GitHub's core resource; a server without limits says so, silence is unknown."""
    github.fail(status, body=body)
    assert await ghcr.headroom(login()) == found
    assert (ghcr.limit_host, ghcr.limit_cost) == (github.host, 0)
    assert isinstance(ghcr, MeasuresHeadroom)


async def test_without_a_login_github_is_not_asked(ghcr: Ghcr, github: GitHub) -> None:
    """The API's limit of our address says nothing about the registry."""
    assert await ghcr.headroom(None) == Headroom(HeadroomState.UNKNOWN)
    assert not github.asked


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthenticationError), (404, NotFoundError), (429, RateLimitedError), (502, UnavailableError)],
    ids=str,
)
async def test_what_github_refuses_is_raised(
    ghcr: Ghcr, github: GitHub, status: int, error: type[RotatorError]
) -> None:
    """A refusal, a limit and an outage are no headroom."""
    github.fail(status)
    with pytest.raises(error):
        await ghcr.headroom(login())


@pytest.fixture
def revoking(make_context: Callable[[str], ProviderContext], github: GitHub) -> Ghcr:
    """Return a provider that may revoke, with one token known to GitHub."""
    github.tokens[TOKEN] = {}
    config = {"username": "mona", "token": {"vault": PLACE}, "api_url": github.url, "insecure": True, "revoke": True}
    return Ghcr(GhcrConfig.model_validate(config), make_context("ghcr.io"))


async def test_an_old_token_is_revoked_without_a_login(revoking: Ghcr, github: GitHub) -> None:
    """GitHub is told the token and no login, and it may be told again: what is gone counts as ended."""
    assert isinstance(revoking, Retires)
    for _ in range(2):
        assert await revoking.retire("", login()) is Retirement.ENDED
    assert TOKEN not in github.tokens


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(None, id="a secret that is not kept"),
        pytest.param(login("0123456789abcdef0123456789abcdef01234567"), id="a token of an unknown kind"),
        pytest.param(login("ghs_installation"), id="a token of an app"),
    ],
)
async def test_what_github_does_not_revoke_is_a_persons(revoking: Ghcr, github: GitHub, shown: Login | None) -> None:
    """A token of a kind that GitHub does not take is left to a person, and not shown to GitHub at all."""
    assert isinstance(revoking, Retires)
    github.fail(500)
    assert await revoking.retire("", shown) is Retirement.PERSON


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimitedError), (500, UnavailableError), (422, RotatorError)], ids=str
)
async def test_a_refusal_to_revoke_is_an_error(
    revoking: Ghcr, github: GitHub, status: int, kind: type[RotatorError]
) -> None:
    """Whatever is not the documented success means that the token may still work."""
    assert isinstance(revoking, Retires)
    github.fail(status)
    with pytest.raises(kind) as raised:
        await revoking.retire("", login())
    assert TOKEN not in str(raised.value)


def test_nothing_is_revoked_unless_it_is_wanted(ghcr: Ghcr) -> None:
    """Without `revoke` the provider cannot end anything: a person does."""
    assert not isinstance(ghcr, Retires)


def test_an_enterprise_server_is_refused() -> None:
    """There GitHub wants a login for a revocation, so the option cannot be kept and is refused."""
    with pytest.raises(ValidationError, match="Enterprise Server"):
        GhcrConfig.model_validate(
            {"username": "m", "token": {"vault": PLACE}, "api_url": "https://ghe.example/api/v3", "revoke": True}
        )


def test_it_says_where_a_new_token_is_put(ghcr: Ghcr) -> None:
    """A person is told the place, in the configuration's own words."""
    assert isinstance(ghcr, ReadsOrigin)
    assert ghcr.origin == f"vault: {PLACE}"
