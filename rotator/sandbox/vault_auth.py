"""The sandbox Vault's tokens and login methods. No HTTP here.

Source: https://developer.hashicorp.com/vault/api-docs/auth (token, approle, kubernetes, jwt, aws; read 2026-11-23).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rotator.sandbox.vault_kv import RefusedError, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rotator.ports import Clock
    from rotator.sandbox.vault_policy import Acl

HOUR = timedelta(hours=1)
EVERYTHING = ("",)
"""Policies of a token that may read and write every path."""

INVALID_ROLE = "invalid role or secret ID"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token may do and for how long.

    Args:
        ttl: Lifetime without renewal; zero for a token that never expires.
        max_ttl: Lifetime with renewals; None for no limit.
        policies: Path prefixes (``registries/ghcr``) that it may read and write.
        renewable: Whether `TokenDesk.renew` works.
        capabilities: What is told of the paths that the policies cover.
        acl: What real policies allow, checked as well, on every path; None where only the prefixes count.
    """

    ttl: timedelta = HOUR
    max_ttl: timedelta | None = None
    policies: tuple[str, ...] = EVERYTHING
    renewable: bool = True
    capabilities: tuple[str, ...] = ("read",)
    acl: Acl | None = None


@dataclass(slots=True)
class Token:
    """One token that was handed out."""

    value: str
    grant: Grant
    namespace: str
    issued_at: datetime
    expires_at: datetime | None

    def may(self, path: str) -> bool:
        """Return whether a policy covers ``path``."""
        is_root = "root" in self.grant.policies
        return is_root or any(path.startswith(prefix) for prefix in self.grant.policies)

    def capabilities_json(self, paths: list[str]) -> dict[str, Any]:
        """Return the ``data`` block of a question about ``paths``: one list each.

        Source: https://developer.hashicorp.com/vault/api-docs/system/capabilities-self (read 2026-11-28).
        """
        acl = self.grant.acl
        if acl is not None:
            return {path: acl.capabilities(path) for path in paths}
        return {path: self._capabilities(path.replace("/data/", "/", 1)) for path in paths}

    def _capabilities(self, logical: str) -> list[str]:
        if "root" in self.grant.policies:
            return ["root"]
        return list(self.grant.capabilities) if self.may(logical) else ["deny"]

    def auth_json(self, ttl: timedelta) -> dict[str, Any]:
        """Return the ``auth`` block of a login or renewal."""
        names = list(self.grant.policies)
        return {
            "client_token": self.value,
            "accessor": f"accessor-{self.issued_at:%H%M%S}",
            "policies": names,
            "token_policies": names,
            "metadata": {},
            "lease_duration": int(ttl.total_seconds()),
            "renewable": self.grant.renewable,
            "entity_id": "",
            "token_type": "service",
            "orphan": True,
        }

    def lookup_json(self, now: datetime) -> dict[str, Any]:
        """Return the ``data`` block of a look-up."""
        left = self.expires_at - now if self.expires_at else timedelta(0)
        return {
            "id": self.value,
            "creation_time": int(self.issued_at.timestamp()),
            "creation_ttl": int(self.grant.ttl.total_seconds()),
            "display_name": "sandbox",
            "expire_time": rfc3339(self.expires_at) if self.expires_at else None,
            "issue_time": rfc3339(self.issued_at),
            "explicit_max_ttl": int(self.grant.max_ttl.total_seconds()) if self.grant.max_ttl else 0,
            "orphan": True,
            "policies": list(self.grant.policies),
            "renewable": self.grant.renewable and self.expires_at is not None,
            "ttl": int(left.total_seconds()),
            "type": "service",
        }


