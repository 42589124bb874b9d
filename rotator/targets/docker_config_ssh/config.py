"""Options of a docker_config_ssh target."""

from __future__ import annotations

import re
from datetime import timedelta
from posixpath import normpath
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from rotator.config.duration import Duration
from rotator.config.ref import SecretRef
from rotator.config.target import TargetConfig
from rotator.domain.pull_secret import Convention
from rotator.domain.site import DOCKER_FILE, Site

PORT = 22
MAX_PORT = 65535
_HOST = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)(:(?P<port>\d{1,5}))?", re.ASCII
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?", re.ASCII)


class DockerConfigSshConfig(TargetConfig):
    """Options of a ``docker_config_ssh`` target: files on other hosts that hold registry logins."""

    type: Literal["docker_config_ssh"]
    """Docker and podman configuration files on other hosts."""

    hosts: Annotated[tuple[str, ...], Field(min_length=1)]
    """The hosts, ``host`` or ``host:port``; each is a placement of its own."""

    user: str
    """As whom to log in on each; the file belongs to that user."""

    key: SecretRef
    """Where the private key is read, in OpenSSH's or PEM form and without a passphrase, again for every connection."""

    known_hosts: str
    """File with the hosts' keys, as OpenSSH has it. A host that is not in it is not talked to, also not for the first
    time."""

    path: str
    """The file, the same on each host: absolute, or relative to the user's home, as ``.docker/config.json``."""

    convention: Convention = Convention.DOCKER
    """Who reads the files: ``docker`` (also nerdctl, watchtower, Nomad) or ``podman`` (also skopeo, buildah, CRI-O)."""

    timeout: Duration = timedelta(seconds=30)
    """How long one host may take, the connection included."""

    @field_validator("hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            split_host(host)
        return value

    @field_validator("user")
    @classmethod
    def _check_user(cls, value: str) -> str:
        if not _USER.fullmatch(value):
            raise ValueError(f"{value!r} cannot be the name of a user")
        return value

    @field_validator("known_hosts")
    @classmethod
    def _check_known_hosts(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError(f"{value!r} is no absolute path")
        return value

    @field_validator("path")
    @classmethod
    def _check_path(cls, value: str) -> str:
        parts = value.split("/")
        if ".." in parts or "~" in parts[0] or not parts[-1] or "\0" in value or value in {".", "/"}:
            raise ValueError(f"{value!r} is not a path of a file; write it from / on, or from the home on without ~")
        return value

    @model_validator(mode="after")
    def _check_once(self) -> DockerConfigSshConfig:
        if len({split_host(host) for host in self.hosts}) != len(self.hosts):
            raise ValueError("hosts names one twice; remove it")
        return self

    def hosts_sent_to(self) -> tuple[str, ...]:
        """Return where logins are sent."""
        return tuple(split_host(host)[0] for host in self.hosts)

    def sites(self) -> tuple[Site, ...]:
        """Return the file on each host; where links on a host lead is not known here."""
        path = normpath(self.path)
        owner = "" if path.startswith("/") else self.user
        return tuple(
            Site("path", ("ssh", *map(str, split_host(host)), owner, path), f"the file {path} on {host}", DOCKER_FILE)
            for host in self.hosts
        )


def split_host(host: str) -> tuple[str, int]:
    """Return name and port of ``host``; an IPv6 address with a port is in brackets.

    Raises:
        ValueError: It is no host.
    """
    found = _HOST.fullmatch(host)
    port = int(found["port"] or PORT) if found else 0
    if found is None or not 0 < port <= MAX_PORT:
        raise ValueError(f"{host!r} is no host; write a name or an address, and at most a port: edge-1.example:22")
    return found["name"].strip("[]").lower(), port
