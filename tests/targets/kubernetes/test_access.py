"""The ways to an API server follow their files, keep keys off the disk, and verify TLS."""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import trustme
import yaml

from rotator.errors import AuthenticationError, ConfigError, UnavailableError
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.targets.context import TargetContext
from rotator.targets.kubernetes.access import Access, InClusterAccess, MemoryFiles
from rotator.targets.kubernetes.client import KubernetesApi
from rotator.targets.kubernetes.kubeconfig_access import KubeconfigAccess
from rotator.targets.kubernetes.refusal import Ask
from rotator.transport import Peer

PEER = Peer("prod")
ASK = Ask("get", "secrets", "web", "regcred")
V1 = "client.authentication.k8s.io/v1"


class MovableClock(Protocol):
    """A clock that a test moves."""

    def advance(self, by: timedelta) -> None:
        """Move on."""
        ...


@pytest.fixture
def authority() -> trustme.CA:
    """Return the cluster's authority."""
    return trustme.CA()


def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """Return the API server's side of TLS, which wants to see a client certificate if there is one."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_OPTIONAL
    return tls


@pytest.fixture
async def cluster(authority: trustme.CA) -> AsyncIterator[SandboxKubernetes]:
    """Return a cluster behind TLS."""
    async with SandboxKubernetes(tls=server_tls(authority)) as sandbox:
        sandbox.add_token("token-1")
        yield sandbox


def refresh(path: Path, text: str) -> None:
    """Replace a file as the kubelet does: by a rename."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.replace(new, path)  # noqa: PTH105 (says what it is)


@pytest.fixture
async def allowed(context: TargetContext) -> AsyncIterator[Callable[[Access], Any]]:
    """Return a function that asks the server through an access whether something is allowed."""
    opened: list[Access] = []

    async def ask(access: Access) -> bool:
        opened.append(access)
        return await KubernetesApi("prod", access, context.transport, context.clock).is_allowed(ASK)

    yield ask
    await context.transport.close()
    for access in opened:
        access.close()


def in_cluster(cluster: SandboxKubernetes, authority: trustme.CA, tmp_path: Path) -> InClusterAccess:
    """Return the way of a pod."""
    (tmp_path / "token").write_text("token-1\n")
    (tmp_path / "ca.crt").write_bytes(authority.cert_pem.bytes())
    host, _, port = cluster.host.partition(":")
    return InClusterAccess(PEER, {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}, tmp_path)


async def test_in_cluster_token_is_renewed(
    cluster: SandboxKubernetes, authority: trustme.CA, tmp_path: Path, allowed: Callable[[Access], Any]
) -> None:
    """A token that the kubelet renews is used at once; one that cannot be read just now is kept."""
    access = in_cluster(cluster, authority, tmp_path)
    assert await allowed(access)
    cluster.remove_token("token-1")
    cluster.add_token("token-2")
    refresh(tmp_path / "token", "token-2")
    assert await allowed(access)
    (tmp_path / "token").unlink()
    assert await allowed(access)


async def test_in_cluster_authority_is_renewed(
    cluster: SandboxKubernetes, authority: trustme.CA, tmp_path: Path, allowed: Callable[[Access], Any]
) -> None:
    """Only the authority in the file is trusted, and a new one is trusted without a restart."""
    access = in_cluster(cluster, authority, tmp_path)
    refresh(tmp_path / "ca.crt", trustme.CA().cert_pem.bytes().decode())
    with pytest.raises(UnavailableError) as caught:
        await allowed(access)
    refresh(tmp_path / "ca.crt", authority.cert_pem.bytes().decode())
    assert caught.value.cause == "tls"
    assert await allowed(access)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        pytest.param({"KUBERNETES_SERVICE_HOST": "h"}, "token .* cannot be read", id="no token"),
        pytest.param({}, "not in a cluster", id="no cluster"),
    ],
)
async def test_not_in_a_cluster(tmp_path: Path, environ: dict[str, str], message: str) -> None:
    """Outside a cluster the error says what is missing."""
    if not environ:
        (tmp_path / "token").write_text("x")
        (tmp_path / "ca.crt").write_text("x")
    with pytest.raises(ConfigError, match=message):
        await InClusterAccess(PEER, environ, tmp_path).connect()


@pytest.mark.parametrize(
    ("host", "server"),
    [pytest.param("10.0.0.1", "https://10.0.0.1:443", id="v4"), ("fd00::1", "https://[fd00::1]:443")],
)
async def test_in_cluster_address(tmp_path: Path, host: str, server: str) -> None:
    """An IPv6 address gets its brackets."""
    (tmp_path / "token").write_text("x")
    (tmp_path / "ca.crt").write_text("x")
    access = InClusterAccess(PEER, {"KUBERNETES_SERVICE_HOST": host}, tmp_path)
    assert (await access.connect()).server == server
    access.close()


