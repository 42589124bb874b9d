"""Docker Hub tokens, kept in a source."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from rotator.domain.headroom import Counted, Headroom, HeadroomState
from rotator.domain.model import UNKNOWN, Expiry, Login
from rotator.errors import AuthenticationError, RateLimitedError, RotatorError, UnavailableError
from rotator.ports import Clock, MeasuresHeadroom, Order
from rotator.providers.context import ProviderContext
from rotator.providers.dockerhub import DockerHub, DockerHubConfig
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import SandboxServer
from rotator.secret import Secret

HeldSource = Any  # the class is in conftest, which tests do not import
PLACE = "registries/hub#token"


@pytest.fixture
def hub(make_context: Callable[[str], ProviderContext]) -> DockerHub:
    """Return a provider whose token is in the source."""
    config = DockerHubConfig.model_validate({"username": "Acme-Bot", "token": {"vault": PLACE}})
    return DockerHub(config, make_context("docker.io"))


async def test_the_token_is_taken_as_it_is(hub: DockerHub, held_source: HeldSource) -> None:
    """User name and revision are the source's; of rights and owner nothing is known."""
    held_source.put(PLACE, "dckr_pat_abc", revision="9")
    issued = await hub.issue(Order())
    assert (issued.login.username, issued.revision, issued.scopes, issued.principal) == ("Acme-Bot", "9", None, "")


async def test_only_the_source_tells_the_expiry(hub: DockerHub, held_source: HeldSource) -> None:
    """The source's date is the login's; asked about a login alone, nothing is known."""
    expiry = Expiry(datetime(2027, 1, 1, tzinfo=UTC))
    held_source.put(PLACE, "dckr_pat_abc", expiry=expiry)
    assert (await hub.issue(Order())).expiry == expiry
    assert (await hub.inspect(Login("Acme-Bot", Secret("dckr_pat_abc")))).expiry == UNKNOWN


def test_the_registry_is_known() -> None:
    """Each of Docker Hub's names is the same registry."""
    options = {"username": "x", "token": {"env": "HUB_TOKEN"}}
    assert DockerHubConfig.model_validate(options).registry == "docker.io"
    assert DockerHubConfig.model_validate({**options, "registry": "index.docker.io"}).registry == "docker.io"


MakeContext = Callable[[str], ProviderContext]
LOGIN = Login("acme-bot", Secret("dckr_pat_abc"))
LIMITED, UNLIMITED, UNTOLD = HeadroomState.LIMITED, HeadroomState.UNLIMITED, HeadroomState.UNKNOWN


def hub_at(host: str, make_context: MakeContext) -> DockerHub:
    """Return a provider for a registry that stands in for Docker Hub."""
    options = {"registry": host, "username": "acme-bot", "token": {"vault": PLACE}}
    return DockerHub(DockerHubConfig.model_validate(options), make_context(host))


@asynccontextmanager
async def hub_with(clock: Clock, rate_limit: int | None) -> AsyncIterator[SandboxRegistry]:
    """Serve a registry with Docker's image for asking, and a login that works."""
    async with SandboxRegistry(clock, rate_limit=rate_limit) as server:
        server.add_image("ratelimitpreview/test:latest", public=True)
        server.add_login(LOGIN.username, LOGIN.secret.reveal())
        yield server


@pytest.mark.parametrize(
    ("login", "source"), [(LOGIN, Counted.ACCOUNT), (None, Counted.ADDRESS)], ids=["login", "anonymous"]
)
async def test_the_headroom_is_asked_for_without_a_pull(
    clock: Clock, make_context: MakeContext, login: Login | None, source: Counted
) -> None:
    """Asking, with and without the login, tells limit, rest, window and whom it counts against, and uses up nothing."""
    async with hub_with(clock, 100) as server:
        hub = hub_at(server.host, make_context)
        found = [await hub.headroom(login) for _ in range(3)]
    assert found == [Headroom(LIMITED, 100, 100, 21_600, source=source)] * 3


