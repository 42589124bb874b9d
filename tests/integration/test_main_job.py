"""The main job from end to end: real servers as far as Debian and PyPI have them, and the daemon as a process."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from rotator.clock import SystemClock
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.vault import SandboxVault
from rotator.sandbox.vault_auth import Grant
from rotator.sandbox.vault_policy import parse_policy

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]

MOTO_PASSWORD = "123456789012-auth-token"
"""What moto answers for its own account, behind ``AWS:``."""


NAMESPACES = ["web", "web-canary", *(f"team-{number}" for number in range(120))]
"""Of the team web, in the test that kills."""


def private(path: Path, text: str) -> Path:
    """Write ``text`` to ``path``, readable by us alone."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@pytest.fixture
async def vault() -> AsyncIterator[SandboxVault]:
    """Serve a Vault with a key-value engine of version 2, of which the daemon has the shipped policy and no other."""
    policy = parse_policy((ROOT / "deploy/vault/rotator.hcl").read_text())
    async with SandboxVault(clock=SystemClock()) as server:
        server.mount("registries", version=2)
        server.add_approle("role-of-the-daemon", "secret-id-of-the-daemon", grant=Grant(acl=policy))
        yield server


@pytest.fixture
async def cluster(kustomize: Callable[[str], list[Any]]) -> AsyncIterator[SandboxKubernetes]:
    """Serve a cluster with two namespaces of the team web, in which the daemon has the shipped rights and no other."""
    (own, _), (namespaces, _) = (kustomize(f"kubernetes/rights/{name}") for name in ("own", "cluster-namespaces"))
    bound = [{**rule, "namespace": name} for rule in own["rules"] for name in (*NAMESPACES, "web-new")]
    async with SandboxKubernetes() as server:
        server.add_token("cluster-token-of-the-daemon", [*namespaces["rules"], *bound])
        for name in ("web", "web-canary"):
            server.add_namespace(name, {"team": "web"})
        yield server


def vault_section(vault: SandboxVault, directory: Path) -> str:
    """Return the configuration of Vault."""
    private(directory / "role-id", "role-of-the-daemon")
    private(directory / "secret-id", "secret-id-of-the-daemon")
    return (
        f"vault:\n  address: {vault.url}\n  insecure: true\n  poll_interval: 500ms\n"
        f"  auth: {{method: approle, role_id: {{file: {directory}/role-id}}, "
        f"secret_id: {{file: {directory}/secret-id}}}}\n"
    )


def cluster_target(cluster: SandboxKubernetes, directory: Path) -> str:
    """Return the configuration of a target in the cluster."""
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": cluster.url}}],
        "users": [{"name": "u", "user": {"token": "cluster-token-of-the-daemon"}}],
    }
    private(directory / "kubeconfig", json.dumps(document))
    return (
        f"  prod: {{type: kubernetes, kubeconfig: {directory}/kubeconfig, insecure: true, "
        "namespaces: {selector: team=web}, secret: regcred}\n"
    )


def ecr_credential(registry: Any, moto: Any, directory: Path, targets: str) -> str:
    """Return the configuration of an ECR credential that moto issues."""
    private(directory / "aws-key", "AKIAIOSFODNN7EXAMPLE")
    private(directory / "aws-secret", "canary-aws-secret-access-key")
    return (
        f"  ecr:\n    provider: ecr\n    registry: {registry.host}\n    region: eu-west-1\n    insecure: true\n"
        f"    endpoint_url: {moto.url}\n    images: ['{registry.host}/team/app:1']\n    deliver_to: [{targets}]\n"
        f"    access_key: {{id: {{file: {directory}/aws-key}}, secret: {{file: {directory}/aws-secret}}}}\n"
    )


def hub_credential(registry: Any, targets: str) -> str:
    """Return the configuration of a credential that is read from Vault."""
    return (
        f"  hub:\n    provider: dockerhub\n    registry: {registry.host}\n"
        "    username: {vault: registries/hub#username}\n"
        f"    token: {{vault: registries/hub#token}}\n    images: ['{registry.host}/team/app:1']\n"
        f"    deliver_to: [{targets}]\n"
    )


def inspect(skopeo: str, authfile: Path, host: str) -> subprocess.CompletedProcess[str]:
    """Have the real client pull the manifest of the private image with what is in ``authfile``."""
    command = [skopeo, "inspect", "--tls-verify=false", "--no-tags", f"--authfile={authfile}"]
    return subprocess.run([*command, f"docker://{host}/team/app:1"], capture_output=True, text=True, check=False)


