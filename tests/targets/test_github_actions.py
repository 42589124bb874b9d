"""GitHub's secrets as a place: sealed, in order, never widened, and never said to hold more than was seen."""

from __future__ import annotations

import json
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from rotator.clock import SystemClock
from rotator.domain.declares import Proof
from rotator.domain.model import Entry, Login
from rotator.errors import (
    AuthenticationError,
    ConflictError,
    FencedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from rotator.sandbox.github import SandboxGithub
from rotator.sandbox.server import Fault
from rotator.secret import Fingerprinter, Secret
from rotator.sources.env import EnvSource
from rotator.targets.context import TargetContext
from rotator.targets.github_actions import GithubActionsConfig, GithubActionsTarget
from rotator.transport import Transport

CANARY = "canary-d17b0c55fe"
TOKEN = "github_pat_canary_11AA"
WEB = "acme/web"
AT = "repos/acme/web/actions/secrets"
Make = Callable[..., GithubActionsTarget]


def entry(generation: int = 1, credential: str = "ghcr") -> Entry:
    """Return an entry whose password tells its generation."""
    login = Login("robot", Secret(f"{CANARY}-{generation}"))
    return Entry(credential, "ghcr.io", login, generation, f"p{generation}")


@pytest.fixture
async def github() -> AsyncIterator[SandboxGithub]:
    """Serve a GitHub without any secret."""
    async with SandboxGithub(TOKEN) as server:
        yield server


@pytest.fixture
async def make(github: SandboxGithub) -> AsyncIterator[Make]:
    """Return a function that makes a target."""
    clock = SystemClock()
    transport = Transport(clock=clock)

    def build(token: str = TOKEN, **options: Any) -> GithubActionsTarget:
        sources = {"env": EnvSource({"TOKEN": token}, fingerprint=Fingerprinter(b"0123456789abcdef"))}
        reach = {"api_url": github.url, "insecure": True, "token": {"env": "TOKEN"}}
        places = options if "organizations" in options else {"repositories": [WEB], **options}
        config = GithubActionsConfig.model_validate({"type": "github_actions", **reach, **places})
        return GithubActionsTarget("gh", config, TargetContext(transport, clock, lambda: 0.5, sources))

    yield build
    await transport.close()


def values(github: SandboxGithub, place: str = AT) -> dict[str, str]:
    """Return what the secrets of a place hold."""
    return {name: secret.value for name, secret in github.places.get(place, {}).items()}


async def test_both_halves_arrive_the_password_last(github: SandboxGithub, make: Make) -> None:
    """User name and password are sealed to GitHub's key and written in this order, whatever the configuration's is."""
    target = make(fields={"A_PASSWORD": "password", "B_USER": "username"})
    held = await target.apply(WEB, [entry()])
    assert (held.logins, held.proof, held.changed) == ({"ghcr": entry().login}, Proof.METADATA, True)
    assert values(github) == {"A_PASSWORD": f"{CANARY}-1", "B_USER": "robot"}
    assert github.order == ["B_USER", "A_PASSWORD"]


PLACES = [
    pytest.param(
        {"repositories": [WEB], "environment": "prod/eu"},
        "repos/acme/web/environments/prod/eu/secrets",
        id="environment",
    ),
    pytest.param({"repositories": [WEB], "store": "dependabot"}, "repos/acme/web/dependabot/secrets", id="dependabot"),
    pytest.param({"organizations": ["acme"]}, "orgs/acme/actions/secrets", id="organisation"),
]


@pytest.mark.parametrize(("options", "path"), PLACES)
async def test_each_kind_of_place(github: SandboxGithub, make: Make, options: dict[str, Any], path: str) -> None:
    """Each kind of place has its own address and its own key."""
    target = make(**options)
    (placement,) = await target.placements()
    assert (await target.apply(placement, [entry()])).logins == {"ghcr": entry().login}
    assert github.count("PUT", f"/{path}/") == 2


@pytest.mark.parametrize("store", ["actions", "dependabot"])
async def test_an_organisation_s_secret_is_not_widened(github: SandboxGithub, make: Make, store: str) -> None:
    """The repositories that may use a secret stay the same ones, more than a page of them."""
    place, selected = f"orgs/acme/{store}/secrets", tuple(range(1, 151))
    github.put(place, "REGISTRY_USERNAME", "old", "private")
    github.put(place, "REGISTRY_PASSWORD", "old", "selected", selected)
    await make(organizations=["acme"], store=store, visibility="all").apply("acme", [entry()])
    user, password = (github.places[place][name] for name in ("REGISTRY_USERNAME", "REGISTRY_PASSWORD"))
    assert (user.visibility, password.visibility, password.value) == ("private", "selected", f"{CANARY}-1")
    assert password.selected == [str(one) if store == "dependabot" else one for one in selected]


async def test_a_new_secret_of_an_organisation_is_private(github: SandboxGithub, make: Make) -> None:
    """What is made here is not for everybody unless that is written."""
    await make(organizations=["acme"]).apply("acme", [entry()])
    assert {secret.visibility for secret in github.places["orgs/acme/actions/secrets"].values()} == {"private"}


async def test_untold_visibility_stops_the_write(github: SandboxGithub, make: Make) -> None:
    """Where GitHub does not say who may use a secret, it is not written: it might be widened."""
    github.put("orgs/acme/actions/secrets", "REGISTRY_USERNAME", "old")
    with pytest.raises(UnsupportedError, match="must not be widened"):
        await make(organizations=["acme"]).apply("acme", [entry()])


async def test_a_key_that_was_replaced_is_read_again(github: SandboxGithub, make: Make) -> None:
    """A 422 because of an old key is followed by one more try with the new one."""
    stale: list[Fault] = []

    def refuse(_: web.Request) -> web.StreamResponse:
        github.replace_key(AT)
        return web.json_response({"message": "Validation Failed"}, status=422)

    stale.append(Fault(lambda request: request.method == "PUT", refuse, 1))
    github.faults += stale
    assert (await make().apply(WEB, [entry()])).logins == {"ghcr": entry().login}


async def test_what_somebody_changed_is_written_again(github: SandboxGithub, make: Make) -> None:
    """A secret that was changed since is not taken for ours, and the next write brings it back."""
    target = make()
    await target.apply(WEB, [entry()])
    github.put(AT, "REGISTRY_PASSWORD", "somebody's")
    assert (await target.read(WEB, [entry()])).logins == {}
    assert (await target.apply(WEB, [entry()])).changed
    assert values(github)["REGISTRY_PASSWORD"] == f"{CANARY}-1"


async def test_a_write_that_shows_nothing_is_not_done(github: SandboxGithub, make: Make) -> None:
    """I7: an accepted write after which the time is the old one is not reported as held."""

    def accept(_: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    github.put(AT, "REGISTRY_PASSWORD", "old")
    github.faults.append(
        Fault(
            lambda request: request.method == "PUT" and request.path.endswith("PASSWORD"),
            lambda _: web.Response(status=204),
        )
    )
    target = make()
    assert (await target.apply(WEB, [entry()])).logins == {}
    assert (await target.read(WEB, [entry()])).logins == {}


async def test_half_a_pair_is_not_done_and_is_mended(github: SandboxGithub, make: Make) -> None:
    """When the password fails after the user name, nothing is held, and the next try writes both."""
    target = make()
    fault = github.fail(502, path=f"/{AT}/REGISTRY_PASSWORD", method="PUT", body=f"<html>{CANARY}")
    with pytest.raises(UnavailableError) as caught:
        await target.apply(WEB, [entry()])
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert (await target.read(WEB, [entry()])).logins == {}
    github.faults.remove(fault)
    assert (await target.apply(WEB, [entry()])).logins == {"ghcr": entry().login}


async def test_an_older_generation_is_refused(make: Make) -> None:
    """I3: what is older than what this process wrote is not written."""
    target = make()
    await target.apply(WEB, [entry(2)])
    with pytest.raises(FencedError):
        await target.apply(WEB, [entry(1)])


EXHAUSTED = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4102444800"}
REFUSALS: list[Any] = [
    pytest.param(401, {}, AuthenticationError, id="401"),
    pytest.param(403, {}, PermissionDeniedError, id="403"),
    pytest.param(404, {}, NotFoundError, id="404"),
    pytest.param(409, {}, ConflictError, id="409"),
    pytest.param(422, {}, UnsupportedError, id="422"),
    pytest.param(
        403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4102444800"}, RateLimitedError, id="403 limit"
    ),
    pytest.param(403, {"Retry-After": "60"}, RateLimitedError, id="403 secondary limit"),
    pytest.param(429, {"Retry-After": "60"}, RateLimitedError, id="429"),
    pytest.param(503, {}, UnavailableError, id="503"),
]


@pytest.mark.parametrize(("status", "headers", "kind"), REFUSALS)
async def test_each_refusal_has_its_class(
    github: SandboxGithub, make: Make, status: int, headers: dict[str, str], kind: type[RotatorError]
) -> None:
    """Each refusal becomes its class; limits that GitHub tells by 403 are limits; no secret is in the error."""
    github.fail(status, method="PUT", headers=headers, body=f"<html>{CANARY}")
    with pytest.raises(kind) as caught:
        await make().apply(WEB, [entry()])
    told = "".join(traceback.format_exception(caught.value))
    assert CANARY not in told
    assert TOKEN not in told
    if isinstance(caught.value, RateLimitedError):
        assert caught.value.retry_after in {timedelta(seconds=60), timedelta(hours=1)}
    if isinstance(caught.value, PermissionDeniedError):
        assert "Secrets: write" in caught.value.hint


KEYS = [
    pytest.param("<html>", id="html"),
    pytest.param("[]", id="list"),
    pytest.param("{}", id="nothing"),
    pytest.param('{"key_id": "1", "key": "AAAA"}', id="short"),
    pytest.param('{"key_id": "1", "key": "%"}', id="garbage"),
]


@pytest.mark.parametrize("body", KEYS)
async def test_without_a_key_nothing_leaves(github: SandboxGithub, make: Make, body: str) -> None:
    """A value that cannot be sealed is not sent."""
    github.fail(200, path=f"/{AT}/public-key", body=body)
    with pytest.raises(UnavailableError):
        await make().apply(WEB, [entry()])
    assert github.count("PUT", "/") == 0


async def test_what_is_no_token_is_not_sent(github: SandboxGithub, make: Make) -> None:
    """A token with a line break is refused with its place, not with its text."""
    with pytest.raises(ShapeError, match="env:TOKEN: cannot be a token of GitHub: 9 characters"):
        await make(token="ghp_\ncana").apply(WEB, [entry()])
    assert not github.asked


BAD = [
    pytest.param({"repositories": []}, "there is no place", id="no place"),
    pytest.param({"repositories": ["acme"]}, "should match", id="no owner"),
    pytest.param({"environment": "p", "organizations": ["a"]}, "environments belong", id="environment of organisation"),
    pytest.param({"environment": "p", "store": "dependabot"}, "environments belong", id="environment of dependabot"),
    pytest.param({"fields": {"GITHUB_X": "password"}}, "cannot be a secret's name", id="reserved"),
    pytest.param({"fields": {"1A": "password"}}, "cannot be a secret's name", id="digit"),
    pytest.param({"fields": {"{credential}-X": "password"}}, "cannot be a secret's name", id="hyphen"),
    pytest.param({"api_url": "http://x"}, "is not https", id="plain"),
]


@pytest.mark.parametrize(("options", "words"), BAD)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    """Options that cannot work are refused when the configuration is read."""
    known = {"type": "github_actions", "repositories": [WEB], "token": {"env": "T"}}
    with pytest.raises(ValidationError, match=words):
        GithubActionsConfig.model_validate({**known, **options})


SHARED = {"fields": {"DOCKER_CONFIG": "docker_config"}}
QUAY = {"quay": "quay.io"}


async def test_a_shared_value_from_before_waits_for_all(github: SandboxGithub, make: Make) -> None:
    """A docker configuration that this process did not write stays while a credential in it may have no version."""
    github.put(AT, "DOCKER_CONFIG", "with both logins")
    target = make(**SHARED)
    with pytest.raises(UnavailableError, match=r"acme/web: DOCKER_CONFIG: waits for the first version of quay"):
        await target.apply_beside(WEB, [entry()], QUAY)
    assert values(github) == {"DOCKER_CONFIG": "with both logins"}
    await target.apply(WEB, [entry(), replace(entry(credential="quay"), registry="quay.io")])
    assert set(json.loads(values(github)["DOCKER_CONFIG"])["auths"]) == {"ghcr.io", "quay.io"}


async def test_a_value_of_this_process_waits_for_nobody(github: SandboxGithub, make: Make) -> None:
    """Where there was nothing, a login is written and renewed though a neighbour has no version yet."""
    target = make(**SHARED)
    for generation in (1, 2):
        held = await target.apply_beside(WEB, [entry(generation)], QUAY)
        assert (held.changed, list(held.logins)) == (True, ["ghcr"])
        assert set(json.loads(values(github)["DOCKER_CONFIG"])["auths"]) == {"ghcr.io"}


async def test_secrets_of_one_credential_wait_for_nobody(github: SandboxGithub, make: Make) -> None:
    """A secret that holds no neighbour's login is replaced, whoever wrote it and whatever its neighbours have."""
    github.put(AT, "GHCR_CONFIG", "from before")
    await make(fields={"{CREDENTIAL}_CONFIG": "docker_config"}).apply_beside(WEB, [entry()], QUAY)
    assert set(json.loads(values(github)["GHCR_CONFIG"])["auths"]) == {"ghcr.io"}
