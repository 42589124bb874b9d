"""Blocking work on files, so that a file system that does not answer holds up nothing but what is on it.

Each call has a thread of its own, which nobody waits for at the end: a call that the kernel holds fast cannot be broken
off, and the event loop's few threads would soon all be held by the same dead mount.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

Done = TypeVar("Done")

AT_ONCE = 64
"""Calls that are waited for at the same time; a further one waits for its turn."""


class Disk:
    """Threads for files. For each path one call at a time, and none while one is held fast.

    So there are at most as many threads as paths.

    Args:
        at_once: How many calls are waited for at the same time.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._running: dict[str, Future[Any]] = {}
        self._late: set[str] = set()

    async def run(self, path: str, job: Callable[[], Done], seconds: float) -> Done:
        """Return what ``job`` returns, which is about ``path``, waiting ``seconds`` at most once it is its turn.

        One that is late, or whose caller went away, is left alone in its thread.

        Raises:
            TimeoutError: It did not end in time, or an earlier one that was late has not ended yet; the text says
                which. Whatever ``job`` raises.
        """
        async with self._turns[path], self._slots:
            await self._earlier(path, seconds)
            future: Future[Done] = Future()
            future.set_running_or_notify_cancel()
            self._running[path] = future
            Thread(target=_work, args=(future, job), name=f"disk {path}", daemon=True).start()
            return await self._awaited(path, future, seconds)

    async def settle(self, seconds: float) -> None:
        """Wait, ``seconds`` at most, for calls whose callers went away. Late ones are not waited for."""
        left = [one for path, one in self._running.items() if path not in self._late]
        await asyncio.gather(*(_ended(one, seconds) for one in left))

    async def _earlier(self, path: str, seconds: float) -> None:
        """Wait for a call whose caller went away."""
        earlier = self._running.get(path)
        if earlier is None or earlier.done():
            return
        if path in self._late:
            raise TimeoutError("an earlier call has not come back yet")
        await _ended(earlier, seconds)
        if not earlier.done():
            self._late.add(path)
            raise TimeoutError("an earlier call has not come back yet")

    async def _awaited(self, path: str, future: Future[Done], seconds: float) -> Done:
        self._late.discard(path)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            if not future.done():
                self._late.add(path)
            elif isinstance(future.exception(), TimeoutError):
                raise
            raise TimeoutError(f"no answer in {seconds:g} s") from error
        finally:
            if future.done():
                del self._running[path]


async def _ended(future: Future[Any], seconds: float) -> None:
    """Return when ``future`` is done, or after ``seconds``."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    future.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
    with suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), seconds)


def _work(future: Future[Done], job: Callable[[], Done]) -> None:
    try:
        future.set_result(job())
    except BaseException as error:  # noqa: BLE001 (handed to whoever waits, whatever it is)
        future.set_exception(error)
