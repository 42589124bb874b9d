"""A small Vault on loopback: key-value secrets, tokens that expire, logins, seals and standbys to order.

Shapes of answers: https://developer.hashicorp.com/vault/api-docs (read 2026-11-23).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from rotator.clock import SystemClock
from rotator.sandbox.server import SandboxServer
from rotator.sandbox.vault_auth import EVERYTHING, HOUR, Grant, TokenDesk, expect, expect_aws
from rotator.sandbox.vault_kv import PLAIN, KvMount, KvRequest, RefusedError, answer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from rotator.ports import Clock
    from rotator.sandbox.vault_auth import Token

VERSION = "1.19.0"
MOUNTS = "sys/internal/ui/mounts/"
_ACTIVE, _STANDBY, _SEALED = 200, 429, 503
_OPEN_WHEN_SEALED = ("sys/health", "sys/seal-status")


class SandboxVault(SandboxServer):
    """A Vault to read from. Every method changes its world at once.

    Args:
        clock: Decides which tokens have expired.
        tls: Server-side TLS context; None for plain HTTP.
    """

    def __init__(self, *, clock: Clock | None = None, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        super().__init__(app, tls=tls)
        app.router.add_route("*", "/v1/{path:.*}", self._serve)
        self._clock = clock or SystemClock()
        self.desk = TokenDesk(self._clock)
        self._mounts: dict[tuple[str, str], KvMount] = {}
        self._denied: set[str] = set()
        self._sealed = False
        self._health = _ACTIVE
        self._active_url: str | None = None

    def mount(self, name: str, *, version: int = 2, namespace: str = "") -> KvMount:
        """Mount an empty key-value engine, which may be nested (``team/kv``); an existing one is returned."""
        return self._mounts.setdefault((namespace, name), KvMount(version))

    def put(
        self,
        location: str,
        data: Mapping[str, Any],
        *,
        custom_metadata: Mapping[str, str] | None = None,
        namespace: str = "",
    ) -> int:
        """Store fields at ``mount/path``; a mount that does not exist becomes version 2. Return the new version."""
        if self._find(location, namespace) is None:
            self.mount(location.partition("/")[0], namespace=namespace)
        mount, path = self._located(location, namespace)
        number = mount.put(path, data, self._clock.now())
        if custom_metadata is not None:
            mount.secret(path, self._clock.now()).custom_metadata = dict(custom_metadata)
        return number

    def delete(self, location: str, *, namespace: str = "") -> None:
        """Soft-delete the newest version at ``mount/path``."""
        mount, path = self._located(location, namespace)
        mount.soft_delete(path, [mount.secrets[path].current], self._clock.now())

    def destroy(self, location: str, *, namespace: str = "") -> None:
        """Throw the newest version at ``mount/path`` away for good."""
        mount, path = self._located(location, namespace)
        mount.destroy(path, [mount.secrets[path].current])

    def seal(self) -> None:
        """Answer 503 to everything but health and seal status."""
        self._sealed = True

    def unseal(self) -> None:
        """Serve again."""
        self._sealed = False

    def become_standby(self, active_url: str | None = None, *, health: int = _STANDBY) -> None:
        """Report ``health`` (429 standby, 473 performance standby); with a URL, answer 307 to there."""
        self._health, self._active_url = health, active_url

    def become_active(self) -> None:
        """Serve again after `become_standby`."""
        self._health, self._active_url = _ACTIVE, None

    def deny(self, path: str) -> None:
        """Answer 403 below ``path``: ``mount/path`` of a secret, or an API path such as ``auth/token/renew-self``."""
        self._denied.add(path)

    def allow(self, path: str) -> None:
        """Undo `deny`. Safe to repeat."""
        self._denied.discard(path)

    def mint_token(
        self, ttl: timedelta = HOUR, policies: tuple[str, ...] = EVERYTHING, *, grant: Grant | None = None
    ) -> str:
        """Return a fresh token; ``grant`` overrides the other two. A zero ttl never expires."""
        return self.desk.mint(grant or Grant(ttl=ttl, policies=policies)).value

    def revoke_tokens(self) -> None:
        """Forget every token."""
        self.desk.tokens.clear()

    def add_approle(
        self, role_id: str, secret_id: str, *, ttl: timedelta = HOUR, grant: Grant | None = None, mount: str = "approle"
    ) -> None:
        """Let a role log in; ``grant`` overrides ``ttl``. Repeating replaces the secret-id."""
        check = expect({"role_id": role_id, "secret_id": secret_id}, RefusedError(400, "invalid role or secret ID"))
        self.desk.allow(mount, role_id, grant or Grant(ttl=ttl), check)

    def add_jwt_role(
        self, role: str, jwt: str, *, ttl: timedelta = HOUR, grant: Grant | None = None, mount: str = "jwt"
    ) -> None:
        """Let ``role`` log in with exactly this token; ``mount`` may be ``kubernetes``."""
        refusal = RefusedError(403, "permission denied") if mount == "kubernetes" else RefusedError(400, "bad token")
        self.desk.allow(mount, role, grant or Grant(ttl=ttl), expect({"jwt": jwt}, refusal))

    def add_aws_role(
        self, role: str, access_key: str, secret_key: str, *, server_id: str = "", ttl: timedelta = HOUR
    ) -> None:
        """Let ``role`` log in at ``aws`` with a request signed by this key."""
        self.desk.allow("aws", role, Grant(ttl=ttl), expect_aws(access_key, secret_key, server_id))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"].strip("/")
        try:
            if path == "sys/health":
                return self._answer_health()
            if path == "sys/seal-status":
                return _json(self._seal_status())
            if self._sealed:
                raise RefusedError(_SEALED, "Vault is sealed")  # noqa: TRY301 (one place renders refusals)
            if self._active_url is not None:
                return web.Response(status=307, headers={"Location": f"{self._active_url}{request.rel_url}"})
            return await self._route(request, path)
        except RefusedError as error:
            return _json({"errors": error.errors}, error.status)
        except (ValueError, KeyError, TypeError):
            return _json({"errors": ["error parsing JSON"]}, 400)

    async def _route(self, request: web.Request, path: str) -> web.StreamResponse:
        namespace = request.headers.get("X-Vault-Namespace", "").strip("/")
        body = await request.json() if request.can_read_body else {}
        if path.startswith("auth/") and path.endswith("/login"):
            self._check_denied(path)
            mount = path.removeprefix("auth/").removesuffix("/login")
            return _wrapped(auth=self.desk.log_in(mount, body, namespace))
        token = self.desk.check(request.headers.get("X-Vault-Token", ""), namespace)
        self._check_policy(request, path, token, namespace)
        if path.startswith("auth/token/"):
            return self._answer_token(path, token, body)
        if path == "sys/capabilities-self":
            self._check_denied(path)
            return _wrapped(data=token.capabilities_json(body["paths"]))
        if path.startswith(MOUNTS):
            return self._answer_mount(path, token, namespace)
        return self._answer_kv(request, path, token, body)

    def _answer_token(self, path: str, token: Token, body: Mapping[str, Any]) -> web.Response:
        self._check_denied(path)
        match path.removeprefix("auth/token/"):
            case "lookup-self":
                return _wrapped(data=token.lookup_json(self._clock.now()))
            case "renew-self":
                return _wrapped(auth=self.desk.renew(token))
            case "create":
                return _wrapped(auth=self.desk.create(body, token))
        raise RefusedError(404)

    def _answer_mount(self, path: str, token: Token, namespace: str) -> web.Response:
        name = path.removeprefix(MOUNTS)
        found = self._find(name, namespace)
        if found is None or self._is_denied(path) or not any(_overlap(name, rule) for rule in token.grant.policies):
            raise RefusedError(
                403, "preflight capability check returned 403, please ensure client's policies grant access to path"
            )
        version = self._mounts[namespace, found].version
        return _wrapped(data={"path": f"{found}/", "type": "kv", "options": {"version": str(version)}})

    def _answer_kv(self, request: web.Request, path: str, token: Token, body: Mapping[str, Any]) -> web.Response:
        namespace = request.headers.get("X-Vault-Namespace", "").strip("/")
        name = self._find(path, namespace)
        if name is None:
            raise RefusedError(404, f'no handler for route "{path}". route entry not found.')
        mount = self._mounts[namespace, name]
        section, _, secret_path = path.removeprefix(f"{name}/").partition("/")
        if mount.version == 1:
            section, secret_path = PLAIN, path.removeprefix(f"{name}/")
        logical = f"{name}/{secret_path}"
        if request.method == "PATCH" and request.content_type != "application/merge-patch+json":
            raise RefusedError(415, "PATCH requires Content-Type of application/merge-patch+json")
        self._check_denied(logical)
        if not token.may(logical):
            raise RefusedError(403, "permission denied")
        asked = KvRequest(_verb(request), section, secret_path, body, int(request.query.get("version", "0")))
        status, data = answer(mount, asked, self._clock.now())
        return web.Response(status=status) if data is None else _wrapped(data=data, status=status)

    def _check_policy(self, request: web.Request, path: str, token: Token, namespace: str) -> None:
        """Refuse what the token's real policies do not allow. Which mount is where, may be asked by who may enter it.

        Source: https://developer.hashicorp.com/vault/docs/concepts/policies, "Capabilities" (read 2026-11-28).
        """
        acl = token.grant.acl
        if acl is None:
            return
        if path.startswith(MOUNTS):
            found = self._find(path.removeprefix(MOUNTS), namespace)
            if found is None or acl.reaches(found):
                return
        elif acl.allows(path, self._capability(request, path, namespace)):
            return
        raise RefusedError(403, "permission denied")

    def _capability(self, request: web.Request, path: str, namespace: str) -> str:
        """Return what a policy must allow for this request; to write something new is another right than to change."""
        verb = _verb(request)
        name = self._find(path, namespace)
        if verb != "write":
            return verb
        if name is None:
            return "update"
        mount, inside = self._mounts[namespace, name], path.removeprefix(f"{name}/")
        held = mount.plain if mount.version == 1 else mount.secrets
        key = inside if mount.version == 1 else inside.partition("/")[2]
        return "update" if key in held else "create"

    def _answer_health(self) -> web.Response:
        status = _SEALED if self._sealed else self._health
        body = {**self._seal_status(), "standby": self._health != _ACTIVE, "server_time_utc": 0}
        return _json(body, status)

    def _seal_status(self) -> dict[str, Any]:
        return {"type": "shamir", "initialized": True, "sealed": self._sealed, "t": 1, "n": 1, "version": VERSION}

    def _find(self, path: str, namespace: str) -> str | None:
        """Return the longest mount that ``path`` is in."""
        names = [name for space, name in self._mounts if space == namespace and f"{path}/".startswith(f"{name}/")]
        return max(names, key=len, default=None)

    def _located(self, location: str, namespace: str) -> tuple[KvMount, str]:
        name = self._find(location, namespace)
        if name is None:
            raise KeyError(location)
        return self._mounts[namespace, name], location.removeprefix(f"{name}/")

    def _is_denied(self, path: str) -> bool:
        return any(path.startswith(prefix) for prefix in self._denied)

    def _check_denied(self, path: str) -> None:
        if self._is_denied(path):
            raise RefusedError(403, "permission denied")


def _verb(request: web.Request) -> str:
    # aiohttp's parser refuses the method LIST; Vault takes this query instead of it.
    if request.query.get("list") == "true":
        return "list"
    return {"GET": "read", "DELETE": "delete", "PATCH": "patch"}.get(request.method, "write")


def _overlap(name: str, rule: str) -> bool:
    return rule.startswith(name) or name.startswith(rule)


def _wrapped(*, data: Any = None, auth: Any = None, status: int = 200) -> web.Response:
    """Return Vault's usual envelope."""
    body = {
        "request_id": "5fa0d3ac-0000-4000-8000-000000000000",
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": data,
        "wrap_info": None,
        "warnings": None,
        "auth": auth,
    }
    return _json(body, status)


def _json(body: Any, status: int = 200) -> web.Response:
    """Return JSON as Vault does: without a charset, since clients compare the header to the letter."""
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")
