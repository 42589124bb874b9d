"""The calls we make to an API server, and no others.

Source: https://kubernetes.io/docs/reference/using-api/ (reference documentation of Kubernetes): server-side apply,
API concepts (lists in pages, watches with bookmarks), JSON Patch.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from rotator.errors import UnavailableError
from rotator.ports import Clock
from rotator.targets.kubernetes.access import Access, Connection
from rotator.targets.kubernetes.refusal import Ask, check_answer, parse_object
from rotator.transport import Request, Response, Transport

FIELD_MANAGER = "rotator"
PAGE = 250
"""Namespaces per page of a list, so that a page stays far below the transport's cap."""
WATCH_SECONDS = 600
"""After which the server ends a watch by itself, so that no dead one lasts."""

_LOOK_EVERY_SECONDS = 1.0
_LOGINS = 2
"""A refused token or certificate is looked for once more: it may have been renewed just now."""
_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_LIST = Ask("list", "namespaces")
_WATCH = Ask("watch", "namespaces")
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Asks for an object's metadata instead of the object."""


class Conflicts(StrEnum):
    """What an apply does about fields that somebody else owns with another value."""

    REFUSE = "false"
    TAKE = "true"


class KubernetesApi:
    """A thin client for one API server.

    Args:
        target: The target's name, for messages.
        access: The way to the server.
        transport: Sends the requests.
        clock: Says when to look at the kubeconfig's files again.
    """

    def __init__(self, target: str, access: Access, transport: Transport, clock: Clock) -> None:
        self._target = target
        self._access = access
        self._transport = transport
        self._clock = clock
        self._connection: Connection | None = None
        self._sent: dict[str, dict[str, str]] = {}
        self._looked_at = 0.0

    def close(self) -> None:
        """Let go of what the access holds. Safe to repeat."""
        self._access.close()

    async def get_secret(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a Secret. Secret. Needs ``get``.

        Raises:
            NotFoundError: There is none. Others as `check_answer` and the transport.
        """
        ask = Ask("get", "secrets", namespace, name)
        return parse_object(await self._send(ask, "GET", _path(ask)), ask, self._target)

    async def apply_secret(self, namespace: str, name: str, body: bytes, conflicts: Conflicts) -> dict[str, Any]:
        """Apply ``body`` server-side and return the Secret as it is now. Idempotent. Secret.

        Needs ``patch``, and ``create`` where there is none yet; both may be limited by ``resourceNames``, because
        the API server authorises the creation with the name (``k8s.io/apiserver`` handlers/patch.go, read 2026-11-23).

        Raises:
            ConflictError: Others own a field and ``conflicts`` is REFUSE, or the resource version in ``body`` is
                not the current one. Others as `check_answer` and the transport.
        """
        ask = Ask("patch", "secrets", namespace, name)
        url = f"{_path(ask)}?fieldManager={FIELD_MANAGER}&force={conflicts.value}"
        return parse_object(await self._send(ask, "PATCH", url, body, _APPLY), ask, self._target)

    async def replace_secret(self, namespace: str, name: str, body: bytes) -> dict[str, Any]:
        """Replace a Secret whose resource version is the one in ``body``; return it as it is now. Secret.

        Needs ``update``. A repetition conflicts with the first try instead of doing it twice.

        Raises:
            ConflictError: It was changed in between. Others as `check_answer` and the transport.
        """
        ask = Ask("update", "secrets", namespace, name)
        url = f"{_path(ask)}?fieldManager={FIELD_MANAGER}"
        return parse_object(await self._send(ask, "PUT", url, body, _JSON), ask, self._target)

    async def get_service_account(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a ServiceAccount. Needs ``get``.

        Raises:
            NotFoundError: There is none (yet). Others as `check_answer` and the transport.
        """
        ask = Ask("get", "serviceaccounts", namespace, name)
        return parse_object(await self._send(ask, "GET", _path(ask)), ask, self._target)

    async def patch_service_account(
        self, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Apply a JSON Patch to a ServiceAccount. Needs ``patch``.

        Raises:
            UnsupportedError: A ``test`` failed (the server answers 422). Others as `check_answer` and the transport.
        """
        ask = Ask("patch", "serviceaccounts", namespace, name)
        body = json.dumps(operations).encode()
        return parse_object(await self._send(ask, "PATCH", _path(ask), body, _JSON_PATCH), ask, self._target)

    async def get_object(self, ask: Ask) -> dict[str, Any]:
        """Return the object of another API group that ``ask`` names. Needs ``get``.

        Raises:
            NotFoundError: There is none. Others as `check_answer` and the transport.
        """
        return parse_object(await self._send(ask, "GET", _path(ask)), ask, self._target)

    async def patch_object(self, ask: Ask, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merge ``patch`` into the object that ``ask`` names, as RFC 7386 says. Idempotent. Needs ``patch``.

        Raises:
            As `get_object`.
        """
        url = f"{_path(ask)}?fieldManager={FIELD_MANAGER}"
        response = await self._send(ask, "PATCH", url, json.dumps(patch).encode(), _MERGE_PATCH)
        return parse_object(response, ask, self._target)

    async def list_namespaces(self, selector: str) -> tuple[list[Any], str]:
        """Return the namespace objects that match ``selector`` and the version to watch from. Needs ``list``.

        Raises:
            NotFoundError: The list changed so long that a page is gone (410). Others as `check_answer`.
        """
        query = f"limit={PAGE}" + (f"&labelSelector={quote(selector, safe='')}" if selector else "")
        items: list[Any] = []
        page = ""
        while True:
            response = await self._send(_LIST, "GET", f"/api/v1/namespaces?{query}{page}")
            body = parse_object(response, _LIST, self._target)
            metadata = body.get("metadata")
            if not isinstance(metadata, dict) or not isinstance(body.get("items", []), list):
                raise UnavailableError(f"{self._target}: {_LIST}: the answer is not a list", cause="protocol")
            items += body.get("items", [])
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion", ""))
            page = f"&continue={quote(str(metadata['continue']), safe='')}"

    @asynccontextmanager
    async def watch_namespaces(self, selector: str, version: str, idle: float) -> AsyncIterator[AsyncIterator[Any]]:
        """Hand over the events of namespaces since ``version``, parsed. Needs ``watch``.

        The events end when the server ends them. ``idle`` seconds without a line raise UnavailableError: a watch
        that is silent though bookmarks were asked for is dead.
        """
        chosen = f"&labelSelector={quote(selector, safe='')}" if selector else ""
        query = f"watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}"
        connection = await self._access.connect()
        url = f"{connection.server}/api/v1/namespaces?{query}&resourceVersion={quote(version, safe='')}{chosen}"
        async with self._transport.stream(
            connection.peer, url, headers={"Accept": _JSON, **connection.headers}, idle=idle
        ) as (
            response,
            lines,
        ):
            check_answer(response, _WATCH, self._target)
            yield _events(lines, _WATCH, self._target)

    @asynccontextmanager
    async def watch_secrets(self, name: str, idle: float) -> AsyncIterator[AsyncIterator[Any]]:
        """Hand over the events of the Secrets called ``name`` in all namespaces, from what is there now on, parsed.

        The objects have metadata only: no secret travels. Needs ``watch``, which ``resourceNames`` may limit: the
        server takes the name in the field selector for the request's (``k8s.io/apiserver`` handlers/get.go, read
        2026-11-28). Ends and raises as `watch_namespaces`.
        """
        ask = Ask("watch", "secrets", name=name)
        query = f"watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}"
        connection = await self._access.connect()
        url = f"{connection.server}/api/v1/secrets?{query}&fieldSelector=metadata.name%3D{quote(name, safe='')}"
        headers = {"Accept": _METADATA, **connection.headers}
        async with self._transport.stream(connection.peer, url, headers=headers, idle=idle) as (response, lines):
            check_answer(response, ask, self._target)
            yield _events(lines, ask, self._target)

    async def is_allowed(self, ask: Ask) -> bool:
        """Return whether we may do ``ask``, by a SelfSubjectAccessReview, which every known user may make."""
        wanted = {
            "verb": ask.verb,
            "group": ask.group,
            "resource": ask.resource,
            "namespace": ask.namespace,
            "name": ask.name,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        review = Ask("create", "selfsubjectaccessreviews", group="authorization.k8s.io")
        response = await self._send(review, "POST", _REVIEWS, json.dumps(body).encode(), _JSON)
        status = parse_object(response, review, self._target).get("status")
        return isinstance(status, dict) and status.get("allowed") is True

    async def _send(
        self, ask: Ask, method: str, path: str, body: bytes | None = None, content_type: str = ""
    ) -> Response:
        for _ in range(_LOGINS):
            connection = await self._connected()
            url, headers = connection.server + path, self._headers(connection, content_type)
            response = await self._transport.send(connection.peer, Request(method, url, headers, body, ask.verb))
            if response.status != 401:  # noqa: PLR2004
                break
            self._access.reject(connection)
            self._connection = None
        return check_answer(response, ask, self._target)

    async def _connected(self) -> Connection:
        """Return the connection as the files said at most a second ago: a rotation asks thousands of times."""
        now = self._clock.monotonic()
        if self._connection is None or now >= self._looked_at + _LOOK_EVERY_SECONDS:
            self._connection, self._looked_at = await self._access.connect(), now
            self._sent.clear()
        return self._connection

    def _headers(self, connection: Connection, content_type: str) -> dict[str, str]:
        sent = self._sent.get(content_type)
        if sent is None:
            kind = {"Content-Type": content_type} if content_type else {}
            sent = self._sent[content_type] = {"Accept": _JSON, **kind, **connection.headers}
        return sent


def _path(ask: Ask) -> str:
    root = f"/apis/{ask.group}/{ask.version}" if ask.group else "/api/v1"
    return f"{root}/namespaces/{_quoted(ask.namespace)}/{ask.resource}/{_quoted(ask.name)}"


@lru_cache(maxsize=1 << 16)
def _quoted(name: str) -> str:
    return quote(name, safe="")


async def _events(lines: AsyncIterator[bytes], ask: Ask, target: str) -> AsyncIterator[Any]:
    async for line in lines:
        if line.strip():
            yield parse_object(Response(200, {}, line), ask, target)
