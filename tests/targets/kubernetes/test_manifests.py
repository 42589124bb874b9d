"""What ships under ``deploy/kubernetes`` is enough, is not too much, and runs under the restricted pod standard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.config.load import load
from rotator.domain.model import Entry
from rotator.kinds import kinds
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.targets.kubernetes import KubernetesTarget

DEPLOY = Path(__file__).parents[3] / "deploy" / "kubernetes"
TOKEN = "rotator-token-5d1f"
NAMESPACED = {"Role"}


def documents(name: str) -> list[dict[str, Any]]:
    """Return the objects of a manifest."""
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def rules(name: str, namespace: str = "web") -> list[dict[str, Any]]:
    """Return the rules of a manifest, as they hold once it is applied in ``namespace``."""
    found = []
    for body in documents(name):
        bound = {"namespace": namespace} if body["kind"] in NAMESPACED else {}
        found += [{**rule, **bound} for rule in body.get("rules", ())]
    return found


@pytest.mark.parametrize(
    ("manifests", "options"),
    [
        pytest.param(["role.yaml"], {}, id="own"),
        pytest.param(["role.yaml"], {"mode": "adopt"}, id="adopt"),
        pytest.param(["role-merge.yaml"], {"mode": "merge"}, id="merge"),
        pytest.param(["role.yaml", "role-service-accounts.yaml"], {"service_accounts": ["default"]}, id="accounts"),
        pytest.param(["role.yaml", "cluster-role.yaml"], {"namespaces": {"selector": "team=web"}}, id="selector"),
        pytest.param(["cluster-role-secrets.yaml"], {}, id="cluster-wide"),
        pytest.param(["role.yaml", "role-flux.yaml"], {"nudge": {"flux": ["ocirepository/charts"]}}, id="flux"),
        pytest.param(["role.yaml", "role-restart.yaml"], {"nudge": {"restart": ["deployment/api"]}}, id="restart"),
        pytest.param(
            ["role.yaml"], {"secret_template": "argocd_repository", "data": {"url": "ghcr.io"}}, id="another template"
        ),
        pytest.param(["role.yaml", "cluster-role-watch-secrets.yaml"], {"watch_secrets": True}, id="watched"),
    ],
)
async def test_rights_are_enough_and_all_used(
    cluster: SandboxKubernetes,
    make_target: Callable[..., KubernetesTarget],
    entry: Callable[..., Entry],
    manifests: Sequence[str],
    options: dict[str, Any],
) -> None:
    """Under exactly the shipped rules a target does its work, and uses every verb that they grant."""
    granted = [rule for name in manifests for rule in rules(name)]
    cluster.add_token(TOKEN, granted)
    cluster.others.put(("source.toolkit.fluxcd.io", "v1", "web", "ocirepositories", "charts"), {})
    cluster.others.put(("apps", "v1", "web", "deployments", "api"), {})
    target = make_target(**{"namespaces": ["web"], **options})
    (placement,) = await target.placements()
    await target.apply(placement, [entry()])
    await target.apply(placement, [entry(password="second", generation=2)])
    await target.read(placement, [entry()])
    while target._nudger.is_busy:
        await asyncio.sleep(0)
    if "namespaces" in options:
        changes = target.watch()
        await anext(changes)
        while not cluster.watchers:
            await asyncio.sleep(0)
        await changes.aclose()  # type: ignore[attr-defined]  # an async generator behind the port's iterator
    if "watch_secrets" in options:
        edits = target.changes()
        data = {".dockerconfigjson": "e30="}
        body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "data": data}
        cluster.set_secret("web", {**body, "metadata": {"name": "regcred"}})
        async with asyncio.timeout(5):
            await anext(edits)
        await edits.aclose()  # type: ignore[attr-defined]  # as above
    wanted = {(verb, resource) for rule in granted for verb in rule["verbs"] for resource in rule["resources"]}
    assert cluster.verbs_used() == wanted
    assert await target.missing_rights() == []


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*role*.yaml")), ids=lambda path: path.name)
def test_no_right_reaches_other_secrets(path: Path) -> None:
    """What is in a namespace is granted by name only; nothing lists or deletes it; no wildcard.

    Only the manifest that is named for it lets Secrets be watched.
    """
    never = {"list", "delete", "deletecollection"} | (set() if "watch" in path.name else {"watch"})
    for rule in (rule for body in documents(path.name) for rule in body.get("rules", ())):
        assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
        if rule["resources"] != ["namespaces"]:
            assert rule["resourceNames"]
            assert not never & set(rule["verbs"])


def test_bindings_bind_what_is_there() -> None:
    """Every binding binds the role beside it to the service account that the deployment uses."""
    for path in DEPLOY.glob("*role*.yaml"):
        role, binding = documents(path.name)
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == (role["kind"], role["metadata"]["name"])
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "rotator", "namespace": "rotator"}]


def test_deployment_is_restricted() -> None:
    """The pod is not root, may write only to its volumes, has no capability, and is alone."""
    deployment = documents("deployment.yaml")[0]["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_config_map_loads(tmp_path: Path) -> None:
    """The example configuration is one that the daemon takes."""
    (body,) = documents("config-map.yaml")
    (tmp_path / "rotator.yaml").write_text(body["data"]["rotator.yaml"])
    config = load(tmp_path / "rotator.yaml", kinds())
    assert config.targets["cluster"].type == "kubernetes"
