"""An incoming webhook as Slack has it: whoever knows its path may post.

Takes JSON with a ``text`` and answers ``ok``; another path is answered 404 ``no_service``, another body 400
``invalid_payload``. Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (reference
documentation, not read again).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from rotator.sandbox.server import SandboxServer

if TYPE_CHECKING:
    import ssl


class SandboxSlack(SandboxServer):
    """Takes messages for one channel.

    Args:
        token: Last part of the path. Secret.
        tls: Server-side TLS context.
    """

    def __init__(self, token: str, *, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        app.router.add_post("/services/{path:.*}", self._take)
        super().__init__(app, tls=tls)
        self.texts: list[str] = []
        self._token = token

    @property
    def webhook(self) -> str:
        """The whole address. Secret."""
        return f"{self.url}/services/T000/B000/{self._token}"

    async def _take(self, request: web.Request) -> web.Response:
        if request.match_info["path"] != f"T000/B000/{self._token}":
            return web.Response(status=404, text="no_service")
        try:
            text = json.loads(await request.read())["text"]
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400, text="invalid_payload")
        if not isinstance(text, str) or not text:
            return web.Response(status=400, text="no_text")
        self.texts.append(text)
        return web.Response(text="ok")
