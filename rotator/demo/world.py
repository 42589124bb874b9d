"""The outside world of the demo: two registries, AWS, Vault and a cluster, all on loopback, and a configuration."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rotator.ports import Clock
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import free_ports
from rotator.sandbox.vault import SandboxVault

BOT = "acme-bot"
TOKEN_LOCATION = "registries/service"  # noqa: S105 (a path in Vault)
_BOOTSTRAP = {
    "role-id": "demo-role",
    "secret-id": "demo-secret-id",
    "aws-key-id": "AKIDSANDBOX",
    "aws-secret": "demo-aws-key",
}
"""What the daemon itself is let in with, one file each."""


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """The sandbox servers, and where the daemon's files are.

    Args:
        directory: Holds everything the demo writes.
        ecr: A registry that takes passwords directly and whose passwords expire, as ECR's do.
        hub: A registry with bearer tokens.
        aws: Mints passwords for ``ecr``.
        vault: Holds the token for ``hub``.
        cluster: Has namespaces that pull from both.
    """

    directory: Path
    ecr: SandboxRegistry
    hub: SandboxRegistry
    aws: SandboxAws
    vault: SandboxVault
    cluster: SandboxKubernetes

    @property
    def config_path(self) -> Path:
        """Where the daemon's configuration is."""
        return self.directory / "rotator.yaml"

    @property
    def socket(self) -> Path:
        """The admin socket."""
        return self.directory / "admin.sock"

    @property
    def tokens(self) -> Path:
        """The file with the one token that opens the status page."""
        return self.directory / "admin-tokens"

    @property
    def docker_config(self) -> Path:
        """The docker config file that the daemon keeps."""
        return self.directory / "docker" / "config.json"

    @property
    def log(self) -> Path:
        """Where the daemon's own log lines go, as JSON."""
        return self.directory / "daemon.log"

    def put_token(self, token: str) -> None:
        """Do what a person does when a token is replaced: make it known to the registry and put it into Vault."""
        self.hub.add_login(BOT, token)
        self.vault.put(TOKEN_LOCATION, {"username": BOT, "token": token})


@asynccontextmanager
async def open_world(directory: Path, clock: Clock, lifetime: timedelta) -> AsyncIterator[DemoWorld]:
    """Start the servers, arrange what is in them, and write the configuration below ``directory``."""
    async with AsyncExitStack() as stack:
        ecr = SandboxRegistry(clock, auth="basic")
        hub = SandboxRegistry(clock, auth="bearer", rate_limit=100)
        aws = SandboxAws(clock, ecr, lifetime=lifetime)
        world = DemoWorld(directory, ecr, hub, aws, SandboxVault(clock=clock), SandboxKubernetes())
        for server in (ecr, hub, aws, world.vault, world.cluster):
            await stack.enter_async_context(server)
        _arrange(world)
        yield world


def _arrange(world: DemoWorld) -> None:
    world.ecr.add_image("team/api:1.4.2")
    world.hub.add_image("acme/service:2.0.1")
    world.vault.mount("registries", version=2)
    world.vault.add_approle("demo-role", "demo-secret-id")
    world.put_token("first-token-of-the-demo")
    for namespace in ("web", "batch"):
        world.cluster.add_namespace(namespace, {"team": "demo"})
    world.cluster.add_token("demo-cluster-token")
    for name, value in _BOOTSTRAP.items():
        _write_private(world.directory / name, value)
    _write_private(world.tokens, f"{secrets.token_hex(16)} admin\n")
    _write_private(world.directory / "kubeconfig", json.dumps(_kubeconfig(world.cluster.url)))
    world.config_path.write_text(_CONFIG.format(**_places(world)), encoding="utf-8")


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _places(world: DemoWorld) -> dict[str, object]:
    metrics_port, page_port = free_ports(2)
    return {
        "directory": world.directory,
        "socket": world.socket,
        "docker_config": world.docker_config,
        "metrics_port": metrics_port,
        "page_port": page_port,
        "tokens": world.tokens,
        "vault": world.vault.url,
        "aws": world.aws.url,
        "ecr": world.ecr.host,
        "hub": world.hub.host,
        "bot": BOT,
        "location": TOKEN_LOCATION,
    }


def _kubeconfig(server: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "demo",
        "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo"}}],
        "clusters": [{"name": "demo", "cluster": {"server": server}}],
        "users": [{"name": "demo", "user": {"token": "demo-cluster-token"}}],
    }


_CONFIG = """\
# Written by `rotator demo`. Everything it names runs on this machine, hence `insecure: true` everywhere.
version: 1
store: {{url: "sqlite:///{directory}/rotator.db"}}
# Plain HTTP, on this machine alone; elsewhere give the page a certificate.
admin: {{socket: "{socket}", listen: "127.0.0.1:{page_port}", tokens_file: "{tokens}", behind_proxy: true}}
metrics: {{listen: "127.0.0.1:{metrics_port}"}}
vault:
  address: {vault}
  insecure: true
  poll_interval: 1s
  auth: {{method: approle, role_id: {{file: "{directory}/role-id"}}, secret_id: {{file: "{directory}/secret-id"}}}}
registries:
  "{ecr}": {{insecure: true}}
  "{hub}": {{insecure: true}}
credentials:
  ecr:
    provider: ecr
    registry: "{ecr}"
    region: eu-west-1
    endpoint_url: {aws}
    insecure: true
    access_key: {{id: {{file: "{directory}/aws-key-id"}}, secret: {{file: "{directory}/aws-secret"}}}}
    images: ["{ecr}/team/api:1.4.2"]
    deliver_to: [cluster, host]
    probe_interval: 2s
  service:
    provider: custom
    registry: "{hub}"
    username: {bot}
    password: {{vault: "{location}#token"}}
    images: ["{hub}/acme/service:2.0.1"]
    deliver_to: [cluster, host]
    probe_interval: 2s
targets:
  cluster:
    type: kubernetes
    kubeconfig: "{directory}/kubeconfig"
    insecure: true
    namespaces: {{selector: team=demo}}
    secret: regcred
  host:
    type: docker_config
    path: "{docker_config}"
"""
