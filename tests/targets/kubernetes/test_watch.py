"""A target with patterns tells when its namespaces change, and survives what happens to watches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from aiohttp import web

from rotator.errors import NotFoundError, RateLimitedError, RotatorError
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.server import Fault
from rotator.targets.context import TargetContext
from rotator.targets.kubernetes import KubernetesTarget
from rotator.targets.kubernetes.client import KubernetesApi
from rotator.targets.kubernetes.namespaces import Selection
from rotator.targets.kubernetes.watch import NamespaceWatch, Pace, delay_after

MakeTarget = Callable[..., KubernetesTarget]
NAMESPACES = "/api/v1/namespaces"


@contextlib.asynccontextmanager
async def watching(target: KubernetesTarget) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Hand over a function that waits for the next change, at most five seconds."""
    changes = target.watch()

    async def following() -> None:
        async with asyncio.timeout(60):
            await anext(changes)

    try:
        yield following
    finally:
        await changes.aclose()  # type: ignore[attr-defined]  # an async generator behind the port's iterator


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until ``condition`` holds, at most five seconds."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0)


async def test_new_and_gone_namespaces(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """A namespace that appears, goes away or vanishes is told; one that is not selected is not."""
    target = make_target(namespaces=["w*"])
    async with watching(target) as following:
        await following()
        await until(lambda: cluster.watchers == 1)
        cluster.add_namespace("other")
        cluster.add_namespace("w-2")
        await following()
        cluster.terminate_namespace("w-2")
        await following()
        cluster.delete_namespace("web")
        await following()
        assert await target.placements() == []


async def test_labels_come_and_go(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """With a selector, a label that is put on makes a placement, and taking it off unmakes it."""
    target = make_target(namespaces={"selector": "team=web"})
    async with watching(target) as following:
        await following()
        await until(lambda: cluster.watchers == 1)
        cluster.add_namespace("db", {"team": "web"})
        await following()
        assert await target.placements() == ["db/regcred", "web/regcred"]
        cluster.add_namespace("db", {})
        await following()


async def test_plain_names_never_change(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """A target with plain names asks nothing and tells nothing."""
    changes = make_target().watch()
    waiting = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert list(cluster.asked) == []
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting


async def test_server_restart(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """When the server ends the watch, it goes on from the last version and misses nothing."""
    async with watching(make_target(namespaces=["w*"])) as following:
        await following()
        await until(lambda: cluster.watchers == 1)
        cluster.close_watches()
        cluster.add_namespace("w-2")
        await following()
    lists = [asked for asked in cluster.asked if "watch=true" not in asked.query]
    assert len(lists) == 1


async def test_history_gone(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """After 410 Gone everything is listed again."""
    async with watching(make_target(namespaces=["w*"])) as following:
        await following()
        await until(lambda: cluster.watchers == 1)
        fault = cluster.fail(503, path=NAMESPACES)
        cluster.close_watches()
        cluster.add_namespace("w-2")
        cluster.compact()
        cluster.faults.remove(fault)
        await following()


async def test_outage(cluster: SandboxKubernetes, make_target: MakeTarget, clock: object) -> None:
    """During an outage the pauses grow up to a minute; after it the change is told."""
    async with watching(make_target(namespaces=["w*"])) as following:
        await following()
        await until(lambda: cluster.watchers == 1)
        fault = cluster.fail(500, path=NAMESPACES)
        cluster.close_watches()
        before = len(cluster.asked)
        await until(lambda: len(cluster.asked) >= before + 9)
        cluster.add_namespace("w-2")
        cluster.faults.remove(fault)
        await following()
    slept: list[float] = clock.slept  # type: ignore[attr-defined]
    assert min(slept) >= 0.5
    assert slept[1:9] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@pytest.fixture
def follow(make_target: MakeTarget, context: TargetContext) -> Callable[[Pace], NamespaceWatch]:
    """Return a function that makes a watch of every namespace at a pace."""
    api: KubernetesApi = make_target(namespaces=["*"])._api
    return lambda pace: NamespaceWatch(api, Selection(("*",)), context, pace)


async def test_stalled_watch(cluster: SandboxKubernetes, follow: Callable[[Pace], NamespaceWatch]) -> None:
    """A watch without a line, bookmarks included, is dead after the idle time and is replaced."""
    task = asyncio.create_task(follow(Pace(resync=60, idle=0.05)).follow(lambda: None))
    await until(lambda: sum("watch=true" in asked.query for asked in cluster.asked) >= 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_resync(cluster: SandboxKubernetes, follow: Callable[[Pace], NamespaceWatch]) -> None:
    """A watch that lives is still backed by a list now and then; nothing is told when nothing changed."""
    told: list[None] = []
    task = asyncio.create_task(follow(Pace(resync=0.05)).follow(lambda: told.append(None)))
    await until(lambda: sum("watch=true" not in asked.query for asked in cluster.asked) >= 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == [None]


async def test_garbage_in_the_stream(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """Lines that are no events end that watch, not the watching."""
    lines = iter([b"[]\n", b"{\n", b'{"type": "ERROR", "object": {"code": 500}}\n', b'{"type": "ADDED"}\n'])

    def matches(request: web.Request) -> bool:
        return "watch" in request.query

    def answer(_: web.Request) -> web.Response:
        return web.Response(body=next(lines))

    cluster.faults.append(Fault(matches, answer, times=4))
    async with watching(make_target(namespaces=["w*"])) as following:
        await following()
        await until(lambda: cluster.watchers == 1)
        cluster.add_namespace("w-2")
        await following()


@pytest.mark.parametrize(
    ("failures", "error", "jitter", "delay"),
    [
        pytest.param(1, NotFoundError("x"), 0.0, 0.5, id="never zero"),
        pytest.param(1, NotFoundError("x"), 0.9, 1.8, id="first"),
        pytest.param(10_000, NotFoundError("x"), 0.999, 59.94, id="capped"),
        pytest.param(1, RateLimitedError("x", retry_after=timedelta(seconds=90)), 0.5, 90.0, id="asked to wait"),
        pytest.param(6, RateLimitedError("x", retry_after=timedelta(seconds=1)), 0.5, 30.0, id="asked for less"),
    ],
)
def test_delay_after(failures: int, error: RotatorError, jitter: float, delay: float) -> None:
    """The pause grows with the failures, is jittered, has a floor and a cap, and respects the server's wish."""
    assert delay_after(failures, error, jitter) == pytest.approx(delay)
