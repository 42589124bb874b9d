"""Docker Hub tokens, kept in a source."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.domain.model import UNKNOWN, Expiry, Login
from rotator.providers.context import ProviderContext
from rotator.providers.dockerhub import DockerHub, DockerHubConfig
from rotator.secret import Secret

HeldSource = Any  # the class is in conftest, which tests do not import
PLACE = "registries/hub#token"


@pytest.fixture
def hub(make_context: Callable[[str], ProviderContext]) -> DockerHub:
    """Return a provider whose token is in the source."""
    config = DockerHubConfig.model_validate({"username": "Acme-Bot", "token": {"vault": PLACE}})
    return DockerHub(config, make_context("docker.io"))


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        pytest.param("dckr_pat_abc", "personal access token", id="personal"),
        pytest.param("dckr_oat_abc", "organization access token", id="organization"),
        pytest.param("hunter2", "password", id="password"),
        pytest.param("xdckr_pat_abc", "password", id="prefix-inside"),
    ],
)
async def test_the_kind_of_token_is_noted(hub: DockerHub, held_source: HeldSource, token: str, kind: str) -> None:
    """The prefix tells a token's kind; without one it is taken for a password."""
    held_source.put(PLACE, token, revision="9")
    issued = await hub.issue()
    assert dict(issued.notes) == {"kind": kind}
    assert (issued.login.username, issued.revision) == ("Acme-Bot", "9")


async def test_only_the_source_tells_the_expiry(hub: DockerHub, held_source: HeldSource) -> None:
    """The source's date is the login's; asked about a login alone, nothing is known."""
    expiry = Expiry(datetime(2027, 1, 1, tzinfo=UTC))
    held_source.put(PLACE, "dckr_pat_abc", expiry=expiry)
    assert (await hub.issue()).expiry == expiry
    assert await hub.inspect(Login("Acme-Bot", Secret("dckr_pat_abc"))) == UNKNOWN


def test_the_registry_is_known() -> None:
    """Each of Docker Hub's names is the same registry."""
    options = {"username": "x", "token": {"env": "HUB_TOKEN"}}
    assert DockerHubConfig.model_validate(options).registry == "docker.io"
    assert DockerHubConfig.model_validate({**options, "registry": "index.docker.io"}).registry == "docker.io"
