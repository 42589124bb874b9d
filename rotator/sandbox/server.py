"""What every sandbox server shares: a loopback port, a record of what was asked, and faults to order."""

from __future__ import annotations

import socket
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from aiohttp import web
from aiohttp.typedefs import Handler

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from types import TracebackType

RECORDED_REQUESTS = 20_000
"""How many requests are remembered; older ones are dropped."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the server saw it.

    Args:
        method: GET, PATCH, ...
        path: Path without the query.
        query: Query text, undecoded.
        credential: The ``Authorization`` or ``X-Vault-Token`` header, or empty.
    """

    method: str
    path: str
    query: str
    credential: str


@dataclass(slots=True)
class Fault:
    """An answer given instead of the real one.

    Args:
        matches: Decides by the request whether it is hit.
        answer: Makes the response; may be a coroutine function, so that it can hang until the client gives up.
        times: How often it still hits; None for ever.
    """

    matches: Callable[[web.Request], bool]
    answer: Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse]]
    times: int | None = None


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nobody listened on a moment ago, all different, for programs that cannot take 0."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in listeners]


class SandboxServer:
    """A loopback HTTP server around one `aiohttp.web.Application`.

    Args:
        app: The routes.
        tls: Server-side TLS context; None for plain HTTP.
    """

    def __init__(self, app: web.Application, *, tls: ssl.SSLContext | None = None) -> None:
        self.asked: deque[Asked] = deque(maxlen=RECORDED_REQUESTS)
        self.faults: list[Fault] = []
        self._app = app
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._port = 0
        app.middlewares.insert(0, self._observe)

    @property
    def host(self) -> str:
        """Return ``host:port``; only after `start`."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """Return the base URL without a slash at the end; only after `start`."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    async def start(self, port: int = 0) -> Self:
        """Listen on loopback; port 0 takes a free one.

        A server that was stopped may be started again, in the same event loop, on the same port or another.

        Raises:
            OSError: The port is taken; the server is as stopped as before.
        """
        runner = self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port, ssl_context=self._tls, reuse_address=True).start()
        except OSError:
            await self.stop()
            raise
        self._port = int(runner.addresses[0][1])
        return self

    async def start_at(self, path: str) -> Self:
        """Listen on a UNIX socket at ``path`` instead of on a port; `host` and `url` mean nothing then."""
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, path).start()
        return self

    async def stop(self) -> None:
        """Close the port and every connection. Safe to repeat."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        """Start on a free port."""
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    def count(self, method: str, path_prefix: str) -> int:
        """Return how many requests of ``method`` below ``path_prefix`` were seen."""
        return sum(1 for asked in self.asked if asked.method == method and asked.path.startswith(path_prefix))

    def fail(
        self,
        status: int,
        *,
        path: str = "/",
        method: str | None = None,
        times: int | None = None,
        headers: dict[str, str] | None = None,
        body: str = "",
    ) -> Fault:
        """Answer requests below ``path`` with ``status`` from now on; remove the returned fault to heal."""
        fault = Fault(
            matches=lambda request: request.path.startswith(path) and method in {None, request.method},
            answer=lambda _: web.Response(status=status, headers=headers, text=body),
            times=times,
        )
        self.faults.append(fault)
        return fault

    def lose(self, *, path: str = "/", method: str | None = None, times: int | None = 1) -> Fault:
        """Carry requests below ``path`` out and hang up instead of answering: whoever asked cannot tell.

        Remove the returned fault to heal.
        """
        fault = Fault(
            matches=lambda request: request.path.startswith(path) and method in {None, request.method},
            answer=_carry_out_and_hang_up,
            times=times,
        )
        self.faults.append(fault)
        return fault

    @web.middleware
    async def _observe(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        credential = request.headers.get("Authorization") or request.headers.get("X-Vault-Token") or ""
        self.asked.append(Asked(request.method, request.path, request.rel_url.raw_query_string, credential))
        fault = next((fault for fault in self.faults if fault.matches(request) and fault.times != 0), None)
        if fault is None:
            return await handler(request)
        if fault.times is not None:
            fault.times -= 1
        answer = fault.answer(request)
        return answer if isinstance(answer, web.StreamResponse) else await answer


async def _carry_out_and_hang_up(request: web.Request) -> web.StreamResponse:
    answer = await request.match_info.handler(request)
    if request.transport is not None:
        request.transport.abort()
    return answer
