"""A receiver of signed messages, as Standard Webhooks 1.0.0 recommends one.

Checks the signature on the bytes as they came, the age of the message, and whether its id was taken already. Source:
https://github.com/standard-webhooks/standard-webhooks, ``spec/standard-webhooks.md`` (read 2026-11-28).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from rotator.sandbox.server import SandboxServer

if TYPE_CHECKING:
    import ssl

    from rotator.ports import Clock

TOLERANCE_SECONDS = 300


class SandboxReceiver(SandboxServer):
    """Takes what is signed with its secret, each id once.

    Args:
        secret: ``whsec_`` and base64.
        clock: Says how old a message is.
        tls: Server-side TLS context.
    """

    def __init__(self, secret: str, clock: Clock, *, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        super().__init__(app, tls=tls)
        self.secret = secret
        self.messages: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self._clock = clock

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        identity, written = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        if abs(self._clock.now().timestamp() - int(written)) > TOLERANCE_SECONDS:
            return web.Response(status=400)
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signature = hmac.new(key, f"{identity}.{written}.".encode() + body, hashlib.sha256).digest()
        if f"v1,{base64.b64encode(signature).decode()}" not in request.headers["webhook-signature"].split(" "):
            return web.Response(status=401)
        if identity not in self.ids:
            self.messages.append(json.loads(body))
        self.ids.append(identity)
        return web.Response(status=204)