def write_kubeconfig(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> None:
    """Write a kubeconfig with one context."""
    content = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    refresh(path, yaml.safe_dump(content))


def names_in(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def b64(text: bytes) -> str:
    """Return base64."""
    return base64.b64encode(text).decode()


@pytest.fixture
def outside(tmp_path: Path, context: TargetContext) -> KubeconfigAccess:
    """Return the way that ``tmp_path/kubeconfig`` describes."""
    return KubeconfigAccess(PEER, tmp_path / "kubeconfig", context=None, clock=context.clock, environ=os.environ)


async def test_kubeconfig_is_read_again(
    cluster: SandboxKubernetes,
    authority: trustme.CA,
    tmp_path: Path,
    allowed: Callable[[Access], Any],
    outside: KubeconfigAccess,
) -> None:
    """A token in the file, then one in a file of its own: both are followed."""
    trusted = {"server": cluster.url, "certificate-authority-data": b64(authority.cert_pem.bytes())}
    write_kubeconfig(tmp_path / "kubeconfig", trusted, {"token": "token-1"})
    assert await allowed(outside)
    write_kubeconfig(tmp_path / "kubeconfig", trusted, {"tokenFile": "token"})
    refresh(tmp_path / "token", "stranger")
    with pytest.raises(AuthenticationError):
        await allowed(outside)
    refresh(tmp_path / "token", "token-1")
    assert await allowed(outside)


async def test_client_certificate(
    cluster: SandboxKubernetes,
    authority: trustme.CA,
    tmp_path: Path,
    allowed: Callable[[Access], Any],
    outside: KubeconfigAccess,
) -> None:
    """A client certificate is shown from memory: its key is in no file of ours."""
    leaf = authority.issue_cert("rotator@cluster")
    user = {
        "client-certificate-data": b64(leaf.cert_chain_pems[0].bytes()),
        "client-key-data": b64(leaf.private_key_pem.bytes()),
    }
    trusted = {"server": cluster.url, "certificate-authority-data": b64(authority.cert_pem.bytes())}
    write_kubeconfig(tmp_path / "kubeconfig", trusted, user)
    peer = (await outside.connect()).peer
    with pytest.raises(AuthenticationError):  # the sandbox knows tokens only; TLS itself succeeded
        await allowed(outside)
    assert peer.client_cert is not None
    assert all(path.startswith("/proc/self/fd/") for path in peer.client_cert)
    assert names_in(tmp_path) == ["kubeconfig"]


async def test_exec_plugin_runs_once_per_credential(
    cluster: SandboxKubernetes,
    authority: trustme.CA,
    tmp_path: Path,
    allowed: Callable[[Access], Any],
    outside: KubeconfigAccess,
) -> None:
    """A plugin's token is kept until it expires or is refused; then the plugin runs again, once."""
    runs, token = tmp_path / "runs", tmp_path / "token"
    status = {"token": "?", "expirationTimestamp": "2026-11-23T13:00:00Z"}
    script = (
        f"import json\nopen({str(runs)!r}, 'a').write('x')\nstatus = {status!r}\n"
        f"status['token'] = open({str(token)!r}).read()\n"
        f"print(json.dumps({{'kind': 'ExecCredential', 'apiVersion': {V1!r}, 'status': status}}))"
    )
    (tmp_path / "plugin.py").write_text(script)
    token.write_text("token-1")
    plugin = {"command": sys.executable, "args": [str(tmp_path / "plugin.py")], "apiVersion": V1}
    trusted = {"server": cluster.url, "certificate-authority-data": b64(authority.cert_pem.bytes())}
    write_kubeconfig(tmp_path / "kubeconfig", trusted, {"exec": plugin})
    assert [await allowed(outside), await allowed(outside), runs.read_text()] == [True, True, "x"]
    cluster.remove_token("token-1")
    cluster.add_token("token-2")
    token.write_text("token-2")
    assert [await allowed(outside), runs.read_text()] == [True, "xx"]


async def test_exec_plugin_after_expiry(tmp_path: Path, outside: KubeconfigAccess, clock: MovableClock) -> None:
    """Shortly before the token expires the plugin is asked again; an expired one is not taken."""
    status = {"token": "t", "expirationTimestamp": "2026-11-23T13:00:00Z"}
    printed = json.dumps({"kind": "ExecCredential", "apiVersion": V1, "status": status})
    plugin = {"command": "/bin/echo", "args": [printed], "apiVersion": V1}
    write_kubeconfig(tmp_path / "kubeconfig", {"server": "https://k"}, {"exec": plugin})
    assert (await outside.connect()).headers == {"Authorization": "Bearer t"}
    clock.advance(timedelta(hours=1))
    with pytest.raises(AuthenticationError, match="expired"):
        await outside.connect()
    outside.close()


@pytest.mark.parametrize(
    ("cluster_section", "user", "message"),
    [
        pytest.param({"insecure-skip-tls-verify": True}, {}, "insecure: true", id="unverified TLS"),
        pytest.param({"certificate-authority": "none.pem"}, {}, "none.pem cannot be read", id="no authority"),
        pytest.param({}, {"tokenFile": "none"}, "none cannot be read", id="no token file"),
        pytest.param({}, {"client-key-data": b64(b"x")}, "needs a client key", id="half an identity"),
    ],
)
async def test_unusable_kubeconfig(
    tmp_path: Path, outside: KubeconfigAccess, cluster_section: dict[str, Any], user: dict[str, Any], message: str
) -> None:
    """What a kubeconfig promises and does not keep is named with file and context."""
    write_kubeconfig(tmp_path / "kubeconfig", {"server": "https://k", **cluster_section}, user)
    with pytest.raises(ConfigError, match=message) as caught:
        await outside.connect()
    assert "kubeconfig: context 'a'" in str(caught.value)
    outside.close()


async def test_missing_kubeconfig(outside: KubeconfigAccess) -> None:
    """A kubeconfig that is not there is named."""
    with pytest.raises(ConfigError, match=r"prod: kubeconfig .*/kubeconfig cannot be read: No such file"):
        await outside.connect()


def test_memory_files() -> None:
    """Equal data has one path, which this process can read until it is closed."""
    memory = MemoryFiles()
    first, second = memory.path_for(b"a"), memory.path_for(b"b")
    assert (memory.path_for(b"a"), Path(first).read_bytes(), Path(second).read_bytes()) == (first, b"a", b"b")
    memory.close()
    memory.close()
