"""What a process remembers of the Secrets that it wrote saves it a look, and gives it no right to what is there now."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiohttp import web

from rotator.domain.model import Entry
from rotator.errors import ConflictError, FencedError
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.server import Fault
from rotator.targets.kubernetes import KubernetesTarget

PLACEMENT = "web/regcred"
MakeTarget = Callable[..., KubernetesTarget]
MakeEntry = Callable[..., Entry]


def theirs() -> dict[str, Any]:
    """Return a pull secret that somebody else made, for another registry."""
    document = {"auths": {"quay.io": {"auth": base64.b64encode(b"ann:pw").decode()}}, "x": 1}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(document).encode()).decode()}
    return {
        "metadata": {"name": "regcred", "labels": {"app": "shop"}},
        "type": "kubernetes.io/dockerconfigjson",
        "data": data,
    }


def document(cluster: SandboxKubernetes, namespace: str = "web") -> Any:
    """Return the docker configuration that a Secret of the cluster holds."""
    secret = cluster.secret(namespace, "regcred")
    assert secret is not None
    return json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))


@pytest.mark.parametrize("mode", ["own", "merge", "adopt"])
async def test_newer_generation_of_another_process_stays(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry, mode: str
) -> None:
    """A process that wrote before does not take a placement back behind what another has written there since."""
    older, newer = make_target(mode=mode), make_target(mode=mode)
    await older.apply(PLACEMENT, [entry(password="fifth-password", generation=5)])
    await newer.apply(PLACEMENT, [entry(password="ninth-password", generation=9)])
    before = cluster.secret("web", "regcred")
    for generation in (5, 6):
        with pytest.raises(FencedError, match="generation 9 of ghcr"):
            await older.apply(PLACEMENT, [entry(password="other-password", generation=generation)])
    assert cluster.secret("web", "regcred") == before


async def test_secret_that_somebody_else_made_in_a_new_namespace_stays(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """That a namespace's Secret was ours gives no right to the one that helm puts into a new namespace of that name."""
    target = make_target()
    await target.apply(PLACEMENT, [entry()])
    cluster.delete_namespace("web")
    cluster.add_namespace("web")
    cluster.set_secret("web", theirs(), manager="helm")
    before = cluster.secret("web", "regcred")
    with pytest.raises(ConflictError, match="belongs to helm"):
        await target.apply(PLACEMENT, [entry(password="second-one", generation=2)])
    assert cluster.secret("web", "regcred") == before


async def test_secret_that_was_deleted_is_made_anew(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]
) -> None:
    """A Secret of ours that vanished with its namespace is made again in the new one."""
    target = make_target()
    await target.apply(PLACEMENT, one)
    cluster.delete_namespace("web")
    cluster.add_namespace("web")
    held = await target.apply(PLACEMENT, one)
    assert (held.changed, list(document(cluster)["auths"])) == (True, ["ghcr.io"])


async def test_edit_since_our_write_is_repaired(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]
) -> None:
    """An edit is seen and repaired by the process that wrote the Secret; after that one request does again."""
    target = make_target()
    await target.apply(PLACEMENT, one)
    mine = cluster.secret("web", "regcred")
    assert mine is not None
    cluster.set_secret("web", {**mine, "data": theirs()["data"]}, manager="kubectl-edit")
    cluster.asked.clear()
    assert (await target.apply(PLACEMENT, one)).changed
    assert not (await target.apply(PLACEMENT, one)).changed
    assert list(document(cluster)["auths"]) == ["ghcr.io"]
    assert [asked.method for asked in cluster.asked] == ["PATCH", "GET", "PATCH", "PATCH"]


async def test_namespaces_that_are_gone_are_forgotten(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """Listing forgets what was written in namespaces that are no more, so that no old login stays in memory."""
    target = make_target(namespaces=["pr-*"])
    for number in range(20):
        cluster.add_namespace(f"pr-{number}")
        await target.apply(f"pr-{number}/regcred", [entry(password=f"password-{number}", generation=number + 1)])
        if number:
            cluster.delete_namespace(f"pr-{number}")
        assert await target.placements() == ["pr-0/regcred"]
    assert list(target._written) == ["pr-0/regcred"]


async def test_namespace_that_came_while_listing_is_remembered(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]
) -> None:
    """A list that is older than a write does not make that write forgotten."""
    target = make_target(namespaces=["pr-*"])
    cluster.add_namespace("pr-1")
    is_written = asyncio.Event()

    async def late(_: web.Request) -> web.Response:
        await is_written.wait()
        return web.json_response({"metadata": {}, "items": []})

    cluster.faults.append(Fault(lambda request: request.path == "/api/v1/namespaces", late))
    listing = asyncio.create_task(target.placements())
    await asyncio.sleep(0)
    await target.apply("pr-1/regcred", one)
    is_written.set()
    assert await listing == []
    assert list(target._written) == ["pr-1/regcred"]
