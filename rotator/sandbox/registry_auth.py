"""Who may do what at the sandbox registry: its logins, and the bearer tokens minted from them."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rotator.ports import Clock

PULL = "pull"


@dataclass(frozen=True, slots=True)
class Grant:
    """One password of one user name, and what it may do.

    Args:
        username: The user name.
        password: The password. Secret.
        expires_at: When it stops working, aware; None for never.
        actions: What it may do (``pull``, ``push``, ``delete``).
        repositories: Text a repository's name must begin with (``team/``); None for every repository.
    """

    username: str
    password: str = field(repr=False)
    expires_at: datetime | None = None
    actions: tuple[str, ...] = (PULL,)
    repositories: str | None = None

    def is_expired(self, now: datetime) -> bool:
        """Return whether it stopped working by ``now``."""
        return self.expires_at is not None and self.expires_at <= now

    def may(self, action: str, repository: str) -> bool:
        """Return whether ``action`` on ``repository`` is granted, apart from any expiry."""
        return action in self.actions and repository.startswith(self.repositories or "")


@dataclass(frozen=True, slots=True)
class Access:
    """Actions on one repository, as a scope asks for them and a token grants them."""

    repository: str
    actions: tuple[str, ...]

    def render(self) -> dict[str, Any]:
        """Return the entry of the ``access`` claim."""
        return {"type": "repository", "name": self.repository, "actions": list(self.actions)}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid bearer token says.

    Args:
        subject: The user name it was minted for; empty for an anonymous token.
        access: What it grants.
    """

    subject: str
    access: tuple[Access, ...]

    def may(self, action: str, repository: str) -> bool:
        """Return whether the token grants ``action`` on ``repository``."""
        return any(entry.repository == repository and action in entry.actions for entry in self.access)


class Logins:
    """Every password the registry knows; several per user name may work at once.

    Args:
        clock: Decides what has expired.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._grants: list[Grant] = []

    def add(self, grant: Grant) -> None:
        """Let ``grant`` work; the same user name and password known before are replaced."""
        self._grants = [known for known in self._grants if not _is_same(known, grant)]
        self._grants.append(grant)

    def revoke(self, username: str, password: str | None) -> None:
        """Forget one password, or every one of ``username`` when it is None. Safe to repeat."""
        self._grants = [
            grant
            for grant in self._grants
            if grant.username != username or (password is not None and grant.password != password)
        ]

    def known(self, username: str, password: str) -> Grant | None:
        """Return the grant behind a login, which may have expired; None when there is none."""
        return next((grant for grant in self._grants if (grant.username, grant.password) == (username, password)), None)

    def valid(self, username: str, password: str) -> Grant | None:
        """Return the grant behind a login that works now; None when it does not."""
        grant = self.known(username, password)
        return None if grant is None or grant.is_expired(self._clock.now()) else grant


class Bearers:
    """Mints bearer tokens (JWT, HS256) and reads them back; the key lives as long as this object.

    Args:
        clock: Decides what has expired.
        service: The audience.
        lifetime: How long a token works, whatever becomes of the login behind it.
    """

    def __init__(self, clock: Clock, *, service: str, lifetime: timedelta) -> None:
        self._clock = clock
        self._service = service
        self._lifetime = lifetime
        self._key = secrets.token_bytes(32)

    def mint(self, subject: str, access: Iterable[Access]) -> dict[str, Any]:
        """Return the token server's JSON answer for one token."""
        now = self._clock.now()
        claims = {
            "iss": self._service,
            "aud": self._service,
            "sub": subject,
            "iat": int(now.timestamp()),
            "exp": (now + self._lifetime).timestamp(),
            "jti": secrets.token_hex(8),
            "access": [entry.render() for entry in access],
        }
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        token = f"{signed}.{self._sign(signed)}"
        return {
            "token": token,
            "access_token": token,
            "expires_in": int(self._lifetime.total_seconds()),
            "issued_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def read(self, token: str) -> Claims | None:
        """Return what ``token`` says; None when it is not one of ours or has expired."""
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._sign(signed).encode(), signature.encode()):
            return None
        claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        if claims["exp"] <= self._clock.now().timestamp():
            return None
        return Claims(
            claims["sub"], tuple(Access(entry["name"], tuple(entry["actions"])) for entry in claims["access"])
        )

    def _sign(self, text: str) -> str:
        return _base64url(hmac.digest(self._key, text.encode(), "sha256"))


def parse_scope(text: str) -> Access | None:
    """Return what one ``scope`` parameter asks for; None unless it is about a repository.

    The type ends at the first colon and the actions begin after the last one: a name may hold a colon itself.
    Source: distribution token scope documentation (https://distribution.github.io/distribution/spec/auth/scope/).
    """
    kind, _, rest = text.partition(":")
    name, _, actions = rest.rpartition(":")
    if kind != "repository" or not name:
        return None
    return Access(name, tuple(action for action in actions.split(",") if action))


def parse_basic(header: str) -> tuple[str, str] | None:
    """Return user name and password of an ``Authorization: Basic`` header; None when it is not one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return (username, password) if colon else None


def _is_same(one: Grant, other: Grant) -> bool:
    return (one.username, one.password) == (other.username, other.password)


def _encode(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
