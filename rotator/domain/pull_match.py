"""Which login of a docker configuration a client shows for an image. Pure; every client has its own rule.

Sources (read 2026-11-28): docker/cli ``cli/config/credentials/file_store.go`` and ``registry.ResolveAuthConfig`` (the
exact key, else any key whose host is the registry's; Docker Hub by its exact key only); containers/image
``pkg/docker/config`` (exact keys from the longest path down, then keys made a host); the kubelet's keyring
(kubernetes ``pkg/credentialprovider/keyring.go``, v1.35: globs in the host, the path as a plain prefix, all that fit,
the last in alphabetical order first).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from rotator.domain.model import Login
from rotator.domain.pull_secret import Convention, docker_key, helper_of, identity_of, login_of, read_auths
from rotator.domain.reference import DOCKER_HUB, Reference

_SCHEME = re.compile(r"\Ahttps?://", re.ASCII)
_API_PATH = re.compile(r"\A/v[12](?=/)", re.ASCII)
_HUB_HOST = "index.docker.io"


class Client(StrEnum):
    """Who pulls, and by whose rule a key is looked up."""

    DOCKER = "docker"
    PODMAN = "podman"
    """Also skopeo, buildah and CRI-O."""
    KUBELET = "kubelet"


@dataclass(frozen=True, slots=True)
class Match:
    """What one client makes of a document, for one image.

    Args:
        key: The key in ``auths``; empty when a helper answers.
        why: Why this one, or why it is of no use, in a few words.
        login: What it holds; None where there is nothing to show to a registry. Secret.
    """

    key: str
    why: str
    login: Login | None = None


def match(document: Mapping[str, Any], reference: Reference, client: Client) -> Match | None:
    """Return what ``client`` would show for ``reference``; None when nothing is about the image. Helpers are not asked.

    Raises:
        ShapeError: ``auths`` is not an object.
    """
    auths = read_auths(document)
    convention = Convention.PODMAN if client is Client.PODMAN else Convention.DOCKER
    if client is not Client.KUBELET and (by := helper_of(document, reference.registry, convention)):
        return Match("", f"{by} answers for {reference.registry}, and helpers are not asked here")
    key = next(iter(_RULES[client](auths, reference)), None)
    if key is None:
        return None
    login = login_of(auths[key])
    why = _why(identity_of(key), reference)
    return Match(key, why if login else f"{why}, but it holds no password", login)


def match_all(document: Mapping[str, Any], reference: Reference) -> dict[Client, Match | None]:
    """Return what each client would show. Errors as `match`."""
    return {client: match(document, reference, client) for client in Client}


def lookalikes(document: Mapping[str, Any], reference: Reference) -> list[str]:
    """Return the keys that a person would take for ``reference``'s registry, whether or not a client does.

    Such as ``https://ghcr.io/v2`` for a registry, another case, or the default port written out.

    Raises:
        ShapeError: ``auths`` is not an object.
    """
    wanted = _bare(reference.registry)
    return [key for key in read_auths(document) if _bare(identity_of(key.strip()).partition("/")[0]) == wanted]


def key_to_write(reference: Reference) -> str:
    """Return the key that every client matches for ``reference``'s registry."""
    return docker_key(reference.registry)


def _why(identity: str, reference: Reference) -> str:
    """Return why a key was matched, in a few words."""
    if identity == reference.registry:
        return "it names the registry"
    if f"{reference.registry}/{reference.path}/".startswith(f"{identity}/"):
        return "the longest key that names the image"
    return "it does not name the image, but this client goes by less"


def _bare(host: str) -> str:
    host = host.lower().removesuffix(":443").removesuffix(":80")
    return identity_of(host)


def _docker(auths: Mapping[str, Any], reference: Reference) -> Iterator[str]:
    """Yield docker's key: the exact one, else one with the same host. Where several have it, docker takes any."""
    wanted = docker_key(reference.registry)
    if wanted in auths:
        yield wanted
    yield from sorted(key for key in auths if _hostname(key) == wanted)


def _podman(auths: Mapping[str, Any], reference: Reference) -> Iterator[str]:
    """Yield podman's keys: exact ones from the longest path down, then what is the registry once made a host."""
    parts = reference.path.split("/")
    exact = ["/".join((reference.registry, *parts[:count])) for count in range(len(parts), -1, -1)]
    yield from (key for key in exact if key in auths)
    wanted = _podman_host(reference.registry)
    yield from sorted(key for key in auths if _podman_host(key) == wanted)


def _kubelet(auths: Mapping[str, Any], reference: Reference) -> Iterator[str]:
    """Yield the kubelet's keys, in the order in which it tries them."""
    places = sorted(((_kubelet_place(key), key) for key in auths), reverse=True)
    found = [key for place, key in places if place and _fits(place, reference)]
    is_hub = reference.registry == DOCKER_HUB
    yield from found or [key for place, key in places if is_hub and place == _HUB_HOST]


_RULES = {Client.DOCKER: _docker, Client.PODMAN: _podman, Client.KUBELET: _kubelet}


def _hostname(key: str) -> str:
    """Return a key as docker makes it a host name: without a scheme and whatever follows the first slash."""
    host = _SCHEME.sub("", key).partition("/")[0]
    return host.rpartition("@")[2] if _SCHEME.match(key) else host


def _podman_host(key: str) -> str:
    """Return a key as podman makes it a registry: without path only where there is a scheme."""
    stripped = _SCHEME.sub("", key)
    host = stripped.partition("/")[0] if stripped != key else key
    return _HUB_HOST if host in {"registry-1.docker.io", DOCKER_HUB} else host


def _kubelet_place(key: str) -> str:
    """Return host and path of a key as the kubelet keeps them; empty for one that it ignores."""
    try:
        parts = urlsplit(key if _SCHEME.match(key) else f"https://{key}")
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    path = _API_PATH.sub("", parts.path)
    return host if path in {"", "/"} else host + path


def _fits(place: str, reference: Reference) -> bool:
    """Return whether the kubelet takes ``place`` to be about the image: labels as globs, the path as a prefix."""
    host, slash, path = place.partition("/")
    name, _, port = host.partition(":")
    registry, _, its_port = reference.domain.partition(":")
    labels, its_labels = name.split("."), registry.split(".")
    is_host = port == its_port and len(labels) == len(its_labels)
    is_path = f"/{reference.path}".startswith(slash + path)
    return is_host and is_path and all(fnmatchcase(mine, glob) for mine, glob in zip(its_labels, labels, strict=True))
