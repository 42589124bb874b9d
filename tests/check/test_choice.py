"""The login for an image is chosen as clients choose, and where they differ it is said."""

from __future__ import annotations

import base64

import pytest

from rotator.check.choice import Choice, FromDocument, Nobody
from rotator.domain.reference import DOCKER_HUB_KEY, parse
from rotator.errors import ShapeError
from rotator.registry.diagnose import Ailment


async def choose(image: str, *keys: str) -> Choice:
    """Return what is chosen out of a document with these keys, whose user names are the keys."""
    auths = {key: {"auth": base64.b64encode(f"{key.replace(':', ' ')}:x".encode()).decode()} for key in keys}
    return await FromDocument({"auths": auths}).choose(parse(image))


async def test_all_clients_agree() -> None:
    """Where every client shows the same login, nothing more is said."""
    found = await choose("ghcr.io/acme/app", "ghcr.io")
    assert found.key == "ghcr.io"
    assert found.login is not None
    assert (found.clients, found.lints, found.excuse) == ({}, (), None)


async def test_the_longest_key_is_chosen_and_the_others_named() -> None:
    """The most specific key that some client reads decides, and each client's own is listed."""
    found = await choose("quay.io/acme/app", "quay.io", "quay.io/acme")
    assert found.key == "quay.io/acme"
    assert found.clients == {"docker": '"quay.io"', "podman": '"quay.io/acme"', "kubelet": '"quay.io/acme"'}


async def test_a_key_that_docker_does_not_read_is_noted() -> None:
    """A key that some clients would not find is noted, with the one that all of them find."""
    found = await choose("alpine", "docker.io")
    assert found.key == "docker.io"
    assert [lint.code for lint in found.lints] == ["client_key"]
    assert DOCKER_HUB_KEY in found.lints[0].text


@pytest.mark.parametrize("key", ["ghcr.io:443", "GHCR.IO", "ghcr.io "], ids=["port", "case", "space"])
async def test_a_key_that_nobody_reads_is_an_excuse(key: str) -> None:
    """A login under a key that no client finds is not shown, and is what a refusal is explained by."""
    found = await choose("ghcr.io/acme/app", key)
    assert (found.key, found.login) == ("", None)
    assert found.excuse is not None
    assert found.excuse.ailment is Ailment.CLIENT_KEY_MISMATCH
    assert key in found.excuse.evidence


async def test_nothing_about_the_image() -> None:
    """No key for the registry, and no document at all, are told apart and explain nothing."""
    assert (await choose("ghcr.io/acme/app", "quay.io")) == Choice("no key is about it")
    assert (await Nobody().choose(parse("alpine"))) == Choice("no logins were given")


def test_a_document_of_another_shape_is_refused() -> None:
    """It is refused before anything is asked."""
    with pytest.raises(ShapeError):
        FromDocument({"auths": []})
