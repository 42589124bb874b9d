"""A target with ``watch_secrets`` tells which of its Secrets somebody else changed, and sees no secret on the way."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from rotator.domain.model import Entry
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.targets.context import TargetContext
from rotator.targets.kubernetes import KubernetesTarget
from rotator.targets.kubernetes.secret_watch import SecretWatch

TOKEN = "rotator-token-5d1f"
WATCH = "/api/v1/secrets?watch=true&fieldSelector=metadata.name%3Dregcred"
MakeTarget = Callable[..., KubernetesTarget]
MakeEntry = Callable[..., Entry]


@contextlib.asynccontextmanager
async def following(target: KubernetesTarget) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Hand over a function that waits for the next change, at most five seconds."""
    changes = target.changes()

    async def change() -> str:
        async with asyncio.timeout(60):
            return await anext(changes)

    try:
        yield change
    finally:
        await changes.aclose()  # type: ignore[attr-defined]  # an async generator behind the port's iterator


def edit(cluster: SandboxKubernetes, namespace: str, name: str = "regcred", text: str = "{}") -> None:
    """Put another content into a Secret, as somebody else does."""
    data = {".dockerconfigjson": base64.b64encode(text.encode()).decode()}
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson"}
    cluster.set_secret(namespace, {**body, "metadata": {"name": name}, "data": data})


async def test_an_edit_is_told_and_our_own_writes_are_not(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """Somebody's edit of a placement comes with its name; what the target wrote itself, and other Secrets, do not."""
    target = make_target(watch_secrets=True)
    for placement in ("web/regcred", "db/regcred"):
        await target.apply(placement, [entry()])
    cluster.add_namespace("other")
    async with following(target) as change:
        waiting = asyncio.ensure_future(change())
        async with asyncio.timeout(60):
            while not cluster.secret_watchers:
                await asyncio.sleep(0)
        await target.apply("web/regcred", [entry(password="second", generation=2)])
        edit(cluster, "other")
        edit(cluster, "db", "something-else")
        edit(cluster, "db", text='{"auths":{}}')
        assert await waiting == "db/regcred"


async def test_what_is_there_already_is_told_first(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """What may have changed while nobody watched is looked at once when the watch begins."""
    edit(cluster, "web")
    async with following(make_target(watch_secrets=True)) as change:
        assert await change() == "web/regcred"


async def test_a_deletion_is_told(cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry) -> None:
    """A Secret that somebody deletes is told, too."""
    target = make_target(watch_secrets=True)
    await target.apply("web/regcred", [entry()])
    async with following(target) as change:
        waiting = asyncio.ensure_future(change())
        async with asyncio.timeout(60):
            while not cluster.secret_watchers:
                await asyncio.sleep(0)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
            await http.delete(f"{cluster.url}/api/v1/namespaces/web/secrets/regcred")
        assert await waiting == "web/regcred"


async def test_a_watch_that_ends_is_begun_again(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """What changed while the server was away is told after it, and what did not change is not told twice."""
    edit(cluster, "web")
    edit(cluster, "db")
    async with following(make_target(watch_secrets=True)) as change:
        assert {await change(), await change()} == {"web/regcred", "db/regcred"}
        cluster.close_watches()
        edit(cluster, "db", text='{"auths":{}}')
        assert await change() == "db/regcred"


async def test_without_the_option_nothing_is_watched(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """By default the target asks for no watch of Secrets, and needs no right to."""
    target = make_target()
    waiting = asyncio.ensure_future(anext(target.changes()))
    for _ in range(50):
        await asyncio.sleep(0)
    waiting.cancel()
    assert (cluster.secret_watchers, ("watch", "secrets") in cluster.verbs_used()) == (0, False)


@pytest.mark.parametrize(
    ("names", "query", "status"),
    [
        (["regcred"], WATCH, 200),
        (["other"], WATCH, 403),
        (["regcred"], "/api/v1/secrets?watch=true", 403),
        (["regcred"], "/api/v1/secrets?watch=true&fieldSelector=metadata.name%3Dregcred,type%3DOpaque", 403),
    ],
    ids=["by name", "another name", "all", "more than the name"],
)
async def test_the_sandbox_limits_a_watch_by_name(
    cluster: SandboxKubernetes, names: list[str], query: str, status: int
) -> None:
    """A right that is limited by ``resourceNames`` allows a watch of that one name, and no other."""
    cluster.add_token(
        "limited", [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": ["watch"]}]
    )
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer limited"}) as http,
        http.get(f"{cluster.url}{query}") as answer,
    ):
        assert answer.status == status


async def test_metadata_holds_no_secret(cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry) -> None:
    """I6: asked as the target asks, the server sends no content."""
    await make_target().apply("web/regcred", [entry()])
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": accept}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(f"{cluster.url}{WATCH}") as answer:
        line = (await answer.content.readline()).decode()
    assert '"regcred"' in line
    assert '"data":' not in line


async def test_what_is_gone_is_forgotten(
    cluster: SandboxKubernetes, make_target: MakeTarget, context: TargetContext
) -> None:
    """Of a Secret that was deleted no version is kept, whether that was seen or happened between two watches."""
    told: list[tuple[str, str]] = []
    for namespace in ("web", "db"):
        edit(cluster, namespace)
    watch = SecretWatch(make_target()._api, "regcred", context)
    task = asyncio.create_task(watch.follow(lambda namespace, version: told.append((namespace, version))))
    async with asyncio.timeout(60):
        while len(told) < 2:
            await asyncio.sleep(0)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
            await http.delete(f"{cluster.url}/api/v1/namespaces/db/secrets/regcred")
        while ("db", "") not in told:
            await asyncio.sleep(0)
        assert set(watch._versions) == {"web"}
        cluster.close_watches()
        cluster.delete_namespace("web")
        while watch._versions:
            cluster.close_watches()
            await asyncio.sleep(0)
    task.cancel()
