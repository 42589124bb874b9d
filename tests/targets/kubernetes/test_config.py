"""The options of a Kubernetes target are checked when they are loaded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.targets.kubernetes import KubernetesConfig

GOOD: dict[str, Any] = {"type": "kubernetes", "namespaces": ["web"], "secret": "regcred"}


def test_defaults() -> None:
    """The least configuration owns its Secrets, in the cluster it runs in, over verified TLS."""
    config = KubernetesConfig.model_validate(GOOD)
    assert (config.mode.value, config.kubeconfig, config.insecure, config.resync) == (
        "own",
        None,
        False,
        timedelta(minutes=5),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"namespaces": []}, "at least 1 item", id="no namespace"),
        pytest.param({"namespaces": "web"}, r"write a list: \[web\]", id="no list"),
        pytest.param({"namespaces": ["Web"]}, "neither a namespace nor a pattern", id="upper case"),
        pytest.param({"namespaces": ["a/b"]}, "neither a namespace nor a pattern", id="slash"),
        pytest.param({"namespaces": {"include": []}}, "at least 1 item", id="no pattern"),
        pytest.param({"namespaces": {"selectors": "a=b"}}, "Extra inputs", id="unknown rule"),
        pytest.param({"secret": "../x"}, "cannot be the name", id="path for a name"),
        pytest.param({"secret": "a" * 254}, "cannot be the name", id="long name"),
        pytest.param({"secret_type": "Opaque"}, "kubernetes.io/dockerconfigjson", id="another type"),
        pytest.param({"nudge": {"restart": ["pod/a"]}}, "deployment, statefulset, daemonset", id="no workload"),
        pytest.param({"nudge": {"flux": ["thing/a"]}}, "ocirepository", id="no object of flux"),
        pytest.param({"nudge": {"flux": ["ocirepository/a"]}, "secret": "s." * 32 + "s"}, "63 char", id="too long"),
        pytest.param({"secret_type": "a b"}, "pattern", id="no type"),
        pytest.param({"secret_template": "argocd"}, "argocd_repository", id="unknown template"),
        pytest.param({"secret_template": "argocd_repository"}, "data: {url: ...}", id="argo without url"),
        pytest.param({"secret_template": "opaque"}, "belong together", id="opaque without keys"),
        pytest.param({"keys": {"p": "password"}}, "belong together", id="keys without opaque"),
        pytest.param(
            {"secret_template": "opaque", "keys": {"u": "username"}}, "no field holds the pass", id="no secret"
        ),
        pytest.param({"secret_template": "opaque", "keys": {"a/b": "password"}}, "cannot be a key", id="wrong key"),
        pytest.param({"data": {"a b": ""}}, "cannot be a key", id="wrong data"),
        pytest.param({"data": {".dockerconfigjson": "{}"}}, "where the login goes", id="data over the login"),
        pytest.param({"flux_source": "OCIRepository"}, "belongs to secret_template: flux", id="source without flux"),
        pytest.param(
            {"secret_template": "basic_auth", "service_accounts": ["default"]}, "basic_auth makes none", id="no pulls"
        ),
        pytest.param({"mode": "steal"}, "'own', 'merge' or 'adopt'", id="unknown mode"),
        pytest.param({"resync": "1s"}, "at most every 10s", id="hot loop"),
        pytest.param({"annotations": {"rotator.dev/x": "y"}}, "reserved", id="our annotation"),
        pytest.param({"service_accounts": ["a b"]}, "cannot be the name", id="account"),
        pytest.param({"token": "x"}, "Extra inputs", id="unknown key"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    """What cannot work is refused in words."""
    with pytest.raises(ValidationError, match=message):
        KubernetesConfig.model_validate({**GOOD, **change})


@pytest.mark.parametrize(
    ("options", "secret_type", "data", "labels"),
    [
        pytest.param({}, "kubernetes.io/dockerconfigjson", {}, {}, id="default"),
        pytest.param({"secret_template": "flux"}, "kubernetes.io/dockerconfigjson", {}, {}, id="flux"),
        pytest.param({"secret_template": "flux", "flux_source": "HelmRepository"}, "Opaque", {}, {}, id="flux helm"),
        pytest.param({"secret_template": "basic_auth"}, "kubernetes.io/basic-auth", {}, {}, id="basic auth"),
        pytest.param(
            {"secret_template": "argocd_repository", "data": {"url": "oci://ghcr.io/acme/app", "project": "web"}},
            "Opaque",
            {"url": "oci://ghcr.io/acme/app", "project": "web", "type": "oci"},
            {"argocd.argoproj.io/secret-type": "repository"},
            id="argo oci",
        ),
        pytest.param(
            {"secret_template": "argocd_repo_creds", "data": {"url": "ghcr.io"}},
            "Opaque",
            {"url": "ghcr.io", "type": "helm", "enableOCI": "true"},
            {"argocd.argoproj.io/secret-type": "repo-creds"},
            id="argo charts in a registry",
        ),
        pytest.param(
            {"secret_template": "argocd_repo_creds", "data": {"url": "https://charts.example/x"}},
            "Opaque",
            {"url": "https://charts.example/x", "type": "helm"},
            {"argocd.argoproj.io/secret-type": "repo-creds"},
            id="argo charts over https",
        ),
        pytest.param(
            {
                "secret_template": "argocd_repository",
                "data": {"url": "ghcr.io", "type": "other", "enableOCI": "false"},
                "labels": {"argocd.argoproj.io/secret-type": "repository-write"},
            },
            "Opaque",
            {"url": "ghcr.io", "type": "other", "enableOCI": "false"},
            {"argocd.argoproj.io/secret-type": "repository-write"},
            id="argo in other words",
        ),
        pytest.param(
            {"secret_template": "opaque", "keys": {"p": "password"}, "secret_type": "example.com/login"},
            "example.com/login",
            {},
            {},
            id="opaque of another type",
        ),
    ],
)
def test_shapes(options: dict[str, Any], secret_type: str, data: dict[str, str], labels: dict[str, str]) -> None:
    """Each template has its type, its fixed values and its labels; what the configuration says wins over them."""
    shape = KubernetesConfig.model_validate({**GOOD, **options}).shape
    assert (shape.type, dict(shape.data), dict(shape.labels)) == (secret_type, data, labels)
