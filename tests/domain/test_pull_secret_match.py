"""The login that a client would show for an image is found, and the reason is said."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from rotator.domain.pull_secret import match
from rotator.domain.reference import DOCKER_HUB_KEY, parse
from rotator.errors import ShapeError


def entry(user: str) -> dict[str, str]:
    """Return a value of ``auths``."""
    return {"auth": base64.b64encode(f"{user}:secret".encode()).decode()}


@pytest.mark.parametrize(
    ("keys", "image", "key"),
    [
        pytest.param(["ghcr.io"], "ghcr.io/acme/app", "ghcr.io", id="host"),
        pytest.param(["https://ghcr.io/v2/"], "ghcr.io/acme/app", "https://ghcr.io/v2/", id="old spelling"),
        pytest.param(["quay.io", "quay.io/acme"], "quay.io/acme/app:1", "quay.io/acme", id="namespace"),
        pytest.param(["quay.io/acme/app", "quay.io/acme"], "quay.io/acme/app", "quay.io/acme/app", id="repository"),
        pytest.param(["quay.io/acm", "quay.io"], "quay.io/acme/app", "quay.io", id="no prefix of a word"),
        pytest.param([DOCKER_HUB_KEY], "alpine", DOCKER_HUB_KEY, id="hub"),
        pytest.param(["docker.io", DOCKER_HUB_KEY], "acme/app", DOCKER_HUB_KEY, id="docker's spelling first"),
        pytest.param(["docker.io/acme"], "acme/app", "docker.io/acme", id="hub namespace"),
    ],
)
def test_the_longest_key_wins(keys: list[str], image: str, key: str) -> None:
    """The longest key whose whole parts name the image is taken, in whatever spelling."""
    found = match({"auths": {one: entry(one.replace(":", "")) for one in keys}}, parse(image))
    assert found is not None
    assert found.login is not None
    assert (found.key, found.login.username) == (key, key.replace(":", ""))


@pytest.mark.parametrize("keys", [[], ["ghcr.io:443"], ["ghcr.io.example"], ["ghcr.io/other"]], ids=str)
def test_other_registries_do_not_match(keys: list[str]) -> None:
    """A key for another host, port or path is not about the image."""
    assert match({"auths": {key: entry("x") for key in keys}}, parse("ghcr.io/acme/app")) is None


@pytest.mark.parametrize(
    ("document", "word"),
    [
        pytest.param({"auths": {"ghcr.io": {}}}, "no password", id="empty entry"),
        pytest.param({"auths": {"ghcr.io": {"identitytoken": "x"}}}, "no password", id="identity token"),
        pytest.param({"auths": {"ghcr.io": entry("x")}, "credsStore": "pass"}, "credsStore", id="store"),
        pytest.param({"credHelpers": {"ghcr.io": "gh"}}, 'credHelpers["ghcr.io"]', id="helper"),
    ],
)
def test_what_cannot_be_shown_is_said(document: dict[str, Any], word: str) -> None:
    """An entry without a password, and a helper that answers first, give no login, and the reason."""
    found = match(document, parse("ghcr.io/acme/app"))
    assert found is not None
    assert found.login is None
    assert word in found.why


def test_auths_that_is_no_object_is_refused() -> None:
    """A document of another shape is refused."""
    with pytest.raises(ShapeError):
        match({"auths": []}, parse("ghcr.io/acme/app"))
