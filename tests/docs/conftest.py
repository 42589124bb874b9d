"""A world for the person on call: a daemon that has rotated, its registry, a cluster for kubectl, a Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import typer.core
import typer.exceptions
import typer.main
import yaml
from aiohttp import web

from rotator.cli.main import app as program_of_ours
from rotator.clock import SystemClock
from rotator.sandbox.flavours.gitlab import GITLAB
from rotator.sandbox.gitlab import SandboxGitLab
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import SandboxServer, free_ports

ROOT = Path(__file__).parents[2]
MINUTE = 60
PERSONS_PASSWORD = "canary-" + secrets.token_hex(8)
CONFIG = """\
version: 1
store: {{url: "sqlite:///{directory}/state.db"}}
admin: {{socket: "{directory}/admin.sock"}}
metrics: {{listen: "127.0.0.1:{port}"}}
registries:
  "{registry}": {{insecure: true}}
credentials:
  app:
    provider: gitlab
    registry: "{registry}"
    api_url: "{gitlab}"
    insecure: true
    project: acme/app
    api_token: {{file: "{directory}/api-token"}}
    images: ["{registry}/team/app:1"]
    deliver_to: [here, cluster]
  form:
    provider: custom
    registry: "{registry}"
    username: robot
    password: {{file: "{directory}/password"}}
    images: ["{registry}/team/form:1"]
    deliver_to: [tago]
targets:
  here: {{type: docker_config, path: "{directory}/docker/config.json"}}
  cluster:
    {{type: kubernetes, kubeconfig: "{directory}/kubeconfig", insecure: true, namespaces: [web], secret: regcred}}
  tago: {{type: tagoio_deploy, project: acme, image: "{registry}/team/form", image_tag: "1"}}
"""
RESOURCES = {
    "v1": {
        "Event": "events",
        "Namespace": "namespaces",
        "Node": "nodes",
        "PersistentVolumeClaim": "persistentvolumeclaims",
        "Pod": "pods",
        "Secret": "secrets",
    },
    "apps/v1": {"Deployment": "deployments", "ReplicaSet": "replicasets"},
    "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies"},
}
"""What the cluster of the pages has, by API version and kind, as https://kubernetes.io/docs/reference/kubernetes-api/
calls it (read 2026-11-28)."""

UNPLACED = {"Namespace", "Node"}
"""Kinds that are in no namespace."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    text: str


