"""Which addresses TagoIO's API may have. Pure.

The rules are those by which TagoIO's own server takes a customer's address (github.com/tago-io/mcp-server,
``src/server/shared.ts``, read 2026-07-31). There can be no list of hosts: a TagoIO Deploy project may have a domain of
its own.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_INSIDE = frozenset({"localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa"})
_EXAMPLE = "write it as https://api.us-e1.tago.io"


def api_url(value: str) -> str:
    """Return ``value`` as a base URL, lower case, without a slash at the end.

    Raises:
        ValueError: It is not ``https://host`` with a public name, or has a user, a port, a path or a query.
    """
    parts = _split(value)
    if parts.scheme != "https":
        raise ValueError(f"must begin with https://; {_EXAMPLE}")
    if _port(parts) is not None:
        raise ValueError(f"has a port, and TagoIO answers at 443 only; {_EXAMPLE}")
    host = parts.hostname or ""
    labels = host.split(".")
    if _is_ip(host) or len(labels) == 1 or labels[-1] in _INSIDE:
        raise ValueError(f"is not a public host name, so it is not TagoIO's; {_EXAMPLE}")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"is not a host name; {_EXAMPLE}")
    return f"https://{host}"


def loose_url(value: str) -> str:
    """Return ``value`` as the base URL of a test server: any host and port, plain HTTP too.

    Raises:
        ValueError: It is no URL of a server, or has a user, a path or a query.
    """
    parts = _split(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and name a host")
    _port(parts)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _split(value: str) -> SplitResult:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"is not a URL; {_EXAMPLE}")
    try:
        parts = urlsplit(value)
    except ValueError as error:
        raise ValueError(f"is not a URL; {_EXAMPLE}") from error
    if "@" in parts.netloc:
        raise ValueError(f"names a user; the token is given by its own key; {_EXAMPLE}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"has a path or a query, which belong to the single requests; {_EXAMPLE}")
    return parts


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError as error:
        raise ValueError("has a port that is none") from error


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