@pytest.mark.parametrize(("login", "state"), [(LOGIN, UNLIMITED), (None, UNTOLD)], ids=["login", "anonymous"])
async def test_silence_is_no_limit_for_a_login_alone(
    clock: Clock, make_context: MakeContext, login: Login | None, state: HeadroomState
) -> None:
    """Without headers a login has no limit, as paid plans do; of an address nothing is known."""
    async with hub_with(clock, None) as server:
        assert await hub_at(server.host, make_context).headroom(login) == Headroom(state)


async def test_a_refused_login_is_an_error_without_the_secret(clock: Clock, make_context: MakeContext) -> None:
    """A wrong token raises, and the text does not show it."""
    async with hub_with(clock, 100) as server:
        hub = hub_at(server.host, make_context)
        with pytest.raises(AuthenticationError, match="refuses the login") as raised:
            await hub.headroom(Login("acme-bot", Secret("dckr_pat_wrong")))
    assert "dckr_pat_wrong" not in str(raised.value)


async def test_a_registry_without_the_image_is_unknown(clock: Clock, make_context: MakeContext) -> None:
    """A mirror that does not have Docker's image tells nothing, which is no failure."""
    async with SandboxRegistry(clock) as server:
        assert await hub_at(server.host, make_context).headroom(None) == Headroom(UNTOLD)


@dataclass(frozen=True)
class Answers:
    """What a registry without a login answers to a HEAD of the image."""

    status: int
    headers: Mapping[str, str]


@asynccontextmanager
async def open_registry(answers: Answers) -> AsyncIterator[str]:
    """Serve a registry that answers so; yield its host. It knows no GET of the manifest."""

    async def manifest(_request: web.Request) -> web.Response:
        return web.Response(status=answers.status, headers=answers.headers)

    async def ping(_request: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/v2/", ping)
    app.router.add_head("/v2/ratelimitpreview/test/manifests/latest", manifest)
    async with SandboxServer(app) as server:
        yield server.host


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        pytest.param(Answers(200, {"ratelimit-limit": ";w=21600"}), UNTOLD, id="empty values"),
        pytest.param(Answers(200, {"docker-ratelimit-source": "192.0.2.7"}), UNTOLD, id="login not counted"),
        pytest.param(Answers(200, {"docker-ratelimit-source": "0f7c-account"}), UNLIMITED, id="paid account"),
        pytest.param(Answers(200, {"Content-Type": "text/html"}), UNTOLD, id="a portal's page"),
        pytest.param(Answers(302, {"Location": "/"}), UNTOLD, id="redirect"),
        pytest.param(Answers(429, {"ratelimit-remaining": "0;w=60"}), LIMITED, id="used up"),
    ],
)
async def test_only_a_clear_word_counts(make_context: MakeContext, answers: Answers, state: HeadroomState) -> None:
    """With a login, silence is "no limit" only from the registry itself and only where the login counts."""
    async with open_registry(answers) as host:
        assert (await hub_at(host, make_context).headroom(LOGIN)).state is state


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param(Answers(429, {"Retry-After": "60"}), RateLimitedError, id="abuse limit"),
        pytest.param(Answers(503, {"Retry-After": "60"}), UnavailableError, id="down"),
    ],
)
async def test_no_answer_is_an_error_with_its_wait(
    make_context: MakeContext, answers: Answers, error: type[RotatorError]
) -> None:
    """Where the registry asks to be left alone or fails, the error says for how long."""
    async with open_registry(answers) as host:
        with pytest.raises(error) as raised:
            await hub_at(host, make_context).headroom(LOGIN)
    assert getattr(raised.value, "retry_after", None) == timedelta(seconds=60)


def test_measuring_is_optional(hub: DockerHub) -> None:
    """The engine tells by the port whether a provider measures."""
    assert isinstance(hub, MeasuresHeadroom)
    assert not isinstance(object(), MeasuresHeadroom)
