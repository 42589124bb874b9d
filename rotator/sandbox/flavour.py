"""What tells one vendor's registry from another, as data: which paths it has and how it refuses.

A flavour holds only what was documented or seen, and each of its replies says where. What no source tells is left as
distribution does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal

_SPEC = "OCI distribution specification 1.1, Error Codes; read 2026-11-23"
_TOKEN_SPEC = "https://distribution.github.io/distribution/spec/auth/token/, read 2026-11-23"  # noqa: S105 (an address)


class Asks(StrEnum):
    """The challenge that comes with a refusal."""

    NOTHING = ""
    LOGIN = "login"
    """A challenge as the flavour's scheme has it."""
    FRESH_TOKEN = "invalid_token"  # noqa: S105 (a word of the specification)
    WIDER_TOKEN = "insufficient_scope"  # noqa: S105 (as above)


@dataclass(frozen=True, slots=True)
class Reply:
    """One refusal.

    Args:
        status: HTTP status.
        message: The message of an OCI error, or the whole body where there is no code; ``{name}``, ``{reference}`` and
            ``{user}`` stand for what was asked for and by whom.
        code: OCI error code; empty for a body of another shape.
        asks: The challenge that comes with it.
        headers: Further headers.
        source: Where it is documented or was seen.
    """

    status: int
    message: str
    code: str = ""
    asks: Asks = Asks.NOTHING
    headers: Mapping[str, str] = field(default_factory=dict)
    source: str = _SPEC

    def text(self, **facts: str) -> str:
        """Return the message with ``facts`` in it."""
        message = self.message
        for name, value in facts.items():
            message = message.replace(f"{{{name}}}", value)
        return message


@dataclass(frozen=True, slots=True)
class Ban:
    """An address that showed too many wrong logins is shut out of the token server, with any login.

    Args:
        failures: How many, without a good one in between.
        within: In how long a time.
        lasts: How long it is shut out.
        reply: What it is told.
    """

    failures: int
    within: timedelta
    lasts: timedelta
    reply: Reply


class Pulls(StrEnum):
    """What counts against the limit of pulls, and whether answers tell what is left."""

    GETS_TOLD = "gets, told"
    """Manifest GETs count, HEADs never; both tell what is left."""
    ALL_UNTOLD = "all, untold"
    """Every request for a manifest counts, and nothing tells before it is over."""


@dataclass(frozen=True, slots=True)
class Flavour:
    """How one vendor's registry answers.

    Args:
        name: What it is called on a command line.
        host: The registry's host name in the world, for asking it by that name through a proxy.
        scheme: ``bearer``: tokens from a token server; ``basic``: every request carries the password.
        token_host: The host that mints tokens, where that is another one than ``host``.
        token_path: Where tokens are minted.
        service: The service that challenges name; empty for the host.
        ping_scope: The scope that the challenge of ``/v2/`` names; empty for none.
        no_login: The registry's answer to a request without a login.
        wrong_login: The answer to a wrong login, by the token server or, without one, by the registry.
        expired_login: The answer to one that was right once.
        excused_by_scope: Whether a wrong login that asks for a scope counts as none instead.
        refused_token: The token server's answer to a login that may do nothing of what it asks for; None for a token
            that grants nothing, as distribution has it.
        refused_guest: The same, to nobody.
        invalid_token: The registry's answer to a token that has expired or is none of its own.
        not_granted: The registry's answer to a login without the right.
        not_granted_guest: The same, to a token of nobody; None for the same answer.
        missing_repository: The answer about a repository that does not exist; None where that is hidden: it is
            refused as what is not granted.
        missing_tag: The answer about a tag that does not exist.
        over_limit: The answer once the limit is reached.
        pulls: What counts against the limit.
        ban: What follows too many wrong logins; None for nothing.
    """

    name: str
    host: str
    scheme: Literal["bearer", "basic"] = "bearer"
    token_host: str = ""
    token_path: str = "/token"  # noqa: S105 (a path)
    service: str = ""
    ping_scope: str = ""
    no_login: Reply = Reply(401, "authentication required", "UNAUTHORIZED", Asks.LOGIN, source=_TOKEN_SPEC)
    wrong_login: Reply = Reply(401, "authentication required", "UNAUTHORIZED", source=_TOKEN_SPEC)
    expired_login: Reply = Reply(401, "authentication required", "UNAUTHORIZED", source=_TOKEN_SPEC)
    excused_by_scope: bool = False
    refused_token: Reply | None = None
    refused_guest: Reply | None = None
    invalid_token: Reply = Reply(401, "authentication required", "UNAUTHORIZED", Asks.FRESH_TOKEN, source=_TOKEN_SPEC)
    not_granted: Reply = Reply(401, "authentication required", "UNAUTHORIZED", Asks.WIDER_TOKEN, source=_TOKEN_SPEC)
    not_granted_guest: Reply | None = None
    missing_repository: Reply | None = Reply(404, "repository {name} does not exist", "NAME_UNKNOWN")
    missing_tag: Reply = Reply(404, "{reference} does not exist", "MANIFEST_UNKNOWN")
    over_limit: Reply = Reply(429, "the pull rate limit is reached", "TOOMANYREQUESTS")
    pulls: Pulls = Pulls.GETS_TOLD
    ban: Ban | None = None

    @property
    def is_hiding(self) -> bool:
        """Return whether what does not exist looks like what is not granted."""
        return self.missing_repository is None
