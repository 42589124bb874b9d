"""Who may use the admin API: the kernel's word on a UNIX socket, a bearer token over TCP.

Deciding is apart from serving: `Access.admit` looks at a `Knock` and says who it is and in which role, or why not. What
a role may do stands beside the paths (`rotator.admin.routes`).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from operator import attrgetter
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from rotator.admin.throttle import Throttle
from rotator.config.supervised import forbidden_bits
from rotator.errors import ConfigError
from rotator.ports import Clock

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
MIN_TOKEN_CHARS = 20
MAX_TOKENS = 100
MAX_TOKENS_BYTES = 64 << 10
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Role(IntEnum):
    """What a caller may do; each may do what those before it may, but for the hooks."""

    HOOK = 0
    """Call the hooks, and nothing else: a token for a machine that tells of alerts."""
    VIEWER = 1
    """Look."""
    OPERATOR = 2
    """Rotate, put an earlier version back, apply a plan, try targets and say that a login is in place."""
    ADMIN = 3
    """Report a leak, which ends logins at their vendor at once; be shown a login."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in.

    Args:
        name: Who, for the record of what was asked: ``uid 0``, ``token 2`` (the second line of the tokens file).
        via: ``unix`` or ``tcp``.
        role: What they may do.
    """

    name: str
    via: str
    role: Role = Role.OPERATOR


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody was not let in.

    Args:
        code: A code of `rotator.admin.failure.STATUS`.
        message: One sentence, for the caller and the log.
        hint: What to do about it.
        retry_after: Seconds to wait, > 0; 0 when waiting does not help.
    """

    code: str
    message: str
    hint: str = ""
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Knock:
    """A request, as far as access is concerned.

    Args:
        method: HTTP method.
        headers: By lower-case name; of a repeated one the last. May hold a token.
        address: The peer's IP address; empty on a UNIX socket.
        uid: The peer's user id as the kernel tells it; None over TCP.
    """

    method: str
    headers: Mapping[str, str] = field(repr=False)
    address: str = ""
    uid: int | None = None


class Access(Protocol):
    """Decides who is let in."""

    def admit(self, knock: Knock) -> Caller | Refusal:
        """Return who knocks, or why they stay outside. Does not block."""
        ...

    def outside(self, knock: Knock) -> Refusal | None:
        """Return why whoever knocks is not even asked who they are; None when they are."""
        ...


class SocketAccess:
    """Lets in root, the daemon's own user, and the users that the configuration names.

    Args:
        own_uid: The daemon's effective user id.
        allow_uids: ``admin.allow_uids``.
    """

    def __init__(self, own_uid: int, allow_uids: Collection[int]) -> None:
        self._uids = frozenset({0, own_uid, *allow_uids})

    def admit(self, knock: Knock) -> Caller | Refusal:
        """Go by the user id, once the name and the origin are ours; see `Access.admit`."""
        return self.outside(knock) or self._by_user(knock)

    def outside(self, knock: Knock) -> Refusal | None:
        """Return why whoever knocks is not even looked at: the wrong name, or another site's page.

        A browser comes here through ``ssh -L``, to a port that any name may be pointed at: hence local names alone.
        """
        if host_of(knock.headers.get("host", "")) not in LOCAL_NAMES:
            return Refusal("wrong_host", "this socket answers to localhost alone", hint="Ask for http://localhost")
        return _cross_site(knock)

    def _by_user(self, knock: Knock) -> Caller | Refusal:
        if knock.uid not in self._uids:
            return Refusal(
                "caller_not_allowed",
                f"user id {knock.uid} may not use this socket",
                hint="Run this as root or as the daemon's user, or add the id to admin.allow_uids",
            )
        return Caller(f"uid {knock.uid}", "unix", Role.ADMIN)


class TokenAccess:
    """Lets in whoever shows a known token, has come by a known name, and does not come from a foreign web page.

    Args:
        tokens: The tokens' digests.
        host: The host of ``admin.listen``.
        clock: For the throttle.
        names: Further names that it answers to.
        address_of: Tells whom a wrong token is counted against.
    """

    def __init__(
        self,
        tokens: Tokens,
        host: str,
        clock: Clock,
        names: Collection[str] = (),
        address_of: Callable[[Knock], str] = attrgetter("address"),
    ) -> None:
        self._tokens = tokens
        self._host = host.strip("[]").lower()
        self._names = LOCAL_NAMES | {self._host} | frozenset(names)
        self._address_of = address_of
        self._clock = clock
        self._throttle = Throttle()

    def admit(self, knock: Knock) -> Caller | Refusal:
        """Check the name, then the origin, then the token; see `Access.admit`."""
        return self.outside(knock) or self._by_token(knock)

    def outside(self, knock: Knock) -> Refusal | None:
        """Return why whoever knocks is not even asked for a token: the wrong name, or another site's page."""
        if not self._is_our_name(host_of(knock.headers.get("host", ""))):
            return Refusal(
                "wrong_host",
                "this server does not answer to that name",
                hint="Use the listen address, or add the name to admin.hosts",
            )
        return _cross_site(knock)

    def _is_our_name(self, host: str) -> bool:
        """Return whether ``host`` cannot be a foreign name that was pointed at us.

        A web page's name can be re-pointed at this address (DNS rebinding); an IP address in ``Host`` cannot.
        """
        if host in self._names:
            return True
        return _is_wildcard(self._host) and _is_ip(host)

    def _by_token(self, knock: Knock) -> Caller | Refusal:
        now, address = self._clock.monotonic(), self._address_of(knock)
        wait = self._throttle.wait(address, now)
        if wait:
            return Refusal("too_many_failures", "too many wrong tokens from this address", retry_after=wait)
        scheme, _, shown = knock.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not shown.strip():
            return Refusal("token_required", "a bearer token is needed", hint="Send Authorization: Bearer <token>")
        found = self._tokens.find(shown.strip())
        if found is None:
            self._throttle.failed(address, now)
            return Refusal("token_unknown", "this token is not known", hint="Its line must be in admin.tokens_file")
        return Caller(f"token {found.line}", "tcp", found.role)


