"""Namespaces of the Kubernetes sandbox are listed and watched as the reference documentation of Kubernetes says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from rotator.sandbox.kubernetes import SandboxKubernetes

NAMESPACES = "/api/v1/namespaces"
HEADERS = {"Authorization": "Bearer admin-token"}


@dataclass
class Client:
    """Asks the sandbox as an administrator."""

    server: SandboxKubernetes
    http: aiohttp.ClientSession

    async def get(self, query: str) -> tuple[int, Any]:
        """Return status and parsed body of a list."""
        async with self.http.get(f"{self.server.url}{NAMESPACES}?{query}", headers=HEADERS) as answer:
            return answer.status, await answer.json()

    async def watch(self, query: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of a watch."""
        url = f"{self.server.url}{NAMESPACES}?watch=true&{query}"
        async with self.http.get(url, headers=HEADERS) as answer:
            async for line in answer.content:
                yield json.loads(line)


@pytest.fixture
async def server() -> AsyncIterator[SandboxKubernetes]:
    """Return a cluster with one namespace and an administrator."""
    async with SandboxKubernetes(bookmark_seconds=0.05) as sandbox:
        sandbox.add_token("admin-token")
        sandbox.add_namespace("web", {"team": "web"})
        yield sandbox


@pytest.fixture
def call(server: SandboxKubernetes, http: aiohttp.ClientSession) -> Client:
    """Return an administrator."""
    return Client(server, http)


async def version_now(call: Client) -> str:
    """Return the version to watch from."""
    _, body = await call.get("")
    return str(body["metadata"]["resourceVersion"])


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        pytest.param("", ["db", "shop", "web"], id="all"),
        pytest.param("team=web", ["shop", "web"], id="equal"),
        pytest.param("team==web,env=prod", ["shop"], id="both"),
        pytest.param("team!=web", ["db"], id="not equal matches those without"),
        pytest.param("env in (prod, stage)", ["shop"], id="in"),
        pytest.param("env notin (prod)", ["db", "web"], id="not in"),
        pytest.param("env", ["shop"], id="exists"),
        pytest.param("!env", ["db", "web"], id="does not exist"),
        pytest.param("kubernetes.io/metadata.name=db", ["db"], id="by name"),
    ],
)
async def test_list_by_selector(server: SandboxKubernetes, call: Client, selector: str, names: list[str]) -> None:
    """A list holds what the label selector says."""
    server.add_namespace("shop", {"team": "web", "env": "prod"})
    server.add_namespace("db")
    _, body = await call.get(f"labelSelector={quote(selector, safe='')}")
    assert [item["metadata"]["name"] for item in body["items"]] == names


async def test_bad_selector_is_400(call: Client) -> None:
    """A selector that cannot be read is a bad request."""
    assert (await call.get("labelSelector=a%20b%20c"))[0] == 400


async def test_list_in_pages(server: SandboxKubernetes, call: Client) -> None:
    """A limited list goes on where it stopped; after a compaction its token is worth nothing."""
    server.add_namespace("api")
    _, first = await call.get("limit=1")
    token = first["metadata"]["continue"]
    _, second = await call.get(f"limit=1&continue={token}")
    names = [page["items"][0]["metadata"]["name"] for page in (first, second)]
    server.add_namespace("new")
    server.compact()
    status, _ = await call.get(f"limit=1&continue={token}")
    assert (names, status) == (["api", "web"], 410)
    assert "continue" not in second["metadata"]


async def test_garbage_page_is_400(call: Client) -> None:
    """A continue token that is none is a bad request."""
    assert (await call.get("continue=xx"))[0] == 400


def told(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return type and name of an event."""
    return event["type"], event["object"]["metadata"].get("name", "")


async def test_watch_by_selector(server: SandboxKubernetes, call: Client) -> None:
    """What starts to match is added, what stops to match is deleted, what never matched is not told."""
    version = await version_now(call)
    server.add_namespace("db")
    server.add_namespace("shop", {"team": "web"})
    server.terminate_namespace("shop")
    server.add_namespace("web", {})
    server.delete_namespace("shop")
    events = call.watch(f"resourceVersion={version}&labelSelector=team%3Dweb&timeoutSeconds=0.2")
    assert [told(event) async for event in events] == [
        ("ADDED", "shop"),
        ("MODIFIED", "shop"),
        ("DELETED", "web"),
        ("DELETED", "shop"),
    ]


async def test_watch_is_live_and_bookmarked(server: SandboxKubernetes, call: Client) -> None:
    """A quiet watch gets bookmarks with the newest version; a change is told at once; closing ends it."""
    events = call.watch(f"resourceVersion={await version_now(call)}&allowWatchBookmarks=true")
    async with asyncio.timeout(5):
        bookmark = await anext(events)
        server.add_namespace("shop")
        added = await anext(events)
        while added["type"] == "BOOKMARK":
            added = await anext(events)
        server.close_watches()
        rest = [event["type"] async for event in events]
    assert bookmark["type"] == "BOOKMARK"
    assert told(added) == ("ADDED", "shop")
    assert set(rest) <= {"BOOKMARK"}
    assert server.watchers == 0


async def test_watch_without_a_version_starts_with_everything(call: Client) -> None:
    """Without a resource version everything there is comes first."""
    assert [told(event) async for event in call.watch("timeoutSeconds=0.1")] == [("ADDED", "web")]


async def test_watch_from_too_old_a_version_is_gone(server: SandboxKubernetes, call: Client) -> None:
    """The watch cache answers in the stream: an ERROR event with a Status 410."""
    server.add_namespace("shop")
    server.compact()
    (event,) = [event async for event in call.watch("resourceVersion=1")]
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_watch_from_garbage_is_400(call: Client) -> None:
    """A version that is none is a bad request."""
    assert (await call.get("watch=true&resourceVersion=x"))[0] == 400
