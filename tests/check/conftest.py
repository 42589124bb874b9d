"""A registry that behaves as Harbor is documented to, and holds manifests that are written by the test."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from rotator.clock import SystemClock
from rotator.sandbox.server import SandboxServer
from rotator.transport import Transport

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


class LenientRegistry(SandboxServer):
    """Grants a scoped token to any login, even a wrong one, with what anybody may do; without scope it refuses.

    Source: goharbor/harbor ``src/core/service/token`` (the wrong login is taken for an anonymous one where a scope is
    asked for; read 2026-11-23).
    """

    def __init__(self) -> None:
        app = web.Application()
        super().__init__(app)
        self.public: set[str] = set()
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        app.router.add_get("/v2/", self._base)
        app.router.add_get("/token", self._token)
        app.router.add_get("/v2/{name:.+}/manifests/{reference}", self._manifest)

    def put(self, name: str, reference: str, value: dict[str, Any], *, kind: str = MANIFEST_TYPE) -> str:
        """Hold a manifest under a tag and under its digest; return the digest."""
        content = json.dumps(value).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.manifests[name, reference] = self.manifests[name, digest] = (kind, content)
        self.public.add(name)
        return digest

    def _challenge(self, error: str = "") -> web.Response:
        text = f'Bearer realm="{self.url}/token",service="x"{error}'
        return web.Response(status=401, headers={"WWW-Authenticate": text})

    async def _base(self, _request: web.Request) -> web.Response:
        return self._challenge()

    async def _token(self, request: web.Request) -> web.Response:
        scope = request.query.get("scope", "")
        if not scope and "Authorization" in request.headers:
            return web.Response(status=401)
        name = scope.removeprefix("repository:").rpartition(":")[0]
        granted = [{"type": "repository", "name": name, "actions": ["pull"]}] if name in self.public else []
        claims = base64.urlsafe_b64encode(json.dumps({"access": granted}).encode()).rstrip(b"=").decode()
        return web.json_response({"token": f"e30.{claims}.c2ln"})

    async def _manifest(self, request: web.Request) -> web.Response:
        name, reference = request.match_info["name"], request.match_info["reference"]
        if "Authorization" not in request.headers:
            return self._challenge()
        if name not in self.public:
            return self._challenge(',error="insufficient_scope"')
        kind, content = self.manifests[name, reference]
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return web.Response(body=content, headers={"Content-Type": kind, "Docker-Content-Digest": digest})


@pytest.fixture
async def lenient() -> AsyncIterator[LenientRegistry]:
    """Return the registry, empty."""
    async with LenientRegistry() as server:
        yield server


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    """Return a transport that is closed afterwards."""
    transport = Transport(clock=SystemClock())
    yield transport
    await transport.close()
