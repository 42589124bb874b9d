"""What `rotator.ports.Target` promises, kept by every row of the table."""

from __future__ import annotations

import base64
import getpass
import importlib
import json
import logging
import ssl
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
import yaml
from aiohttp import web

from rotator.clock import SystemClock
from rotator.config.target import TargetConfig
from rotator.domain.model import Entry, Login
from rotator.errors import RotatorError, UnsupportedError
from rotator.log.setup import PINNED
from rotator.ports import Target
from rotator.sandbox.docker_engine import SandboxDockerEngine
from rotator.sandbox.github import SandboxGithub
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.server import SandboxServer
from rotator.sandbox.tagoio import SandboxTagoio
from rotator.sandbox.vault import SandboxVault
from rotator.sandbox.webhook_receiver import SandboxReceiver
from rotator.secret import Fingerprinter, Secret, base64_forms
from rotator.sources.env import EnvSource
from rotator.sources.file import FileRules, FileSource
from rotator.targets import TARGETS
from rotator.targets.aws_secrets_manager import AwsSecretsManagerConfig, AwsSecretsManagerTarget
from rotator.targets.context import TargetContext
from rotator.targets.docker_config import DockerConfigConfig, DockerConfigTarget
from rotator.targets.docker_config_ssh import DockerConfigSshConfig, DockerConfigSshTarget
from rotator.targets.exec import ExecConfig, ExecTarget
from rotator.targets.github_actions import GithubActionsConfig, GithubActionsTarget
from rotator.targets.http import HttpConfig, HttpTarget
from rotator.targets.kubernetes import KubernetesConfig, KubernetesTarget
from rotator.targets.swarm import SwarmConfig, SwarmTarget
from rotator.targets.tagoio_deploy import TagoioDeployConfig, TagoioDeployTarget
from rotator.targets.tagoio_secret import TagoioSecretConfig, TagoioSecretTarget
from rotator.targets.vault_kv import VaultKvConfig, VaultKvTarget
from rotator.targets.webhook import WebhookConfig, WebhookTarget
from rotator.transport import Transport

CANARY = "canary-90c2e7f1b64d"
ROLES = Path(__file__).parents[2] / "deploy" / "kubernetes" / "rights"


@dataclass
class Harness:
    """One target in a world where it works.

    Args:
        target: Under test.
        add_foreign: Puts something of somebody else beside what the target wrote.
        has_foreign: Tells whether that is still there.
        holds_one: Whether a placement has room for one login only.
    """

    target: Target
    add_foreign: Callable[[], None]
    has_foreign: Callable[[], bool]
    holds_one: bool = False


@dataclass
class World:
    """What a harness is built from."""

    folder: Path
    context: TargetContext
    stack: AsyncExitStack
    real_api_server: Callable[[], AbstractAsyncContextManager[Any]]
    open_vault: Callable[..., AbstractAsyncContextManager[Any]]
    start_sshd: Callable[..., Awaitable[Any]]
    moto: Callable[[], str]


async def _docker_config(world: World) -> Harness:
    path = world.folder / "config.json"
    config = DockerConfigConfig(type="docker_config", path=str(path))

    def add_foreign() -> None:
        document = json.loads(path.read_text())
        document["auths"]["other.example"] = {"auth": "eDp5"}
        path.write_text(json.dumps({**document, "proxies": {}}))

    def has_foreign() -> bool:
        document = json.loads(path.read_text())
        return document["auths"]["other.example"] == {"auth": "eDp5"} and "proxies" in document

    return Harness(DockerConfigTarget("edge", config, world.context), add_foreign, has_foreign)


