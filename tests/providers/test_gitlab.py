"""GitLab's tokens: made, listed and deleted, or read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Login, Strategy
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
from rotator.providers.gitlab import GitLab, GitLabConfig, inspection_of
from rotator.sandbox.flavours.gitlab import GITLAB
from rotator.sandbox.gitlab import SandboxGitLab
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import Fault
from rotator.secret import Secret

HeldSource = Any  # the class is in conftest, which tests do not import
Make = Callable[..., GitLab]
API_TOKEN = "canary-7f3a9c51d2e8"
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
ORDER = Order("apps", "20261123T120000.000000Z-0001", "0a1b2c3d")
PLACE = "projects/acme/app/deploy_tokens"


@pytest.fixture
async def registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return GitLab's registry."""
    async with SandboxRegistry(clock, auth=GITLAB) as server:
        yield server


@pytest.fixture
async def server(clock: Clock, registry: SandboxRegistry) -> AsyncIterator[SandboxGitLab]:
    """Return a GitLab with one project and one group."""
    owners = ("projects/acme/app", "groups/acme")
    async with SandboxGitLab(clock, registry, api_token=API_TOKEN, owners=owners) as gitlab:
        yield gitlab


@pytest.fixture
def make(
    make_context: Callable[[str], ProviderContext],
    server: SandboxGitLab,
    registry: SandboxRegistry,
    held_source: HeldSource,
) -> Make:
    """Return a function that makes a provider; the API's token is in the source."""
    held_source.put("api", API_TOKEN)

    def build(**options: Any) -> GitLab:
        given = {"registry": registry.host, "api_url": server.url, "insecure": True}
        making = {} if options.get("mode") == "read" else {"project": "acme/app", "api_token": {"vault": "api"}}
        return GitLab(GitLabConfig.model_validate({**given, **making, **options}), make_context(registry.host))

    return build


async def test_a_deploy_token_is_made(make: Make, server: SandboxGitLab) -> None:
    """It carries the order's label, may read the registry and nothing else, and dies after the configured time."""
    issued = await make(valid_for="30d").issue(ORDER)
    made = server.tokens[1]
    assert (made.name, made.scopes) == (ORDER.label, ["read_registry"])
    assert issued.login == Login("gitlab+deploy-token-1", Secret(made.secret))
    assert issued.expiry == Expiry(START + timedelta(days=30))
    assert (issued.scopes, issued.principal) == (frozenset({"read_registry"}), "gitlab+deploy-token-1")
    assert (issued.handle, issued.issued_at) == ("projects/acme%2Fapp/deploy_tokens/1", START)


async def test_an_access_token_is_made(make: Make, server: SandboxGitLab) -> None:
    """GitLab ends access tokens at the first moment of a day, never later than asked for; that is reported."""
    issued = await make(mode="access_token", valid_for="30d", scopes=["read_registry", "read_api"]).issue(ORDER)
    assert issued.expiry == Expiry(datetime(2026, 12, 23, tzinfo=UTC))
    assert issued.login == Login("rotator", Secret(server.tokens[1].secret))
    assert (issued.scopes, issued.principal) == (frozenset({"read_registry", "read_api"}), "user 1001")
    assert issued.handle == "projects/acme%2Fapp/access_tokens/1"


async def test_a_groups_tokens_are_made_there(make: Make, server: SandboxGitLab) -> None:
    """A group has tokens of its own."""
    issued = await make(group="acme", project=None).issue(ORDER)
    assert issued.handle == "groups/acme/deploy_tokens/1"
    assert server.tokens[1].place == "groups/acme/deploy_tokens"


async def test_a_rotate_call_is_never_made(make: Make, server: SandboxGitLab) -> None:
    """A version is a new token: GitLab's own rotate would end the one in use, and the new one when it is repeated."""
    provider = make(mode="access_token")
    issued = [await provider.issue(ORDER) for _ in range(2)]
    await provider.retire(issued[0].handle, issued[0].login)
    assert server.count("POST", "/") == 2
    assert not [asked for asked in server.asked if "rotate" in asked.path]


async def test_a_long_list_is_read_to_its_end(make: Make, server: SandboxGitLab) -> None:
    """Our tokens are found on whichever page they are."""
    server.page_size = 2
    for _ in range(5):
        server.add_token(PLACE, "somebody's", ["read_registry"], None)
    issued = await make().issue(ORDER)
    assert [one.handle for one in await make().made(ORDER)] == [issued.handle]
    assert server.count("GET", "/") == 3


async def test_a_list_without_end_is_given_up(make: Make, server: SandboxGitLab) -> None:
    """A list that goes on for ever is not followed for ever."""
    answer = lambda _: web.json_response([], headers={"X-Next-Page": "2"})  # noqa: E731 (a page)
    server.faults.append(Fault(lambda request: request.method == "GET", answer))
    with pytest.raises(PermanentError, match="more than 5000 tokens"):
        await make().made(ORDER)
    assert server.count("GET", "/") == 50


