"""What ships under ``deploy/kubernetes``: it renders, fits Kubernetes' schemas, and runs restricted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from rotator.config.load import load
from rotator.kinds import kinds

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
OPERATOR = "monitoring.coreos.com/v1"
"""Kinds that the Prometheus operator defines; Kubernetes has no schema of them."""

Render = Callable[[str], list[Any]]


@pytest.fixture
def example(kustomize: Render) -> dict[str, Any]:
    """Return the objects of the example by kind and namespace."""
    return {
        f"{body['kind']} {body['metadata'].get('namespace', '')}".strip(): body
        for body in kustomize("kubernetes/overlays/example")
    }


@pytest.mark.parametrize(
    "folder",
    sorted(str(path.parent.relative_to(ROOT / "deploy")) for path in KUBERNETES.rglob("kustomization.yaml")),
)
@pytest.mark.parametrize("version", ["1.28", kubernetes_validate.latest_version()])
def test_every_folder_fits_the_schemas(folder: str, version: str, kustomize: Render) -> None:
    """Each folder renders to objects without an unknown field, by the schemas of an old and the newest Kubernetes."""
    bodies = kustomize(folder)
    assert bodies
    for body in bodies:
        if body["apiVersion"] != OPERATOR:
            kubernetes_validate.validate(body, version, strict=True)


def test_the_schemas_find_mistakes(example: dict[str, Any]) -> None:
    """A field that does not exist is found, or the test above shows nothing."""
    example["Deployment rotator"]["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(example["Deployment rotator"], kubernetes_validate.latest_version(), strict=True)


def test_one_daemon_runs_restricted(example: dict[str, Any]) -> None:
    """SR-39: the pod is not root, may write only to its volumes, has no capability, and is alone."""
    deployment = example["Deployment rotator"]["spec"]
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
    assert example["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_parts_find_each_other(example: dict[str, Any]) -> None:
    """Policy and budget select the pod and its port; it mounts the volume and configuration that are there."""
    pod = example["Deployment rotator"]["spec"]["template"]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    (ingress,) = example["NetworkPolicy rotator"]["spec"]["ingress"]
    for selector in (
        example["NetworkPolicy rotator"]["spec"]["podSelector"],
        example["PodDisruptionBudget rotator"]["spec"]["selector"],
    ):
        assert selector["matchLabels"] == pod["metadata"]["labels"]
    assert [port["port"] for port in ingress["ports"]] == [pod["spec"]["containers"][0]["ports"][0]["containerPort"]]
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] == claim_of(example)
    assert volumes["config"]["configMap"]["name"] == example["ConfigMap rotator"]["metadata"]["name"] == "rotator"
    assert pod["spec"]["serviceAccountName"] == example["ServiceAccount rotator"]["metadata"]["name"]


def claim_of(example: dict[str, Any]) -> str:
    """Return the name of the volume claim."""
    return str(example["PersistentVolumeClaim rotator"]["metadata"]["name"])


def test_the_node_can_be_drained(example: dict[str, Any]) -> None:
    """The budget lets the one pod be evicted: what it was doing is in its journal."""
    budget = example["PodDisruptionBudget rotator"]["spec"]
    assert budget["maxUnavailable"] >= example["Deployment rotator"]["spec"]["replicas"]
    assert "minAvailable" not in budget


def test_both_directions_are_closed_but_for_what_is_named(example: dict[str, Any]) -> None:
    """Nothing is open to every port, and nothing but the metrics can be reached from outside."""
    policy = example["NetworkPolicy rotator"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert all(rule["ports"] for rule in (*policy["ingress"], *policy["egress"]))
    assert all(rule["from"] for rule in policy["ingress"])
    assert 80 not in [port["port"] for rule in policy["egress"] for port in rule["ports"]]


def test_the_example_has_rights_where_it_delivers(example: dict[str, Any], tmp_path: Path) -> None:
    """The configuration loads, and each namespace that it names has the rights, for the Secret that it names."""
    (tmp_path / "rotator.yaml").write_text(example["ConfigMap rotator"]["data"]["rotator.yaml"])
    options: Any = load(tmp_path / "rotator.yaml", kinds()).targets["cluster"]
    assert options.type == "kubernetes"
    for namespace in ("web", "api"):
        (rule,) = example[f"Role {namespace}"]["rules"]
        assert rule["resourceNames"] == [options.secret]
        (subject,) = example[f"RoleBinding {namespace}"]["subjects"]
        assert (subject["name"], subject["namespace"]) == ("rotator", "rotator")
    assert {key.split()[1] for key in example if key.startswith("RoleBinding")} == {"web", "api"}
    assert not [key for key in example if key.startswith("ClusterRole")]


def test_the_operators_overlay_adds_the_operators_file(kustomize: Render, example: dict[str, Any]) -> None:
    """The overlay for the Prometheus operator is the example and deploy/prometheus/operator.yaml."""
    bodies = kustomize("kubernetes/overlays/prometheus-operator")
    added = list(yaml.safe_load_all((ROOT / "deploy/prometheus/operator.yaml").read_text()))
    assert {body["kind"] for body in added} == {"Service", "ServiceMonitor", "PrometheusRule"}
    assert len(bodies) == len(example) + len(added)
    assert [body for body in added if body not in bodies] == []


def test_the_readme_names_every_right() -> None:
    """The table of rights has a row for each folder of them."""
    text = (KUBERNETES / "README.md").read_text()
    assert [path.name for path in (KUBERNETES / "rights").iterdir() if f"`rights/{path.name}`" not in text] == []
