"""GitLab's API, as far as making and ending tokens for its registry goes.

Behaviour: https://docs.gitlab.com/api/deploy_tokens/, https://docs.gitlab.com/api/project_access_tokens/,
https://docs.gitlab.com/api/personal_access_tokens/ and gitlabhq/gitlabhq, ``lib/api/deploy_tokens.rb`` and
``lib/api/resource_access_tokens.rb``, read 2026-11-28. Not imitated: roles, users, and GitLab's own ``rotate``.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from rotator.ports import Clock
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import SandboxServer

DEPLOY_SCOPES = frozenset(
    {"read_repository", "read_registry", "write_registry", "read_package_registry", "write_package_registry"}
)
ACCESS_SCOPES = frozenset({"api", "read_api", "read_repository", "read_registry", "write_registry", "self_rotate"})


@dataclass(slots=True)
class SandboxToken:
    """A token.

    Args:
        number: Its id.
        place: ``projects/acme/app/deploy_tokens``: whose it is, and of which kind.
        name: As it was called.
        scopes: What it may do.
        expires_at: When it stops working; None for never.
        secret: The token. Secret.
        revoked: Whether it was ended; access tokens stay in the list when asked for.
    """

    number: int
    place: str
    name: str
    scopes: list[str]
    expires_at: datetime | None
    secret: str
    revoked: bool = False

    @property
    def is_deploy(self) -> bool:
        """Whether it is a deploy token."""
        return self.place.endswith("/deploy_tokens")

    @property
    def username(self) -> str:
        """The user name it logs in with; at GitLab any does for an access token."""
        return f"gitlab+deploy-token-{self.number}" if self.is_deploy else "rotator"

    def render(self, now: datetime) -> dict[str, Any]:
        """Return it as the API does, without the token itself."""
        common = {"id": self.number, "name": self.name, "scopes": self.scopes, "revoked": self.revoked}
        expired = self.expires_at is not None and self.expires_at <= now
        if self.is_deploy:
            at = None if self.expires_at is None else f"{self.expires_at:%Y-%m-%dT%H:%M:%S}.000Z"
            return {**common, "username": self.username, "expires_at": at, "expired": expired}
        day = None if self.expires_at is None else f"{self.expires_at:%Y-%m-%d}"
        active = not self.revoked and not expired
        return {**common, "user_id": 1000 + self.number, "expires_at": day, "active": active, "access_level": 20}


_Handler = Callable[[web.Request, str], Awaitable[web.Response]]


class SandboxGitLab(SandboxServer):
    """The API.

    Args:
        clock: Decides what has expired.
        registry: Where each token works until it expires or is ended.
        api_token: The one token that may make others.
        owners: Projects and groups that there are, as ``projects/acme/app`` and ``groups/acme``.
    """

    def __init__(
        self,
        clock: Clock,
        registry: SandboxRegistry,
        *,
        api_token: str,
        owners: tuple[str, ...] = ("projects/acme/app",),
    ) -> None:
        app = web.Application()
        super().__init__(app)
        self.tokens: dict[int, SandboxToken] = {}
        self.page_size = 100
        self._clock = clock
        self._registry = registry
        self._api_token = api_token
        self._owners = owners
        self._numbers = itertools.count(1)
        place = "/api/v4/{kind:projects|groups}/{owner}/{tokens:deploy_tokens|access_tokens}"
        app.router.add_get("/api/v4/personal_access_tokens/self", self._self)
        app.router.add_get(place, self._placed(self._list))
        app.router.add_post(place, self._placed(self._create))
        app.router.add_get(f"{place}/{{number}}", self._placed(self._show))
        app.router.add_delete(f"{place}/{{number}}", self._placed(self._delete))

    def add_token(self, place: str, name: str, scopes: list[str], expires_at: datetime | None) -> SandboxToken:
        """Make a token that works at the registry."""
        number = next(self._numbers)
        prefix = "gldt-" if place.endswith("/deploy_tokens") else "glpat-"
        token = SandboxToken(number, place, name, scopes, expires_at, f"{prefix}{secrets.token_urlsafe(15)}")
        self.tokens[number] = token
        if "read_registry" in scopes:
            self._registry.add_login(token.username, token.secret, expires_at=expires_at)
        return token

    def _placed(self, handler: _Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            if _bearer(request) != self._api_token:
                return _message(401, "401 Unauthorized")
            kind, owner, tokens = (request.match_info[key] for key in ("kind", "owner", "tokens"))
            place = f"{kind}/{unquote(owner)}"
            if place not in self._owners:
                return _message(404, "404 Project Not Found" if kind == "projects" else "404 Group Not Found")
            return await handler(request, f"{place}/{tokens}")

        return handle

    async def _list(self, request: web.Request, place: str) -> web.Response:
        here = [token for token in self.tokens.values() if token.place == place]
        now = self._clock.now()
        if "active" in request.query and place.endswith("/deploy_tokens"):
            here = [token for token in here if not token.render(now)["expired"]]
        page, size = int(request.query.get("page", "1")), min(int(request.query.get("per_page", "20")), self.page_size)
        shown = here[(page - 1) * size : page * size]
        following = str(page + 1) if len(here) > page * size else ""
        return web.json_response([token.render(now) for token in shown], headers={"X-Next-Page": following})

    async def _create(self, request: web.Request, place: str) -> web.Response:
        asked = await request.json()
        scopes, expires_at = asked.get("scopes") or [], asked.get("expires_at")
        known = DEPLOY_SCOPES if place.endswith("/deploy_tokens") else ACCESS_SCOPES
        if not asked.get("name") or len(asked["name"]) > 255 or not scopes or not known.issuperset(scopes):  # noqa: PLR2004
            return _message(400, "400 Bad request")
        at = None if expires_at is None else datetime.fromisoformat(expires_at)
        if at is not None and at.tzinfo is None:
            at = at.replace(tzinfo=self._clock.now().tzinfo)
        token = self.add_token(place, asked["name"], scopes, at)
        return web.json_response({**token.render(self._clock.now()), "token": token.secret}, status=201)

    async def _show(self, request: web.Request, place: str) -> web.Response:
        token = self._find(request, place)
        return _message(404, "404 Not found") if token is None else web.json_response(token.render(self._clock.now()))

    async def _delete(self, request: web.Request, place: str) -> web.Response:
        token = self._find(request, place)
        if token is None:
            return _message(404, "404 Not found")
        self._registry.revoke(token.username, token.secret)
        token.revoked = True
        if token.is_deploy:
            del self.tokens[token.number]
        return web.Response(status=204)

    async def _self(self, request: web.Request) -> web.Response:
        shown, now = _bearer(request), self._clock.now()
        token = next((one for one in self.tokens.values() if one.secret == shown and not one.is_deploy), None)
        if token is None or not token.render(now)["active"]:
            return _message(401, "401 Unauthorized")
        return web.json_response(token.render(now))

    def _find(self, request: web.Request, place: str) -> SandboxToken | None:
        number = request.match_info["number"]
        token = self.tokens.get(int(number)) if number.isdecimal() else None
        return token if token is not None and token.place == place and not token.revoked else None


def _bearer(request: web.Request) -> str:
    return request.headers.get("PRIVATE-TOKEN") or request.headers.get("Authorization", "").removeprefix("Bearer ")


def _message(status: int, text: str) -> web.Response:
    return web.json_response({"message": text}, status=status)
