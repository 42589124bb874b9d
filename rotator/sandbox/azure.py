"""Azure Resource Manager, as far as a registry's passwords go; what it sets pulls at a sandbox registry.

Behaviour: learn.microsoft.com, Container Registry REST API, Registries: Generate Credentials and Regenerate Credential,
Tokens: Get, Scope Maps: Get; Azure Resource Manager, async operations (read 2026-11-28). Without a name both passwords
are set anew, as azure-mgmt-containerregistry 15.0.0 and the reference of ``az acr token credential generate`` say.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from rotator.ports import Clock
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import SandboxServer

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
PATH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/acme0"
ADMIN = "acme0"
TOKEN = "pull-token"  # noqa: S105 (a name)
ACTIONS = ("repositories/team/app/content/read", "repositories/team/app/metadata/read")
_TOKEN_SLOTS = ("password1", "password2")
_ADMIN_SLOTS = ("password", "password2")


@dataclass(slots=True)
class Slot:
    """One password of somebody.

    Args:
        value: The password. Secret.
        created_at: When it was set, RFC 3339.
        expiry: When it stops working, RFC 3339; empty for never.
    """

    value: str = field(repr=False)
    created_at: str
    expiry: str = ""


class SandboxArm(SandboxServer):
    """One registry, ``acme0``, with one scope-map token and the admin user.

    Args:
        clock: Time.
        registry: Where passwords work.
        bearer: The one access token that is known. Secret.
        looks: How often whoever ordered is told to look again before something is done.
    """

    def __init__(self, clock: Clock, registry: SandboxRegistry, *, bearer: str, looks: int = 0) -> None:
        app = web.Application()
        super().__init__(app)
        self.looks = looks
        self.is_enabled = True
        self.replicates = True
        self.slots: dict[str, Slot] = {}
        self.admin_slots: dict[str, Slot] = {
            name: Slot(secrets.token_hex(16), _text(clock.now())) for name in _ADMIN_SLOTS
        }
        self.bodies: list[dict[str, Any]] = []
        self._clock = clock
        self._registry = registry
        self._bearer = bearer
        self._done: dict[str, tuple[int, dict[str, Any]]] = {}
        for slot in self.admin_slots.values():
            registry.add_login(ADMIN, slot.value, actions=("pull", "push", "delete"))
        app.router.add_post(f"{PATH}/generateCredentials", self._generate)
        app.router.add_post(f"{PATH}/regenerateCredential", self._regenerate)
        app.router.add_get(f"{PATH}/tokens/{TOKEN}", self._token)
        app.router.add_get(f"{PATH}/scopeMaps/pull", self._scope_map)
        app.router.add_get("/operations/{id}", self._operation)

    def replicate(self) -> None:
        """Let the registry know of every password that is set."""
        for slot in self.slots.values():
            end = datetime.fromisoformat(slot.expiry).astimezone(UTC) if slot.expiry else None
            self._registry.add_login(TOKEN, slot.value, expires_at=end)
        for slot in self.admin_slots.values():
            self._registry.add_login(ADMIN, slot.value, actions=("pull", "push", "delete"))

    def _refusal(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"Bearer {self._bearer}":
            return _refuse(401, "AuthenticationFailed")
        if not request.path.startswith("/operations/") and not request.query.get("api-version"):
            return _refuse(400, "MissingApiVersionParameter")
        return None

    async def _generate(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        body = await request.json()
        self.bodies.append(body)
        if body.get("tokenId") != f"{PATH}/tokens/{TOKEN}" or body.get("name") not in {None, *_TOKEN_SLOTS}:
            return _refuse(400, "InvalidParameter")
        for name in [body["name"]] if "name" in body else _TOKEN_SLOTS:
            self._set(TOKEN, self.slots, name, body.get("expiry", ""))
        passwords = [
            {"name": name, "value": slot.value if name == body.get("name", name) else None, **_told(slot)}
            for name, slot in sorted(self.slots.items())
        ]
        return self._answer({"username": TOKEN, "passwords": passwords})

    async def _regenerate(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        body = await request.json()
        self.bodies.append(body)
        if body.get("name") not in _ADMIN_SLOTS:
            return _refuse(400, "InvalidParameter")
        self._set(ADMIN, self.admin_slots, body["name"], "")
        passwords = [{"name": name, "value": slot.value} for name, slot in self.admin_slots.items()]
        return web.json_response({"username": ADMIN, "passwords": passwords})

    def _set(self, username: str, slots: dict[str, Slot], name: str, expiry: str) -> None:
        if name in slots:
            self._registry.revoke(username, slots[name].value)
        slots[name] = Slot(secrets.token_hex(26), _text(self._clock.now()), expiry)
        if self.replicates:
            self.replicate()

    def _answer(self, document: dict[str, Any]) -> web.Response:
        """Answer at once, or with the place to look at."""
        if not self.looks:
            return web.json_response(document)
        operation = secrets.token_hex(8)
        self._done[operation] = (self.looks, document)
        return web.Response(status=202, headers={"Location": f"{self.url}/operations/{operation}?api-version=x"})

    async def _operation(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        looks, document = self._done[request.match_info["id"]]
        if looks <= 1:
            return web.json_response(document)
        self._done[request.match_info["id"]] = (looks - 1, document)
        return web.Response(status=202, headers={"Retry-After": "5"})

    async def _token(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        passwords = [{"name": name, **_told(slot)} for name, slot in sorted(self.slots.items())]
        status = "enabled" if self.is_enabled else "disabled"
        found = {"status": status, "scopeMapId": f"{PATH}/scopeMaps/pull", "credentials": {"passwords": passwords}}
        return web.json_response({"name": TOKEN, "properties": found})

    async def _scope_map(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        return web.json_response({"name": "pull", "properties": {"actions": list(ACTIONS)}})


def _told(slot: Slot) -> dict[str, str]:
    return {"creationTime": slot.created_at} | ({"expiry": slot.expiry} if slot.expiry else {})


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}0+00:00"


def _refuse(status: int, code: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": "no"}}, status=status)
