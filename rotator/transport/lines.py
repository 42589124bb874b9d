"""The lines of an endless answer."""

from __future__ import annotations

import asyncio
from collections import deque

import aiohttp

from rotator.transport.failure import BROKEN, UnusableAnswerError, failure_of
from rotator.transport.message import MAX_BODY_BYTES
from rotator.transport.peer import Peer


class Lines:
    """An iterator over lines, without their ends; its clock runs only while it waits for the peer.

    Args:
        answer: Whose body it is; closed by whoever opened it.
        peer: For messages.
        url: For messages.
        idle: Seconds of waiting for one line, > 0.
    """

    def __init__(self, answer: aiohttp.ClientResponse, peer: Peer, url: str, idle: float) -> None:
        self._answer = answer
        self._peer = peer
        self._url = url
        self._idle = self._left = idle
        self._ready: deque[bytes] = deque()
        self._rest = bytearray()

    def __aiter__(self) -> Lines:
        """Return itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next line; the last one may lack its end.

        Raises:
            UnavailableError: None came in time, it is longer than 1 MiB, or the connection broke.
        """
        while not self._ready:
            if self._answer.content.at_eof():
                self._end()
            else:
                await self._fill()
        return self._ready.popleft()

    def _end(self) -> None:
        if not self._rest:
            raise StopAsyncIteration
        self._ready.append(bytes(self._rest))
        self._rest.clear()

    async def _fill(self) -> None:
        try:
            self._take(await self._chunk())
        except BROKEN as error:
            failure = failure_of(self._peer, self._url, error, self._idle)
        else:
            return
        raise failure.error from failure.reason

    async def _chunk(self) -> bytes:
        """Return what has arrived: at least one byte unless the body is at its end."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with asyncio.timeout(self._left):
            chunk = await self._answer.content.readany()
        self._left -= loop.time() - started
        return chunk

    def _take(self, chunk: bytes) -> None:
        first, *following = chunk.split(b"\n")
        self._rest += first
        if len(self._rest) > MAX_BODY_BYTES:
            raise UnusableAnswerError(f"a line is longer than {MAX_BODY_BYTES} bytes")
        if following:
            self._ready += [bytes(self._rest), *following[:-1]]
            self._rest = bytearray(following[-1])
            self._left = self._idle
