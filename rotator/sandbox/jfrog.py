"""The JFrog Platform's API of access tokens; what it makes pulls at a sandbox registry until it is revoked or expires.

Behaviour: https://docs.jfrog.com/administration/reference/createtoken and jfrog.com/help, JFrog REST APIs, Revoke Token
by ID (both read 2026-11-28); that a token which lives less than six hours cannot be revoked unless it was forced to be
from Generate Expirable Tokens (read 2026-11-23). How the API refuses to revoke such a token is not documented; 400 is
chosen here.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web

from rotator.ports import Clock
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import SandboxServer

REVOCABLE_FROM = timedelta(hours=6)
DEFAULT_LIFE = timedelta(days=365)
REFERENCE_CHARS = 64


@dataclass(slots=True)
class JFrogToken:
    """A token that was made.

    Args:
        username: Whose it is.
        values: The JWT and, where one was asked for, the reference to it. Secret.
        document: As the API tells it; holds no value.
        is_revocable: Whether it can be ended.
    """

    username: str
    values: tuple[str, ...] = field(repr=False)
    document: dict[str, Any] = field(repr=False)
    is_revocable: bool


class SandboxJFrog(SandboxServer):
    """One platform with one administrator.

    Args:
        clock: Decides what has expired.
        registry: Where tokens work.
        api_token: The administrator's token. Secret.
    """

    def __init__(self, clock: Clock, registry: SandboxRegistry, *, api_token: str) -> None:
        app = web.Application()
        super().__init__(app)
        self.tokens: dict[str, JFrogToken] = {}
        self.revoked: set[str] = set()
        self.bodies: list[dict[str, Any]] = []
        self._clock = clock
        self._registry = registry
        self._api_token = api_token
        app.router.add_post("/access/api/v1/tokens", self._make)
        app.router.add_get("/access/api/v1/tokens", self._list)
        app.router.add_get("/access/api/v1/tokens/{id}", self._tell)
        app.router.add_delete("/access/api/v1/tokens/{id}", self._revoke)

    def _is_admin(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self._api_token}"

    async def _make(self, request: web.Request) -> web.Response:
        if not self._is_admin(request):
            return _refuse(401, "Bad credentials")
        body = await request.json()
        self.bodies.append(body)
        if not body.get("username") or body.get("expires_in") == 0:
            return _refuse(400, "username is missing, or the token would never expire")
        life = timedelta(seconds=body.get("expires_in", DEFAULT_LIFE.total_seconds()))
        token_id, now = secrets.token_hex(16), self._clock.now()
        subject = f"jfac@01sandbox/users/{body['username']}"
        scope = body.get("scope", "applied-permissions/user")
        end = int((now + life).timestamp())
        jwt = _jwt({"exp": end, "scp": scope, "sub": subject, "jti": token_id, "iat": int(now.timestamp())})
        wants_reference = body.get("include_reference_token", False)
        reference = base64.b32encode(secrets.token_bytes(40)).decode()[:REFERENCE_CHARS] if wants_reference else ""
        values = (jwt, reference) if reference else (jwt,)
        for value in values:
            self._registry.add_login(body["username"], value, expires_at=now + life)
        document = {"token_id": token_id, "subject": subject, "expiry": end, "issued_at": int(now.timestamp())}
        document |= {"description": body.get("description", ""), "refreshable": False, "scope": scope}
        is_revocable = life >= REVOCABLE_FROM or body.get("force_revocable", False)
        self.tokens[token_id] = JFrogToken(body["username"], values, document, is_revocable)
        answer = {"token_id": token_id, "access_token": jwt, "scope": scope, "token_type": "Bearer"}
        extra = {"reference_token": reference} if reference else {}
        return web.json_response({**answer, "expires_in": int(life.total_seconds()), **extra})

    async def _list(self, request: web.Request) -> web.Response:
        if not self._is_admin(request):
            return _refuse(401, "Bad credentials")
        return web.json_response({"tokens": [token.document for token in self.tokens.values()]})

    async def _tell(self, request: web.Request) -> web.Response:
        if request.match_info["id"] == "me":
            shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
            token = next((one for one in self.tokens.values() if shown in one.values), None)
        else:
            token = self.tokens.get(request.match_info["id"]) if self._is_admin(request) else None
        return _refuse(401, "Bad credentials") if token is None else web.json_response(token.document)

    async def _revoke(self, request: web.Request) -> web.Response:
        if not self._is_admin(request):
            return _refuse(401, "Bad credentials")
        token_id = request.match_info["id"]
        if token_id in self.revoked:
            return web.Response(status=204)
        token = self.tokens.get(token_id)
        if token is None:
            return _refuse(404, "no such token")
        if not token.is_revocable:
            return _refuse(400, "the token is not revocable")
        del self.tokens[token_id]
        self.revoked.add(token_id)
        for value in token.values:
            self._registry.revoke(token.username, value)
        return web.json_response({"info": "token revoked"})


def _jwt(claims: dict[str, Any]) -> str:
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, secrets.token_urlsafe(32)])


def _refuse(status: int, message: str) -> web.Response:
    return web.json_response({"errors": [{"code": "ERROR", "message": message}]}, status=status)
