"""The login that each client would show for an image is found by its own rule, and the reason is said."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.pull_match import Client, lookalikes, match, match_all
from rotator.domain.reference import DOCKER_HUB_KEY, parse
from rotator.errors import ShapeError

DOCKER, PODMAN, KUBELET = Client.DOCKER, Client.PODMAN, Client.KUBELET
DIGITS = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def entry(user: str) -> dict[str, str]:
    """Return a value of ``auths``."""
    return {"auth": base64.b64encode(f"{user}:secret".encode()).decode()}


def keys_of(keys: list[str], image: str) -> tuple[str | None, ...]:
    """Return which key docker, podman and the kubelet match."""
    found = match_all({"auths": {one: entry("x") for one in keys}}, parse(image))
    return tuple(one.key if one else None for one in found.values())


@pytest.mark.parametrize(
    ("keys", "image", "docker", "podman", "kubelet"),
    [
        pytest.param(["ghcr.io"], "ghcr.io/acme/app", "ghcr.io", "ghcr.io", "ghcr.io", id="host"),
        pytest.param(
            ["https://ghcr.io/v2/"], "ghcr.io/a/b", *["https://ghcr.io/v2/"] * 3, id="old spelling, by its host"
        ),
        pytest.param(
            ["https://ghcr.io/v2"],
            "ghcr.io/a/b",
            *["https://ghcr.io/v2"] * 2,
            None,
            id="without the last slash it is a path to the kubelet",
        ),
        pytest.param(
            ["quay.io", "quay.io/acme"], "quay.io/acme/app:1", "quay.io", *["quay.io/acme"] * 2, id="namespace"
        ),
        pytest.param(
            ["quay.io/acme"], "quay.io/acme/app:1", *["quay.io/acme"] * 3, id="docker takes any key of the host"
        ),
        pytest.param(["quay.io/acme"], "quay.io/other/app", "quay.io/acme", None, None, id="even that of another path"),
        pytest.param(
            ["quay.io/acme/app", "quay.io/acme"], "quay.io/acme/app", *["quay.io/acme"], *["quay.io/acme/app"] * 2,
            id="repository",
        ),
        pytest.param(
            ["quay.io/acm", "quay.io"], "quay.io/acme/app", "quay.io", "quay.io", "quay.io/acm", id="a word's beginning"
        ),
        pytest.param([DOCKER_HUB_KEY], "alpine", *[DOCKER_HUB_KEY] * 3, id="hub"),
        pytest.param(["docker.io"], "acme/app", None, "docker.io", "docker.io", id="docker's hub key is a URL"),
        pytest.param(["index.docker.io"], "acme/app", None, *["index.docker.io"] * 2, id="hub's old host"),
        pytest.param(["registry-1.docker.io"], "acme/app", None, "registry-1.docker.io", None, id="hub's API host"),
        pytest.param(["docker.io", DOCKER_HUB_KEY], "a/b", DOCKER_HUB_KEY, *["docker.io"] * 2, id="both hub keys"),
        pytest.param(["docker.io/acme"], "acme/app", None, *["docker.io/acme"] * 2, id="hub namespace"),
        pytest.param(["*.dkr.ecr.eu-west-1.amazonaws.com"], f"{DIGITS}/app", None, None,
                     "*.dkr.ecr.eu-west-1.amazonaws.com", id="glob"),
        pytest.param(["*.io"], "a.ghcr.io/app", None, None, None, id="a glob does not cross a dot"),
        pytest.param(["ghcr.io:443"], "ghcr.io/acme/app", None, None, None, id="another port"),
        pytest.param(["GHCR.io"], "ghcr.io/acme/app", None, None, None, id="another case"),
        pytest.param(["ghcr.io.example"], "ghcr.io/acme/app", None, None, None, id="another host"),
        pytest.param(["http://["], "ghcr.io/acme/app", None, None, None, id="no URL"),
        pytest.param([], "ghcr.io/acme/app", None, None, None, id="nothing"),
    ],
)  # fmt: skip
def test_each_client_has_its_rule(
    keys: list[str], image: str, docker: str | None, podman: str | None, kubelet: str | None
) -> None:
    """Docker goes by the host, podman by the longest whole path, the kubelet by globs and any beginning of the path."""
    assert keys_of(keys, image) == (docker, podman, kubelet)


@pytest.mark.parametrize(
    ("keys", "alike"),
    [
        pytest.param(["ghcr.io:443"], ["ghcr.io:443"], id="port"),
        pytest.param(["GHCR.io"], ["GHCR.io"], id="case"),
        pytest.param(["https://ghcr.io/v2"], ["https://ghcr.io/v2"], id="URL"),
        pytest.param(["ghcr.io/other"], ["ghcr.io/other"], id="path"),
        pytest.param([" ghcr.io"], [" ghcr.io"], id="space"),
        pytest.param(["ghcr.io.example", "xghcr.io", "ghcr.io:5000"], [], id="others"),
    ],
)
def test_lookalikes(keys: list[str], alike: list[str]) -> None:
    """What a person would take for the registry's key is found, and no other."""
    assert lookalikes({"auths": {key: {} for key in keys}}, parse("ghcr.io/acme/app")) == alike


