"""Lists and watches of namespaces in the Kubernetes sandbox: pages, bookmarks, selectors, 410 Gone.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ (reference documentation of Kubernetes).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from rotator.sandbox.kubernetes_selector import Matcher, parse_selector
from rotator.sandbox.kubernetes_status import RefusedError, bad_request
from rotator.sandbox.kubernetes_store import Event, Namespace, Objects

_CLOSE = None
Query = Mapping[str, str]


class NamespaceFeed:
    """Serves the collection of namespaces.

    Args:
        objects: What there is.
        bookmark_seconds: After how many quiet seconds a watcher that allows bookmarks gets one.
    """

    def __init__(self, objects: Objects, bookmark_seconds: float) -> None:
        self._objects = objects
        self._bookmark_seconds = bookmark_seconds
        self._queues: set[asyncio.Queue[Event | None]] = set()
        objects.listeners.append(self._publish)

    @property
    def watchers(self) -> int:
        """Return how many watches are open."""
        return len(self._queues)

    def close_watches(self) -> None:
        """End every open watch, as a server does that restarts."""
        for queue in self._queues:
            queue.put_nowait(_CLOSE)

    def list_page(self, query: Query) -> dict[str, Any]:
        """Return one page of the list.

        Raises:
            RefusedError: 400 for a bad selector or page, 410 for a page of a list that is too old.
        """
        matches = _matcher(query)
        version, after = self._position(query.get("continue", ""))
        found = sorted(ns.name for ns in self._objects.namespaces.values() if _fits(ns, matches) and ns.name > after)
        limit = int(query.get("limit") or 0) or len(found)
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if len(found) > limit:
            metadata["continue"] = base64.urlsafe_b64encode(f"{version}:{found[limit - 1]}".encode()).decode()
            metadata["remainingItemCount"] = len(found) - limit
        items = [self._objects.namespaces[name].body() for name in found[:limit]]
        return {"kind": "NamespaceList", "apiVersion": "v1", "metadata": metadata, "items": items}

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """Answer with one JSON event a line until the client leaves, time is up or `close_watches`."""
        matches = _matcher(request.query)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        backlog = self._backlog(request.query.get("resourceVersion", ""))
        self._queues.add(queue)
        try:
            await response.prepare(request)
            if isinstance(backlog, RefusedError):
                await response.write(_line("ERROR", backlog.status()))
                return response
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                async with asyncio.timeout(float(request.query.get("timeoutSeconds") or 3600)):
                    await self._send(request, response, backlog, (queue, matches))
        finally:
            self._queues.discard(queue)
        return response

    async def _send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        backlog: list[Event],
        live: tuple[asyncio.Queue[Event | None], Matcher],
    ) -> None:
        queue, matches = live
        bookmarks = request.query.get("allowWatchBookmarks") == "true"
        for event in backlog:
            await _write(response, event, matches)
        async for item in self._pulses(queue):
            if item is not None:
                await _write(response, item, matches)
            elif bookmarks:
                metadata = {"resourceVersion": str(self._objects.version), "creationTimestamp": None}
                body = {"kind": "Namespace", "apiVersion": "v1", "metadata": metadata, "spec": {}, "status": {}}
                await response.write(_line("BOOKMARK", body))

    async def _pulses(self, queue: asyncio.Queue[Event | None]) -> AsyncIterator[Event | None]:
        """Yield events, and None whenever nothing happened for a while; end when told to close."""
        while True:
            try:
                event = await asyncio.wait_for(queue.get(), self._bookmark_seconds)
            except TimeoutError:
                yield None
                continue
            if event is _CLOSE:
                return
            yield event

    def _publish(self, event: Event) -> None:
        for queue in self._queues:
            queue.put_nowait(event)

    def _backlog(self, version: str) -> list[Event] | RefusedError:
        """Return what happened since ``version``, or the refusal that the first event of the watch carries."""
        if version in {"", "0"}:
            return [Event(ns.version, None, ns) for ns in self._objects.namespaces.values()]
        if not version.isdigit():
            raise bad_request(f"invalid resource version {version!r}")
        if int(version) < self._objects.compacted:
            return _expired(version, self._objects.compacted)
        return [event for event in self._objects.events if event.version > int(version)]

    def _position(self, token: str) -> tuple[int, str]:
        if not token:
            return self._objects.version, ""
        try:
            version, _, after = base64.urlsafe_b64decode(token).decode().partition(":")
            position = int(version), after
        except (binascii.Error, ValueError):
            raise bad_request("continue key is not valid") from None
        if position[0] < self._objects.compacted:
            raise _expired(version, self._objects.compacted)
        return position


def _expired(version: str, oldest: int) -> RefusedError:
    return RefusedError(410, f"too old resource version: {version} ({oldest})")


def _matcher(query: Query) -> Matcher:
    try:
        return parse_selector(query.get("labelSelector", ""))
    except ValueError as error:
        raise bad_request(str(error)) from None


def _fits(namespace: Namespace | None, matches: Matcher) -> bool:
    if namespace is None:
        return False
    return matches({**namespace.labels, "kubernetes.io/metadata.name": namespace.name})


async def _write(response: web.StreamResponse, event: Event, matches: Matcher) -> None:
    """Send ``event`` as this watcher sees it: what stops matching is deleted, what starts to match is added."""
    was, is_now = _fits(event.before, matches), _fits(event.after, matches)
    namespace = event.after or event.before
    if namespace is None or not (was or is_now):
        return
    kind = "MODIFIED" if was and is_now else "ADDED" if is_now else "DELETED"
    await response.write(_line(kind, namespace.body()))


def _line(kind: str, body: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"
