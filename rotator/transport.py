"""The one outbound HTTP client.

Every call has a total deadline and a cap on bytes; redirects are never followed; the environment (proxies, netrc)
is never read; TLS is verified unless a peer says ``insecure: true`` in words. Bodies never reach a log or an error.
Only this module maps an HTTP status or a broken connection to an error class.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from yarl import URL

from rotator.errors import (
    AuthenticationError,
    ConfigError,
    ConflictError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
    UnsupportedError,
)
from rotator.ports import Clock

MAX_BODY_BYTES = 1 << 20
MAX_HEADERS = 100
MAX_JSON_DEPTH = 64
MAX_RETRY_AFTER = timedelta(days=1)
"""A longer wait is taken for garbage and cut to this."""

DEADLINE_SECONDS = 30.0
CONNECTIONS_PER_PEER = 64


@dataclass(frozen=True, slots=True)
class Peer:
    """One party we talk to, and how.

    Args:
        name: Word for metrics and messages from a closed set of configuration ids (``vault``, ``registry``, ``prod``).
        ca_file: PEM file of the only authorities trusted for this peer; None for the system's.
        insecure: True allows plain HTTP and unverified TLS. Only ever set by ``insecure: true`` in the configuration.
        proxy: Proxy URL; None for a direct connection, whatever the environment says.
        unix_socket: Path of a UNIX socket to connect to instead of the URL's host; None for TCP.
        client_cert: Paths of a PEM certificate and its key for mutual TLS; None for none.
        connections: How many connections may be open to it at once, > 0.
    """

    name: str
    ca_file: str | None = None
    insecure: bool = False
    proxy: str | None = None
    unix_socket: str | None = None
    client_cert: tuple[str, str] | None = None
    connections: int = CONNECTIONS_PER_PEER


@dataclass(frozen=True, slots=True)
class Request:
    """One question.

    Args:
        method: HTTP method.
        url: Absolute URL, already percent-encoded; holds no secret.
        headers: Sent as they are; may hold secrets.
        body: Sent as it is; may hold secrets.
        operation: A word for metrics from a closed set (``apply``, ``manifest``).
        deadline: Seconds for the whole call, > 0.
    """

    method: str
    url: str
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    operation: str = "request"
    deadline: float = DEADLINE_SECONDS


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read to its end.

    Args:
        status: HTTP status, 200 to 599 (never followed when 3xx).
        headers: Case-insensitive; the first value of a repeated header, except ``Www-Authenticate``: see `all`.
        body: At most `MAX_BODY_BYTES`; may hold secrets, so it is in no ``repr``.
        retry_after: The peer's wish to be left alone, > 0; None when there was none or it made no sense.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    retry_after: timedelta | None = None

    def all(self, name: str) -> list[str]:
        """Return every value of a repeated header, in order."""
        getall = getattr(self.headers, "getall", None)
        return list(getall(name, [])) if getall else [self.headers[name]] if name in self.headers else []

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            UnavailableError: It is not JSON, or nested deeper than 64. The content is not in the text.
        """
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise UnavailableError("the answer is not JSON", cause="protocol") from error
        if _is_deeper(value, MAX_JSON_DEPTH):
            raise UnavailableError(f"the answer is nested deeper than {MAX_JSON_DEPTH} levels", cause="protocol")
        return value


@dataclass(frozen=True, slots=True)
class Call:
    """One finished call, for metrics.

    Args:
        peer: The peer's name.
        operation: A word for what was asked (``apply``, ``manifest``).
        code: ``2xx`` ... ``5xx``, an exact 401/403/404/409/429, or the cause of a connection that broke.
        seconds: Duration.
        date: The peer's ``Date`` header, unparsed; empty when absent.
    """

    peer: str
    operation: str
    code: str
    seconds: float
    date: str = ""


def ignore_call(call: Call) -> None:
    """Observe nothing."""


