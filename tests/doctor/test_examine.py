"""All checks of a whole configuration, against servers that are as they should be, and that are not."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rotator.clock import SystemClock
from rotator.doctor.examine import examine
from rotator.doctor.finding import Finding, Level
from rotator.domain.model import NEVER, Record, Stage, Version
from rotator.ports import Changes
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.vault import SandboxVault
from rotator.sandbox.vault_auth import Grant
from rotator.secret import Secret
from rotator.store.store import open_store

SECRET = "canary-3f9c1b7d5e2a4860"
CONFIG = """\
version: 1
store: {{url: "sqlite:///{directory}/state.db"}}
admin: {{socket: {directory}/admin.sock}}
metrics: {{listen: null}}
vault: {{address: "{vault}", insecure: true, auth: {{method: token, token: {{file: {directory}/token}}}}}}
registries:
  "{registry}": {{insecure: true}}
credentials:
  mine:
    provider: custom
    registry: "{registry}"
    username: robot
    password: {{vault: "registries/hub#password"}}
    deliver_to: [here, cluster]
  minted:
    provider: ecr
    registry: "{registry}"
    region: eu-west-1
    access_key: {{id: {{file: {directory}/id}}, secret: {{file: {directory}/secret}}}}
    endpoint_url: {aws}
    sts_endpoint_url: {aws}
    insecure: true
    deliver_to: [there]
targets:
  here: {{type: docker_config, path: {directory}/docker/config.json}}
  there: {{type: docker_config, path: {directory}/docker/other.json}}
  cluster:
    type: kubernetes
    kubeconfig: {directory}/kubeconfig
    insecure: true
    secret: pull
    namespaces: [web]
"""
OWN = [
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["pull"], "verbs": [verb], "namespace": "web"}
    for verb in ("get", "patch", "create")
]


class World:
    """The servers, and the files of one configuration."""

    def __init__(
        self,
        directory: Path,
        registry: SandboxRegistry,
        vault: SandboxVault,
        aws: SandboxAws,
        cluster: SandboxKubernetes,
    ) -> None:
        self.directory = directory
        self.registry = registry
        self.vault = vault
        self.aws = aws
        self.cluster = cluster

    def private(self, name: str, text: str) -> Path:
        """Write a file that we alone may read."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def log_in(self, grant: Grant) -> None:
        """Have the configuration's token be one with ``grant``."""
        self.private("token", self.vault.mint_token(grant=grant))

    async def examine(self) -> dict[tuple[str, str], list[Finding]]:
        """Return all findings by family and thing."""
        told: list[Finding] = []
        found = await examine(self.directory / "rotator.yaml", SystemClock(), told.append)
        assert told == found
        assert SECRET not in repr(found)
        by_thing: dict[tuple[str, str], list[Finding]] = {}
        for finding in found:
            by_thing.setdefault((finding.family, finding.about), []).append(finding)
        return by_thing


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Return a world in which everything is as it should be."""
    clock = SystemClock()
    registry = SandboxRegistry(clock, auth="basic")
    async with (
        registry,
        SandboxVault(clock=clock) as vault,
        SandboxAws(clock, registry) as aws,
        SandboxKubernetes() as cluster,
    ):
        world = World(tmp_path, registry, vault, aws, cluster)
        vault.put("registries/hub", {"password": SECRET})
        world.log_in(Grant(policies=("registries/hub",)))
        cluster.add_namespace("web")
        cluster.add_token(SECRET, OWN)
        world.private("id", "AKIDSANDBOX")
        world.private("secret", SECRET)
        (tmp_path / "docker").mkdir(mode=0o700)
        hosts = {"registry": registry.host, "vault": vault.url, "aws": aws.url}
        world.private("rotator.yaml", CONFIG.format(directory=tmp_path, **hosts))
        world.private("kubeconfig", json.dumps(kubeconfig(cluster.url)))
        yield world


def kubeconfig(url: str) -> dict[str, Any]:
    """Return a kubeconfig for one cluster."""
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": SECRET}}],
    }


async def test_what_is_well_is_ok_and_asks_for_no_login(world: World) -> None:
    """With everything in place nothing fails, and no password was minted, nor any manifest asked for."""
    found = await world.examine()
    host = world.registry.host
    expected = [("registry", host), ("clock", host), ("vault", "login"), ("vault", "registries/data/hub")]
    for thing in [*expected, ("kubernetes", "cluster"), ("files", str(world.directory / "docker"))]:
        assert [one.level for one in found[thing]] == [Level.OK] * len(found[thing]), found[thing]
    assert [one.level for one in found["aws", "minted"]] == [Level.OK, Level.UNKNOWN]
    assert not [one for all_of in found.values() for one in all_of if one.level is Level.FAIL]
    assert world.aws.minted == 0
    assert {asked.path for asked in world.registry.asked} == {"/v2/"}
    assert not (world.directory / "state.db").exists()


async def test_too_much_is_a_warning(world: World) -> None:
    """A root token, a token that may change what it only reads, and a cluster's administrator are named."""
    world.log_in(Grant(policies=("registries/hub",), capabilities=("read", "update", "delete")))
    world.cluster.add_token(SECRET)
    found = await world.examine()
    (place,) = found["vault", "registries/data/hub"]
    assert (place.level, "delete, read, update" in place.text) == (Level.WARN, True)
    assert [one.level for one in found["kubernetes", "cluster"]] == [Level.OK, Level.WARN]
    assert "list secrets" in found["kubernetes", "cluster"][1].text
    world.log_in(Grant(policies=("root",)))
    (login,) = (await world.examine())["vault", "login"]
    assert (login.level, "revoke this token" in login.mend) == (Level.WARN, True)


