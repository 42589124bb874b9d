"""Docker Hub's API of access tokens; what it makes pulls at a sandbox registry until it is deleted or expires.

Behaviour: https://docs.docker.com/reference/api/hub/latest/ and docs.docker.com, Organization access tokens (read
2026-11-28); the answer to a second factor as trufflehog's detector reads it, and that to a session which an access
token opened from docker/terraform-provider-docker issue 84 (both read 2026-11-23). The statuses of that refusal and of
a full organisation are not documented; 403 and 400 are chosen here.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from rotator.ports import Clock
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import SandboxServer

SESSION = timedelta(minutes=10)
PAGE_SIZE = 25
"""Results per page where the request does not say."""


@dataclass(slots=True)
class HubToken:
    """A token that was made.

    Args:
        owner: The Docker ID or organisation that it logs in as.
        value: The token. Secret.
        document: As the list tells it.
        id: Its id.
    """

    owner: str
    value: str = field(repr=False)
    document: dict[str, Any] = field(repr=False)
    id: str


class SandboxDockerHub(SandboxServer):
    """One account, owner of one organisation.

    Args:
        clock: Decides what has expired.
        registry: Where tokens work.
        username: The account's Docker ID.
        password: Its password. Secret.
        organization: The organisation's name.
        max_tokens: How many tokens the organisation may have, expired ones included.
    """

    def __init__(
        self,
        clock: Clock,
        registry: SandboxRegistry,
        *,
        username: str,
        password: str,
        organization: str = "acme",
        max_tokens: int = 10,
    ) -> None:
        app = web.Application()
        super().__init__(app)
        self.has_second_factor = False
        self.tokens: dict[str, HubToken] = {}
        self.bodies: list[dict[str, Any]] = []
        self._clock = clock
        self._registry = registry
        self._username = username
        self._password = password
        self._organization = organization
        self._max_tokens = max_tokens
        self._sessions: dict[str, tuple[datetime, bool]] = {}
        app.router.add_post("/v2/auth/token", self._log_in)
        for path in ("/v2/access-tokens", "/v2/orgs/{name}/access-tokens"):
            app.router.add_post(path, self._make)
            app.router.add_get(path, self._list)
            app.router.add_delete(path + "/{id}", self._delete)

    def end_sessions(self) -> None:
        """Forget every session, as a logout everywhere does."""
        self._sessions.clear()

    async def _log_in(self, request: web.Request) -> web.Response:
        form = await request.json()
        shown = (form.get("identifier"), form.get("secret"))
        is_token = any(shown == (self._username, token.value) for token in self.tokens.values())
        if shown != (self._username, self._password) and not is_token:
            return web.json_response({"detail": "Incorrect authentication credentials"}, status=401)
        if self.has_second_factor and not is_token:
            text = "Require secondary authentication on MFA enabled account"
            return web.json_response({"detail": text, "login_2fa_token": secrets.token_hex(16)}, status=401)
        end = self._clock.now() + SESSION
        session = _jwt({"exp": int(end.timestamp()), "jti": secrets.token_hex(8)})
        self._sessions[session] = (end, is_token)
        return web.json_response({"access_token": session})

    def _refusal(self, request: web.Request) -> web.Response | None:
        end, is_token = self._sessions.get(
            request.headers.get("Authorization", "").removeprefix("Bearer "), (None, False)
        )
        if end is None or end <= self._clock.now():
            return web.json_response({"detail": "unauthorized"}, status=401)
        if is_token:
            text = "access denied: token issued from personal access token is not allowed"
            return web.json_response({"message": text}, status=403)
        if request.match_info.get("name", self._organization) != self._organization:
            return web.json_response({"message": "organization not found"}, status=404)
        return None

    async def _make(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        body = await request.json()
        self.bodies.append(body)
        is_personal = "name" not in request.match_info
        label = body.get("token_label" if is_personal else "label")
        granted = body.get("scopes" if is_personal else "resources")
        if not isinstance(label, str) or not 1 <= len(label) <= 100 or not granted:  # noqa: PLR2004 (documented)
            return web.json_response({"message": "invalid request"}, status=400)
        owner = self._username if is_personal else self._organization
        if not is_personal and len(self._of(owner)) >= self._max_tokens:
            return web.json_response({"message": "organization access token limit reached"}, status=400)
        token = self._new(owner, body, is_personal=is_personal)
        return web.json_response({**token.document, "token": token.value}, status=201)

    def _new(self, owner: str, body: dict[str, Any], *, is_personal: bool) -> HubToken:
        token_id = secrets.token_hex(16)
        value = f"dckr_pat_{secrets.token_urlsafe(20)}" if is_personal else f"dckr_oat_{secrets.token_urlsafe(24)}"
        expires_at = body.get("expires_at")
        document = {**body, "is_active": True, "expires_at": expires_at, ("uuid" if is_personal else "id"): token_id}
        token = self.tokens[token_id] = HubToken(owner, value, document, token_id)
        end = None if expires_at is None else datetime.fromisoformat(expires_at).astimezone(UTC)
        self._registry.add_login(owner, value, expires_at=end)
        return token

    def _of(self, owner: str) -> list[HubToken]:
        return [token for token in self.tokens.values() if token.owner == owner]

    async def _list(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        tokens = self._of(self._organization if "name" in request.match_info else self._username)
        page, size = int(request.query.get("page", "1")), int(request.query.get("page_size", str(PAGE_SIZE)))
        first = (page - 1) * size
        documents = [{**token.document, "token": ""} for token in tokens[first : first + size]]
        following = f"{self.url}{request.path}?page={page + 1}" if len(tokens) > first + size else None
        return web.json_response({"results": documents, "next": following, "previous": None, "total": len(tokens)})

    async def _delete(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        token = self.tokens.pop(request.match_info["id"], None)
        if token is None:
            return web.json_response({"message": "token not found"}, status=404)
        self._registry.revoke(token.owner, token.value)
        return web.Response(status=204)


def _jwt(claims: dict[str, Any]) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.{secrets.token_urlsafe(16)}"
