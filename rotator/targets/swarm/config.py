"""Options of a swarm target."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field, field_validator, model_validator

from rotator.config.target import TargetConfig
from rotator.config.url import base_url, host_of
from rotator.domain.extent import Extent
from rotator.domain.reference import registry_host
from rotator.domain.site import DOCKER_FILE, Site
from rotator.transport import Peer

SOCKET = "/var/run/docker.sock"


class SwarmConfig(TargetConfig):
    """Options of a ``swarm`` target: services of one Docker Swarm."""

    type: Literal["swarm"]
    """The registry logins that services of a Docker Swarm start their tasks with."""

    socket: str | None = None
    """The UNIX socket of a manager's engine; whoever may open it is root there. Default: ``/var/run/docker.sock``,
    unless ``url`` is given."""

    url: str | None = None
    """``https://host:2376`` of a manager's engine, instead of ``socket``."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for ``url``. Default: the system's."""

    cert_file: str | None = None
    """PEM file of the client certificate for ``url``; together with ``key_file``."""

    key_file: str | None = None
    """PEM file of that certificate's key."""

    names: tuple[str, ...] = ()
    """Services by name; ``*`` is any text, ``?`` one character. Default: whatever they are called."""

    labels: Mapping[str, str] = Field(default_factory=dict)
    """Labels that a service must have, as ``com.docker.stack.namespace: web``. Default: whichever they have."""

    registries: tuple[str, ...] = ()
    """Hosts of registries: only services whose image comes from one of them. Default: from wherever it comes."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("https://"):
            raise ValueError("write https://host:2376; an engine on plain tcp makes everybody root, use its socket")
        return value if value is None else base_url(value)

    @field_validator("socket")
    @classmethod
    def _check_socket(cls, value: str | None) -> str | None:
        if value is not None and not PurePosixPath(value).is_absolute():
            raise ValueError(f"{value!r} is no absolute path; write the path alone, without unix://")
        return value

    @field_validator("registries")
    @classmethod
    def _check_registries(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(registry_host(one) for one in value)

    @model_validator(mode="after")
    def _check_way(self) -> SwarmConfig:
        if self.url is not None and self.socket is not None:
            raise ValueError("write either socket or url")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together; write both or none")
        if self.url is None and (self.ca_file or self.cert_file):
            raise ValueError("ca_file, cert_file and key_file are for url; a socket has no TLS")
        return self

    def hosts_sent_to(self) -> tuple[str, ...]:
        """Return where logins are sent."""
        return () if self.url is None else (host_of(self.url),)

    def secret_files(self) -> tuple[str, ...]:
        """Return the client certificate's key."""
        return () if self.key_file is None else (self.key_file,)

    def sites(self) -> tuple[Site, ...]:
        """Return the services of the engine; each holds a login for its image's registry."""
        engine = self.url or os.path.realpath(self.socket or SOCKET)
        labels = ",".join(f"{name}={value}" for name, value in sorted(self.labels.items()))
        extent = Extent(self.names or ("*",), selector=labels)
        option = "names" if self.names else "type"
        return (Site(option, ("swarm", engine), f"services of the Swarm at {engine}", DOCKER_FILE, extent),)

    def peer(self, name: str) -> Peer:
        """Return the engine, called ``name``."""
        if self.url is None:
            return Peer(name, unix_socket=self.socket or SOCKET)
        certificate = (self.cert_file, self.key_file) if self.cert_file and self.key_file else None
        return Peer(name, ca_file=self.ca_file, client_cert=certificate)
