"""`Server`: uvicorn inside a running loop, without its signal handlers and without its log."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn

from rotator.admin.protocol import BoundedProtocol

MAX_CONNECTIONS = 256
MAX_HEAD_BYTES = 32 << 10
KEEP_ALIVE_SECONDS = 5
GRACE_SECONDS = 1
TICK_SECONDS = 1.0


class Server(uvicorn.Server):
    """One listener.

    Args:
        key: The configuration key that asks for it.
        address: Where it listens, for people.
        bound: Listening socket; closed at the end.
        app: ASGI application.
        protocol: How HTTP is talked.
        closing: Set when it closes, so that endless answers end; None when there are none.
        tls: Certificate and rules of TLS; None for plain HTTP.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (each is a part of what a listener is made of)
        self,
        key: str,
        address: str,
        bound: socket.socket,
        app: Any,
        protocol: type[BoundedProtocol],
        closing: asyncio.Event | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(_settings(app, protocol, tls))
        self.key = key
        self.address = address
        self._bound = bound
        self._closing = closing or asyncio.Event()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `stop`."""
        await super().serve(sockets=sockets or [self._bound])

    def stop(self) -> None:
        """Stop listening, let answers end for a second, then end them. Safe to repeat."""
        self.should_exit = True
        self._closing.set()

    def abort(self) -> None:
        """Cut whatever is still connected."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def main_loop(self) -> None:
        """Wait for `stop`, and set the clock of the ``Date`` header once a second."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), TICK_SECONDS)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the daemon."""
        yield


def _settings(app: Any, protocol: type[BoundedProtocol], tls: ssl.SSLContext | None) -> uvicorn.Config:
    """Return settings under which nothing comes from the environment, and forwarding headers are not believed."""
    return uvicorn.Config(
        app,
        http=protocol,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        ws="none",
        lifespan="off",
        workers=1,
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=128,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
