"""I6: every secret of a working day is looked for in everything the daemon lets out, at its most talkative."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rotator.clock import SystemClock
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.vault import SandboxVault

pytestmark = pytest.mark.integration

MORE = ("credentials/hub/usage", "credentials/hub/leak", "audit/records", "leaks", "openapi.json")
CANARIES = {
    "role-id": "canary-approle-role-id",
    "secret-id": "canary-approle-secret-id",
    "aws-id": "AKIDCANARYCANARYCANA",
    "aws-secret": "canary-aws-secret-access-key",
    "cluster-token": "canary-cluster-bearer-token",
    "first": "canary-first-hub-token",
    "second": "canary-second-hub-token",
    "refused": "canary-token-that-the-registry-refuses",
    "shapeless": "canary-with-a-line\nbreak",
    "file": "canary-password-in-a-file",
}


def forms(word: str) -> Iterator[bytes]:
    """Yield ``word`` in every dress in which it could slip out."""
    yield word.encode()
    yield urllib.parse.quote(word, safe="").encode()
    yield json.dumps(word)[1:-1].encode()
    for user in ("", "bot:", "AWS:"):
        yield base64.b64encode(f"{user}{word}".encode()).rstrip(b"=")[:-2]


def found_in(place: str, content: bytes) -> list[str]:
    """Return which canaries ``content`` holds, with the place for the message."""
    return [f"{name} in {place}" for name, word in CANARIES.items() if any(form in content for form in forms(word))]


class Sweep:
    """Collects what the daemon lets out, and searches it."""

    def __init__(self, daemon: Any) -> None:
        self._daemon = daemon
        self.places: dict[str, bytes] = {}

    async def look(self, moment: str) -> None:
        """Take everything that can be seen from outside at this moment."""
        for words in (
            ("status",),
            ("status", "hub"),
            ("status", "hub", "--json"),
            ("versions", "hub"),
            ("usage", "hub"),
            ("audit", "-n", "500"),
            ("audit", "export"),
            ("leak", "--all", "--since", "1h"),
            ("rotate", "nobody", "--reason", "x"),
        ):
            _, output = await self._daemon.cli(*words)
            self.places[f"{moment}: rotator {' '.join(words)}"] = output.encode()
        for path in ("/metrics", "/healthz", "/readyz"):
            self.places[f"{moment}: {path}"] = (await self._daemon.scrape(path)).encode()
        for path in ("status", "credentials", "credentials/hub/versions", "rotations?limit=50", *MORE):
            self.places[f"{moment}: /api/v1/{path}"] = await self._ask(path)
        process = Path(f"/proc/{self._daemon.process.pid}")
        for name in ("cmdline", "environ"):
            self.places[f"{moment}: its {name}"] = (process / name).read_bytes()
        for thread in (process / "task").iterdir():
            self.places[f"{moment}: the name of thread {thread.name}"] = (thread / "comm").read_bytes()

    def leaks(self) -> list[str]:
        """Return every canary found, in what was seen and in what the daemon has written."""
        seen = [leak for place, content in self.places.items() for leak in found_in(place, content)]
        written = [self._daemon.log, *self._daemon.directory.glob("rotator.db*")]
        return seen + [leak for path in written for leak in found_in(path.name, path.read_bytes())]

    async def _ask(self, path: str) -> bytes:
        connector = aiohttp.UnixConnector(str(self._daemon.socket))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"http://localhost/api/v1/{path}") as answer,
        ):
            return await answer.read()


def test_the_search_finds_what_is_there() -> None:
    """The search itself works: each dress of a canary is found, so that finding none means something."""
    for form in forms(CANARIES["first"]):
        assert found_in("here", b"x" + form + b"y") == ["first in here"]


async def test_no_canary_anywhere(daemon: Any, tmp_path: Path) -> None:
    """A day with rotations, refusals, broken secrets and outages leaves no secret outside the places meant for it."""
    clock = SystemClock()
    async with (
        SandboxRegistry(clock, auth="basic") as ecr,
        SandboxRegistry(clock) as hub,
        SandboxAws(clock, ecr, access_key=CANARIES["aws-id"]) as aws,
        SandboxVault(clock=clock) as vault,
        SandboxKubernetes() as cluster,
    ):
        vault.mount("registries", version=2)
        vault.add_approle(CANARIES["role-id"], CANARIES["secret-id"])
        cluster.add_token(CANARIES["cluster-token"])
        cluster.add_namespace("web", {})
        for registry in (ecr, hub):
            registry.add_image("team/app:1")
        for word in ("first", "second", "file"):
            hub.add_login("bot", CANARIES[word])
        daemon.configure(configuration(tmp_path, ecr, hub, aws, vault, cluster))
        put(vault, "first")
        sweep = Sweep(daemon)

        daemon.start()
        await daemon.until("all are well", lambda: well(daemon))
        await sweep.look("after the start")
        for word in ("refused", "shapeless", "second"):
            put(vault, word)
            _, output = await daemon.cli("rotate", "hub", "--reason", f"the {word} one", "--wait")
            sweep.places[f"rotate with the {word} one"] = output.encode()
        cluster.fail(500, path="/api/v1/namespaces/web/secrets", body=f"echo {CANARIES['second']}")
        hub.fail(500, path="/token", body=f"echo {CANARIES['second']}")
        vault.seal()
        for name in ("hub", "ecr", "own"):
            _, output = await daemon.cli("rotate", name, "--reason", "while much is down", "--wait")
            sweep.places[f"rotate {name} while much is down"] = output.encode()
        await sweep.look("while much is down")
        await asyncio.to_thread(daemon.stop)

        assert len(sweep.places) > 30
        assert b'"level": "debug"' in daemon.log.read_bytes(), "it must talk at its most, or the test shows little"
        assert b"rotator_log_redactions_total 0.0" in sweep.places["while much is down: /metrics"]
        assert sweep.leaks() == []


def put(vault: SandboxVault, word: str) -> None:
    """Put a canary where the hub's token is read."""
    vault.put("registries/hub", {"username": "bot", "token": CANARIES[word]})


