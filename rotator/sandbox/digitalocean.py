"""DigitalOcean's API as far as registry credentials go; what it makes pulls at a sandbox registry.

Behaviour: https://docs.digitalocean.com/reference/pydo/reference/registries/get_docker_credentials (read 2026-11-28):
every GET makes new credentials, read-only unless asked otherwise, without an end unless asked for one, and answers
with a docker configuration. That user name and password are one and the same API token is not documented; it is what
the answers of registries there were seen to hold.
"""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta

from aiohttp import web

from rotator.ports import Clock
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import SandboxServer


class SandboxDigitalOcean(SandboxServer):
    """One account with one registry.

    Args:
        clock: Decides when credentials expire.
        registry: Where they work.
        name: The registry's name.
        api_token: The one API token that is known. Secret.
    """

    def __init__(self, clock: Clock, registry: SandboxRegistry, *, name: str, api_token: str) -> None:
        app = web.Application()
        super().__init__(app)
        self.minted: list[str] = []
        self._clock = clock
        self._registry = registry
        self._name = name
        self._api_token = api_token
        app.router.add_get("/v2/registries/{name}/docker-credentials", self._credentials)

    async def _credentials(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self._api_token}":
            return _refuse(401, "Unauthorized", "Unable to authenticate you")
        if request.match_info["name"] != self._name:
            return _refuse(404, "not_found", "registry does not exist")
        try:
            seconds = int(request.query.get("expiry_seconds", "0"))
        except ValueError:
            return _refuse(422, "unprocessable_entity", "expiry_seconds is not a number")
        token = f"dop_v1_{secrets.token_hex(32)}"
        self.minted.append(token)
        is_writer = request.query.get("read_write") == "true"
        expires_at = self._clock.now() + timedelta(seconds=seconds) if seconds > 0 else None
        actions = ("pull", "push") if is_writer else ("pull",)
        self._registry.add_login(token, token, expires_at=expires_at, actions=actions)
        auth = base64.b64encode(f"{token}:{token}".encode()).decode()
        return web.json_response({"auths": {self._registry.host: {"auth": auth}}})


def _refuse(status: int, identifier: str, message: str) -> web.Response:
    return web.json_response({"id": identifier, "message": message}, status=status)
