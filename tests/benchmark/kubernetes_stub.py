"""A server that answers a server-side apply as an API server would, at hardly any cost of its own. Run as a program.

Prints its port, then serves until it is ended. It stores nothing: each PATCH is answered with what it brought.
"""

from __future__ import annotations

import asyncio
from typing import cast

import uvloop

HEAD_END = b"\r\n\r\n"


class Stub(asyncio.Protocol):
    """Speaks as much HTTP/1.1 as the client under test does: keep-alive, Content-Length, no chunks."""

    def __init__(self) -> None:
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every complete request in what has arrived."""
        self._pending += data
        while (end := self._pending.find(HEAD_END)) >= 0:
            head = self._pending[:end].lower()
            length = 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            total = end + len(HEAD_END) + length
            if len(self._pending) < total:
                return
            body = self._pending[end + len(HEAD_END) : total]
            self._pending = self._pending[total:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        status = b"200 OK"
        if head.startswith(b"get"):
            status, body = b"404 Not Found", b'{"kind":"Status","code":404}'
        else:
            body = body.replace(b'"metadata":{', b'"metadata":{"resourceVersion":"7","uid":"u",', 1)
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
        )


async def serve() -> None:
    """Listen on a free loopback port."""
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
