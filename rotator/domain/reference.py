"""Image references and registry hosts, read the way docker reads them.

The grammar and its normalisation are those of the `distribution/reference` Go package
(https://github.com/distribution/reference, read 2026-04): what docker takes for a Docker Hub name is one here too.
Every refusal is a `ValueError` that says what is wrong and what to write instead; references are not secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"
"""The canonical host of Docker Hub, as in full references."""
DOCKER_HUB_API = "registry-1.docker.io"
"""The host that answers the registry API of Docker Hub."""
DOCKER_HUB_KEY = "https://index.docker.io/v1/"
"""The key of Docker Hub in docker's configuration file; the one URL that is accepted for a host."""
DOCKER_HUB_ALIASES = frozenset({DOCKER_HUB, "index.docker.io", DOCKER_HUB_API, "registry.hub.docker.com"})
"""Hosts that mean Docker Hub. The last is from memory of older client configurations, not from a specification."""

MAX_PATH_CHARS = 255
_MAX_PORT = 65535
_OFFICIAL = "library/"
DIGEST_CHARS = {"sha256": 64, "sha384": 96, "sha512": 128}
"""How many hex digits each algorithm has."""

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])"
_DOMAIN = re.compile(rf"{_HOST}(?::[0-9]+)?", re.ASCII)
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"(?P<algorithm>sha256|sha384|sha512):(?P<hex>[0-9a-f]+)", re.ASCII)
_IMAGE_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """One image, with nothing left to guess.

    Args:
        domain: The registry as written in the reference, ``host[:port]``; `DOCKER_HUB` when none was written.
        path: The repository inside the registry, with ``library/`` for official images of Docker Hub.
        tag: The tag; None when none was written.
        digest: ``algorithm:hex``; None when none was written.
    """

    domain: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """``domain/path``, without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def registry(self) -> str:
        """The canonical host, to compare with `registry_host` of a credential's registry."""
        return registry_host(self.domain)

    @property
    def pull(self) -> str:
        """What a registry is asked for: the digest wins over the tag; ``latest`` when there is neither."""
        return self.digest or self.tag or "latest"

    @property
    def familiar(self) -> str:
        """The short form that docker prints; parsing it gives this reference again."""
        return self._familiar_name() + self._suffix()

    def __str__(self) -> str:
        """Return the full form, with ``:latest`` where neither tag nor digest was written."""
        return self.name + (self._suffix() or ":latest")

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag

    def _familiar_name(self) -> str:
        if self.domain != DOCKER_HUB:
            return self.name
        official = self.path.removeprefix(_OFFICIAL)
        short = self.path if "/" in official else official
        # A Hub path that reads as a host (`localhost/app`) or as an image ID would change its meaning when shortened.
        ambiguous = _IMAGE_ID.fullmatch(short) or (_is_domain(short.partition("/")[0]) and "/" in short)
        return self.name if ambiguous else short


def parse(text: str) -> Reference:
    """Return the image that ``text`` means.

    Args:
        text: What a person would give to ``docker pull``.

    Raises:
        ValueError: It is not an image reference; the message says why and what to write instead.
    """
    _refuse_obvious(text)
    domain, rest = _split_domain(text)
    rest, has_digest, digest = rest.partition("@")
    path, has_tag, tag = rest.partition(":")
    if domain == DOCKER_HUB and "/" not in path:
        path = _OFFICIAL + path
    _check_domain(domain, text)
    _check_path(path, text)
    if has_tag:
        _check_tag(tag, text)
    if has_digest:
        _check_digest(digest, text)
    return Reference(domain, path, tag if has_tag else None, digest if has_digest else None)


def registry_host(text: str) -> str:
    """Return the canonical host of what a person wrote for a registry: lower case, every Docker Hub name one.

    A port is kept even when it is 443: docker, podman and Kubernetes compare ``host`` and ``host:443`` as different.

    Args:
        text: ``ghcr.io``, ``registry.example:5000``, ``docker.io`` or docker's key for Docker Hub.

    Raises:
        ValueError: It carries a scheme, a path or a user, or no client would take it for a registry.
    """
    if text.rstrip("/") == DOCKER_HUB_KEY.rstrip("/"):
        return DOCKER_HUB
    _refuse_url(text)
    if not text.isascii():
        raise ValueError(f"{text!r} is not a registry: write an internationalised host in its xn-- form")
    host = text.lower()
    if not _DOMAIN.fullmatch(host):
        raise ValueError(f"{text!r} is not a registry: write host or host:port, for example registry.example:5000")
    _check_port(host)
    if host == "hub.docker.com":
        raise ValueError("hub.docker.com is a web site, not a registry: write docker.io")
    if not _is_domain(host):
        raise ValueError(
            f"{text!r} is not a registry: docker would take it for a name on Docker Hub; write a full host name "
            f"or add the port, for example {host}:5000"
        )
    return DOCKER_HUB if host in DOCKER_HUB_ALIASES else host