async def test_what_is_dead_is_not_listed(make: Make, server: SandboxGitLab, clock: Clock) -> None:
    """Revoked and expired access tokens stay in GitLab's list, and are no orphans."""
    provider = make(mode="access_token")
    issued = await provider.issue(ORDER)
    server.add_token("projects/acme/app/access_tokens", ORDER.label, ["read_registry"], clock.now())
    assert [one.handle for one in await provider.made(ORDER)] == [issued.handle]
    await provider.retire(issued.handle, None)
    assert server.tokens[1].revoked
    assert await provider.made(ORDER) == []


@pytest.mark.parametrize("body", ["{}", "null", "[7]", '[{"name": "x"}]', '[{"id": "1"}]', "<html>"])
async def test_an_unreadable_list_is_no_empty_list(make: Make, server: SandboxGitLab, body: str) -> None:
    """What cannot be read tells neither that there are no orphans nor that a token is gone."""
    issued = await make().issue(ORDER)
    server.fail(200, path="/api", method="GET", body=body)
    server.fail(404, path="/api", method="DELETE")
    with pytest.raises(UnavailableError):
        await make().made(ORDER)
    with pytest.raises(UnavailableError):
        await make().retire(issued.handle, issued.login)


async def test_a_project_that_cannot_be_seen_ends_nothing(make: Make, server: SandboxGitLab) -> None:
    """GitLab says 404 for what we may not see, too: that is no proof that the token is gone."""
    issued = await make().issue(ORDER)
    server._owners = ()
    with pytest.raises(PermissionDeniedError, match="cannot be seen at GitLab"):
        await make().retire(issued.handle, issued.login)


@pytest.mark.parametrize("status", [400, 404])
async def test_a_refusal_about_a_living_token_ends_nothing(make: Make, server: SandboxGitLab, status: int) -> None:
    """What the list still holds is not taken for ended."""
    issued = await make().issue(ORDER)
    server.fail(status, path="/api", method="DELETE")
    with pytest.raises(PermanentError):
        await make().retire(issued.handle, issued.login)


@pytest.mark.parametrize(
    ("options", "handle"),
    [
        pytest.param({}, "", id="no-handle"),
        pytest.param({}, "1", id="a-bare-number"),
        pytest.param({}, "projects/acme%2Fapp/deploy_tokens/1/../2", id="a-detour"),
        pytest.param({}, "projects/acme/app/deploy_tokens/1", id="an-unquoted-path"),
        pytest.param(
            {"mode": "read", "username": "u", "token": {"vault": "api"}}, "projects/a/deploy_tokens/1", id="read"
        ),
    ],
)
async def test_what_is_not_ours_to_end_is_left_to_a_person(
    make: Make, server: SandboxGitLab, options: dict[str, Any], handle: str
) -> None:
    """Only a handle that we gave out is deleted."""
    assert await make(**options).retire(handle, None) is Retirement.PERSON
    assert list(server.asked) == []


async def test_a_handle_outlives_the_configuration(make: Make, server: SandboxGitLab) -> None:
    """A version of a project is ended there although tokens are made for a group now."""
    issued = await make().issue(ORDER)
    assert await make(group="acme", project=None).retire(issued.handle, None) is Retirement.ENDED
    assert server.tokens == {}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, PermanentError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ConflictError),
        (429, RateLimitedError),
        (502, UnavailableError),
    ],
)
async def test_each_refusal_has_its_class(
    make: Make, server: SandboxGitLab, status: int, expected: type[RotatorError]
) -> None:
    """What GitLab answers arrives as the error of its status, which says for whom, and quotes nothing."""
    server.fail(status, path="/api", body=API_TOKEN)
    with pytest.raises(expected, match=r"projects/acme%2Fapp/deploy_tokens: POST: HTTP") as caught:
        await make().issue(ORDER)
    assert API_TOKEN not in str(caught.value)
    assert bool(caught.value.hint) == (status in {400, 401, 403, 404})


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        "<html>",
        '{"id": 1, "username": "u"}',
        '{"id": 1, "username": "u", "token": ""}',
        '{"id": "x", "username": "u", "token": "t"}',
        '{"id": 1, "username": 7, "token": "t"}',
        '{"id": true, "username": "u", "token": "t"}',
    ],
)
async def test_an_answer_without_a_token_is_unavailable(make: Make, server: SandboxGitLab, body: str) -> None:
    """Token, user name or id missing: no version. What was made is found by its label."""
    server.fail(201, path="/api", body=body)
    with pytest.raises(UnavailableError):
        await make().issue(ORDER)


async def test_a_kept_access_token_tells_about_itself(
    make: Make, server: SandboxGitLab, held_source: HeldSource
) -> None:
    """In read mode GitLab is asked with the token itself: expiry, scopes and whose it is."""
    kept = server.add_token("projects/acme/app/access_tokens", "by hand", ["read_registry"], START + timedelta(days=9))
    held_source.put("kept", kept.secret, revision="4")
    provider = make(mode="read", username="mona", token={"vault": "kept"})
    issued = await provider.issue(ORDER)
    assert issued.login == Login("mona", Secret(kept.secret))
    assert issued.expiry == Expiry(datetime(2026, 12, 2, tzinfo=UTC))
    assert (issued.scopes, issued.principal, issued.revision) == (frozenset({"read_registry"}), "user 1001", "4")
    assert (provider.strategy, await provider.revision(), await provider.made(ORDER)) == (Strategy.READ, "4", [])


