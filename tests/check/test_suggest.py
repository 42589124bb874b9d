"""What a text that is no reference was meant to be is guessed, and a password is never repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.check.suggest import suggest
from rotator.domain.reference import parse


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param("ghcr.io/acme/App:V1", "ghcr.io/acme/app:V1", id="capital"),
        pytest.param(" alpine:3\n", "alpine:3", id="white space"),
        pytest.param("docker://alpine:3", "alpine:3", id="scheme"),
        pytest.param("https://hub.docker.com/r/acme/app", "docker.io/acme/app", id="hub page"),
        pytest.param("https://hub.docker.com/_/nginx", "docker.io/library/nginx", id="official page"),
        pytest.param("hub.docker.com/acme/app:1", "docker.io/acme/app:1", id="web site for a registry"),
        pytest.param("https://quay.io/repository/acme/app?tab=tags", "quay.io/acme/app", id="quay page"),
        pytest.param("https://github.com/acme/repo/pkgs/container/app", "ghcr.io/acme/app", id="package page"),
        pytest.param("https://github.com/orgs/acme/packages/container/package/app", "ghcr.io/acme/app", id="org page"),
        pytest.param("acme//app:", "acme/app", id="slashes and an empty tag"),
        pytest.param("acme/app:feature/x", "acme/app:feature-x", id="branch for a tag"),
        pytest.param("acme/app@sha256:xyz", "", id="a digest cannot be guessed"),
        pytest.param("a..b/c", "", id="too odd"),
        pytest.param("", "", id="empty"),
        pytest.param("https://me:hunter2@ghcr.io/app", "", id="password in a URL"),
        pytest.param("me:hunter2@ghcr.io/app", "", id="password"),
        pytest.param("x" * 600 + "/App", "", id="long"),
    ],
)
def test_usual_mistakes_are_undone(text: str, meant: str) -> None:
    """Each usual mistake leads to the image that was meant; where that is not likely, to nothing."""
    assert suggest(text) == meant


@given(st.text(max_size=60))
def test_what_is_offered_is_a_reference(text: str) -> None:
    """Whatever is offered parses."""
    meant = suggest(text)
    assert not meant or parse(meant).path
