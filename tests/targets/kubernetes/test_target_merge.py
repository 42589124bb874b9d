"""In merge mode the Kubernetes target edits its own registries in a Secret that it shares with others."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiohttp import web

from rotator.domain.model import Entry
from rotator.errors import ConflictError, ShapeError
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.server import Fault
from rotator.targets.kubernetes import KubernetesTarget

DOCKER = "kubernetes.io/dockerconfigjson"
PLACEMENT = "web/regcred"
MakeTarget = Callable[..., KubernetesTarget]


def theirs(**changes: Any) -> dict[str, Any]:
    """Return a pull secret that somebody else made, for another registry."""
    document = {"auths": {"quay.io": {"auth": base64.b64encode(b"ann:pw").decode()}}, "x": 1}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(document).encode()).decode()}
    return {"metadata": {"name": "regcred", "labels": {"app": "shop"}}, "type": DOCKER, "data": data, **changes}


def document(cluster: SandboxKubernetes, namespace: str = "web") -> Any:
    """Return the docker configuration that a Secret of the cluster holds."""
    secret = cluster.secret(namespace, "regcred")
    assert secret is not None
    return json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))


async def test_merge_keeps_the_rest(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """Merging keeps other registries, unknown fields, other keys and labels; a second time writes nothing."""
    body = theirs()
    cluster.set_secret("web", {**body, "data": {**body["data"], "other": "YQ=="}})
    target = make_target(mode="merge")
    first = await target.apply(PLACEMENT, one)
    second = await target.apply(PLACEMENT, one)
    secret = cluster.secret("web", "regcred")
    assert secret is not None
    assert (first.changed, second.changed) == (True, False)
    assert set(document(cluster)["auths"]) == {"quay.io", "ghcr.io"}
    assert (document(cluster)["x"], secret["data"]["other"], secret["metadata"]["labels"]["app"]) == (1, "YQ==", "shop")
    assert cluster.count("PUT", "/") == 1


async def test_merge_creates(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """Merging into nothing creates the Secret."""
    held = await make_target(mode="merge").apply(PLACEMENT, one)
    assert held.logins == {"ghcr": one[0].login}
    assert list(document(cluster)["auths"]) == ["ghcr.io"]


def interfere(cluster: SandboxKubernetes, method: str, times: int) -> None:
    """Let somebody else change the Secret just before each of the next requests of ``method``."""
    left = [times]

    def matches(request: web.Request) -> bool:
        if request.method == method and left[0] > 0:
            left[0] -= 1
            cluster.set_secret("web", theirs(metadata={"name": "regcred", "labels": {"app": f"v{left[0]}"}}))
        return False

    cluster.faults.append(Fault(matches, lambda _: web.Response()))


@pytest.mark.parametrize(
    "mode", [pytest.param("merge", id="change in between"), pytest.param("merge-new", id="creation in between")]
)
async def test_merge_tries_again(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry], mode: str
) -> None:
    """A conflict is read again and merged again."""
    if mode == "merge":
        cluster.set_secret("web", theirs())
    interfere(cluster, "PUT" if mode == "merge" else "PATCH", 2)
    await make_target(mode="merge").apply(PLACEMENT, one)
    assert set(document(cluster)["auths"]) == {"quay.io", "ghcr.io"}


async def test_merge_gives_up(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """After five conflicts in a row it is a conflict, and nothing was lost."""
    cluster.set_secret("web", theirs())
    interfere(cluster, "PUT", 100)
    with pytest.raises(ConflictError, match="keeps changing"):
        await make_target(mode="merge").apply(PLACEMENT, one)
    assert cluster.count("PUT", "/") == 5
    assert list(document(cluster)["auths"]) == ["quay.io"]


async def test_merge_refuses_what_it_cannot_read(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]
) -> None:
    """A document that cannot be read cannot be kept, so it is left alone."""
    cluster.set_secret("web", theirs(data={".dockerconfigjson": base64.b64encode(b"[1]").decode()}))
    with pytest.raises(ShapeError, match="web/regcred"):
        await make_target(mode="merge").apply(PLACEMENT, one)
