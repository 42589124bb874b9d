"""Watches of Secrets of one name in the whole Kubernetes sandbox: state first, then changes, with bookmarks.

Only what the daemon asks for: a watch from now on (no resource version: the server begins with an ``ADDED`` for each
object that exists), limited by ``fieldSelector=metadata.name=...``, as whole objects or as their metadata.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ (semantics for watch, metadata-only fetches); that
``resourceNames`` limits such a watch: https://kubernetes.io/docs/reference/access-authn-authz/rbac/ (read 2026-11-28).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from rotator.sandbox.kubernetes_status import bad_request
from rotator.sandbox.kubernetes_store import Objects, StoredSecret

_CLOSE = None
_BY_NAME = "metadata.name="
_AS_METADATA = "as=PartialObjectMetadata;"

Change = tuple[str, dict[str, Any]]
"""``ADDED``, ``MODIFIED`` or ``DELETED``, and the Secret. Secret."""


def watched_name(query: Mapping[str, str]) -> str:
    """Return the name that a list or watch is limited to; empty when it is not. RBAC takes it for the object's name."""
    selector = query.get("fieldSelector", "")
    return selector.removeprefix(_BY_NAME) if selector.startswith(_BY_NAME) and "," not in selector else ""


class SecretFeed:
    """Serves the collection of all Secrets.

    Args:
        objects: What there is.
        bookmark_seconds: After how many quiet seconds a watcher that allows bookmarks gets one.
    """

    def __init__(self, objects: Objects, bookmark_seconds: float) -> None:
        self._objects = objects
        self._bookmark_seconds = bookmark_seconds
        self._queues: set[asyncio.Queue[Change | None]] = set()

    @property
    def watchers(self) -> int:
        """Return how many watches are open."""
        return len(self._queues)

    def publish(self, kind: str, secret: StoredSecret) -> None:
        """Tell every watch of a change."""
        for queue in self._queues:
            queue.put_nowait((kind, secret.body()))

    def close_watches(self) -> None:
        """End every open watch, as a server does that restarts."""
        for queue in self._queues:
            queue.put_nowait(_CLOSE)

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """Answer with one JSON event a line until the client leaves, time is up or `close_watches`.

        Raises:
            RefusedError: 400 for a watch from a version, which this sandbox does not keep.
        """
        if request.query.get("resourceVersion", "") not in {"", "0"}:
            raise bad_request("the sandbox keeps no history of secrets")
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        for change in self._state():
            queue.put_nowait(change)
        self._queues.add(queue)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            await response.prepare(request)
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                async with asyncio.timeout(float(request.query.get("timeoutSeconds") or 3600)):
                    await self._send(request, response, queue)
        finally:
            self._queues.discard(queue)
        return response

    def _state(self) -> Iterator[Change]:
        for secrets in self._objects.secrets.values():
            for secret in secrets.values():
                yield "ADDED", secret.body()

    async def _send(
        self, request: web.Request, response: web.StreamResponse, queue: asyncio.Queue[Change | None]
    ) -> None:
        name, as_metadata = watched_name(request.query), _AS_METADATA in request.headers.get("Accept", "")
        while True:
            try:
                change = await asyncio.wait_for(queue.get(), self._bookmark_seconds)
            except TimeoutError:
                if request.query.get("allowWatchBookmarks") == "true":
                    await response.write(_line("BOOKMARK", self._bookmark()))
                continue
            if change is _CLOSE:
                return
            kind, body = change
            if name in {"", body["metadata"]["name"]}:
                await response.write(_line(kind, _metadata_of(body) if as_metadata else body))

    def _bookmark(self) -> dict[str, Any]:
        metadata = {"resourceVersion": str(self._objects.version), "creationTimestamp": None}
        return {"kind": "Secret", "apiVersion": "v1", "metadata": metadata}


def _metadata_of(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"]}


def _line(kind: str, body: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"
