"""What an answer says about a login: the table of registries' dialects, as pure functions.

Only the registry's own word counts against a login: a known status together with a known challenge, code or phrase.
Everything else, from a proxy's error page to a rate limit, is "cannot tell".

Sources (read 2026-11-23): OCI distribution specification 1.1, "Error Codes"; docs.docker.com/docker-hub/usage/pulls;
Amazon ECR user guide, "Registry authentication", and aws/containers-roadmap issue 2835; docs.github.com, "Working with
the Container registry"; goharbor/harbor issue 20764 (``NOT_FOUND``); Azure/acr, "authentication-required".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from rotator.domain.verdict import Verdict
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


_PHRASES = (
    (Hint.EXPIRED, re.compile(r"authorization token (?:has expired|is expired|is invalid|has been invalidated)")),
    (Hint.SLOW_DOWN, re.compile(r"secondary rate limit|rate limit exceeded|too ?many ?requests|rate exceeded")),
    (Hint.BLOCKED_ADDRESS, re.compile(r"client with ip\b.*not allowed")),
    (Hint.ACCEPT, re.compile(r"accept header")),
    (Hint.ANONYMOUS, re.compile(r"unauthenticated request")),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, reduced to what a verdict needs.

    Args:
        place: Who answered what.
        status: HTTP status.
        scheme: How the request was logged in: ``bearer``, ``basic``, or empty.
        challenges: What its ``WWW-Authenticate`` asks for.
        code: The first OCI error code of its body; empty when there is none.
        hint: What its body says beyond the code; None when nothing known.
        html: Whether it is a web page.
        retry_after: How long it asks to be left alone; None when it does not.
        excerpt: At most 120 printable characters of its error message, for a person who asks; in no log and no repr.
        limits: Its headers about rate limits, by lower-case name; they may name our address or account.
    """

    place: Place
    status: int
    scheme: str = ""
    challenges: Sequence[Challenge] = ()
    code: str = ""
    hint: Hint | None = None
    html: bool = False
    retry_after: timedelta | None = None
    excerpt: str = field(default="", repr=False)
    limits: Mapping[str, str] = field(default_factory=dict, repr=False)

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


def classify(answer: Answer) -> tuple[Verdict, str]:
    """Return what ``answer`` says about the login it was given to, and the evidence in one sentence without secrets."""
    decide = _BY_STATUS.get(answer.status, _other)
    return _set_aside(answer) or (decide(answer) if answer.scheme or decide is _not_found else _other(answer))


def _set_aside(answer: Answer) -> tuple[Verdict, str] | None:
    """Return the verdict where it does not depend on the server and hardly on the status; None where it does."""
    if answer.status == _TOO_MANY or answer.hint is Hint.SLOW_DOWN or answer.code == "TOOMANYREQUESTS":
        return _unsure(answer, "asked to slow down")
    if answer.hint is Hint.BLOCKED_ADDRESS:
        return _unsure(answer, "refused our address, not the login")
    if answer.hint is Hint.EXPIRED and answer.scheme and answer.status in {400, _UNAUTHORIZED, _FORBIDDEN}:
        return Verdict.REJECTED, f"HTTP {answer.status}: the password has expired or is invalid"
    return None


def _other(answer: Answer) -> tuple[Verdict, str]:
    if answer.html:
        return _unsure(answer, "a web page, as a portal or proxy sends")
    if 200 <= answer.status < 300:  # noqa: PLR2004
        return Verdict.ACCEPTED, f"HTTP {answer.status}"
    return _unsure(answer, "says nothing about the login")


def _unauthorized(answer: Answer) -> tuple[Verdict, str]:
    if answer.place is Place.TOKEN:
        wrong = (Verdict.REJECTED, "HTTP 401 from the token server: wrong login")
        return _other(answer) if answer.html else wrong
    if answer.scheme == "basic":
        if answer.html and find(answer.challenges, "basic") is None:
            return _other(answer)
        return Verdict.REJECTED, "HTTP 401: wrong login"
    return _unauthorized_bearer(answer)


def _unauthorized_bearer(answer: Answer) -> tuple[Verdict, str]:
    if answer.error == "insufficient_scope":
        return Verdict.NO_ACCESS, "HTTP 401 insufficient_scope: not granted to this login, or does not exist"
    if answer.error == "invalid_token":
        return _unsure(answer, "refused a fresh bearer token as invalid; compare the clocks")
    if answer.scheme == "bearer" and answer.code in _REFUSAL_CODES:
        return Verdict.NO_ACCESS, f"HTTP 401 {answer.code} to a fresh bearer token: not granted, or does not exist"
    return _unsure(answer, "asks for a login without saying what is wrong with this one")


def _forbidden(answer: Answer) -> tuple[Verdict, str]:
    if answer.hint is Hint.ANONYMOUS:
        return Verdict.REJECTED, "HTTP 403 unauthenticated: the login does not count as one"
    if answer.hint is Hint.BARE_DENIAL and answer.place is not Place.MANIFEST:
        return Verdict.REJECTED, "HTTP 403 denied: the login has expired, was revoked or is wrong"
    if answer.code in _REFUSAL_CODES:
        return Verdict.NO_ACCESS, f"HTTP 403 {answer.code}: not granted to this login, or does not exist"
    return _unsure(answer, "refused without a registry's error code")


def _not_found(answer: Answer) -> tuple[Verdict, str]:
    if answer.hint is Hint.ACCEPT:
        return _unsure(answer, "has the image in a format that was not asked for")
    if answer.place is Place.MANIFEST and answer.code in _MISSING_CODES:
        return Verdict.MISSING, f"HTTP 404 {answer.code}: does not exist"
    return _unsure(answer, "is not a registry's answer")


_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
_BY_STATUS = {_UNAUTHORIZED: _unauthorized, _FORBIDDEN: _forbidden, _NOT_FOUND: _not_found}
_REFUSAL_CODES = frozenset({"DENIED", "UNAUTHORIZED", "FORBIDDEN"})
_MISSING_CODES = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"})


def _unsure(answer: Answer, words: str) -> tuple[Verdict, str]:
    return Verdict.CANNOT_TELL, f"HTTP {answer.status}: {words}"