async def _kubernetes(world: World, rights: str = "own", *, holds_one: bool = False, **options: Any) -> Harness:
    """Return a target that has exactly the rights that are shipped for its mode."""
    cluster = await world.stack.enter_async_context(SandboxKubernetes())
    bodies = yaml.safe_load_all((ROLES / rights / "role.yaml").read_text())
    rules = [{**rule, "namespace": "web"} for body in bodies for rule in body.get("rules", ())]
    cluster.add_token(CANARY, rules)
    cluster.add_namespace("web")

    def add_foreign() -> None:
        body = cluster.secret("web", "regcred")
        assert body is not None
        body["metadata"].setdefault("labels", {})["team"] = "web"
        body["metadata"]["annotations"]["contact"] = "web"
        cluster.set_secret("web", {**body, "data": {**body["data"], "other": "YQ=="}})

    def has_foreign() -> bool:
        body = cluster.secret("web", "regcred") or {}
        metadata = body["metadata"]
        found = metadata["labels"].get("team"), metadata["annotations"].get("contact"), body["data"].get("other")
        return found == ("web", "web", "YQ==")

    target = _kubernetes_target(world, cluster.url, CANARY, **options)
    return Harness(target, add_foreign, has_foreign, holds_one=holds_one)


async def _kubernetes_merge(world: World) -> Harness:
    return await _kubernetes(world, "merge", mode="merge")


ARGOCD_URL = {"url": "ghcr.io/acme"}


async def _kubernetes_argocd_repository(world: World) -> Harness:
    return await _kubernetes(world, holds_one=True, secret_template="argocd_repository", data=ARGOCD_URL)


async def _kubernetes_argocd_repo_creds(world: World) -> Harness:
    options = {"secret_template": "argocd_repo_creds", "data": ARGOCD_URL, "mode": "merge"}
    return await _kubernetes(world, "merge", holds_one=True, **options)


async def _kubernetes_flux(world: World) -> Harness:
    return await _kubernetes(world, secret_template="flux")


async def _kubernetes_flux_helm(world: World) -> Harness:
    return await _kubernetes(world, holds_one=True, secret_template="flux", flux_source="HelmRepository")


async def _kubernetes_basic_auth(world: World) -> Harness:
    return await _kubernetes(world, holds_one=True, secret_template="basic_auth")


async def _kubernetes_opaque(world: World) -> Harness:
    keys = {"{credential}.user": "username", "{CREDENTIAL}_PASSWORD": "password", "config.json": "docker_config"}
    return await _kubernetes(world, "merge", mode="merge", secret_template="opaque", keys=keys)


async def _kubernetes_real(world: World) -> Harness:
    server = await world.stack.enter_async_context(world.real_api_server())
    target = _kubernetes_target(world, server.url, server.token)
    return Harness(target, lambda: None, lambda: True)


def _kubernetes_target(world: World, url: str, token: str, **options: Any) -> KubernetesTarget:
    kubeconfig = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    path = world.folder / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    given = {"namespaces": ["web"], "secret": "regcred", "insecure": True, "kubeconfig": str(path), **options}
    config = KubernetesConfig.model_validate({"type": "kubernetes", **given})
    return KubernetesTarget("prod", config, world.context)


async def _swarm(world: World) -> Harness:
    engine = SandboxDockerEngine()
    world.stack.push_async_callback(engine.stop)
    socket = str(world.folder / "docker.sock")
    await engine.start_at(socket)
    service = engine.add("web_api", "ghcr.io/acme/api:1")

    def add_foreign() -> None:
        engine.touch(service)

    def has_foreign() -> bool:
        return "touched" in service.spec["Labels"]

    target = SwarmTarget("prod", SwarmConfig(type="swarm", socket=socket), world.context)
    return Harness(target, add_foreign, has_foreign)


async def _tagoio(world: World) -> tuple[SandboxTagoio, TargetContext, dict[str, Any]]:
    """Return a TagoIO, a context that can read its token, and how it is reached."""
    server = await world.stack.enter_async_context(SandboxTagoio(SystemClock(), token=CANARY))
    path = world.folder / "tagoio-token"
    path.touch(mode=0o600)
    path.write_text(CANARY)
    api = {"url": server.url, "token": {"file": str(path)}, "insecure": True}
    return server, replace(world.context, sources={"file": FileSource(FileRules())}), api


