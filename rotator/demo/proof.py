"""Proof from outside: what the targets hold is read without the daemon's help and shown to the registries."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from rotator.demo.world import DemoWorld


@dataclass(frozen=True, slots=True)
class Proof:
    """One pull, tried with what one placement holds.

    Args:
        place: The placement, for people.
        image: What was pulled.
        pulls: Whether the registry handed out the manifest.
        why: What it answered.
    """

    place: str
    image: str
    pulls: bool
    why: str


async def prove(world: DemoWorld) -> list[Proof]:
    """Try to pull every image of the demo with what every placement holds right now."""
    images = ((world.ecr.url, "team/api", "1.4.2"), (world.hub.url, "acme/service", "2.0.1"))
    proofs = []
    async with aiohttp.ClientSession() as session:
        for place, auths in _held(world):
            for url, path, tag in images:
                auth = auths.get(url.removeprefix("http://"), {}).get("auth", "")
                status = await _pull(session, url, path, tag, auth)
                proofs.append(Proof(place, f"{path}:{tag}", status == 200, f"HTTP {status}"))  # noqa: PLR2004
    return proofs


def _held(world: DemoWorld) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Yield each placement with the ``auths`` of its docker config."""
    for namespace in sorted({"web", "batch", "late"}):
        secret = world.cluster.secret(namespace, "regcred")
        if secret is not None:
            document = base64.b64decode(secret["data"][".dockerconfigjson"])
            yield f"Secret {namespace}/regcred", json.loads(document)["auths"]
    if world.docker_config.exists():
        yield world.docker_config.name, _auths(world.docker_config)


def _auths(path: Path) -> dict[str, dict[str, str]]:
    auths: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))["auths"]
    return auths


async def _pull(session: aiohttp.ClientSession, url: str, path: str, tag: str, auth: str) -> int:
    """Pull a manifest as docker does: with the password, or with a token got for it."""
    headers = {"Authorization": f"Basic {auth}"}
    manifest = f"{url}/v2/{path}/manifests/{tag}"
    async with session.head(f"{url}/v2/") as ping:
        challenge = ping.headers.get("Www-Authenticate", "")
    if challenge.startswith("Bearer"):
        query = {"service": "sandbox-registry", "scope": f"repository:{path}:pull"}
        async with session.get(f"{url}/token", params=query, headers=headers) as answer:
            token = (await answer.json()).get("token", "") if answer.ok else ""
        headers = {"Authorization": f"Bearer {token}"}
    accept = {"Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"}
    async with session.get(manifest, headers={**headers, **accept}) as answer:
        return answer.status
