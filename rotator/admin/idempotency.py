"""`Answers`: the same key gets the same answer, however often and however concurrently it is sent."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rotator.admin.failure import KeyReusedError

MAX_ANSWERS = 1024
"""More are not remembered; the oldest is forgotten first. A restart forgets all."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[Answer]):
    request: tuple[str, ...]
    task: asyncio.Task[Answer]


class Answers(Generic[Answer]):
    """Remembers answers by key; what failed is not remembered, so that it can be tried again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], _Kept[Answer]] = OrderedDict()

    async def once(
        self, key: tuple[str, str], request: tuple[str, ...], act: Callable[[], Coroutine[Any, Any, Answer]]
    ) -> Answer:
        """Return what ``act`` returned the first time that ``key`` was seen, and call it only then.

        Args:
            key: The caller's name and the key they sent.
            request: What was asked; must be equal whenever the key is.
            act: Does what was asked. Goes on when whoever waits for it goes away.

        Raises:
            KeyReusedError: The key was sent with another request before. Otherwise, whatever ``act`` raises.
        """
        kept = self._kept.get(key)
        if kept is None:
            kept = self._keep(key, _Kept(request, asyncio.create_task(act(), name="admin request")))
        if kept.request != request:
            raise KeyReusedError(
                "this idempotency key was used for another request", hint="Send a new key with each new request"
            )
        return await asyncio.shield(kept.task)

    def _keep(self, key: tuple[str, str], kept: _Kept[Answer]) -> _Kept[Answer]:
        self._kept[key] = kept
        if len(self._kept) > MAX_ANSWERS:
            self._kept.popitem(last=False)

        def forget_failure(task: asyncio.Task[Answer]) -> None:
            if (task.cancelled() or task.exception() is not None) and self._kept.get(key) is kept:
                del self._kept[key]

        kept.task.add_done_callback(forget_failure)
        return kept