async def test_too_little_fails_with_what_to_grant(world: World) -> None:
    """Rights that are lacking, at Vault, in the cluster and at AWS, fail with the rule to add."""
    world.log_in(Grant(policies=("registries/other",)))
    world.cluster.add_token(SECRET, OWN[:1])
    world.aws.remove_key("AKIDSANDBOX")
    found = await world.examine()
    (place,) = found["vault", "registries/data/hub"]
    assert (place.level, 'path "registries/data/hub"' in place.mend) == (Level.FAIL, True)
    assert {one.level for one in found["kubernetes", "cluster"]} == {Level.FAIL, Level.OK}
    assert "web" in found["kubernetes", "cluster"][0].mend
    assert found["aws", "minted"][0].level is Level.FAIL


async def test_what_is_down_keeps_no_check_from_its_answer(world: World) -> None:
    """With no server there each is named, and the files are still looked at: an open one fails, and is not repaired."""
    host = world.registry.host
    for server in (world.registry, world.vault, world.cluster, world.aws):
        await server.stop()
    (world.directory / "secret").chmod(0o644)
    found = await world.examine()
    assert found["registry", host][0].level is Level.FAIL
    assert found["vault", "login"][0].level is Level.UNKNOWN
    assert found["kubernetes", "cluster"][0].level is Level.UNKNOWN
    (secret,) = found["files", str(world.directory / "secret")]
    assert secret.mend == f"Run chmod 0600 {world.directory}/secret"
    assert (world.directory / "secret").stat().st_mode & 0o777 == 0o644


async def test_places_are_read_as_the_sources_read_them(world: World) -> None:
    """A file whose name has a ``#``, a nested mount and what is no place at all are told apart as the daemon would."""
    text = (world.directory / "rotator.yaml").read_text()
    named = world.private("id#2", "{}")
    named.chmod(0o640)
    for old, new in (
        ("registries/hub#password", "team/kv::hub#password"),
        ("/id}", "/id#2#id}"),
        (f"{{file: {world.directory}/secret}}", '{vault: "nowhere"}'),
    ):
        assert old in text
        text = text.replace(old, new)
    world.private("rotator.yaml", text)
    found = await world.examine()
    assert found["files", str(named)][0].level is Level.FAIL
    assert ("vault", "team/kv/data/hub") in found
    (nowhere,) = found["vault", "nowhere"]
    assert (nowhere.level, "mount/path#key" in nowhere.mend) == (Level.FAIL, True)


async def test_a_state_that_is_none_fails(world: World) -> None:
    """A file that is no database, and a key that is none, are found, and stay as they are."""
    state = world.private("state.db", "no database, whatever its name is" * 100)
    world.private("state.db.key", "no key")
    found = await world.examine()
    assert found["state", str(state)][0].level is Level.FAIL
    assert found["state", f"{state}.key"][0].level is Level.FAIL
    assert state.read_text().startswith("no database")


async def test_a_state_whose_key_is_another_one_fails(world: World) -> None:
    """A state that was restored without its key can be read, and nothing in it opens: that is found before a start."""
    state = world.directory / "state.db"
    store = await open_store(f"sqlite:///{state}", [b"1" * 32], holder="a test")
    version = Version("mine", 1, Stage.CURRENT, "f", "robot", SystemClock().now(), NEVER)
    await store.commit(Changes(records=[Record("mine")], versions=[version], secrets={("mine", 1): Secret(SECRET)}))
    await store.close()
    for key, level in ((b"1" * 32, Level.OK), (b"2" * 32, Level.FAIL)):
        world.private("state.db.key", base64.b64encode(key).decode())
        found = await world.examine()
        assert found["state", str(state)][0].level is Level.OK
        assert found["state", f"{state}.key"][0].level is level


async def test_a_wrong_configuration_is_told_with_its_mistakes(world: World) -> None:
    """Where the configuration cannot be used, each mistake is a failure, and nobody is asked anything."""
    path = world.private("rotator.yaml", "wat: 1\nno: 2\n")
    found = await world.examine()
    assert [one.level for one in found["configuration", str(path)]] == [Level.FAIL] * 2
    assert not world.registry.asked