def api_host(domain: str) -> str:
    """Return the host that answers the registry API for ``domain``; only Docker Hub's differs."""
    return DOCKER_HUB_API if domain in DOCKER_HUB_ALIASES else domain


def is_repository_path(text: str) -> bool:
    """Return whether ``text`` can be the path of a repository, or the beginning of one: ``acme/app``."""
    return len(text) <= MAX_PATH_CHARS and _PATH.fullmatch(text) is not None


def _refuse_url(text: str) -> None:
    """Refuse a registry with more than a host, and say which part of it to write. Never repeats a user's password."""
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else text
    if "@" in rest:
        raise ValueError("a registry is written without a user name and password: write the host alone")
    host, slash, _ = rest.partition("/")
    if scheme:
        raise ValueError(f"{text!r} is a URL, not a registry: write {host.lower()!r}")
    if slash:
        raise ValueError(f"{text!r} has a path, a registry is a host: write {host.lower()!r}")


def _refuse_obvious(text: str) -> None:
    """Refuse what is no reference at all, with advice that fits the usual mistakes."""
    if not text:
        raise ValueError("an image reference is empty: write for example ghcr.io/acme/app:1.4.2")
    if any(char.isspace() for char in text):
        raise ValueError(f"{text!r} holds white space: remove it, line ends included")
    scheme = _SCHEME.match(text)
    if scheme and "@" in text[scheme.end() :].partition("/")[0]:
        raise ValueError("an image reference has no scheme and no user name: write registry/repository:tag")
    if scheme:
        raise ValueError(f"{text!r} is a URL: write {text[scheme.end() :]!r}, without {scheme.group()}")
    if _IMAGE_ID.fullmatch(text):
        raise ValueError(
            f"{text!r} is an image ID, which no registry knows: write a name, or name@sha256:{text[:8]}..."
        )


def _split_domain(text: str) -> tuple[str, str]:
    """Return the registry and the rest; docker's rule for which first segments are a registry."""
    first, slash, rest = text.partition("/")
    if not slash or not _is_domain(first):
        return DOCKER_HUB, text
    return (DOCKER_HUB if first == "index.docker.io" else first), rest


def _is_domain(segment: str) -> bool:
    return segment == "localhost" or "." in segment or ":" in segment or segment != segment.lower()


def _check_domain(domain: str, text: str) -> None:
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f"{text!r}: {domain!r} is not a registry host; write host or host:port before the first '/'")
    _check_port(domain)


def _check_port(domain: str) -> None:
    port = re.search(r":([0-9]+)\Z", domain)
    if port and not domain.endswith("]") and not 0 < int(port[1][:6]) <= _MAX_PORT:
        raise ValueError(f"{domain!r}: the port must be between 1 and {_MAX_PORT}")


def _check_path(path: str, text: str) -> None:
    if path != path.lower():
        raise ValueError(f"{text!r}: a repository is lower case only; write {path.lower()!r}")
    if not path.removeprefix(_OFFICIAL):
        raise ValueError(f"{text!r} names no repository: write registry/repository:tag")
    if not _PATH.fullmatch(path):
        raise ValueError(
            f"{text!r}: {path!r} is not a repository; its parts are a-z and 0-9, joined by one '.', '_', '__' or any "
            f"number of '-', and separated by single '/'"
        )
    if len(path) > MAX_PATH_CHARS:
        raise ValueError(f"a repository has at most {MAX_PATH_CHARS} characters, this one has {len(path)}")


def _check_tag(tag: str, text: str) -> None:
    if not tag:
        raise ValueError(f"{text!r}: the tag after ':' is empty; write a tag or remove the ':'")
    if not _TAG.fullmatch(tag):
        raise ValueError(
            f"{text!r}: {tag!r} is not a tag; write up to 128 of A-Z a-z 0-9 _ . - not starting with . or -"
        )


def _check_digest(digest: str, text: str) -> None:
    match = _DIGEST.fullmatch(digest)
    if not match:
        raise ValueError(f"{text!r}: {digest!r} is not a digest; write sha256: and 64 lower-case hex digits")
    wanted = DIGEST_CHARS[match["algorithm"]]
    if len(match["hex"]) != wanted:
        raise ValueError(f"{text!r}: {match['algorithm']} has {wanted} hex digits, this digest has {len(match['hex'])}")
