"""Guesses which image a text that is no reference was meant to be. Pure.

Each repair undoes one usual mistake; what is offered is what parses after as few of them as possible, in their order.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rotator.domain.reference import parse, registry_host

MAX_CHARS = 512


def suggest(text: str) -> str:
    """Return the reference that was probably meant; empty where nothing likely parses, or a user name stands in it.

    Args:
        text: What `rotator.domain.reference` refused. May hold a password before an ``@``: then nothing is offered.
    """
    if len(text) > MAX_CHARS or "@" in text.partition("/")[0] or re.search(r"://[^/]*@", text):
        return ""
    for repair in _REPAIRS:
        text = repair(text)
        if _is_reference(text):
            return text
    return ""


def _is_reference(text: str) -> bool:
    try:
        registry_host(parse(text).domain)
    except ValueError:
        return False
    return True


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def _without_address(text: str) -> str:
    """Take the scheme away, and turn the address of a page about an image into the image."""
    text = re.sub(r"\A[A-Za-z][A-Za-z0-9+.-]*://", "", text)
    for page, image in _PAGES:
        text = page.sub(image, text)
    return re.sub(r"[?#].*\Z", "", text)


_PAGES = (
    (re.compile(r"\Ahub\.docker\.com/_/"), "docker.io/library/"),
    (re.compile(r"\Ahub\.docker\.com/(?:(?:r|layers|repository/docker)/)?"), "docker.io/"),
    (re.compile(r"\Aquay\.io/repository/"), "quay.io/"),
    (
        re.compile(r"\Agithub\.com/(?:orgs/|users/)?([^/]+)/(?:[^/]+/)?(?:pkgs|packages)/container/(?:package/)?"),
        r"ghcr.io/\1/",
    ),
)
"""Beginnings of web addresses, and what images begin with instead."""


def _lower_case(text: str) -> str:
    """Write the repository lower case, but not the tag."""
    name, colon, tag = _split_tag(text)
    return f"{name.lower()}{colon}{tag}"


def _single_slashes(text: str) -> str:
    name, colon, tag = _split_tag(re.sub(r"[:@]+\Z", "", text))
    return f"{re.sub(r'/{2,}', '/', name).rstrip('/')}{colon}{tag}"


def _good_tag(text: str) -> str:
    """Replace what no tag may hold, as builds do with the names of branches."""
    name, colon, tag = _split_tag(text)
    return f"{name}{colon}{re.sub(r'[^A-Za-z0-9_.-]+', '-', tag).lstrip('.-')[:128]}"


def _split_tag(text: str) -> tuple[str, str, str]:
    """Split before the tag or digest: at the first colon or ``@`` after the registry."""
    first, slash, rest = text.partition("/")
    if not slash:
        first, rest = "", text
    found = re.search(r"[:@]", rest)
    at = len(first) + len(slash) + found.start() if found else len(text)
    return text[:at], text[at : at + 1], text[at + 1 :]


_REPAIRS: tuple[Callable[[str], str], ...] = (
    _without_spaces,
    _without_address,
    _lower_case,
    _single_slashes,
    _good_tag,
)
