"""How uvicorn talks HTTP here: it gives up on peers that stall, and knows who is at the other end of a UNIX socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

REQUEST_SECONDS = 10.0
"""From the first byte of a request to its last."""
STALL_SECONDS = 30.0
"""How long a peer may not read what it asked for."""

_PEER = struct.Struct("3i")
"""``struct ucred`` of unix(7): process, user and group id."""


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 with a deadline for sending a request and for reading the answer."""

    _sending: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the first request is awaited."""
        super().connection_made(transport)
        self._sending = self.loop.call_later(REQUEST_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request."""
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            self._await_rest()
        elif self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def pause_writing(self) -> None:
        """Wait for the peer to read, for a while."""
        super().pause_writing()
        self._reading = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the peer reads."""
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        for timer in (self._sending, self._reading):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _await_rest(self) -> None:
        if self._sending is None:
            self._sending = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)


class UnixProtocol(BoundedProtocol):
    """Puts the peer's user id into ``scope["state"]["uid"]``, as the kernel noted it when the peer connected."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel who it is."""
        super().connection_made(transport)
        peer: Any = transport.get_extra_info("socket")
        _, uid, _ = _PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        self.app_state = {**self.app_state, "uid": uid}
