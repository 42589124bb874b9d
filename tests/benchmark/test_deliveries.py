"""How fast a version reaches thousands of namespaces, against the bare HTTP client on the same server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
import uvloop

from rotator.app import Application
from rotator.clock import SystemClock
from rotator.config.load import load
from rotator.kinds import kinds
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.registry import SandboxRegistry

NAMESPACES = 10_000
CONNECTIONS = 64
ROUNDS = 3

CONFIG = """\
version: 1
store: {{url: "sqlite:///{directory}/rotator.db"}}
admin: {{socket: "{directory}/admin.sock"}}
metrics: {{listen: null}}
engine: {{max_deliveries: {connections}}}
registries: {{"{registry}": {{insecure: true}}}}
credentials:
{credentials}
targets:
  cluster:
    type: kubernetes
    kubeconfig: "{directory}/kubeconfig"
    insecure: true
    namespaces: [{namespaces}]
    secret: regcred
    concurrency: {connections}
"""


def credential(name: str, registry: str, directory: Path, targets: str) -> str:
    """Return the configuration of one credential that reads its password from a file."""
    return (
        f'  {name}: {{provider: custom, registry: "{registry}", username: bot, '
        f'password: {{file: "{directory}/password"}}, deliver_to: [{targets}]}}'
    )


def write_world(directory: Path, registry: SandboxRegistry, stub: str, namespaces: int) -> Path:
    """Write the configuration, the kubeconfig and the first password; return the configuration's path."""
    kubeconfig = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": stub}}],
        "users": [{"name": "u", "user": {"token": "benchmark-token"}}],
    }
    (directory / "kubeconfig").write_text(json.dumps(kubeconfig))
    (directory / "kubeconfig").chmod(0o600)
    put_password(directory, registry, 0)
    path = directory / "rotator.yaml"
    path.write_text(
        CONFIG.format(
            directory=directory,
            connections=CONNECTIONS,
            registry=registry.host,
            credentials=credential("bench", registry.host, directory, "cluster"),
            namespaces=", ".join(f"team-{number}" for number in range(namespaces)),
        )
    )
    return path


def put_password(directory: Path, registry: SandboxRegistry, number: int) -> None:
    """Replace the password at the source and make it known to the registry."""
    file = directory / "password"
    file.touch(mode=0o600)
    file.write_text(f"benchmark-password-{number:04d}")
    registry.add_login("bot", f"benchmark-password-{number:04d}")


async def engine_rate(application: Application, directory: Path, registry: SandboxRegistry, number: int) -> float:
    """Return deliveries per second of one rotation from the request to its end, journal included."""
    put_password(directory, registry, number)
    started = time.perf_counter()
    ticket = await application.request_rotation("bench", "benchmark", "benchmark")
    rotation = await ticket.finished
    seconds = time.perf_counter() - started
    assert rotation is not None
    assert rotation.state.value == "succeeded", rotation.message
    return NAMESPACES / seconds


async def client_rate(stub: str, body: bytes) -> float:
    """Return requests per second of the bare client, with as many connections and bodies of the same size."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        numbers = iter(range(NAMESPACES))
        headers = {"Content-Type": "application/apply-patch+yaml", "Authorization": "Bearer benchmark-token"}

        async def work() -> None:
            for number in numbers:
                url = f"{stub}/api/v1/namespaces/team-{number}/secrets/regcred?fieldManager=rotator&force=true"
                async with session.patch(url, data=body, headers=headers) as answer:
                    await answer.read()

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return NAMESPACES / (time.perf_counter() - started)


@pytest.mark.benchmark
def test_deliveries_per_second(tmp_path: Path, kubernetes_stub: str, report: Callable[[str], None]) -> None:
    """Deliveries through the engine, with its journal in SQLite, beside the bare client's requests."""

    async def measure() -> list[tuple[float, float]]:
        pairs = []
        async with SandboxRegistry(SystemClock(), auth="basic") as registry:
            config = load(write_world(tmp_path, registry, kubernetes_stub, NAMESPACES), kinds())
            async with Application.open(config) as application:
                await engine_rate(application, tmp_path, registry, 1)  # the first looks at each Secret before writing
                body = json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {}, "data": {"x": "y" * 300}})
                for number in range(ROUNDS):
                    raw = await client_rate(kubernetes_stub, body.encode())
                    pairs.append((await engine_rate(application, tmp_path, registry, number + 2), raw))
        return pairs

    pairs = uvloop.run(measure())

    assert len(pairs) == ROUNDS
    ratios = sorted(engine / raw for engine, raw in pairs)
    rates = sorted(engine for engine, _ in pairs)
    report(
        f"deliveries: {rates[ROUNDS // 2]:,.0f}/s through the engine to {NAMESPACES:,} namespaces, "
        f"{ratios[ROUNDS // 2]:.2f} x the bare aiohttp client (budget: 0.50 and 2,000/s); "
        f"all rounds: {', '.join(f'{e:,.0f}/{r:,.0f}' for e, r in pairs)}"
    )


@pytest.mark.benchmark
def test_provider_calls_per_rotation(tmp_path: Path, report: Callable[[str], None]) -> None:
    """A pass over many ECR credentials of one identity asks AWS once, whatever the number of files they go to."""
    credentials, files = 50, 200

    async def measure() -> int:
        clock = SystemClock()
        async with SandboxRegistry(clock, auth="basic") as registry, SandboxAws(clock, registry) as aws:
            (tmp_path / "key").touch(mode=0o600)
            (tmp_path / "key").write_text("AKIDSANDBOX")
            lines = [
                f'  ecr-{number}: {{provider: ecr, registry: "{registry.host}", region: eu-west-1, insecure: true, '
                f'endpoint_url: "{aws.url}", deliver_to: [host-{number}], '
                f'access_key: {{id: {{file: "{tmp_path}/key"}}, secret: {{file: "{tmp_path}/key"}}}}}}'
                for number in range(credentials)
            ]
            targets = [
                f"  host-{number}: {{type: docker_config, paths: "
                f"[{', '.join(f'{tmp_path}/{number}-{copy}.json' for copy in range(files // credentials))}]}}"
                for number in range(credentials)
            ]
            path = tmp_path / "rotator.yaml"
            path.write_text(
                f'version: 1\nstore: {{url: "sqlite:///{tmp_path}/r.db"}}\n'
                f'registries: {{"{registry.host}": {{insecure: true}}}}\n'
                "credentials:\n" + "\n".join(lines) + "\ntargets:\n" + "\n".join(targets) + "\n"
            )
            async with Application.open(load(path, kinds())) as application:
                for status in application.statuses():
                    ticket = await application.request_rotation(status.name, "benchmark", "benchmark")
                    await ticket.finished
                assert {status.health.value for status in application.statuses()} == {"ok"}
            return aws.calls

    calls = uvloop.run(measure())

    report(f"provider calls: {calls} for {credentials} credentials of 1 identity in {files} files (budget: 1)")
    assert calls == 1