async def _tagoio_deploy(world: World) -> Harness:
    """Return a target that deploys by requests; deployments end at once."""
    server, context, api = await _tagoio(world)
    server.add_project("acme", image="ghcr.io/acme/app", image_tag="v1")
    server.deploy_time = timedelta()
    path = "/made-up/{project}/image"
    login = {"username": "{username}", "password": "{password}"}
    requests = {
        "api": api,
        "apply": {"path": path, "body": login},
        "read": {"path": path, "username_at": "/result/username", "updated_at": "/result/updated_at"},
        "status": {"path": "/made-up/{project}/deployments", "state_at": "/result/0/status", "id_at": "/result/0/id"},
    }
    options = {"project": "acme", "image": "ghcr.io/acme/app", "image_tag": "v1", "mode": "http", "http": requests}
    config = TagoioDeployConfig.model_validate({"type": "tagoio_deploy", **options})

    def add_foreign() -> None:
        server.form("acme")["image_tag"] = "v2"

    def has_foreign() -> bool:
        return server.form("acme")["image_tag"] == "v2"

    target = TagoioDeployTarget("edge", config, context)
    return Harness(target, add_foreign, has_foreign, holds_one=True)


async def _tagoio_secret(world: World) -> Harness:
    server, context, api = await _tagoio(world)
    config = TagoioSecretConfig.model_validate({"type": "tagoio_secret", "key": "REGISTRIES", "api": api})

    def add_foreign() -> None:
        for secret in server.secrets.values():
            secret.tags.append({"key": "team", "value": "web"})

    def has_foreign() -> bool:
        return [{"key": "team", "value": "web"} in secret.tags for secret in server.secrets.values()] == [True]

    return Harness(TagoioSecretTarget("edge", config, context), add_foreign, has_foreign)


async def _aws_secrets_manager(world: World) -> Harness:
    """Return a target whose secret somebody has made, in moto, without a value yet."""
    address, secret = world.moto(), f"pull-{world.folder.name}"
    keys = {"aws_access_key_id": "AKIDADMIN", "aws_secret_access_key": "x"}
    admin = boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=address, **keys)
    world.stack.callback(admin.close)
    admin.create_secret(Name=secret)
    fields = {"{credential}-user": "username", "{credential}-password": "password", "config": "docker_config"}
    options = {"region": "eu-west-1", "secrets": [secret], "fields": fields, "endpoint_url": address, "insecure": True}
    key = {"id": {"env": "ID"}, "secret": {"env": "KEY"}}
    config = AwsSecretsManagerConfig.model_validate({"type": "aws_secrets_manager", "access_key": key, **options})

    def fields_now() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(admin.get_secret_value(SecretId=secret)["SecretString"])
        return found

    def add_foreign() -> None:
        admin.put_secret_value(SecretId=secret, SecretString=json.dumps({**fields_now(), "other": "kept"}))

    sources = {"env": EnvSource({"ID": "AKIDTEST", "KEY": CANARY}, fingerprint=Fingerprinter(b"k" * 32))}
    target = AwsSecretsManagerTarget("prod", config, replace(world.context, sources=sources))
    return Harness(target, add_foreign, lambda: fields_now()["other"] == "kept")


async def _vault_kv(world: World, version: int = 2) -> Harness:
    vault = await world.stack.enter_async_context(SandboxVault())
    mount = vault.mount("kv", version=version)
    session = await world.stack.enter_async_context(world.open_vault(vault))
    fields = {"{CREDENTIAL}_USER": "username", "{CREDENTIAL}_PASSWORD": "password", "config": "docker_config"}
    config = VaultKvConfig.model_validate({"type": "vault_kv", "paths": ["kv/pull"], "fields": fields})

    def fields_now() -> dict[str, Any]:
        return (
            mount.plain["pull"]
            if version == 1
            else mount.secrets["pull"].versions[mount.secrets["pull"].current].data or {}
        )

    def add_foreign() -> None:
        vault.put("kv/pull", {**fields_now(), "other": "kept"})

    target = VaultKvTarget("prod", config, replace(world.context, vault=session))
    return Harness(target, add_foreign, lambda: fields_now()["other"] == "kept")


async def _vault_kv_plain(world: World) -> Harness:
    return await _vault_kv(world, 1)


async def _webhook(world: World) -> Harness:
    key = f"whsec_{base64.b64encode(CANARY.encode() * 2).decode()}"
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(world.folder / "ca.pem"))
    receiver = await world.stack.enter_async_context(SandboxReceiver(key, world.context.clock, tls=tls))
    options = {"url": receiver.url, "signing_keys": [{"env": "KEY"}], "allow_addresses": ["127.0.0.1/32"]}
    config = WebhookConfig.model_validate({"type": "webhook", "ca_file": str(world.folder / "ca.pem"), **options})
    sources = {"env": EnvSource({"KEY": key}, fingerprint=Fingerprinter(b"k" * 32))}
    target = WebhookTarget("prod", config, replace(world.context, sources=sources))
    return Harness(target, lambda: None, lambda: True)


