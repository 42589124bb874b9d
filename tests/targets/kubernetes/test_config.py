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
