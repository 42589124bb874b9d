"""Sends requests and follows streams."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from rotator.ports import Clock
from rotator.transport.failure import BROKEN, Failure, UnusableAnswerError, failure_of
from rotator.transport.lines import Lines
from rotator.transport.message import (
    DEADLINE_SECONDS,
    MAX_BODY_BYTES,
    MAX_HEADERS,
    Call,
    Request,
    Response,
    ignore_call,
    parse_retry_after,
)
from rotator.transport.peer import Peer
from rotator.transport.pool import Pools
from rotator.transport.status import code_of

_STATUSES = range(200, 600)


class Transport:
    """Sends requests; one pool of connections per peer.

    A peer's certificate files are looked at before every call: replaced ones are used from the next connection on.

    Args:
        clock: For durations and ``Retry-After`` dates.
        observe: Told of each finished call; must not raise or block. A cancelled call is not told.
        resolver: How names become addresses; None for the system's way.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        observe: Callable[[Call], None] = ignore_call,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._clock = clock
        self._observe = observe
        self._pools = Pools(clock.monotonic, resolver)

    async def send(self, peer: Peer, request: Request) -> Response:
        """Send one request and read its answer; any status is an answer.

        A GET, HEAD, PUT or DELETE whose connection broke before an answer is sent once more, on another connection:
        the peer may have closed an idle one at that moment.

        Raises:
            UnavailableError: No complete answer in time, or none that is HTTP; ``cause`` says which.
            PermanentError: The URL or a header is unusable, or plain HTTP to a peer that is not ``insecure``.
            PermissionDeniedError: The peer is at no address that its ``reach`` permits; nothing was sent.
            ConfigError: A certificate file of the peer is unusable.
        """
        pool = await self._pools.take(peer, request.url)
        started = self._clock.monotonic()
        try:
            outcome = await self._exchange(pool.session, peer, request)
        finally:
            await self._pools.give_back(pool)
        if isinstance(outcome, Failure):
            self._count(peer, request.operation, outcome.code, started)
            raise outcome.error from outcome.reason
        self._count(peer, request.operation, code_of(outcome.status), started, outcome.headers)
        return outcome

    @asynccontextmanager
    async def stream(
        self,
        peer: Peer,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        idle: float = 300.0,
        operation: str = "stream",
    ) -> AsyncIterator[tuple[Response, AsyncIterator[bytes]]]:
        """GET ``url`` and hand over its head and, line by line, its endless body.

        The iterator ends when the peer closes in order. Waiting longer than ``idle`` seconds for a line, or a line over
        1 MiB, raises UnavailableError out of the iterator; the time that the caller spends on a line does not count.
        For a status other than 200 the body is read into the response and there are no lines. What the caller's own
        block raises passes unchanged. Leaving the block closes the connection.

        Raises:
            UnavailableError, PermanentError, ConfigError: As `send`, for the head.
        """
        pool = await self._pools.take(peer, url)
        try:
            answer, response = await self._begin(pool.session, peer, url, headers, operation)
            try:
                yield response, Lines(answer, peer, url, idle)
            finally:
                answer.close()
        finally:
            await self._pools.give_back(pool)

    async def close(self) -> None:
        """Close every connection, for good: later calls raise UnavailableError. Safe to repeat."""
        await self._pools.close()

    def _count(
        self, peer: Peer, operation: str, code: str, started: float, headers: Mapping[str, str] | None = None
    ) -> None:
        if code:
            date = headers.get("Date", "") if headers is not None else ""
            self._observe(Call(peer.name, operation, code, self._clock.monotonic() - started, date))

    async def _exchange(self, session: aiohttp.ClientSession, peer: Peer, request: Request) -> Response | Failure:
        try:
            async with session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                proxy=peer.proxy,
                timeout=_timeout(request.deadline),
            ) as answer:
                return await _read(answer, self._clock)
        except BROKEN as error:
            return failure_of(peer, request.url, error, request.deadline)

    async def _begin(
        self, session: aiohttp.ClientSession, peer: Peer, url: str, headers: Mapping[str, str] | None, operation: str
    ) -> tuple[aiohttp.ClientResponse, Response]:
        started = self._clock.monotonic()
        outcome = await self._open(session, peer, url, headers)
        if isinstance(outcome, Failure):
            self._count(peer, operation, outcome.code, started)
            raise outcome.error from outcome.reason
        self._count(peer, operation, code_of(outcome[1].status), started, outcome[1].headers)
        return outcome

    async def _open(
        self, session: aiohttp.ClientSession, peer: Peer, url: str, headers: Mapping[str, str] | None
    ) -> tuple[aiohttp.ClientResponse, Response] | Failure:
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                answer = await session.get(
                    URL(url, encoded=True), headers=headers, allow_redirects=False, proxy=peer.proxy
                )
                return answer, await self._head(answer)
        except BROKEN as error:
            return failure_of(peer, url, error, DEADLINE_SECONDS)

    async def _head(self, answer: aiohttp.ClientResponse) -> Response:
        try:
            if answer.status != 200:  # noqa: PLR2004
                return await _read(answer, self._clock)
            _check_head(answer)
            _check_encoding(answer)
        except BaseException:
            answer.close()
            raise
        return Response(answer.status, answer.headers, b"")


@lru_cache
def _timeout(deadline: float) -> aiohttp.ClientTimeout:
    """Return what bounds a whole call: the name, the connection, the question, and the answer to its last byte."""
    return aiohttp.ClientTimeout(total=deadline, ceil_threshold=math.inf)


async def _read(answer: aiohttp.ClientResponse, clock: Clock) -> Response:
    _check_head(answer)
    chunks: list[bytes] = []
    size = 0
    while not answer.content.at_eof():
        chunk = await answer.content.readany()
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise UnusableAnswerError(f"the answer is larger than {MAX_BODY_BYTES} bytes")
        chunks.append(chunk)
    if size:
        _check_encoding(answer)
    wait = answer.headers.get("Retry-After")
    retry_after = parse_retry_after(wait, clock.now()) if wait else None
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return Response(answer.status, answer.headers, body, retry_after)


def _check_head(answer: aiohttp.ClientResponse) -> None:
    if answer.status not in _STATUSES:
        raise UnusableAnswerError("the answer has a status that HTTP does not know")
    if len(answer.headers) > MAX_HEADERS:
        raise UnusableAnswerError(f"the answer has more than {MAX_HEADERS} headers")


def _check_encoding(answer: aiohttp.ClientResponse) -> None:
    if answer.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
        raise UnusableAnswerError("the answer is compressed although asked not to be")