class Transport:
    """Sends requests; one pool of connections per peer.

    Args:
        clock: For durations and ``Retry-After`` dates.
        observe: Told of each finished call; must not raise or block.
    """

    def __init__(self, *, clock: Clock, observe: Callable[[Call], None] = ignore_call) -> None:
        self._clock = clock
        self._observe = observe
        self._sessions: dict[Peer, aiohttp.ClientSession] = {}

    async def send(self, peer: Peer, request: Request) -> Response:
        """Send one request and read its answer; any status is an answer.

        Raises:
            UnavailableError: No complete answer in time, or none that is HTTP; ``cause`` says which.
            PermanentError: The URL is unusable, or plain HTTP to a peer that is not ``insecure``.
        """
        started = self._clock.monotonic()
        code, date = "protocol", ""
        try:
            response = await self._exchange(peer, request)
            code, date = code_of(response.status), response.headers.get("Date", "")
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            mapped = _broken(peer, request.url, error, request.deadline)
            code = mapped.cause if isinstance(mapped, UnavailableError) else "protocol"
            raise mapped from error
        else:
            return response
        finally:
            self._observe(Call(peer.name, request.operation, code, self._clock.monotonic() - started, date))

    async def _exchange(self, peer: Peer, request: Request) -> Response:
        session = self._session(peer, request.url)
        async with (
            asyncio.timeout(request.deadline),
            session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                proxy=peer.proxy,
            ) as answer,
        ):
            return await self._read(answer)

    @asynccontextmanager
    async def stream(
        self, peer: Peer, url: str, *, headers: Mapping[str, str] | None = None, idle: float = 300.0
    ) -> AsyncIterator[tuple[Response, AsyncIterator[bytes]]]:
        """GET ``url`` and hand over its head and, line by line, its endless body.

        The iterator ends when the peer closes; a line over 1 MiB, or ``idle`` seconds without one, raises
        UnavailableError. For a status other than 200 the body is read into the response and there are no lines.
        """
        try:
            async with asyncio.timeout(None) as guard:
                guard.reschedule(asyncio.get_running_loop().time() + DEADLINE_SECONDS)
                session = self._session(peer, url)
                async with session.get(
                    URL(url, encoded=True), headers=headers, allow_redirects=False, proxy=peer.proxy
                ) as answer:
                    if answer.status != 200:  # noqa: PLR2004
                        yield await self._read(answer), _no_lines()
                        return
                    yield Response(answer.status, answer.headers, b""), _lines(answer, guard, idle)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _broken(peer, url, error, idle) from error

    async def close(self) -> None:
        """Close every connection. Safe to repeat."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    def _session(self, peer: Peer, url: str) -> aiohttp.ClientSession:
        if not peer.insecure and peer.unix_socket is None and not url.startswith("https://"):
            raise PermanentError(
                f"{peer.name}: {origin_of(url)} is not https",
                hint="Use https, or write `insecure: true` for this peer if plain HTTP is really meant",
            )
        session = self._sessions.get(peer)
        if session is None:
            session = self._sessions[peer] = _open_session(peer)
        return session

    async def _read(self, answer: aiohttp.ClientResponse) -> Response:
        if len(answer.headers) > MAX_HEADERS:
            raise _UnusableAnswerError(f"the answer has more than {MAX_HEADERS} headers")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise _UnusableAnswerError("the answer is compressed although asked not to be")
        chunks: list[bytes] = []
        size = 0
        async for chunk in answer.content.iter_any():
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise _UnusableAnswerError(f"the answer is larger than {MAX_BODY_BYTES} bytes")
            chunks.append(chunk)
        wait = answer.headers.get("Retry-After")
        return Response(
            answer.status,
            answer.headers,
            b"".join(chunks),
            parse_retry_after(wait, self._clock.now()) if wait else None,
        )


def parse_retry_after(value: str, now: datetime) -> timedelta | None:
    """Return how long ``Retry-After`` asks to wait.

    Args:
        value: Delta-seconds or an HTTP date (RFC 9110 section 10.2.3).
        now: Wall-clock time, aware.

    Returns:
        A duration in (0, 1 day], or None when the value is neither, or not in the future.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = min(int(text[:12]), int(MAX_RETRY_AFTER.total_seconds()))
        return timedelta(seconds=seconds) if seconds > 0 else None
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if at.tzinfo is None or at <= now:
        return None
    return min(at - now, MAX_RETRY_AFTER)


def check_status(response: Response, subject: str) -> Response:
    """Return ``response`` if it is a success, else raise the error its status stands for.

    Args:
        response: What the peer answered.
        subject: What was asked of whom, for the message (``vault: read kv/ghcr``).

    Raises:
        AuthenticationError: 401. PermissionDeniedError: 403. NotFoundError: 404, 410. ConflictError: 409, 412.
        UnsupportedError: 405, 415, 422. RateLimitedError: 429. UnavailableError: 408, 5xx.
        PermanentError: any other 3xx or 4xx.
    """
    status = response.status
    if 200 <= status < 300:  # noqa: PLR2004
        return response
    message = f"{subject}: HTTP {status}"
    if status == 429:  # noqa: PLR2004
        raise RateLimitedError(message, retry_after=response.retry_after)
    if status >= 500 or status == 408:  # noqa: PLR2004
        raise UnavailableError(message, retry_after=response.retry_after)
    if 300 <= status < 400:  # noqa: PLR2004
        raise PermanentError(
            f"{message}, a redirect", hint="Redirects are never followed; configure the final address itself"
        )
    raise _STATUS.get(status, PermanentError)(message)