async def test_main_job(  # noqa: PLR0913, PLR0915, PLR0917 (one story, and the whole world takes part)
    daemon: Any,
    docker_registry: Any,
    token_registry: Any,
    moto: Any,
    vault: SandboxVault,
    cluster: SandboxKubernetes,
    program: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """ECR's and Docker Hub's credentials are issued, verified and delivered, and a real client pulls with them."""
    skopeo, promtool = program("skopeo"), program("promtool")
    docker_registry.set_password("AWS", MOTO_PASSWORD)
    token_registry.tokens.users["acme-bot"] = "canary-first-hub-token"
    vault.put(
        "registries/hub",
        {"username": "acme-bot", "token": "canary-first-hub-token"},
        custom_metadata={"expires_at": "2031-01-02T03:04:05Z"},
    )
    authfile = tmp_path / "docker" / "config.json"
    daemon.configure(
        vault_section(vault, tmp_path)
        + f"registries:\n  {docker_registry.host}: {{insecure: true}}\n"
        + f"  {token_registry.host}: {{insecure: true, realm_hosts: ['{token_registry.tokens.host}']}}\n"
        + "credentials:\n"
        + ecr_credential(docker_registry, moto, tmp_path, "prod, edge")
        + hub_credential(token_registry, "prod, edge")
        + "targets:\n"
        + cluster_target(cluster, tmp_path)
        + f"  edge: {{type: docker_config, path: {authfile}}}\n"
    )
    refused = inspect(skopeo, private(tmp_path / "empty.json", "{}"), docker_registry.host)
    assert refused.returncode != 0, "the registry must refuse anonymous pulls, or the test shows nothing"

    daemon.start()
    await daemon.until("both are well", lambda: healths(daemon, "ecr", "hub", are="ok"))

    assert authfile.stat().st_mode & 0o777 == 0o600
    for host in (docker_registry.host, token_registry.host):
        pulled = await asyncio.to_thread(inspect, skopeo, authfile, host)
        assert pulled.returncode == 0, pulled.stderr
        assert json.loads(pulled.stdout)["Digest"].startswith("sha256:")
    for namespace in ("web", "web-canary"):
        assert set(auths_in(cluster, namespace)) == {docker_registry.host, token_registry.host}
    assert moto.calls == 1, "one issue, however many placements"

    metrics = await daemon.scrape()
    checked = subprocess.run([promtool, "check", "metrics"], input=metrics, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert 'rotator_credential_expiry_timestamp_seconds{credential="hub"} 1.925089445e+09' in metrics
    assert 'rotator_target_in_sync{credential="ecr",kind="kubernetes",target="prod"} 1.0' in metrics
    assert [await daemon.scrape(path) for path in ("/readyz", "/healthz")] == ["ok\n", "ok\n"]

    # A person replaces the token: known to the registry, put into Vault, and the old one dies.
    token_registry.tokens.users["acme-bot"] = "canary-second-hub-token"
    vault.put("registries/hub", {"username": "acme-bot", "token": "canary-second-hub-token"})
    await daemon.until("generation 2 is everywhere", lambda: generation_is(daemon, "hub", 2))
    pulled = await asyncio.to_thread(inspect, skopeo, authfile, token_registry.host)
    assert pulled.returncode == 0, pulled.stderr

    # A namespace appears, and on-call asks for a rotation by hand.
    cluster.add_namespace("web-new", {"team": "web"})
    await daemon.until("the new namespace has its secret", lambda: cluster.secret("web-new", "regcred") is not None)
    code, output = await daemon.cli("rotate", "hub", "--reason", "on-call tries it", "--wait")
    assert code == 0, output

    assert await asyncio.to_thread(daemon.stop) == 0
    assert not daemon.socket.exists()
    assert_no_canary(daemon, [MOTO_PASSWORD, "canary-first-hub-token", "canary-second-hub-token"])


async def test_moto_token_that_is_already_expired(daemon: Any, docker_registry: Any, moto: Any, tmp_path: Path) -> None:
    """Moto's own tokens expired in 2015: such a token is refused on arrival and the status says so."""
    moto.lifetime = None
    daemon.configure(
        f"registries:\n  {docker_registry.host}: {{insecure: true}}\ncredentials:\n"
        + ecr_credential(docker_registry, moto, tmp_path, "edge")
        + f"targets:\n  edge: {{type: docker_config, path: {tmp_path}/config.json}}\n"
    )

    daemon.start()
    await daemon.until("the attempt failed", lambda: failures(daemon, "ecr"))
    _, output = await daemon.cli("status", "ecr", "--json")

    assert "already expired when it arrived (2015-01-01" in output
    assert not (tmp_path / "config.json").exists()


async def test_kill_during_delivery_converges(
    daemon: Any, docker_registry: Any, vault: SandboxVault, cluster: SandboxKubernetes, tmp_path: Path
) -> None:
    """F-03: killed in the middle of 120 writes and started again, the daemon brings all to one generation."""
    docker_registry.set_password("bot", "canary-first-token")
    vault.put("registries/hub", {"username": "bot", "token": "canary-first-token"})
    for number in range(120):
        cluster.add_namespace(f"team-{number}", {"team": "web"})
    daemon.configure(
        vault_section(vault, tmp_path)
        + f"registries:\n  {docker_registry.host}: {{insecure: true}}\ncredentials:\n"
        + hub_credential(docker_registry, "prod")
        + "targets:\n"
        + cluster_target(cluster, tmp_path)
    )
    daemon.start()
    await daemon.until("generation 1 is everywhere", lambda: generation_is(daemon, "hub", 1))
    docker_registry.set_password("bot", "canary-second-token")
    before = cluster.count("PATCH", "/api/v1/namespaces/")
    vault.put("registries/hub", {"username": "bot", "token": "canary-second-token"})
    while cluster.count("PATCH", "/api/v1/namespaces/") < before + 40:
        await asyncio.sleep(0)

    daemon.kill()
    held = {auths_in(cluster, name)[docker_registry.host] for name in NAMESPACES}
    daemon.start()
    await daemon.until("it goes on", lambda: generation_is(daemon, "hub", 2))

    assert len(held) == 2, "it was killed in the middle, or the test shows nothing"
    wanted = base64.b64encode(b"bot:canary-second-token").decode()
    assert {auths_in(cluster, name)[docker_registry.host] for name in NAMESPACES} == {wanted}
    assert_no_canary(daemon, ["canary-first-token", "canary-second-token"])


async def test_outages_leave_what_works(daemon: Any, docker_registry: Any, vault: SandboxVault, tmp_path: Path) -> None:
    """I2: a sealed Vault, a 403, a secret of the wrong shape and a broken target never take away what works."""
    docker_registry.set_password("bot", "canary-good-token")
    vault.put("registries/hub", {"username": "bot", "token": "canary-good-token"})
    authfile, broken = tmp_path / "config.json", tmp_path / "broken.json"
    broken.write_text('{"auths": {"ghcr.io": ')
    daemon.configure(
        vault_section(vault, tmp_path)
        + f"registries:\n  {docker_registry.host}: {{insecure: true}}\ncredentials:\n"
        + hub_credential(docker_registry, "edge, spare")
        + f"targets:\n  edge: {{type: docker_config, path: {authfile}}}\n"
        + f"  spare: {{type: docker_config, path: {broken}, required: false}}\n"
    )
    daemon.start()
    await daemon.until("the good target holds it", authfile.exists)
    await daemon.until("generation 1 is in use", lambda: generation_is(daemon, "hub", 1))
    good = authfile.read_text()
    assert broken.read_text() == '{"auths": {"ghcr.io": ', "a malformed docker config is left untouched"

    for number, token in enumerate(("with\nnewline", "with\0nul", "<no value>", "x" * 100_000, "refused-by-registry")):
        vault.put("registries/hub", {"username": "bot", "token": token})
        await daemon.until(f"attempt {number} failed", lambda wanted=number + 1: failures(daemon, "hub", wanted))
        assert authfile.read_text() == good
    vault.seal()
    _, output = await daemon.cli("rotate", "hub", "--reason", "while sealed", "--wait")
    assert "sealed" in output
    vault.unseal()
    vault.deny("registries")
    code, output = await daemon.cli("rotate", "hub", "--reason", "while denied", "--wait")
    assert code == 1
    assert authfile.read_text() == good
    vault.allow("registries")
    docker_registry.set_password("bot", "canary-next-token")
    vault.put("registries/hub", {"username": "bot", "token": "canary-next-token"})
    await daemon.cli("rotate", "hub", "--reason", "all is well again", "--wait")
    await daemon.until("the next one is in use", lambda: generation_is(daemon, "hub", 2, at_least=True))
    assert authfile.read_text() != good
    assert_no_canary(daemon, ["canary-good-token", "canary-next-token", "refused-by-registry"])


async def healths(daemon: Any, *names: str, are: str) -> bool:
    """Return whether every credential has the health ``are``."""
    return all([(await daemon.status(name)).get("health") == are for name in names])


async def generation_is(daemon: Any, name: str, generation: int, *, at_least: bool = False) -> bool:
    """Return whether ``generation`` is in use and every required placement confirmed it."""
    status = await daemon.status(name)
    found = int(status.get("generation", 0))
    return bool(status.get("health") == "ok" and (found >= generation if at_least else found == generation))


async def failures(daemon: Any, name: str, at_least: int = 1) -> bool:
    """Return whether so many attempts in a row failed."""
    return bool((await daemon.status(name)).get("failures", 0) >= at_least)


def auths_in(cluster: SandboxKubernetes, namespace: str) -> dict[str, str]:
    """Return registry to ``auth`` as the pull secret of ``namespace`` has them."""
    secret = cluster.secret(namespace, "regcred")
    assert secret is not None, namespace
    auths = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]
    return {registry: entry["auth"] for registry, entry in auths.items()}


def assert_no_canary(daemon: Any, canaries: list[str]) -> None:
    """I6: no secret is in the daemon's output at DEBUG or in its state, in clear or as base64."""
    forms = [form.encode() for word in canaries for form in (word, base64.b64encode(word.encode()).decode())]
    files = [daemon.log, *daemon.directory.glob("rotator.db*")]
    found = [(path.name, form) for path in files for form in forms if form in path.read_bytes()]
    assert found == []