KEEPER = """
import json, pathlib, sys
path, told = pathlib.Path(sys.argv[1]), json.load(sys.stdin)
held = json.loads(path.read_text()) if path.exists() else {}
if told["action"] == "apply":
    held.update({one["credential"]: {key: one[key] for key in ("username", "password")} for one in told["entries"]})
    path.write_text(json.dumps(held))
else:
    print(json.dumps({"logins": held}))
"""


async def _docker_config_ssh(world: World) -> Harness:
    server = await world.start_sshd()
    path = world.folder / "config.json"
    options = {"hosts": [server.host], "user": getpass.getuser(), "key": {"file": str(server.keys / "user")}}
    places = {"known_hosts": str(server.keys / "known_hosts"), "path": str(path)}
    config = DockerConfigSshConfig.model_validate({"type": "docker_config_ssh", **options, **places})

    def add_foreign() -> None:
        document = json.loads(path.read_text())
        document["auths"]["other.example"] = {"auth": "eDp5"}
        path.write_text(json.dumps({**document, "proxies": {}}))

    def has_foreign() -> bool:
        document = json.loads(path.read_text())
        return document["auths"]["other.example"] == {"auth": "eDp5"} and "proxies" in document

    context = replace(world.context, sources={"file": FileSource(FileRules())})
    return Harness(DockerConfigSshTarget("edge", config, context), add_foreign, has_foreign)


async def _exec(world: World, *, reads: bool = True) -> Harness:
    path, program = world.folder / "place.json", world.folder / "keeper.py"
    program.write_text(KEEPER)
    command = [sys.executable, str(program), str(path)]
    config = ExecConfig.model_validate(
        {"type": "exec", "command": command, **({"read_command": command} if reads else {})}
    )

    def add_foreign() -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), "other": {"username": "x", "password": "y"}}))

    target = ExecTarget("prod", config, world.context)
    return Harness(target, add_foreign, lambda: "other" in json.loads(path.read_text()))


async def _exec_blind(world: World) -> Harness:
    return await _exec(world, reads=False)


async def _github_actions(world: World) -> Harness:
    github = await world.stack.enter_async_context(SandboxGithub(CANARY))
    fields = {"{CREDENTIAL}_USER": "username", "{CREDENTIAL}_PASSWORD": "password", "CONFIG": "docker_config"}
    options = {"repositories": ["acme/web"], "fields": fields, "api_url": github.url, "insecure": True}
    config = GithubActionsConfig.model_validate({"type": "github_actions", "token": {"env": "TOKEN"}, **options})
    sources = {"env": EnvSource({"TOKEN": CANARY}, fingerprint=Fingerprinter(b"k" * 32))}
    place = "repos/acme/web/actions/secrets"

    def has_foreign() -> bool:
        return github.places[place]["OTHER"].value == "kept"

    target = GithubActionsTarget("prod", config, replace(world.context, sources=sources))
    return Harness(target, lambda: github.put(place, "OTHER", "kept"), has_foreign)


async def _http(world: World) -> Harness:
    """Return a target of a GitLab variable: gitlabhq/gitlabhq, doc/api/project_level_variables.md (read 2026-11-28)."""
    variable = {"key": "DOCKER_AUTH_CONFIG", "value": "{}", "protected": True}

    async def show(_: web.Request) -> web.Response:
        return web.json_response(variable)

    async def change(request: web.Request) -> web.Response:
        variable.update(await request.json())
        return web.json_response(variable)

    app = web.Application()
    path = "/api/v4/projects/{project}/variables/DOCKER_AUTH_CONFIG"
    app.add_routes([web.get(path, show), web.put(path, change)])
    gitlab = await world.stack.enter_async_context(SandboxServer(app))
    options = {"url": gitlab.url, "insecure": True, "preset": "gitlab_ci", "values": {"project": "acme/web"}}
    config = HttpConfig.model_validate({"type": "http", "secret": {"env": "TOKEN"}, **options})
    sources = {"env": EnvSource({"TOKEN": CANARY}, fingerprint=Fingerprinter(b"k" * 32))}

    def add_foreign() -> None:
        document = json.loads(str(variable["value"]))
        document["auths"]["other.example"] = {"auth": "eDp5"}
        variable["value"] = json.dumps(document)

    def has_foreign() -> bool:
        return "other.example" in json.loads(str(variable["value"]))["auths"] and variable["protected"] is True

    return Harness(HttpTarget("prod", config, replace(world.context, sources=sources)), add_foreign, has_foreign)


