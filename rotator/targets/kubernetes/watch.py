"""Follows the namespaces of a cluster: list, watch, list again when the watch breaks or the resync is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rotator.errors import RotatorError, TemporaryError, UnavailableError
from rotator.targets.context import TargetContext
from rotator.targets.kubernetes.client import KubernetesApi
from rotator.targets.kubernetes.namespaces import Namespace, Selection, parse_namespace, select

IDLE_SECONDS = 300.0
"""A watch with bookmarks is never silent for that long; a server sends one about every minute."""
LONGEST_DELAY_SECONDS = 60.0
SHORTEST_DELAY_SECONDS = 0.5
_LARGEST_EXPONENT = 6
_GONE = 410


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long.

    Args:
        resync: Seconds between two lists, > 0.
        idle: Seconds of silence after which a watch is dead, > 0.
    """

    resync: float
    idle: float = IDLE_SECONDS


class NamespaceWatch:
    """Tells when the set of selected namespaces changed.

    Args:
        api: The API server.
        selection: Which namespaces are meant.
        context: For the clock and the jitter.
        pace: How often and how long.
    """

    def __init__(self, api: KubernetesApi, selection: Selection, context: TargetContext, pace: Pace) -> None:
        self._api = api
        self._selection = selection
        self._context = context
        self._pace = pace
        self._namespaces: dict[str, Namespace] = {}
        self._told: list[str] | None = None

    async def follow(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` after the first list and whenever the set is another one. Never ends by itself.

        Errors are waited out with growing, jittered delays; two requests are never less than half a second apart.
        """
        failures = 0
        while True:
            try:
                await self._round(changed)
                failures = 0
                delay = SHORTEST_DELAY_SECONDS + self._context.random() / 2
            except RotatorError as error:
                failures += 1
                delay = delay_after(failures, error, self._context.random())
            await self._context.clock.sleep(delay)

    async def _round(self, changed: Callable[[], None]) -> None:
        """List once, then watch until the resync is due or the history is gone."""
        items, version = await self._api.list_namespaces(self._selection.selector)
        found = [namespace for item in items if (namespace := parse_namespace(item))]
        self._namespaces = {namespace.name: namespace for namespace in found}
        self._tell(changed)
        try:
            async with asyncio.timeout(self._pace.resync):
                while version:
                    version = await self._watch(version, changed)
                    await self._context.clock.sleep(SHORTEST_DELAY_SECONDS + self._context.random() / 2)
        except TimeoutError:
            return

    async def _watch(self, version: str, changed: Callable[[], None]) -> str:
        """Return the version to go on from when the server ended the watch; empty when it has to be a list."""
        async with self._api.watch_namespaces(self._selection.selector, version, self._pace.idle) as events:
            async for event in events:
                body = event.get("object")
                if event.get("type") == "ERROR":
                    return self._after_error(body)
                version = _version_in(body) or version
                self._note(event.get("type"), parse_namespace(body))
                self._tell(changed)
        return version

    def _after_error(self, status: object) -> str:
        if isinstance(status, dict) and status.get("code") == _GONE:
            return ""
        raise UnavailableError("watch namespaces: the server reports an error in the stream", cause="protocol")

    def _note(self, kind: object, namespace: Namespace | None) -> None:
        if namespace is None:  # a bookmark
            return
        if kind == "DELETED":
            self._namespaces.pop(namespace.name, None)
        else:
            self._namespaces[namespace.name] = namespace

    def _tell(self, changed: Callable[[], None]) -> None:
        selected = select(self._selection, self._namespaces.values())
        if selected != self._told:
            self._told = selected
            changed()


def delay_after(failures: int, error: RotatorError, jitter: float) -> float:
    """Return how many seconds to wait after the ``failures``-th failure in a row.

    Args:
        failures: 1 after the first.
        error: What happened; its ``retry_after`` is a lower bound.
        jitter: A draw from [0, 1).

    Returns:
        At least half a second, at most a minute unless the server asked for more.
    """
    longest = min(LONGEST_DELAY_SECONDS, float(2 ** min(failures, _LARGEST_EXPONENT)))
    delay = max(SHORTEST_DELAY_SECONDS, longest * jitter)
    asked = error.retry_after if isinstance(error, TemporaryError) else None
    return max(delay, asked.total_seconds()) if asked else delay


def _version_in(body: Any) -> str:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else ""
