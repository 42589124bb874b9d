"""What the tests of targets share: a session with a Vault, and a real Kubernetes API server where it is installed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.server import ThreadedMotoServer

from rotator.clock import SystemClock
from rotator.config.ref import SecretRef
from rotator.config.vault import VaultConfig
from rotator.ports import Source
from rotator.sandbox.server import free_ports
from rotator.sandbox.vault import SandboxVault
from rotator.sandbox.vault_auth import Grant
from rotator.secret import Fingerprinter, Secret
from rotator.sources.env import EnvSource
from rotator.sources.vault import VaultSource, VaultTools

ROLES = Path(__file__).parents[2] / "deploy" / "kubernetes" / "rights" / "own"
START_SECONDS = 60
PRIVILEGE_SEPARATION = Path("/run/sshd")


@asynccontextmanager
async def vault_session(
    vault: SandboxVault, *, grant: Grant | None = None, **settings: Any
) -> AsyncIterator[VaultSource]:
    """Open a session with ``vault`` for a block; its token may do what ``grant`` says, everything when that is None."""
    token = vault.mint_token(grant=grant)

    async def bootstrap(_: SecretRef) -> Secret:
        return Secret(token)

    auth = {"method": "token", "token": {"env": "TOKEN"}}
    config = VaultConfig.model_validate({"address": vault.url, "insecure": True, "auth": auth, **settings})
    with ThreadPoolExecutor(4) as pool:
        tools = VaultTools(pool, SystemClock(), Fingerprinter(b"0123456789abcdef"), bootstrap, lambda: 0.0)
        session = VaultSource(config, tools)
        try:
            yield session
        finally:
            await session.close()


@pytest.fixture
def open_vault() -> Callable[..., AbstractAsyncContextManager[VaultSource]]:
    """Return a function that opens a session with a sandbox Vault for the time of a block."""
    return vault_session


@pytest.fixture(scope="session")
def moto() -> Iterator[Callable[[], str]]:
    """Return a function that returns the address of a moto server, started when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def started_once() -> str:
            server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
            server.start()
            stack.callback(server.stop)
            host, port = server.get_host_and_port()
            return f"http://{host}:{port}"

        yield started_once


@pytest.fixture
def key_sources() -> dict[str, Source]:
    """Return sources with an access key in the variables ``ID`` and ``KEY``."""
    variables = {"ID": "AKIDTEST", "KEY": "canary-key-51aa"}
    return {"env": EnvSource(variables, fingerprint=Fingerprinter(b"0123456789abcdef"))}


@dataclass(frozen=True)
class RealApiServer:
    """A running API server.

    Args:
        url: Its base URL; the certificate is its own.
        token: A token of somebody who has the shipped role in the namespace ``web``, and nothing else.
    """

    url: str
    token: str


@asynccontextmanager
async def running(*command: str) -> AsyncIterator[None]:
    """Run a program while the block lasts."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


def prepare(folder: Path) -> None:
    """Write the key for service accounts and the two users' tokens."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / "accounts.pem").write_bytes(pem)
    (folder / "tokens.csv").write_text('admin,admin,1,"system:masters"\nrotator,rotator,2\n')


def api_server(folder: Path, port: int, etcd: str) -> list[str]:
    """Return the command line of an API server without controllers."""
    return [
        "kube-apiserver",
        f"--etcd-servers={etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder}/accounts.pem",
        f"--service-account-signing-key-file={folder}/accounts.pem",
        f"--token-auth-file={folder}/tokens.csv",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",
    ]


async def create(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> bool:
    """Create an object as the administrator; False while the server is not up yet."""
    try:
        async with session.post(url, json=body, headers={"Authorization": "Bearer admin"}, ssl=False) as answer:
            return answer.status in {201, 409}
    except aiohttp.ClientError:
        return False


async def populate(url: str) -> None:
    """Create the namespace ``web`` with the shipped role, bound to the user ``rotator``."""
    role, binding = yaml.safe_load_all((ROLES / "role.yaml").read_text())
    binding["subjects"] = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "rotator"}]
    roles = f"{url}/apis/rbac.authorization.k8s.io/v1/namespaces/web"
    objects = [
        (f"{url}/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}),
        (f"{roles}/roles", role),
        (f"{roles}/rolebindings", binding),
    ]
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_SECONDS):
        for address, body in objects:
            while not await create(session, address, body):
                await asyncio.sleep(0.2)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[RealApiServer]:
    """Run etcd and an API server while the block lasts; skip the test where they are not installed."""
    if not (shutil.which("kube-apiserver") and shutil.which("etcd")):
        pytest.skip("kube-apiserver and etcd are not installed")
    prepare(folder)
    port, *others = free_ports(3)
    etcd, peer = (f"http://127.0.0.1:{other}" for other in others)
    data = ["--data-dir", str(folder / "etcd"), "--listen-peer-urls", peer]
    async with AsyncExitStack() as stack:
        client_urls = ["--listen-client-urls", etcd, "--advertise-client-urls", etcd]
        await stack.enter_async_context(running("etcd", *data, *client_urls))
        await stack.enter_async_context(running(*api_server(folder, port, etcd)))
        await populate(f"https://127.0.0.1:{port}")
        yield RealApiServer(f"https://127.0.0.1:{port}", "rotator")


@pytest.fixture
def real_api_server(tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[RealApiServer]]:
    """Return a function that starts a real API server for the time of a block."""
    return lambda: started(tmp_path)


@dataclass(frozen=True)
class Sshd:
    """A running server.

    Args:
        host: ``host:port``.
        keys: Folder with ``host``, ``user`` and ``known_hosts``.
    """

    host: str
    keys: Path


def make_key(path: Path) -> str:
    """Make a key pair and return its public half."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


@asynccontextmanager
async def running_sshd(sshd: str, folder: Path, *lines: str) -> AsyncIterator[Sshd]:
    """Run an OpenSSH server for this user while the block lasts."""
    folder.mkdir(mode=0o700)
    [port], public = free_ports(1), make_key(folder / "host")
    make_key(folder / "user")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    usual = (
        f"HostKey {folder}/host",
        f"AuthorizedKeysFile {folder}/user.pub",
        f"ListenAddress 127.0.0.1:{port}",
        "StrictModes no",
        "PidFile none",
        "PermitRootLogin yes",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
    )
    (folder / "sshd_config").write_text("\n".join([*usual, *(lines or ("Subsystem sftp internal-sftp",))]) + "\n")
    if os.geteuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(exist_ok=True)
    command = [sshd, "-D", "-e", "-f", str(folder / "sshd_config")]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, start_new_session=True)
    assert process.stderr is not None
    while b"Server listening" not in (line := await process.stderr.readline()):
        assert line, "sshd ended"
    reader = asyncio.create_task(process.stderr.read())
    try:
        yield Sshd(f"127.0.0.1:{port}", folder)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()
        await reader


@pytest.fixture
async def start_sshd(program: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Return a function that starts a server with further lines of configuration."""
    async with AsyncExitStack() as stack:

        async def begin(name: str = "keys", *lines: str) -> Sshd:
            return await stack.enter_async_context(running_sshd(program("sshd"), tmp_path / name, *lines))

        yield begin
