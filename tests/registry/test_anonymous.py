"""Without a login nothing is shown, and the answers say that they are about nobody; manifests can be read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from rotator.domain.model import Login
from rotator.domain.reference import parse
from rotator.registry.answer import Place
from rotator.registry.client import RegistryClient
from rotator.registry.diagnose import Ailment, diagnose
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import SandboxServer

ClientOf = Callable[[SandboxServer], RegistryClient]


async def test_public_images_answer_nobody(hub: SandboxRegistry, client_of: ClientOf) -> None:
    """A public image pulls with anybody's bearer token, and no password is sent anywhere."""
    answer = await client_of(hub).open(None).head_manifest(parse(f"{hub.host}/open/app:1.0"))
    assert (answer.status, answer.anonymous) == (200, True)
    assert not any(asked.credential.startswith("Basic") for asked in hub.asked)


async def test_private_images_want_a_login(either: SandboxRegistry, client_of: ClientOf) -> None:
    """A private image is diagnosed as wanting a login, in both modes, and nobody's login is blamed."""
    answer = await client_of(either).open(None).head_manifest(parse(f"{either.host}/team/app:1.0"))
    assert diagnose(answer).ailment is Ailment.AUTH_MISSING


@pytest.mark.parametrize("tag", ["1.0", "2.0"], ids=["there", "missing"])
async def test_manifest_is_read(either: SandboxRegistry, client_of: ClientOf, login: Login, tag: str) -> None:
    """A GET gives the manifest that its digest promises; a failure gives none."""
    answer = await client_of(either).open(login).get_manifest(parse(f"{either.host}/team/app:{tag}"))
    assert answer.place is Place.MANIFEST
    if tag == "2.0":
        assert (answer.status, answer.content, answer.digest, answer.media_type) == (404, b"", "", "")
        return
    assert answer.digest == f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    assert answer.media_type == "application/vnd.oci.image.index.v1+json"
    assert "manifests" not in repr(answer)


async def test_auth_probe_without_a_login(either: SandboxRegistry, client_of: ClientOf) -> None:
    """Asked for nothing without a login, no header is sent."""
    await client_of(either).open(None).auth_probe()
    assert not any(asked.credential for asked in either.asked)