class TokenDesk:
    """Hands out tokens, renews them, and knows who may log in.

    Args:
        clock: Decides what has expired.
    """

    def __init__(self, clock: Clock) -> None:
        self.tokens: dict[str, Token] = {}
        self._clock = clock
        self._logins: dict[tuple[str, str], tuple[Callable[[Mapping[str, Any]], None], Grant]] = {}

    def allow(self, mount: str, role: str, grant: Grant, check: Callable[[Mapping[str, Any]], None]) -> None:
        """Let ``role`` log in at ``mount``; ``check`` raises RefusedError for a request that is not good enough."""
        self._logins[mount, role] = (check, grant)

    def forget(self, mount: str, role: str) -> None:
        """Let ``role`` no longer log in. Safe to repeat."""
        self._logins.pop((mount, role), None)

    def log_in(self, mount: str, request: Mapping[str, Any], namespace: str) -> dict[str, Any]:
        """Return the ``auth`` block of a fresh token.

        Raises:
            RefusedError: The role is unknown, or its check failed.
        """
        role = str(request.get("role") or request.get("role_id") or "")
        if (mount, role) not in self._logins:
            raise RefusedError(400, INVALID_ROLE if "role_id" in request else f'invalid role name "{role}"')
        check, grant = self._logins[mount, role]
        check(request)
        return self.mint(grant, namespace).auth_json(grant.ttl)

    def mint(self, grant: Grant, namespace: str = "", value: str | None = None) -> Token:
        """Hand out a token; ``value`` None makes one up."""
        now = self._clock.now()
        expires_at = now + grant.ttl if grant.ttl else None
        token = Token(value or f"hvs.{secrets.token_urlsafe(24)}", grant, namespace, now, expires_at)
        self.tokens[token.value] = token
        return token

    def check(self, value: str, namespace: str) -> Token:
        """Return the live token ``value``.

        Raises:
            RefusedError: Unknown, expired, or of another namespace.
        """
        token = self.tokens.get(value)
        if token is None or not namespace.startswith(token.namespace):
            raise RefusedError(403, "permission denied")
        if token.expires_at is not None and token.expires_at <= self._clock.now():
            raise RefusedError(403, "permission denied")
        return token

    def renew(self, token: Token) -> dict[str, Any]:
        """Extend ``token`` as far as its maximum allows and return the ``auth`` block.

        Raises:
            RefusedError: It is not renewable.
        """
        if not token.grant.renewable or token.expires_at is None:
            raise RefusedError(400, "lease is not renewable")
        now = self._clock.now()
        end = now + token.grant.ttl
        if token.grant.max_ttl is not None:
            end = min(end, token.issued_at + token.grant.max_ttl)
        token.expires_at = end
        return token.auth_json(end - now)

    def create(self, request: Mapping[str, Any], parent: Token) -> dict[str, Any]:
        """Return the ``auth`` block of a child token; ttl and policies default to the parent's."""
        ttl = parse_seconds(request.get("ttl"), parent.grant.ttl)
        policies = tuple(request.get("policies") or parent.grant.policies)
        renewable = bool(request.get("renewable", True))
        limit = parse_seconds(request.get("explicit_max_ttl"), timedelta(0)) or None
        grant = replace(parent.grant, ttl=ttl, policies=policies, renewable=renewable, max_ttl=limit)
        return self.mint(grant, parent.namespace).auth_json(ttl)


def parse_seconds(value: object, default: timedelta) -> timedelta:
    """Return a duration written as seconds or with a unit (``90``, ``"90s"``, ``"5m"``, ``"1h"``)."""
    text = str(value or "").strip()
    if not text:
        return default
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1])
    return timedelta(seconds=int(text[:-1]) * unit) if unit else timedelta(seconds=int(text))


def expect(wanted: Mapping[str, str], refusal: RefusedError) -> Callable[[Mapping[str, Any]], None]:
    """Return a check that every field of ``wanted`` is in the request."""

    def check(request: Mapping[str, Any]) -> None:
        if any(not hmac.compare_digest(str(request.get(name) or ""), value) for name, value in wanted.items()):
            raise refusal

    return check


def expect_aws(access_key: str, secret_key: str, server_id: str = "") -> Callable[[Mapping[str, Any]], None]:
    """Return a check of a signed ``GetCallerIdentity`` request, as STS itself would make it.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html (2026-11-23).
    """

    def check(request: Mapping[str, Any]) -> None:
        headers = _aws_headers(request)
        if _decoded(request, "iam_request_url") != "https://sts.amazonaws.com/":
            raise RefusedError(400, "iam_request_url is not the STS endpoint")
        if server_id and headers.get("x-vault-aws-iam-server-id") != server_id:
            raise RefusedError(400, 'missing header "X-Vault-AWS-IAM-Server-ID"')
        wanted = _signature(request, headers, secret_key)
        given = headers.get("authorization", "")
        if f"Credential={access_key}/" not in given or not given.endswith(f"Signature={wanted}"):
            raise RefusedError(400, "error making upstream request: received error code 403 from STS")

    return check


def _aws_headers(request: Mapping[str, Any]) -> dict[str, str]:
    if request.get("iam_http_request_method") != "POST" or not _decoded(request, "iam_request_body"):
        raise RefusedError(400, "missing iam_http_request_method or iam_request_body")
    headers = json.loads(_decoded(request, "iam_request_headers") or "{}")
    return {name.lower(): "".join(values) for name, values in headers.items()}


def _decoded(request: Mapping[str, Any], name: str) -> str:
    return base64.b64decode(str(request.get(name) or "")).decode()


def _signature(request: Mapping[str, Any], headers: Mapping[str, str], secret_key: str) -> str:
    given = dict(part.strip().split("=", 1) for part in headers["authorization"].partition(" ")[2].split(","))
    names = given["SignedHeaders"].split(";")
    scope = given["Credential"].split("/", 1)[1]
    body_hash = hashlib.sha256(_decoded(request, "iam_request_body").encode()).hexdigest()
    signed = "".join(f"{name}:{headers[name]}\n" for name in names)
    canonical = "\n".join(["POST", "/", "", signed, ";".join(names), body_hash])
    text_hash = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{text_hash}".encode(), "sha256").hex()
