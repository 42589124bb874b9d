"""Checks of addresses in the options of providers and targets. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_BASE = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:\d{1,5})?(/[A-Za-z0-9._~-]+)*/?", re.ASCII
)


def base_url(value: str) -> str:
    """Return ``value`` without a slash at the end.

    Raises:
        ValueError: It is not ``http(s)://host[:port][/path]``, or carries a user, a query or a fragment.
    """
    if not _BASE.fullmatch(value):
        raise ValueError("write scheme, host and at most a port and a path, such as https://api.example.com")
    return value.rstrip("/")


def page_url(value: str) -> str:
    """Return ``value`` as it is, with or without a slash at its end.

    Raises:
        ValueError: As `base_url`.
    """
    base_url(value)
    return value


def proxy_url(value: str) -> str:
    """Return ``value`` as the address of a proxy.

    Raises:
        ValueError: As `base_url`; a password in it is refused too, since configuration holds no secrets.
    """
    if "@" in value:
        raise ValueError("a proxy's user and password cannot be written here; let the proxy know us by address")
    return base_url(value)


def host_of(url: str) -> str:
    """Return the host that ``url`` leads to, in lower case and without a port; empty where it is no URL."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