HARNESSES: dict[str, Callable[[World], Awaitable[Harness]]] = {
    "aws_secrets_manager": _aws_secrets_manager,
    "docker_config": _docker_config,
    "docker_config_ssh": _docker_config_ssh,
    "exec": _exec,
    "exec-blind": _exec_blind,
    "github_actions": _github_actions,
    "http": _http,
    "kubernetes": _kubernetes,
    "kubernetes-argocd_repo_creds": _kubernetes_argocd_repo_creds,
    "kubernetes-argocd_repository": _kubernetes_argocd_repository,
    "kubernetes-basic_auth": _kubernetes_basic_auth,
    "kubernetes-flux": _kubernetes_flux,
    "kubernetes-flux_helm": _kubernetes_flux_helm,
    "kubernetes-merge": _kubernetes_merge,
    "kubernetes-opaque": _kubernetes_opaque,
    "kubernetes-real": _kubernetes_real,
    "swarm": _swarm,
    "tagoio_deploy": _tagoio_deploy,
    "tagoio_secret": _tagoio_secret,
    "vault_kv": _vault_kv,
    "vault_kv-plain": _vault_kv_plain,
    "webhook": _webhook,
}
"""By kind, and ``kind-variant`` for further ways to run one."""


@pytest.fixture(params=sorted({*TARGETS, *HARNESSES}))
async def harness(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    real_api_server: Callable[[], AbstractAsyncContextManager[Any]],
    open_vault: Callable[..., AbstractAsyncContextManager[Any]],
    start_sshd: Callable[..., Awaitable[Any]],
    moto: Callable[[], str],
) -> AsyncIterator[Harness]:
    """Return each registered target in its world; a row without a harness fails here."""
    clock = SystemClock()
    transport = Transport(clock=clock)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(transport.close)
        context = TargetContext(transport, clock, lambda: 0.5)
        world = World(tmp_path, context, stack, real_api_server, open_vault, start_sshd, moto)
        made = await HARNESSES[request.param](world)
        stack.push_async_callback(made.target.close)
        yield made


def entry(credential: str = "ghcr", registry: str = "ghcr.io", *, generation: int = 1, password: str = CANARY) -> Entry:
    """Return an entry; its password tells its generation."""
    login = Login("robot", Secret(f"{password}-{generation}"))
    return Entry(credential, registry, login, generation, f"print-{generation}")


async def only_placement(target: Target) -> str:
    """Return the one placement of a harness."""
    (placement,) = await target.placements()
    return placement


@pytest.mark.parametrize("kind", sorted(TARGETS))
def test_each_row_names_a_class_with_its_options(kind: str) -> None:
    """Each row of the table loads, and every option of its own is explained for the configuration's schema."""
    module, _, attribute = TARGETS[kind].partition(":")
    config = getattr(importlib.import_module(module), attribute).Config
    assert issubclass(config, TargetConfig)
    assert [option for option, field in config.model_fields.items() if not field.description] == []
    assert config.model_json_schema()["properties"]["type"]["const"] == kind


async def test_kind_and_name(harness: Harness, request: pytest.FixtureRequest) -> None:
    """A target knows its row and its name in the configuration."""
    assert harness.target.kind in request.node.callspec.id
    assert harness.target.name in {"edge", "prod"}


async def test_an_empty_placement_holds_nothing(harness: Harness) -> None:
    """Reading before the first write finds nothing and is no error."""
    held = await harness.target.read(await only_placement(harness.target), [entry()])
    assert (dict(held.logins), held.changed) == ({}, False)


