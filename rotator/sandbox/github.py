"""GitHub's secrets on loopback: sealed to a public key per place, never shown again.

Behaviour: as documented at docs.github.com/rest/actions/secrets and /rest/dependabot/secrets, version 2022-11-28; not
read again.
Needs PyNaCl.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from rotator.sandbox.server import SandboxServer


@dataclass(slots=True)
class GithubSecret:
    """One secret.

    Args:
        value: What was sealed. Secret.
        updated_at: RFC 3339, whole seconds.
        visibility: Of an organisation's secret; empty elsewhere.
        selected: Ids of the repositories that may use it, as they were written.
    """

    value: str
    updated_at: str
    visibility: str = ""
    selected: list[Any] = field(default_factory=list)


class SandboxGithub(SandboxServer):
    """A GitHub with one token. Places exist as soon as they are spoken of; each has a key of its own."""

    def __init__(self, token: str) -> None:
        app = web.Application()
        super().__init__(app)
        self._token = token
        self._keys: dict[str, tuple[str, PrivateKey]] = {}
        self._now = datetime(2026, 11, 28, tzinfo=UTC)
        self.places: dict[str, dict[str, GithubSecret]] = {}
        self.order: list[str] = []
        for scope in ("repos/{a}/{b}/{store}", "repos/{a}/{b}/environments/{store}", "orgs/{a}/{store}"):
            app.router.add_get(f"/{{place:{_pattern(scope)}/secrets}}/public-key", self._show_key)
            app.router.add_get(f"/{{place:{_pattern(scope)}/secrets}}/{{name}}", self._show)
            app.router.add_put(f"/{{place:{_pattern(scope)}/secrets}}/{{name}}", self._write)
        app.router.add_get("/{place:orgs/[^/]+/[^/]+/secrets}/{name}/repositories", self._repositories)

    def replace_key(self, place: str) -> None:
        """Give a place another public key; what is sealed to the old one is refused from now on."""
        self._keys[place] = (str(len(self._keys) + 1000), PrivateKey.generate())

    def put(self, place: str, name: str, value: str, visibility: str = "", selected: tuple[int, ...] = ()) -> None:
        """Write a secret as somebody else does."""
        self.places.setdefault(place, {})[name] = GithubSecret(value, self._tick(), visibility, list(selected))

    def _tick(self) -> str:
        self._now += timedelta(seconds=1)
        return self._now.isoformat().replace("+00:00", "Z")

    def _key(self, place: str) -> tuple[str, PrivateKey]:
        if place not in self._keys:
            self.replace_key(place)
        return self._keys[place]

    def _refuse(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == f"Bearer {self._token}":
            return None
        return web.json_response({"message": "Bad credentials"}, status=401)

    async def _show_key(self, request: web.Request) -> web.Response:
        key_id, key = self._key(request.match_info["place"])
        public = base64.b64encode(bytes(key.public_key)).decode()
        return self._refuse(request) or web.json_response({"key_id": key_id, "key": public})

    async def _show(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        secret = self.places.get(request.match_info["place"], {}).get(name)
        if refusal := self._refuse(request):
            return refusal
        if secret is None:
            return web.json_response({"message": "Not Found"}, status=404)
        shown = {"name": name, "created_at": secret.updated_at, "updated_at": secret.updated_at}
        return web.json_response({**shown, **({"visibility": secret.visibility} if secret.visibility else {})})

    async def _write(self, request: web.Request) -> web.Response:
        place, name = request.match_info["place"], request.match_info["name"]
        body = await request.json()
        key_id, key = self._key(place)
        if refusal := self._refuse(request):
            return refusal
        if body.get("key_id") != key_id or (place.startswith("orgs/") and "visibility" not in body):
            return web.json_response({"message": "Validation Failed"}, status=422)
        try:
            value = SealedBox(key).decrypt(base64.b64decode(body["encrypted_value"])).decode()
        except CryptoError:
            return web.json_response({"message": "Validation Failed"}, status=422)
        is_new = name not in self.places.get(place, {})
        selected = body.get("selected_repository_ids", [])
        self.put(place, name, value, body.get("visibility", ""), tuple(selected))
        self.order.append(name)
        return web.json_response({}, status=201) if is_new else web.Response(status=204)

    async def _repositories(self, request: web.Request) -> web.Response:
        secret = self.places[request.match_info["place"]][request.match_info["name"]]
        size, page = int(request.query.get("per_page", "30")), int(request.query.get("page", "1"))
        shown = secret.selected[(page - 1) * size : page * size]
        repositories = [{"id": int(one)} for one in shown]
        return web.json_response({"total_count": len(secret.selected), "repositories": repositories})


def _pattern(scope: str) -> str:
    """Return ``scope`` as a regular expression, each name in braces one segment."""
    return "/".join("[^/]+" if part.startswith("{") else part for part in scope.split("/"))