async def test_a_kept_deploy_token_is_shown_to_no_api(
    make: Make, server: SandboxGitLab, held_source: HeldSource
) -> None:
    """Only its maker may ask about a deploy token, so that nothing is known of a kept one."""
    held_source.put("kept", "gldt-abc", expiry=Expiry(START + timedelta(days=1)))
    issued = await make(mode="read", username="gitlab+deploy-token-7", token={"vault": "kept"}).issue(ORDER)
    assert (issued.expiry, issued.scopes) == (Expiry(START + timedelta(days=1)), None)
    assert list(server.asked) == []


@pytest.mark.parametrize("status", [401, 500])
async def test_a_token_that_gitlab_says_nothing_of_is_read_all_the_same(
    make: Make, server: SandboxGitLab, held_source: HeldSource, status: int
) -> None:
    """The value is the source's; what GitLab knows of it is advice."""
    held_source.put("kept", "glpat-x")
    server.fail(status, path="/api")
    provider = make(mode="read", username="mona", token={"vault": "kept"})
    assert (await provider.issue(ORDER)).expiry == UNKNOWN
    assert await provider.inspect(Login("mona", Secret("glpat-x"))) == NOTHING_KNOWN


async def test_a_deploy_token_is_looked_up_by_its_number(make: Make, server: SandboxGitLab) -> None:
    """The number is in its user name; one that is gone, or none of this project's, is nothing known."""
    issued = await make().issue(ORDER)
    assert (await make().inspect(issued.login)).expiry == issued.expiry
    server.tokens.clear()
    assert await make().inspect(issued.login) == NOTHING_KNOWN


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, NOTHING_KNOWN, id="nothing"),
        pytest.param({"expires_at": None, "scopes": []}, Inspection(NEVER, frozenset()), id="never"),
        pytest.param({"expires_at": "soon", "scopes": "api"}, NOTHING_KNOWN, id="words"),
        pytest.param({"expires_at": 7, "scopes": [7], "user_id": "7"}, NOTHING_KNOWN, id="wrong-types"),
        pytest.param(
            {"expires_at": "2027-01-01", "user_id": 7},
            Inspection(Expiry(datetime(2027, 1, 1, tzinfo=UTC)), None, "user 7"),
            id="a-date",
        ),
    ],
)
def test_what_gitlab_does_not_tell_is_unknown(fields: dict[str, Any], expected: Inspection) -> None:
    """Each field that makes no sense counts as not told."""
    assert inspection_of(fields) == expected


MAKING = {"project": "acme/app", "api_token": {"vault": "api"}}
READING = {"mode": "read", "username": "u", "token": {"vault": "t"}}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, "needs api_token", id="nothing"),
        pytest.param({**MAKING, "project": None}, "needs project or group", id="no-owner"),
        pytest.param({**MAKING, "group": "acme"}, "and not both", id="two-owners"),
        pytest.param({**MAKING, "project": "acme"}, "match pattern", id="no-project"),
        pytest.param({**MAKING, "project": "acme/../app?x"}, "match pattern", id="no-path"),
        pytest.param({**MAKING, "token": {"vault": "t"}}, "token is for mode: read", id="two-tokens"),
        pytest.param({**MAKING, "username": "u"}, "leave username away", id="named-deploy-token"),
        pytest.param(
            {**MAKING, "mode": "access_token", "username": {"vault": "u"}}, "write username as it is", id="read-name"
        ),
        pytest.param({**MAKING, "valid_for": "1d"}, "greater than or equal", id="too-short"),
        pytest.param({**MAKING, "valid_for": "500d"}, "less than or equal", id="too-long"),
        pytest.param({**MAKING, "scopes": []}, "at least 1", id="no-scope"),
        pytest.param({**MAKING, "role": "root"}, "Input should be", id="no-role"),
        pytest.param({**MAKING, "api_url": "http://gitlab.example"}, "not https", id="plain-http"),
        pytest.param({**READING, "token": None}, "needs username and token", id="read-nothing"),
        pytest.param({**READING, "api_token": {"vault": "t"}}, "not for mode: read", id="read-and-make"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], expected: str) -> None:
    """Each mistake is found when the configuration is read."""
    with pytest.raises(ValidationError, match=expected):
        GitLabConfig.model_validate(options)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(MAKING, id="project"),
        pytest.param({**MAKING, "project": "42"}, id="project-by-number"),
        pytest.param({**MAKING, "project": None, "group": "acme/team"}, id="group"),
        pytest.param(READING, id="read"),
    ],
)
def test_gitlab_com_needs_no_address(options: dict[str, Any]) -> None:
    """What is not written is GitLab.com's."""
    config = GitLabConfig.model_validate(options)
    assert (config.registry, config.api_url) == ("registry.gitlab.com", None)