_STATUS: dict[int, type[RotatorError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: UnsupportedError,
    409: ConflictError,
    410: NotFoundError,
    412: ConflictError,
    415: UnsupportedError,
    422: UnsupportedError,
}
_EXACT = frozenset({401, 403, 404, 409, 429})


def code_of(status: int) -> str:
    """Return the metric label for ``status``: one of a closed set."""
    return str(status) if status in _EXACT else f"{status // 100}xx"


def origin_of(url: str) -> str:
    """Return scheme and host of ``url`` for a message, or the word ``URL`` when it has none."""
    try:
        return str(URL(url, encoded=True).origin())
    except ValueError:
        return "URL"


def _broken(peer: Peer, url: str, error: Exception, deadline: float) -> RotatorError:
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError) or (
        isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError)
    ):
        return PermanentError(f"{peer.name}: the address is not a usable URL")
    cause, words = _cause(error, deadline)
    return UnavailableError(f"{peer.name}: {origin_of(url)}: {words}", cause=cause)


class _UnusableAnswerError(aiohttp.ClientError):
    """The answer breaks one of our own limits; the text says which and holds nothing of the answer."""


_CAUSES: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    ((TimeoutError,), "timeout", "no complete answer in time"),
    ((aiohttp.ClientConnectorDNSError,), "dns", "the name does not resolve"),
    ((aiohttp.ClientConnectorCertificateError,), "tls", "its certificate is not trusted"),
    ((aiohttp.ClientSSLError, ssl.SSLError), "tls", "no TLS connection could be agreed on"),
    ((aiohttp.ClientConnectorError,), "refused", "cannot connect"),
    ((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError), "reset", "the connection broke"),
    ((Exception,), "protocol", "the answer is not usable HTTP"),
)
"""First match wins: kinds of broken connection, the metric label, the words for people."""


def _cause(error: Exception, deadline: float) -> tuple[str, str]:
    """Return the metric label and the sentence for a broken connection."""
    cause, words = next((cause, words) for kinds, cause, words in _CAUSES if isinstance(error, kinds))
    if cause == "timeout":
        words = f"{words} ({deadline:g} s)"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        words = f"{words} ({_certificate_reason(error.certificate_error)})"
    if isinstance(error, _UnusableAnswerError):
        words = str(error)
    return cause, words


def _certificate_reason(error: Exception) -> str:
    return getattr(error, "verify_message", None) or type(error).__name__


def _open_session(peer: Peer) -> aiohttp.ClientSession:
    connector: aiohttp.BaseConnector
    if peer.unix_socket is not None:
        connector = aiohttp.UnixConnector(path=peer.unix_socket, limit=peer.connections)
    else:
        connector = aiohttp.TCPConnector(ssl=tls_context(peer), limit=peer.connections, ttl_dns_cache=30)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"Accept-Encoding": "identity", "User-Agent": "rotator"},
        skip_auto_headers=("Content-Type",),
        auto_decompress=False,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def tls_context(peer: Peer) -> ssl.SSLContext:
    """Return the TLS settings for ``peer``: 1.2 or newer, verified unless it is insecure.

    Raises:
        ConfigError: A certificate file is missing or is not PEM.
    """
    try:
        context = ssl.create_default_context(cafile=peer.ca_file)
        if peer.client_cert is not None:
            context.load_cert_chain(*peer.client_cert)
    except (OSError, ssl.SSLError) as error:
        name = peer.ca_file or "the client certificate"
        raise ConfigError([f"{peer.name}: {name} cannot be used as a PEM file"]) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if peer.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _no_lines() -> AsyncIterator[bytes]:
    for line in list[bytes]():
        yield line


async def _lines(answer: aiohttp.ClientResponse, guard: asyncio.Timeout, idle: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    rest = b""
    guard.reschedule(loop.time() + idle)
    async for chunk in answer.content.iter_any():
        guard.reschedule(loop.time() + idle)
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_BODY_BYTES:
            raise _UnusableAnswerError(f"a line is longer than {MAX_BODY_BYTES} bytes")
        for line in lines:
            yield line
    if rest:
        yield rest


def _is_deeper(value: object, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [
            child
            for item in layer
            for child in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]
        if not layer:
            return False
    return True
