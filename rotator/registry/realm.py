"""Decides whether a registry's token server may be shown a password.

A challenge names the server that mints bearer tokens, and nothing vouches for it but the registry that sent it: a
registry that was taken over could collect passwords (CVE-2026-33540, CVE-2020-15157). So the pair of registry and token
server must be known: the same host, a pair written here, or one in the configuration. Guessing from a shared domain is
not enough. The URL that is asked is built anew from the parts that were checked, so nothing can be read two ways.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from rotator.domain.reference import DOCKER_HUB_ALIASES

BUILT_IN = {
    **dict.fromkeys(DOCKER_HUB_ALIASES, "auth.docker.io"),
    "registry.gitlab.com": "gitlab.com",
}
"""Registry host to the other host that mints its tokens, for vendors that run two.

Sources (read 2026-11): docs.docker.com/reference/api/registry/auth, docs.gitlab.com/user/packages/container_registry.
"""

MAX_CHARS = 2048
_PORTS = {"https": 443, "http": 80}
_UNSAFE = re.compile(r"[^\x21-\x7e\u00a1-\U0010ffff]|[\\<>\"'`{}|^]")
_ASCII_UNSAFE = re.compile(r"[^\x21-\x7e]")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a token server is not asked.

    Args:
        message: What is wrong with it.
        hint: What to do; the line to add to the configuration where one would help.
    """

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Realm:
    """A token server that may be asked.

    Args:
        scheme: ``https``, or ``http`` for a registry that is configured as plain HTTP.
        host: ``host[:port]``, lower case, no default port.
        path: Path with its leading slash, percent-encoded.
        query: Query text that the registry wrote into the realm, percent-encoded; usually empty.
    """

    scheme: str
    host: str
    path: str
    query: str = ""

    @property
    def url(self) -> str:
        """Return the URL, without the query."""
        return f"{self.scheme}://{self.host}{self.path}"


def realm_allowed(registry_host: str, realm_url: str, allowed: Iterable[str] = (), *, insecure: bool) -> Refusal | None:
    """Return why ``realm_url`` may not be asked for tokens of ``registry_host``; None when it may. See `pin_realm`."""
    outcome = pin_realm(registry_host, realm_url, allowed, insecure=insecure)
    return outcome if isinstance(outcome, Refusal) else None


def pin_realm(registry_host: str, realm_url: str, allowed: Iterable[str] = (), *, insecure: bool) -> Realm | Refusal:
    """Return the token server of a challenge if it may be shown a password.

    Args:
        registry_host: The registry, ``host[:port]``, as configured; not secret, trusted.
        realm_url: The ``realm`` of its challenge; not trusted.
        allowed: Further token servers that the configuration names for this registry, ``host[:port]``. Only they may
            be addresses or, named with a port, plain HTTP where the registry is; a challenge alone never makes them so.
        insecure: Whether this registry is configured as plain HTTP.
    """
    parts = _split(realm_url)
    if isinstance(parts, Refusal):
        return parts
    host = _authority(parts.netloc, parts.scheme)
    if host is None:
        return Refusal(f"{registry_host}: the realm of its challenge has no usable host", _ASK)
    same = host == _authority(registry_host, "http" if insecure else "https")
    named = same or host in {_authority(name, parts.scheme) for name in allowed if _may_name(name, parts.scheme)}
    if parts.scheme != "https" and not (insecure and named):
        return Refusal(f"{registry_host}: the realm of its challenge is not https, but {parts.scheme} to {host}", _ASK)
    if not named and _is_address(host):
        return Refusal(f"{registry_host}: the realm of its challenge is the address {host}, not its own host", _ASK)
    if not named and host != BUILT_IN.get(registry_host.lower()):
        return _unknown(registry_host, host)
    return Realm(parts.scheme, host, parts.path or "/", parts.query)


def _may_name(name: str, scheme: str) -> bool:
    """Return whether a configured name counts for ``scheme``: for plain HTTP only one that says its port."""
    return scheme == "https" or bool(re.search(r":[0-9]+\Z", name))


_ASK = "Nothing was sent there. Ask whoever runs the registry why it names such a token server"


def _unknown(registry_host: str, host: str) -> Refusal:
    line = f'registries: {{"{registry_host}": {{realm_hosts: ["{host}"]}}}}'
    return Refusal(
        f"{registry_host}: the realm of its challenge is another host, {host}; nothing was sent there",
        f"If {host} really mints its tokens, add to the configuration: {line}",
    )


def _split(url: str) -> SplitResult | Refusal:
    """Return the parts of a URL whose every character is harmless and which names no user."""
    if len(url) > MAX_CHARS or _UNSAFE.search(url):
        return Refusal("the realm of the challenge is not a URL", _ASK)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return Refusal("the realm of the challenge is not a URL", _ASK)
    if parts.scheme not in _PORTS or not parts.netloc or port == 0:
        return Refusal("the realm of the challenge is not an https URL", _ASK)
    if "@" in parts.netloc:
        return Refusal("the realm of the challenge holds a user name", _ASK)
    if _ASCII_UNSAFE.search(parts.path + parts.query):
        return Refusal("the realm of the challenge is not percent-encoded", _ASK)
    return parts


def _authority(text: str, scheme: str) -> str | None:
    """Return ``host[:port]`` in its one normal form, without the scheme's default port; None when it is no host."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port
        if ":" in host:
            host = f"[{ipaddress.IPv6Address(host).compressed}]"
        else:
            host = host.encode("idna").decode().lower().removesuffix(".")
    except ValueError:  # UnicodeError is one
        return None
    if not (host.startswith("[") or _NAME.fullmatch(host)) or ".." in host:
        return None
    return host if port in {None, _PORTS[scheme]} else f"{host}:{port}"


def _is_address(authority: str) -> bool:
    """Return whether a normal form is localhost or an IP address, also in disguise (``0x7f.1``, ``2130706433``)."""
    host = authority.rpartition(":")[0] if re.search(r":[0-9]+\Z", authority) else authority
    last = host.rpartition(".")[2]
    return host.startswith("[") or host == "localhost" or last == "localhost" or bool(_NUMERIC.fullmatch(last))