@pytest.mark.parametrize(
    ("document", "client", "word"),
    [
        pytest.param({"auths": {"ghcr.io": {}}}, DOCKER, "no password", id="empty entry"),
        pytest.param({"auths": {"ghcr.io": {"identitytoken": "x"}}}, KUBELET, "no password", id="identity token"),
        pytest.param({"auths": {"ghcr.io": entry("x")}, "credsStore": "pass"}, DOCKER, "credsStore", id="store"),
        pytest.param({"credHelpers": {"ghcr.io": "gh"}}, PODMAN, 'credHelpers["ghcr.io"]', id="helper"),
    ],
)
def test_what_cannot_be_shown_is_said(document: dict[str, Any], client: Client, word: str) -> None:
    """An entry without a password, and a helper that answers first, give no login, and the reason."""
    found = match(document, parse("ghcr.io/acme/app"), client)
    assert found is not None
    assert found.login is None
    assert word in found.why


@pytest.mark.parametrize(
    ("key", "client", "why"),
    [
        pytest.param("ghcr.io", DOCKER, "it names the registry", id="registry"),
        pytest.param("https://ghcr.io/v2/", PODMAN, "it names the registry", id="old spelling"),
        pytest.param("ghcr.io/acme", PODMAN, "the longest key that names the image", id="namespace"),
        pytest.param("ghcr.io/acme/app", KUBELET, "the longest key that names the image", id="repository"),
        pytest.param("ghcr.io/other", DOCKER, "goes by less", id="docker goes by the host"),
        pytest.param("ghcr.io/ac", KUBELET, "goes by less", id="the kubelet goes by a word's beginning"),
        pytest.param("*.io", KUBELET, "goes by less", id="the kubelet goes by globs"),
    ],
)
def test_the_reason_is_the_clients_own(key: str, client: Client, why: str) -> None:
    """A key that names registry or image is told from one that a client takes all the same."""
    found = match({"auths": {key: entry("x")}}, parse("ghcr.io/acme/app"), client)
    assert found is not None
    assert why in found.why


def test_helpers_are_not_the_kubelets() -> None:
    """The kubelet reads the entry that docker's helper hides, and podman knows no store."""
    found = match_all({"auths": {"ghcr.io": entry("x")}, "credsStore": "pass"}, parse("ghcr.io/acme/app"))
    assert [bool(one and one.login) for one in found.values()] == [False, True, True]


def test_auths_that_is_no_object_is_refused() -> None:
    """A document of another shape is refused."""
    with pytest.raises(ShapeError):
        match({"auths": []}, parse("ghcr.io/acme/app"), DOCKER)


@given(st.lists(st.text(max_size=30), max_size=4))
def test_no_key_breaks_a_rule(keys: list[str]) -> None:
    """Any text may be a key: a rule passes it over or matches it, and never fails."""
    found = keys_of(keys, "ghcr.io/acme/app")
    assert set(found) <= {None, *keys}
