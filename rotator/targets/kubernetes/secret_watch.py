"""Follows the Secrets of one name in all namespaces, by their metadata: which of them were changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rotator.errors import RotatorError, UnavailableError
from rotator.targets.context import TargetContext
from rotator.targets.kubernetes.client import KubernetesApi
from rotator.targets.kubernetes.watch import IDLE_SECONDS, SHORTEST_DELAY_SECONDS, delay_after


class SecretWatch:
    """Tells which Secret was changed, created or deleted. No content passes through it.

    Every watch begins with what is there; what was seen at that version before is not told again.

    Args:
        api: The API server.
        name: Name of the Secrets.
        context: For the clock and the jitter.
        idle: Seconds of silence after which a watch is dead, > 0.
    """

    def __init__(self, api: KubernetesApi, name: str, context: TargetContext, idle: float = IDLE_SECONDS) -> None:
        self._api = api
        self._name = name
        self._context = context
        self._idle = idle
        self._versions: dict[str, str] = {}

    async def follow(self, changed: Callable[[str, str], None]) -> None:
        """Call ``changed`` with namespace and resource version, the latter empty once it is gone. Never ends by itself.

        Errors are waited out with growing, jittered delays.
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

    async def _round(self, changed: Callable[[str, str], None]) -> None:
        """Watch until the server ends it, then forget what it did not show: that is gone."""
        shown: set[str] = set()
        async with self._api.watch_secrets(self._name, self._idle) as events:
            async for event in events:
                kind, (namespace, version) = event.get("type"), _identity(event.get("object"))
                if kind == "ERROR":
                    raise UnavailableError("watch secrets: the server reports an error in the stream", cause="protocol")
                if not namespace:  # a bookmark has none
                    continue
                shown.add(namespace)
                self._note(namespace, "" if kind == "DELETED" else version, changed)
        self._versions = {namespace: version for namespace, version in self._versions.items() if namespace in shown}

    def _note(self, namespace: str, version: str, changed: Callable[[str, str], None]) -> None:
        if version and self._versions.get(namespace) == version:
            return
        if version:
            self._versions[namespace] = version
        else:
            self._versions.pop(namespace, None)
        changed(namespace, version)


def _identity(body: Any) -> tuple[str, str]:
    """Return namespace and resource version of an object; empty where it has none."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(metadata, dict):
        return "", ""
    namespace, version = metadata.get("namespace"), metadata.get("resourceVersion")
    return (namespace if isinstance(namespace, str) else ""), (version if isinstance(version, str) else "")