async def test_apply_then_read(harness: Harness) -> None:
    """What was applied is held, as the write says and as a read finds."""
    placement = await only_placement(harness.target)
    entries = (entry(),)
    held = await harness.target.apply(placement, entries)
    found = await harness.target.read(placement, entries)
    assert held.changed
    assert dict(held.logins) == dict(found.logins) == {"ghcr": entries[0].login}


async def test_the_proof_is_the_declared_one(harness: Harness) -> None:
    """Of what was written and of what is read no more is claimed than the target declares it can prove."""
    placement = await only_placement(harness.target)
    held = await harness.target.apply(placement, [entry()])
    read = await harness.target.read(placement, [entry()])
    assert held.proof == read.proof == harness.target.declares.readback


async def test_apply_is_idempotent(harness: Harness) -> None:
    """The second time nothing is changed, whether the entries are the same object or equal ones."""
    placement = await only_placement(harness.target)
    entries = (entry(),)
    await harness.target.apply(placement, entries)
    for again in (entries, (entry(),)):
        held = await harness.target.apply(placement, again)
        assert (held.changed, dict(held.logins)) == (False, {"ghcr": entries[0].login})


async def test_several_credentials(harness: Harness) -> None:
    """One placement holds several credentials, written in one step; where there is room for one only, none is."""
    placement = await only_placement(harness.target)
    entries = [entry(), entry("hub", "docker.io"), entry("ecr", "123456789012.dkr.ecr.eu-west-1.amazonaws.com")]
    if harness.holds_one:
        with pytest.raises(UnsupportedError):
            await harness.target.apply(placement, entries)
        assert dict((await harness.target.read(placement, [entry()])).logins) == {}
        return
    held = await harness.target.apply(placement, entries)
    assert dict(held.logins) == {each.credential: each.login for each in entries}


async def test_newer_replaces_older(harness: Harness) -> None:
    """A newer generation takes the place of an older one; its neighbour stays."""
    placement = await only_placement(harness.target)
    neighbours = [] if harness.holds_one else [entry("quay", "quay.io")]
    await harness.target.apply(placement, [entry(), *neighbours])
    wanted = [entry(generation=2), *neighbours]
    held = await harness.target.apply(placement, wanted)
    assert held.changed
    found = await harness.target.read(placement, wanted)
    assert dict(found.logins) == {one.credential: one.login for one in wanted}


async def test_unrelated_entries_survive(harness: Harness) -> None:
    """What others put there is left alone by every write."""
    placement = await only_placement(harness.target)
    await harness.target.apply(placement, [entry()])
    harness.add_foreign()
    await harness.target.apply(placement, [entry(generation=2)])
    assert harness.has_foreign()


FAILING = [
    pytest.param(entry(generation=6), id="older generation"),
    pytest.param(entry(registry="not a host", generation=8), id="impossible registry"),
]


@pytest.mark.parametrize("failing", FAILING)
async def test_an_error_leaves_the_old_value(harness: Harness, failing: Entry) -> None:
    """A write that is refused changes nothing."""
    placement = await only_placement(harness.target)
    good = entry(generation=7)
    await harness.target.apply(placement, [good])
    with pytest.raises(RotatorError):
        await harness.target.apply(placement, [failing])
    assert dict((await harness.target.read(placement, [good])).logins) == {"ghcr": good.login}


@pytest.mark.parametrize("failing", FAILING)
async def test_secrets_stay_secret(harness: Harness, failing: Entry, caplog: pytest.LogCaptureFixture) -> None:
    """No secret is in a log line, a representation, an error or its causes, in clear or in base64."""
    caplog.set_level(logging.DEBUG)
    for library in PINNED:  # as the daemon does: at DEBUG botocore writes whole bodies
        caplog.set_level(logging.WARNING, logger=library)
    placement = await only_placement(harness.target)
    held = await harness.target.apply(placement, [entry(generation=7)])
    with pytest.raises(RotatorError) as caught:
        await harness.target.apply(placement, [failing])
    told = [*traceback.format_exception(caught.value), repr(held), repr(vars(harness.target)), caplog.text]
    for form in {CANARY, *base64_forms(CANARY)}:
        assert form not in "\n".join(told)


async def test_closing_twice(harness: Harness) -> None:
    """Closing may be repeated."""
    await harness.target.close()
    await harness.target.close()
