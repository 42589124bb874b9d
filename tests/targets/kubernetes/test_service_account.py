"""Service accounts are appended to, never overwritten, and waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from rotator.errors import ConflictError, NotFoundError
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.server import Fault
from rotator.targets.context import TargetContext
from rotator.targets.kubernetes import KubernetesTarget
from rotator.targets.kubernetes.client import KubernetesApi
from rotator.targets.kubernetes.service_account import name_secret, naming_patch

TEST = {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}


@pytest.fixture
def api(make_target: Callable[..., KubernetesTarget]) -> KubernetesApi:
    """Return a client for the cluster."""
    return make_target()._api


@pytest.mark.parametrize(
    ("account", "operations"),
    [
        pytest.param({}, [{"op": "add", "path": "/imagePullSecrets", "value": [{"name": "r"}]}], id="no list"),
        pytest.param(
            {"imagePullSecrets": [{"name": "x"}]},
            [{"op": "add", "path": "/imagePullSecrets/-", "value": {"name": "r"}}],
            id="list of others",
        ),
        pytest.param({"imagePullSecrets": [{"name": "r"}]}, None, id="there already"),
    ],
)
def test_naming_patch(account: dict[str, Any], operations: list[dict[str, Any]] | None) -> None:
    """The patch appends under a test of the version, or there is none."""
    given = {**account, "metadata": {"resourceVersion": "7"}}
    assert naming_patch(given, "r") == ([TEST, *operations] if operations else [])


async def test_late_account(cluster: SandboxKubernetes, api: KubernetesApi, context: TargetContext) -> None:
    """An account that appears a moment later is waited for."""
    cluster.add_namespace("new", accounts=[])
    seen: list[None] = []

    def matches(_: web.Request) -> bool:
        seen.append(None)
        if len(seen) == 3:
            cluster.add_service_account("new", "default")
        return False

    cluster.faults.append(Fault(matches, lambda _: web.Response()))
    assert await name_secret(api, context, "new", "default", "regcred")


async def test_missing_account(cluster: SandboxKubernetes, api: KubernetesApi, context: TargetContext) -> None:
    """An account that never appears is not found, after a bounded number of looks."""
    with pytest.raises(NotFoundError, match="service account robot does not exist"):
        await name_secret(api, context, "web", "robot", "regcred")
    assert len(cluster.asked) == 6


@pytest.mark.parametrize("times", [pytest.param(2, id="twice"), pytest.param(99, id="always")])
async def test_interference(cluster: SandboxKubernetes, api: KubernetesApi, context: TargetContext, times: int) -> None:
    """When somebody else edits the list in between, both entries survive; if it never ends, it is a conflict."""
    left = [times]

    def matches(request: web.Request) -> bool:
        account = cluster.service_account("web", "default")
        if request.method == "PATCH" and left[0] and account is not None:
            left[0] -= 1
            account["imagePullSecrets"] = [{"name": "theirs"}]
            account["metadata"]["resourceVersion"] = f"other-{left[0]}"
        return False

    cluster.faults.append(Fault(matches, lambda _: web.Response()))
    if times == 2:
        assert await name_secret(api, context, "web", "default", "regcred")
        account = cluster.service_account("web", "default")
        assert account is not None
        assert account["imagePullSecrets"] == [{"name": "theirs"}, {"name": "regcred"}]
    else:
        with pytest.raises(ConflictError, match="keeps changing"):
            await name_secret(api, context, "web", "default", "regcred")
