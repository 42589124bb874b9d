"""Telling objects of a new login, in the background: the Secret is right already, whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from rotator.domain.model import Entry
from rotator.errors import RotatorError
from rotator.targets.context import TargetContext
from rotator.targets.kubernetes.client import KubernetesApi
from rotator.targets.kubernetes.listener import Listener, Occasion, is_due, nudging_patch, told

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 600.0

_log: Any = structlog.get_logger(__name__)


class Nudger:
    """Tells the listeners of one Secret, in the background, again and again until each was told.

    Args:
        target: The target's name, for the log.
        listeners: Who is told; may be none.
        secret: The Secret's name.
        api: Tells them.
        context: The world.
    """

    def __init__(
        self, target: str, listeners: Sequence[Listener], secret: str, api: KubernetesApi, context: TargetContext
    ) -> None:
        self._target = target
        self._listeners = listeners
        self._secret = secret
        self._api = api
        self._context = context
        self._running: dict[str, tuple[str, asyncio.Task[None]]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether something is still to be told."""
        return bool(self._running)

    @property
    def namespaces(self) -> frozenset[str]:
        """In which namespaces something is still to be told."""
        return frozenset(self._running)

    def give_up(self, namespaces: Iterable[str]) -> None:
        """Stop telling in ``namespaces``: they are gone, or none of the target's any more. Safe to repeat."""
        for namespace in namespaces:
            _, task = self._running.pop(namespace, ("", None))
            if task is not None:
                task.cancel()

    def nudge(self, namespace: str, entries: Sequence[Entry], occasion: Occasion) -> None:
        """Begin to tell the listeners in ``namespace`` that the Secret holds ``entries``. Returns at once.

        What is still being told there of an older generation is given up for it.
        """
        if not self._listeners:
            return
        news = told(entries)
        before, task = self._running.get(namespace, ("", None))
        if task is not None and before == news:
            return
        if task is not None:
            task.cancel()
            occasion = Occasion.CHANGED
        self._running[namespace] = news, asyncio.create_task(self._tell_all(namespace, news, occasion))

    async def close(self) -> None:
        """Give up what is still to be told. Safe to repeat."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._running.clear()

    async def _tell_all(self, namespace: str, news: str, occasion: Occasion) -> None:
        left, pause = list(self._listeners), FIRST_PAUSE_SECONDS
        while left := [one for one in left if not await self._tell(namespace, one, news, occasion)]:
            await self._context.clock.sleep(pause * (0.5 + self._context.random() / 2))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        del self._running[namespace]

    async def _tell(self, namespace: str, listener: Listener, news: str, occasion: Occasion) -> bool:
        """Return whether ``listener`` knows; what prevents it is logged."""
        about = {"target": self._target, "namespace": namespace, "object": f"{listener.resource}/{listener.name}"}
        try:
            body = await self._api.get_object(listener.ask("get", namespace))
            if is_due(body, self._secret, news, occasion):
                patch = nudging_patch(listener.way, self._secret, news, self._context.clock.now())
                await self._api.patch_object(listener.ask("patch", namespace), patch)
                _log.info("kubernetes_nudged", **about, way=listener.way.value, generations=news)
        except RotatorError as error:
            _log.warning("kubernetes_nudge_failed", **about, error=error.code, message=str(error))
            return False
        return True
