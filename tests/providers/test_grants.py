"""What a registry's tokens say that a login may do on its images' repositories."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from rotator.domain.model import NEVER, Login
from rotator.ports import Clock
from rotator.providers.context import ProviderContext
from rotator.providers.custom import Custom, CustomConfig
from rotator.providers.grants import MAX_REPOSITORIES, granted_scopes
from rotator.providers.quay import Quay, QuayConfig
from rotator.sandbox.registry import SandboxRegistry
from rotator.secret import Secret

LOGIN = Login("robot", Secret("canary-7f3a9c51d2e8"))
Contexts = Callable[[str], ProviderContext]


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return a registry with bearer tokens that tell, and a login that may pull and push below ``team/``."""
    async with SandboxRegistry(clock) as registry:
        secret = LOGIN.secret.reveal()
        for number in range(MAX_REPOSITORIES + 2):
            registry.add_image(f"team/app{number}:1")
        registry.add_login(LOGIN.username, secret, actions=("pull", "push"), repositories="team/")
        yield registry


async def test_each_repository_and_action_is_a_scope(make_context: Contexts, server: SandboxRegistry) -> None:
    """What is granted is told in the words of the distribution specification; nothing is written to find out."""
    images = [f"{server.host}/team/app0:1", f"{server.host}/team/app0:2", f"{server.host}/team/app1:1"]
    found = await granted_scopes(make_context(server.host), LOGIN, images)
    assert found == frozenset(
        f"repository:team/app{number}:{action}" for number in (0, 1) for action in ("pull", "push")
    )
    assert {asked.method for asked in server.asked} == {"GET"}
    assert not any("/manifests/" in asked.path for asked in server.asked)


async def test_few_repositories_are_asked_about(make_context: Contexts, server: SandboxRegistry) -> None:
    """However many images there are, a handful of tokens is asked for."""
    images = [f"{server.host}/team/app{number}:1" for number in range(MAX_REPOSITORIES + 2)]
    found = await granted_scopes(make_context(server.host), LOGIN, images)
    assert found is not None
    assert len(found) == 2 * MAX_REPOSITORIES


async def test_without_images_nobody_is_asked(make_context: Contexts, server: SandboxRegistry) -> None:
    """There is no repository to ask about."""
    assert await granted_scopes(make_context(server.host), LOGIN, []) is None
    assert [asked.path for asked in server.asked if "scope" in asked.query] == []


@pytest.mark.parametrize(
    ("image", "login"),
    [
        pytest.param("other/app:1", LOGIN, id="no right there"),
        pytest.param("team/app0:1", Login("robot", Secret("wrong")), id="refused"),
    ],
)
async def test_nothing_granted_is_nothing_known(
    make_context: Contexts, server: SandboxRegistry, image: str, login: Login
) -> None:
    """A token that grants nothing may be about the repository as well; a refusal ends it at once."""
    images = [f"{server.host}/{image}", f"{server.host}/team/app1:1"]
    assert await granted_scopes(make_context(server.host), login, images) is None
    assert sum("scope" in asked.query for asked in server.asked) == 1


async def test_a_registry_that_is_down_tells_nothing(make_context: Contexts, server: SandboxRegistry) -> None:
    """No answer, no scopes, no error."""
    await server.stop()
    assert await granted_scopes(make_context(server.host), LOGIN, [f"{server.host}/team/app0:1"]) is None


async def test_registries_whose_tokens_say_nothing_are_not_asked(make_context: Contexts) -> None:
    """Docker Hub's tokens were seen to grant more than is then allowed."""
    assert await granted_scopes(make_context("docker.io"), LOGIN, ["docker.io/acme/app:1"]) is None


@pytest.mark.parametrize(
    ("config", "provider", "options"),
    [
        pytest.param(CustomConfig, Custom, {"password": {"vault": "x"}}, id="custom"),
        pytest.param(QuayConfig, Quay, {"token": {"vault": "x"}}, id="quay"),
    ],
)
async def test_providers_without_an_api_ask_the_registry(
    make_context: Contexts, server: SandboxRegistry, held_source: Any, config: Any, provider: Any, options: Any
) -> None:
    """An inspection tells what the registry grants; an issue shows the login to nobody."""
    name = "acme+robot"
    server.add_login(name, LOGIN.secret.reveal(), actions=("pull", "push"))
    held_source.put("x", LOGIN.secret.reveal())
    given = {"registry": server.host, "username": name, "images": [f"{server.host}/team/app0:1"], **options}
    made = provider(config.model_validate(given), make_context(server.host))
    issued = await made.issue(None)
    assert (issued.scopes, list(server.asked)) == (None, [])
    found = await made.inspect(issued.login)
    assert found.scopes == {"repository:team/app0:pull", "repository:team/app0:push"}
    assert found.expiry == (NEVER if provider is Quay else issued.expiry)
