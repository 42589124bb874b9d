"""Each template makes the Secret that its reader is documented to read."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rotator.domain.model import Entry
from rotator.errors import FencedError, ShapeError, UnsupportedError
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.targets.kubernetes import KubernetesTarget

PLACEMENT = "web/regcred"
CANARY = "canary-5d1f0c77ab93"
LOGIN = {"username": "robot", "password": CANARY}
ARGOCD: Mapping[str, Any] = {"secret_template": "argocd_repository", "data": {"url": "ghcr.io", "project": "web"}}
MakeTarget = Callable[..., KubernetesTarget]
MakeEntry = Callable[..., Entry]


def found(cluster: SandboxKubernetes) -> dict[str, Any]:
    """Return the Secret of the cluster."""
    body = cluster.secret("web", "regcred")
    assert body is not None
    return body


def texts(cluster: SandboxKubernetes) -> dict[str, str]:
    """Return what the keys of the Secret hold, decoded."""
    return {key: base64.b64decode(value).decode() for key, value in found(cluster)["data"].items()}


def change(cluster: SandboxKubernetes, **data: bytes | None) -> None:
    """Let somebody else set keys of the Secret; None takes one away."""
    body = found(cluster)
    changed = {key: base64.b64encode(value).decode() for key, value in data.items() if value is not None}
    kept = {key: value for key, value in body["data"].items() if key not in data}
    cluster.set_secret("web", {**body, "data": {**kept, **changed}}, manager="kubectl-edit")


@pytest.mark.parametrize(
    ("options", "secret_type", "content"),
    [
        pytest.param(
            ARGOCD,
            "Opaque",
            {**LOGIN, "url": "ghcr.io", "project": "web", "type": "helm", "enableOCI": "true"},
            id="argocd",
        ),
        pytest.param({"secret_template": "basic_auth"}, "kubernetes.io/basic-auth", LOGIN, id="basic auth"),
        pytest.param(
            {"secret_template": "flux", "flux_source": "HelmRepository"}, "Opaque", LOGIN, id="flux HelmRepository"
        ),
        pytest.param(
            {
                "secret_template": "opaque",
                "keys": {"{CREDENTIAL}_AUTH": "auth", "host.{credential}": "registry"},
                "data": {"note": "rotated"},
            },
            "Opaque",
            {
                "GHCR_AUTH": base64.b64encode(f"robot:{CANARY}".encode()).decode(),
                "host.ghcr": "ghcr.io",
                "note": "rotated",
            },
            id="opaque",
        ),
    ],
)
async def test_content(
    cluster: SandboxKubernetes,
    make_target: MakeTarget,
    entry: MakeEntry,
    options: dict[str, Any],
    secret_type: str,
    content: dict[str, str],
) -> None:
    """Type and keys are those of the template, and nothing else is in the Secret."""
    await make_target(**options).apply(PLACEMENT, [entry()])
    assert (found(cluster)["type"], texts(cluster)) == (secret_type, content)


@pytest.mark.parametrize(
    ("template", "value"), [("argocd_repository", "repository"), ("argocd_repo_creds", "repo-creds")]
)
async def test_argocd_label(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry, template: str, value: str
) -> None:
    """Argo CD finds its Secrets by a label, which is put beside ours and those of the configuration."""
    await make_target(**{**ARGOCD, "secret_template": template}, labels={"a": "b"}).apply(PLACEMENT, [entry()])
    labels = {"app.kubernetes.io/managed-by": "rotator", "a": "b", "argocd.argoproj.io/secret-type": value}
    assert found(cluster)["metadata"]["labels"] == labels


async def test_flux_reads_a_docker_configuration(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """For an OCIRepository the Secret is the very one that the kubelet reads."""
    await make_target().apply(PLACEMENT, [entry()])
    usual = found(cluster)
    await make_target(secret_template="flux", secret="charts").apply("web/charts", [entry()])
    charts = cluster.secret("web", "charts")
    assert charts is not None
    assert (charts["type"], charts["data"]) == (usual["type"], usual["data"])


@pytest.mark.parametrize("mode", ["own", "merge", "adopt"])
async def test_room_for_one(cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry, mode: str) -> None:
    """Two credentials do not fit where one login goes: both are named, and nothing is written."""
    target = make_target(secret_template="basic_auth", mode=mode)
    await target.apply(PLACEMENT, [entry()])
    before = found(cluster)
    with pytest.raises(UnsupportedError, match=r"basic_auth holds one login, and here are 2: ghcr, hub.*targets of"):
        await target.apply(PLACEMENT, [entry(), entry("hub", registry="docker.io")])
    assert found(cluster) == before


async def test_keys_that_clash(make_target: MakeTarget, entry: MakeEntry) -> None:
    """Two credentials whose logins would go into one key are refused with the way out."""
    target = make_target(secret_template="opaque", keys={"token": "password"})
    with pytest.raises(UnsupportedError, match=r"token would hold both .* write \{credential\}"):
        await target.apply(PLACEMENT, [entry(), entry("hub", registry="docker.io")])


@pytest.mark.parametrize(
    ("there", "options", "wanted"),
    [
        pytest.param({}, {"secret_template": "basic_auth"}, "kubernetes.io/basic-auth", id="basic over docker"),
        pytest.param({}, {"secret_template": "basic_auth", "mode": "merge"}, "basic-auth", id="basic into docker"),
        pytest.param({"secret_template": "basic_auth"}, {"mode": "adopt"}, "dockerconfigjson", id="docker over basic"),
    ],
)
async def test_another_template(
    cluster: SandboxKubernetes,
    make_target: MakeTarget,
    entry: MakeEntry,
    there: dict[str, Any],
    options: dict[str, Any],
    wanted: str,
) -> None:
    """A Secret cannot change its type, so it stays what it was made as; the error says what to do."""
    await make_target(**there).apply(PLACEMENT, [entry()])
    before = found(cluster)
    with pytest.raises(UnsupportedError, match=rf"another type than .*{wanted}.*another name.*delete it by hand"):
        await make_target(**options).apply(PLACEMENT, [entry()])
    assert found(cluster) == before


async def test_type_that_changed_behind_us(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """A Secret that was made anew with another type since our last write is left alone; the error has the way out."""
    target = make_target(secret_template="basic_auth")
    await target.apply(PLACEMENT, [entry()])
    cluster.delete_namespace("web")
    cluster.add_namespace("web")
    cluster.set_secret("web", {"metadata": {"name": "regcred"}, "type": "Opaque", "data": {}})
    with pytest.raises(UnsupportedError, match=r"another type.*another name"):
        await target.apply(PLACEMENT, [entry(password="second", generation=2)])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"url": b"elsewhere.example"}, id="other url"),
        pytest.param({"url": None}, id="no url"),
        pytest.param({"password": b"other"}, id="other password"),
        pytest.param({"password": b"\xff"}, id="password that is no text"),
        pytest.param({"username": None}, id="no user"),
    ],
)
@pytest.mark.parametrize("mode", ["own", "merge"])
async def test_what_argocd_would_not_use_is_not_held(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry, data: dict[str, bytes | None], mode: str
) -> None:
    """A login under another URL, or another login, is not read as ours, and the next write repairs it."""
    target = make_target(**ARGOCD, mode=mode)
    await target.apply(PLACEMENT, [entry()])
    before = texts(cluster)
    change(cluster, **data)
    assert dict((await target.read(PLACEMENT, [entry()])).logins) in ({}, {"ghcr": entry(password="other").login})
    held = await target.apply(PLACEMENT, [entry()])
    assert (dict(held.logins), held.changed) == ({"ghcr": entry().login}, True)
    assert texts(cluster) == before


async def test_a_secret_that_lost_its_label_is_not_held(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """Without its label Argo CD does not look at a Secret, so the login counts as absent."""
    target = make_target(**ARGOCD)
    await target.apply(PLACEMENT, [entry()])
    body = found(cluster)
    del body["metadata"]["labels"]["argocd.argoproj.io/secret-type"]
    cluster.set_secret("web", body)
    assert dict((await target.read(PLACEMENT, [entry()])).logins) == {}


@pytest.mark.parametrize("mode", ["own", "merge", "adopt"])
async def test_generation_never_goes_back(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry, mode: str
) -> None:
    """An older generation is refused in a Secret for Argo CD too, even where its URL was changed by hand."""
    await make_target(**ARGOCD, mode=mode).apply(PLACEMENT, [entry(password="new", generation=7)])
    change(cluster, url=b"elsewhere.example")
    with pytest.raises(FencedError, match="generation 7 of ghcr"):
        await make_target(**ARGOCD, mode=mode).apply(PLACEMENT, [entry(password="old", generation=6)])
    assert texts(cluster)["password"] == "new"


async def test_a_docker_configuration_that_is_no_text_is_kept(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """In a shared Secret a docker configuration that cannot be read is left alone: others may be in it."""
    target = make_target(secret_template="opaque", keys={"c.json": "docker_config"}, mode="merge")
    await target.apply(PLACEMENT, [entry()])
    change(cluster, **{"c.json": b"\xff"})
    with pytest.raises(ShapeError, match=r"web/regcred: c\.json is not base64 of UTF-8"):
        await target.apply(PLACEMENT, [entry()])
    assert base64.b64decode(found(cluster)["data"]["c.json"]) == b"\xff"