def forwarded_address(knock: Knock) -> str:
    """Return for whom a proxy speaks: the last address in ``X-Forwarded-For``, which it appended itself.

    Those before it are whatever the client wrote (MDN, "X-Forwarded-For", read 2026-11-28). Without one: the proxy's.
    """
    last = knock.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return last if _is_ip(last) else knock.address


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the tokens file, without its token.

    Args:
        line: Its number, from 1.
        role: What whoever shows the token may do.
    """

    line: int
    role: Role = Role.OPERATOR


class Tokens:
    """Known tokens, as keyed digests; the tokens themselves are not kept.

    Args:
        tokens: Line and token.
    """

    def __init__(self, tokens: Sequence[tuple[Line, str]]) -> None:
        self._key = secrets.token_bytes(32)
        self._digests = [(line, self._digest(token)) for line, token in tokens]

    def find(self, shown: str) -> Line | None:
        """Return the line of the token that was shown; None when it is none. Takes as long for any."""
        digest = self._digest(shown)
        found: Line | None = None
        for line, known in self._digests:
            if hmac.compare_digest(digest, known):
                found = line
        return found

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode(), hashlib.sha256)


def read_tokens(path: Path) -> Tokens:
    """Return the tokens in a file: one per line, and after a space the role of whoever shows it (``operator`` without).

    Empty lines and lines that begin with ``#`` are passed over.

    Raises:
        ConfigError: It cannot be read, others may read it, or it has no token, too many, one that is too short, or a
            role that is none.
    """
    try:
        with path.open("rb") as stream:
            about = os.fstat(stream.fileno())
            content = stream.read(MAX_TOKENS_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"admin.tokens_file: {path} cannot be read ({error.strerror})"]) from error
    if about.st_mode & forbidden_bits(path):
        raise ConfigError([f"admin.tokens_file: {path} may be read by others; run chmod 600 {path}"])
    lines = content[:MAX_TOKENS_BYTES].decode(errors="replace").splitlines()
    found = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    tokens = [(number, *_parted(line)) for number, line in found if line and not line.startswith("#")]
    if mistakes := _token_mistakes(tokens, path):
        raise ConfigError(mistakes)
    return Tokens([(Line(number, Role[role.upper()]), token) for number, token, role in tokens])


def _parted(line: str) -> tuple[str, str]:
    """Return the token and the word for its role."""
    token, _, role = line.partition(" ")
    return token, role.strip() or Role.OPERATOR.name.lower()


def _token_mistakes(tokens: Sequence[tuple[int, str, str]], path: Path) -> list[str]:
    if not tokens:
        return [f"admin.tokens_file: {path} has no token; write one per line, such as openssl rand -hex 32 makes"]
    if len(tokens) > MAX_TOKENS:
        return [f"admin.tokens_file: {path} has more than {MAX_TOKENS} tokens; remove some"]
    short = [
        f"admin.tokens_file: {path}:{number}: the token is shorter than {MIN_TOKEN_CHARS} characters; make a longer one"
        for number, token, _ in tokens
        if len(token) < MIN_TOKEN_CHARS
    ]
    roles = ", ".join(role.name.lower() for role in Role)
    strange = [
        f"admin.tokens_file: {path}:{number}: after the token and a space comes its role: {roles}"
        for number, _, role in tokens
        if role.upper() not in Role.__members__
    ]
    return [*short, *strange]


def _cross_site(knock: Knock) -> Refusal | None:
    """Return a refusal when a foreign web page's script or form sent a request that changes something.

    ``Sec-Fetch-Site`` and ``Origin`` are set by browsers and cannot be changed by a page (Fetch Metadata Request
    Headers, W3C, and RFC 6454); other clients send neither.
    """
    if knock.method not in _UNSAFE:
        return None
    site = knock.headers.get("sec-fetch-site", "none")
    origin = knock.headers.get("origin")
    foreign = origin is not None and host_of(_netloc(origin)) != host_of(knock.headers.get("host", ""))
    if site not in {"none", "same-origin"} or foreign:
        return Refusal("cross_site", "another web site sent this request")
    return None


def host_of(authority: str) -> str:
    """Return the host of ``host[:port]`` or ``[v6][:port]``, lower case, without brackets and final dot."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower().removesuffix(".")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc or "null"
    except ValueError:
        return "null"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_wildcard(host: str) -> bool:
    return _is_ip(host) and ipaddress.ip_address(host).is_unspecified
