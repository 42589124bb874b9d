"""An answer of a registry or token server, reduced to what can be told from it. Pure.

Of a body only an error code and known phrases are kept, and the manifest that was asked for.

Sources (read 2026-11-23): OCI distribution specification 1.1, "Error Codes"; docs.docker.com/docker-hub/usage/pulls;
Amazon ECR user guide, "Registry authentication", and aws/containers-roadmap issue 2835; docs.github.com, "Working with
the Container registry"; docker/hub-feedback issues 1981 and 2201; Azure/acr, "authentication-required".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from rotator.registry.challenge import Challenge, find

MAX_SEARCHED_BYTES = 16_384
"""How much of a body is looked at."""
MAX_EXCERPT_CHARS = 120

_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]+")
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,40}")


class Place(StrEnum):
    """Which server answered, and to what."""

    TOKEN = "token"  # noqa: S105 (a word, not a password)
    """The token server, to a login."""
    BASE = "base"
    """The registry, to ``/v2/``."""
    MANIFEST = "manifest"
    """The registry, to a manifest."""
    ACCOUNT = "account"
    """The vendor's own API, to a login."""


class Hint(StrEnum):
    """What a body says in words that no code expresses."""

    EXPIRED = "expired"
    """ECR, ECR Public: the password or token has expired or is invalid."""
    ANONYMOUS = "anonymous"
    """Google: the request does not count as authenticated."""
    SLOW_DOWN = "slow_down"
    """A rate limit that is not a 429."""
    BLOCKED_ADDRESS = "blocked_address"
    """A firewall rule about our address, not about the login."""
    ACCEPT = "accept"
    """The image exists in a format we did not say we take."""
    BARE_DENIAL = "bare_denial"
    """GHCR: nothing but "denied", its word for a bad token."""
    PULL_LIMIT = "pull_limit"
    """Docker Hub: no pulls left in the present window."""
    LOCKED_OUT = "locked_out"
    """Docker Hub: too many failed logins; not even the right password works for a while."""
    TWO_FACTOR = "two_factor"
    """Docker Hub: the password is right, but the account wants a second factor or a token."""
    NO_LOGIN = "no_login"
    """ECR: nothing was shown to log in with."""
    NOT_GRANTED = "not_granted"
    """AWS, Azure: the login is good and lacks a right."""


_PHRASES = (
    (Hint.LOCKED_OUT, re.compile(r"too many failed login attempts")),
    (Hint.PULL_LIMIT, re.compile(r"pull rate limit")),
    (Hint.EXPIRED, re.compile(r"authorization token (?:has expired|is expired|is invalid|has been invalidated)")),
    (Hint.SLOW_DOWN, re.compile(r"secondary rate limit|rate limit exceeded|too ?many ?requests|rate exceeded")),
    (Hint.BLOCKED_ADDRESS, re.compile(r"client with ip\b.*not allowed")),
    (Hint.ACCEPT, re.compile(r"accept header")),
    (Hint.ANONYMOUS, re.compile(r"unauthenticated request")),
    (Hint.TWO_FACTOR, re.compile(r"login_2fa_token|please use personal access token to log ?in")),
    (Hint.NO_LOGIN, re.compile(r"no basic auth credentials")),
    (Hint.NOT_GRANTED, re.compile(r"is not authorized to perform|aka\.ms/acr/authorization")),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, reduced to what a verdict needs.

    Args:
        place: Who answered what.
        status: HTTP status.
        scheme: How the request was logged in: ``bearer``, ``basic``, or empty.
        challenges: What its ``WWW-Authenticate`` asks for; in no repr, for it may quote what was shown.
        code: The first OCI error code of its body; empty when there is none.
        hint: What its body says beyond the code; None when nothing known.
        html: Whether it is a web page.
        retry_after: How long it asks to be left alone; None when it does not.
        excerpt: At most 120 printable characters of its error message, for a person who asks; in no log and no repr.
        anonymous: Whether it was given to nobody in particular, even where a bearer token was sent.
        digest: What the registry says the manifest's digest is; empty when it does not. Not checked.
        media_type: The manifest's media type; empty for other answers.
        content: The manifest itself, where it was fetched; in no repr.
        limits: Its headers about rate limits, by lower-case name; they may name our address or account.
    """

    place: Place
    status: int
    scheme: str = ""
    challenges: Sequence[Challenge] = field(default=(), repr=False)
    code: str = ""
    hint: Hint | None = None
    html: bool = False
    retry_after: timedelta | None = None
    excerpt: str = field(default="", repr=False)
    anonymous: bool = False
    digest: str = ""
    media_type: str = ""
    content: bytes = field(default=b"", repr=False)
    limits: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def has_login(self) -> bool:
        """Return whether it is about somebody's login, so that it may blame one."""
        return bool(self.scheme) and not self.anonymous

    @property
    def error(self) -> str:
        """Return the ``error`` of its bearer challenge: ``invalid_token``, ``insufficient_scope``, or empty."""
        bearer = find(self.challenges, "bearer")
        return bearer.get("error") if bearer else ""


@dataclass(frozen=True, slots=True)
class Words:
    """What was found in a body. See `Answer`."""

    code: str = ""
    hint: Hint | None = None
    excerpt: str = field(default="", repr=False)


def read_words(body: bytes) -> Words:
    """Return the known words of an error body, whatever its format. Never raises."""
    head = body[:MAX_SEARCHED_BYTES]
    code, message = _first_error(head)
    text = _NOT_PRINTABLE.sub(" ", head.decode("utf-8", "replace")).lower()
    hint = next((hint for hint, phrase in _PHRASES if phrase.search(text)), None)
    if hint is None and code == "DENIED" and message.strip().lower() in {"denied", "denied: denied"}:
        hint = Hint.BARE_DENIAL
    return Words(code, hint, _NOT_PRINTABLE.sub(" ", message)[:MAX_EXCERPT_CHARS])


def _first_error(body: bytes) -> tuple[str, str]:
    """Return code and message of an OCI error body; empty where it is something else."""
    try:
        errors = json.loads(body)["errors"]
        code, message = errors[0]["code"], errors[0].get("message", "")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return "", ""
    code = code.upper() if isinstance(code, str) else ""
    return (code if _CODE.fullmatch(code) else ""), (message if isinstance(message, str) else "")


def needs_body(answer: Answer) -> bool:
    """Return whether a HEAD's answer is worth repeating as GET, for the error code that a HEAD cannot carry.

    Not where the status and challenge already decide: each refusal may count towards a lock-out.
    """
    if answer.status == _UNAUTHORIZED:
        return answer.scheme == "bearer" and not answer.error
    return answer.status in {400, _FORBIDDEN, _NOT_FOUND}


_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
