"""The rights that ship under ``deploy/kubernetes/rights`` are enough and not too much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.domain.model import Entry
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.targets.kubernetes import KubernetesTarget

RIGHTS = Path(__file__).parents[3] / "deploy" / "kubernetes" / "rights"
FOLDERS = sorted(path.name for path in RIGHTS.iterdir())
TOKEN = "rotator-token-5d1f"
NAMESPACED = {"Role"}


def documents(folder: str) -> list[dict[str, Any]]:
    """Return the objects that a folder's kustomization names."""
    names = yaml.safe_load((RIGHTS / folder / "kustomization.yaml").read_text())["resources"]
    return [body for name in names for body in yaml.safe_load_all((RIGHTS / folder / name).read_text())]


def rules(folder: str, namespace: str = "web") -> list[dict[str, Any]]:
    """Return the rules of a folder, as they hold once it is applied in ``namespace``."""
    found = []
    for body in documents(folder):
        bound = {"namespace": namespace} if body["kind"] in NAMESPACED else {}
        found += [{**rule, **bound} for rule in body.get("rules", ())]
    return found


@pytest.mark.parametrize(
    ("folders", "options"),
    [
        pytest.param(["own"], {}, id="own"),
        pytest.param(["own"], {"mode": "adopt"}, id="adopt"),
        pytest.param(["merge"], {"mode": "merge"}, id="merge"),
        pytest.param(["own", "service-accounts"], {"service_accounts": ["default"]}, id="accounts"),
        pytest.param(["own", "cluster-namespaces"], {"namespaces": {"selector": "team=web"}}, id="selector"),
        pytest.param(["cluster-secrets"], {}, id="cluster-wide"),
        pytest.param(["own", "flux"], {"nudge": {"flux": ["ocirepository/charts"]}}, id="flux"),
        pytest.param(["own", "restart"], {"nudge": {"restart": ["deployment/api"]}}, id="restart"),
        pytest.param(
            ["own"], {"secret_template": "argocd_repository", "data": {"url": "ghcr.io"}}, id="another template"
        ),
        pytest.param(["own", "cluster-watch-secrets"], {"watch_secrets": True}, id="watched"),
    ],
)
async def test_rights_are_enough_and_all_used(
    cluster: SandboxKubernetes,
    make_target: Callable[..., KubernetesTarget],
    entry: Callable[..., Entry],
    folders: Sequence[str],
    options: dict[str, Any],
) -> None:
    """Under exactly the shipped rules a target does its work, and uses every verb that they grant."""
    granted = [rule for name in folders for rule in rules(name)]
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
        async with asyncio.timeout(60):
            await anext(edits)
        await edits.aclose()  # type: ignore[attr-defined]  # as above
    wanted = {(verb, resource) for rule in granted for verb in rule["verbs"] for resource in rule["resources"]}
    assert cluster.verbs_used() == wanted
    assert await target.missing_rights() == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_right_reaches_other_secrets(folder: str) -> None:
    """What is in a namespace is granted by name only; nothing lists or deletes it; no wildcard.

    Only the folder that is named for it lets Secrets be watched.
    """
    never = {"list", "delete", "deletecollection"} | (set() if "watch" in folder else {"watch"})
    for rule in (rule for body in documents(folder) for rule in body.get("rules", ())):
        assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
        if rule["resources"] != ["namespaces"]:
            assert rule["resourceNames"]
            assert not never & set(rule["verbs"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_bindings_bind_what_is_there(folder: str) -> None:
    """Every binding binds the role beside it to the service account that the deployment uses."""
    role, binding = documents(folder)
    assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == (role["kind"], role["metadata"]["name"])
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "rotator", "namespace": "rotator"}]