class Cluster(SandboxServer):
    """An API server as kubectl needs it: discovery, and what was shipped, as if it had been applied.

    Secrets are those of the sandbox's API server, which the daemon writes to.
    """

    def __init__(self, secrets_of: SandboxKubernetes) -> None:
        app = web.Application()
        super().__init__(app)
        self._secrets_of = secrets_of
        self._objects = list(shipped_objects())
        app.router.add_get("/api", _json({"kind": "APIVersions", "versions": ["v1"]}))
        app.router.add_get("/apis", _json({"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()}))
        app.router.add_get("/version", _json({"major": "1", "minor": "32", "gitVersion": "v1.32.0"}))
        for version, kinds in RESOURCES.items():
            base = "/api/v1" if version == "v1" else f"/apis/{version}"
            app.router.add_get(base, _json(_resources(version, kinds)))
            for kind, plural in kinds.items():
                places = [base] if kind in UNPLACED else [base, f"{base}/namespaces/{{namespace}}"]
                for place in places:
                    app.router.add_get(f"{place}/{plural}", self._lister(version, kind))
                    app.router.add_get(f"{place}/{plural}/{{name}}", self._shower(kind))
                    app.router.add_patch(f"{place}/{plural}/{{name}}", self._shower(kind))
        app.router.add_get("/api/v1/namespaces/{namespace}/pods/{name}/log", _log)

    def _lister(self, version: str, kind: str) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            place = request.match_info.get("namespace")
            items = [one for one in self._objects if one["kind"] == kind and place in {None, _namespace(one)}]
            return web.json_response({"apiVersion": version, "kind": f"{kind}List", "metadata": {}, "items": items})

        return answer

    def _shower(self, kind: str) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            place, name = request.match_info.get("namespace"), request.match_info["name"]
            wanted = (one for one in self._objects if (one["kind"], _namespace(one)) == (kind, place))
            found = next((one for one in wanted if one["metadata"]["name"] == name), None)
            if kind == "Secret":
                found = self._secrets_of.secret(place or "", name)
            if found is None:
                return web.json_response({"kind": "Status", "status": "Failure", "code": 404}, status=404)
            return web.json_response(found)

        return answer


def shipped_objects() -> Iterator[dict[str, Any]]:
    """Yield what the manifests of the repository make, and the pod that the deployment would."""
    for path in sorted((ROOT / "deploy/kubernetes").rglob("*.yaml")):
        for one in yaml.safe_load_all(path.read_text()):
            if not isinstance(one, dict) or one.get("kind") not in {k for kinds in RESOURCES.values() for k in kinds}:
                continue
            if one["kind"] not in UNPLACED:
                one["metadata"].setdefault("namespace", "rotator")
            yield one
            if one["kind"] == "Deployment":
                meta = {**one["spec"]["template"]["metadata"], "name": "rotator-0", "namespace": _namespace(one)}
                yield {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": one["spec"]["template"]["spec"]}


def _namespace(one: dict[str, Any]) -> str | None:
    name = one["metadata"].get("namespace")
    return None if name is None else str(name)


def _json(body: dict[str, Any]) -> Callable[[web.Request], Any]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    return answer


async def _log(_: web.Request) -> web.Response:
    return web.Response(text='{"event": "daemon_started"}\n')


def _groups() -> list[dict[str, Any]]:
    versions = [version for version in RESOURCES if "/" in version]
    return [
        {"name": version.partition("/")[0], "versions": [one], "preferredVersion": one}
        for version in versions
        if (one := {"groupVersion": version, "version": version.partition("/")[2]})
    ]


def _resources(version: str, kinds: dict[str, str]) -> dict[str, Any]:
    verbs = ["get", "list", "patch"]
    listed = [
        {"name": plural, "singularName": kind.lower(), "namespaced": kind not in UNPLACED, "kind": kind, "verbs": verbs}
        for kind, plural in kinds.items()
    ]
    short = {"persistentvolumeclaims": ["pvc"], "deployments": ["deploy"]}
    for one in listed:
        one["shortNames"] = short.get(str(one["name"]), [])
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}


@dataclass
class OnCall:
    """What a person on call has before them.

    Args:
        directory: Where everything of it is.
        registry: The registry, ``host:port``.
        prometheus: The address of the Prometheus that scrapes the daemon.
    """

    directory: Path
    registry: str
    prometheus: str

    def environment(self) -> dict[str, str]:
        """Return the environment of somebody who has the daemon's socket and the cluster's kubeconfig."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ROTATOR_", "KUBE"))},
            "COLUMNS": "120",
            "HOME": str(self.directory),
            "KUBECONFIG": str(self.directory / "person.kubeconfig"),
            "ROTATOR_SOCKET": str(self.directory / "admin.sock"),
        }

    async def run_all(self, lines: list[list[str]]) -> AsyncIterator[Ended]:
        """Run one command after the other, each a process of its own; yield how each ended."""
        pipe, environment = asyncio.subprocess.PIPE, self.environment()
        typist = await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(__file__).with_name("type_commands.py"))),
            stdin=pipe,
            stdout=pipe,
            env=environment,
        )
        assert typist.stdin is not None
        assert typist.stdout is not None
        try:
            for words in lines:
                if words[0] == "rotator":
                    typist.stdin.write(f"{json.dumps(words[1:])}\n".encode())
                    yield Ended(*json.loads(await typist.stdout.readline()))
                else:
                    yield await run(words, environment)
        finally:
            typist.stdin.close()
            await typist.wait()


async def run(words: list[str], environment: dict[str, str]) -> Ended:
    """Run one command."""
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment
    )
    out, _ = await process.communicate()
    return Ended(process.returncode or 0, out.decode())


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read."""
    path.touch(mode=0o600)
    path.write_text(text)


def kubeconfig(url: str, token: str) -> str:
    """Return a kubeconfig for one cluster."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": token}}],
        }
    )


@contextlib.asynccontextmanager
async def running(words: list[str], awaited: dict[str, int], log: Path) -> AsyncIterator[None]:
    """Run a program; the block begins once each text of ``awaited`` was in its log as often as is said there."""
    process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
    missing, ready = dict(awaited), asyncio.Event()

    async def follow() -> None:
        assert process.stderr is not None
        with log.open("wb") as file:
            async for line in process.stderr:
                file.write(line)
                file.flush()
                for text in [text for text in missing if text in line.decode()]:
                    missing[text] -= 1
                if all(often <= 0 for often in missing.values()):
                    ready.set()
        ready.set()

    follower = asyncio.create_task(follow())
    try:
        await asyncio.wait_for(ready.wait(), 2 * MINUTE)
        assert process.returncode is None, log.read_text()
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.gather(process.wait(), follower)


def daemon(directory: Path) -> contextlib.AbstractAsyncContextManager[None]:
    """Run the daemon; the block begins once it has delivered one login and waits for a person with the other."""
    words = [sys.executable, "-m", "rotator", "run", "--config", str(directory / "rotator.yaml")]
    return running(words, {"rotation_succeeded": 1, "delivery_awaits_person": 1}, directory / "daemon.log")


def prometheus(program: str, directory: Path, scraped: int, port: int) -> contextlib.AbstractAsyncContextManager[None]:
    """Run a Prometheus that scrapes the daemon; the block begins once it answers."""
    jobs = [{"job_name": "rotator", "scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}]
    config = directory / "prometheus.yml"
    rules = str(ROOT / "deploy/prometheus/rotator.rules.yaml")
    config.write_text(yaml.safe_dump({"rule_files": [rules], "scrape_configs": jobs}))
    options = [f"--config.file={config}", f"--storage.tsdb.path={directory}/tsdb"]
    words = [program, *options, f"--web.listen-address=127.0.0.1:{port}"]
    return running(words, {"Server is ready to receive web requests": 1}, directory / "prometheus.log")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on_call(tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str]) -> AsyncIterator[OnCall]:
    """Return a world in which one login was delivered, and with another a person is waited for. One per module."""
    directory = tmp_path_factory.mktemp("on-call")
    api_token, cluster_token = secrets.token_hex(16), secrets.token_hex(16)
    async with contextlib.AsyncExitStack() as stack:
        registry = await stack.enter_async_context(SandboxRegistry(SystemClock(), auth=GITLAB))
        registry.add_image("team/app:1")
        registry.add_image("team/form:1")
        registry.add_login("robot", PERSONS_PASSWORD)
        gitlab = await stack.enter_async_context(SandboxGitLab(SystemClock(), registry, api_token=api_token))
        kubernetes = await stack.enter_async_context(SandboxKubernetes())
        kubernetes.add_token(cluster_token)
        kubernetes.add_namespace("web")
        cluster = await stack.enter_async_context(Cluster(kubernetes))
        write_private(directory / "api-token", api_token)
        write_private(directory / "password", PERSONS_PASSWORD)
        write_private(directory / "kubeconfig", kubeconfig(kubernetes.url, cluster_token))
        write_private(directory / "person.kubeconfig", kubeconfig(cluster.url, "anybody"))
        (directory / "docker").mkdir(mode=0o700)
        port, web_port = free_ports(2)
        text = CONFIG.format(directory=directory, port=port, registry=registry.host, gitlab=gitlab.url)
        (directory / "rotator.yaml").write_text(text)
        await stack.enter_async_context(daemon(directory))
        await stack.enter_async_context(prometheus(program("prometheus"), directory, port, web_port))
        yield OnCall(directory, registry.host, f"http://127.0.0.1:{web_port}")


def _fault_of_rotator(words: list[str]) -> str:
    """Return what the program itself would say of its arguments before it does anything; empty for nothing."""
    command, name = typer.main.get_command(program_of_ours), "rotator"
    while isinstance(command, typer.core.TyperGroup) and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"there is no {name} {words[0]}"
        command, name, words = command.commands[words[0]], f"{name} {words[0]}", words[1:]
    try:
        command.make_context(name, words)
    except typer.exceptions.TyperException as error:
        return str(error)
    return ""


@pytest.fixture(name="fault_of_rotator")
def _fault() -> Callable[[list[str]], str]:
    """Return what tells what the program itself would say of its arguments; empty for nothing."""
    return _fault_of_rotator