async def well(daemon: Any) -> bool:
    """Return whether every credential is in use everywhere."""
    return all([(await daemon.status(name)).get("health") == "ok" for name in ("hub", "ecr", "own")])


def configuration(directory: Path, *servers: Any) -> str:
    """Return a configuration that uses every source, provider and target there is."""
    ecr, hub, aws, vault, cluster = servers
    for name in ("role-id", "secret-id", "aws-id", "aws-secret", "file"):
        file = directory / name
        file.touch(mode=0o600)
        file.write_text(CANARIES[name])
    kubeconfig = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": cluster.url}}],
        "users": [{"name": "u", "user": {"token": CANARIES["cluster-token"]}}],
    }
    (directory / "kubeconfig").touch(mode=0o600)
    (directory / "kubeconfig").write_text(json.dumps(kubeconfig))
    return f"""
vault:
  address: {vault.url}
  insecure: true
  auth: {{method: approle, role_id: {{file: {directory}/role-id}}, secret_id: {{file: {directory}/secret-id}}}}
registries:
  {ecr.host}: {{insecure: true}}
  {hub.host}: {{insecure: true}}
credentials:
  ecr:
    provider: ecr
    registry: {ecr.host}
    region: eu-west-1
    endpoint_url: {aws.url}
    insecure: true
    access_key: {{id: {{file: {directory}/aws-id}}, secret: {{file: {directory}/aws-secret}}}}
    images: ["{ecr.host}/team/app:1"]
    deliver_to: [cluster, host]
  hub:
    provider: dockerhub
    registry: {hub.host}
    username: {{vault: registries/hub#username}}
    token: {{vault: registries/hub#token}}
    images: ["{hub.host}/team/app:1"]
    deliver_to: [cluster, host]
  own:
    provider: custom
    registry: {hub.host}
    username: bot
    password: {{file: {directory}/file}}
    images: ["{hub.host}/team/app:1"]
    deliver_to: [other-host]
targets:
  cluster: {{type: kubernetes, kubeconfig: {directory}/kubeconfig, insecure: true, namespaces: [web], secret: regcred}}
  host: {{type: docker_config, path: {directory}/host/config.json}}
  other-host: {{type: docker_config, path: {directory}/other/auth.json, convention: podman}}
"""
