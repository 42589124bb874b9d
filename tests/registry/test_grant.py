"""A bearer token tells what it grants, where it tells anything; nothing else of it is repeated."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.model import Login
from rotator.registry.client import RegistryClient
from rotator.registry.grant import granted_actions
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import SandboxServer
from rotator.secret import Secret

Make = Callable[[SandboxServer], RegistryClient]


def jwt(claims: object) -> str:
    """Return a token with these claims."""
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"


def access(*actions: object, name: str = "team/app", kind: str = "repository") -> dict[str, Any]:
    """Return claims with one entry."""
    return {"access": [{"type": kind, "name": name, "actions": list(actions)}]}


@pytest.mark.parametrize(
    ("token", "granted"),
    [
        pytest.param(jwt(access("pull")), {"pull"}, id="pull"),
        pytest.param(jwt(access("pull", "push")), {"pull", "push"}, id="push"),
        pytest.param(jwt(access("*")), {"pull", "push", "delete"}, id="star"),
        pytest.param(jwt({"access": []}), set(), id="nothing"),
        pytest.param(jwt({"access": None}), None, id="no list"),
        pytest.param(jwt(access("pull", name="other/app")), set(), id="another repository"),
        pytest.param(jwt(access("pull", kind="registry")), set(), id="another type"),
        pytest.param(jwt(access("\x1b[2J", 3, "metadata_read")), set(), id="odd actions"),
        pytest.param(jwt({"sub": "me"}), None, id="no claim"),
        pytest.param(jwt([]), None, id="list"),
        pytest.param("v1.opaque", None, id="opaque"),
        pytest.param("a.b!.c", None, id="no base64"),
        pytest.param("a." + "b" * 70_000 + ".c", None, id="long"),
    ],
)
def test_the_access_claim_is_read(token: str, granted: set[str] | None) -> None:
    """Only pull, push and delete on the repository count, and what tells nothing is unknown."""
    assert granted_actions(token, "team/app") == granted


@given(st.text(max_size=40))
def test_no_token_breaks_it(text: str) -> None:
    """Any text is a token that grants something, nothing, or does not tell."""
    granted_actions(f"a.{text}.c", "team/app")


async def test_a_registry_tells_what_it_grants(hub: SandboxRegistry, client_of: Make) -> None:
    """The token server is asked for everything, and its token read; no manifest is asked for."""
    hub.add_login("pusher", "s3cret", actions=("pull", "push"))
    found = await client_of(hub).open(Login("pusher", Secret("s3cret"))).granted("team/app")
    assert found == frozenset({"pull", "push"})
    assert not any("manifests" in asked.path for asked in hub.asked)


async def test_a_registry_without_tokens_does_not_tell(ecr: SandboxRegistry, client_of: Make, login: Login) -> None:
    """Where passwords go to the registry itself nothing is known, and nothing is guessed."""
    assert await client_of(ecr).open(login).granted("team/app") is None


async def test_a_refused_login_is_granted_nothing_known(hub: SandboxRegistry, client_of: Make) -> None:
    """A token server that refuses tells nothing about rights."""
    assert await client_of(hub).open(Login("AWS", Secret("wrong"))).granted("team/app") is None
