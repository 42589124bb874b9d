"""What an image holds is read, and of its base only what its own registry tells."""

from __future__ import annotations

from typing import Any

import pytest

from rotator.check.read import read_contents
from rotator.check.report import Contents
from rotator.domain.reference import Reference
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.transport import Transport

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


def manifest(*sizes: int, base: str = "", digest: str = "") -> dict[str, Any]:
    """Return an image's manifest with layers of these sizes."""
    named = {"name": base, "digest": digest} if base else {}
    annotations = {f"org.opencontainers.image.base.{key}": value for key, value in named.items() if value}
    return {"config": {"size": 1}, "layers": [{"size": size} for size in sizes], "annotations": annotations}


def index(**platforms: str) -> dict[str, Any]:
    """Return an index: architecture to digest."""
    entries = [
        {"digest": digest, "platform": {"os": "linux", "architecture": name}} for name, digest in platforms.items()
    ]
    return {"manifests": entries}


async def read(lenient: Any, transport: Transport, domain: str = "") -> Contents:
    """Return what ``team/app:1`` holds, at a registry of this name."""
    client = RegistryClient(transport, host=lenient.host, settings=RegistrySettings(insecure=True))
    return await read_contents(client.open(None), Reference(domain or lenient.host, "team/app", "1"))


async def test_a_base_at_the_same_registry_is_measured(lenient: Any, transport: Transport) -> None:
    """Layers of the platform are counted, and those of the base for the same platform."""
    base = index(
        s390x=lenient.put("team/base", "s", manifest(7)), amd64=lenient.put("team/base", "a", manifest(40, 60))
    )
    digest = lenient.put("team/base", "12", base, kind=INDEX_TYPE)
    image = lenient.put("team/app", "a", manifest(40, 60, 900, base=f"{lenient.host}/team/base:12", digest=digest))
    lenient.put("team/app", "1", index(amd64=image), kind=INDEX_TYPE)
    found = await read(lenient, transport)
    assert (found.layers, found.size_bytes, found.sized) == (3, 1001, "linux/amd64")
    assert found.base is not None
    assert (found.base.size_bytes, found.base.unread) == (101, "")


@pytest.mark.parametrize(
    ("base", "domain", "why"),
    [
        pytest.param("elsewhere.example/base:1", "", "another registry, which is not asked", id="elsewhere"),
        pytest.param("debian:12", "", "another registry, which is not asked", id="hub"),
        pytest.param("debian:12", "docker.io", "costs pulls", id="hub to hub"),
        pytest.param("no such//name", "", "no image reference", id="no name"),
        pytest.param("{host}/private/base:1", "", "cannot be read", id="private"),
    ],
)
async def test_a_base_that_is_not_measured(
    lenient: Any, transport: Transport, base: str, domain: str, why: str
) -> None:
    """A base elsewhere, or one that cannot be read, stays named, and why its size is unknown is said."""
    lenient.put("team/app", "1", manifest(5, base=base.format(host=lenient.host)))
    found = await read(lenient, transport, domain)
    assert (found.layers, found.size_bytes) == (1, 6)
    assert found.base is not None
    assert found.base.size_bytes is None
    assert why in found.base.unread
    assert {asked.path for asked in lenient.asked} <= {
        "/v2/",
        "/token",
        "/v2/team/app/manifests/1",
        "/v2/private/base/manifests/1",
    }


async def test_what_lists_no_layers_is_said(lenient: Any, transport: Transport) -> None:
    """A manifest of something else than an image has no size, and no base."""
    lenient.put("team/app", "1", {"schemaVersion": 1})
    found = await read(lenient, transport)
    assert (found.layers, found.base, found.unread) == (None, None, "it lists no layers")


async def test_other_bytes_than_promised_are_noted(lenient: Any, transport: Transport) -> None:
    """A manifest whose digest is not the one that was asked for is noted."""
    digest = f"sha256:{'0' * 64}"
    lenient.put("team/app", digest, manifest(1))
    client = RegistryClient(transport, host=lenient.host, settings=RegistrySettings(insecure=True))
    found = await read_contents(client.open(None), Reference(lenient.host, "team/app", digest=digest))
    assert [lint.code for lint in found.lints] == ["digest_mismatch"]
