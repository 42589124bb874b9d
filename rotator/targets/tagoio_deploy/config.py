"""Options of a ``tagoio_deploy`` target."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from rotator.config.duration import Duration
from rotator.config.ref import SecretRef
from rotator.config.target import TargetConfig
from rotator.config.url import base_url, host_of
from rotator.domain.reference import Reference, parse
from rotator.domain.site import Site
from rotator.targets.tagoio.client import ApiConfig
from rotator.targets.tagoio_deploy.pointer import check_pointer
from rotator.targets.template import holes

PUBLIC = frozenset({"project", "image", "image_tag", "registry", "generation"})
SECRET = frozenset({"username", "password"})
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%{}-]*)+(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?{}\[\]-]*)?", re.ASCII)


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    return value


def _path(value: str) -> str:
    if not _PATH.fullmatch(value) or value.startswith("//") or ".." in value:
        raise ValueError(f"{value!r} is not a path; write it from '/' on, percent-encoded, without '..'")
    _refuse_unknown(value, PUBLIC)
    return value


def _body(value: dict[str, Any]) -> dict[str, Any]:
    _refuse_unknown(value, PUBLIC | SECRET)
    missing = sorted(f"{{{name}}}" for name in SECRET - holes(value))
    if missing:
        raise ValueError(f"does not say where {' and '.join(missing)} goes; user name and password go together")
    return value


def _refuse_unknown(template: object, known: frozenset[str]) -> None:
    for name in sorted(holes(template) - known):
        there = ", ".join(f"{{{one}}}" for one in sorted(known))
        raise ValueError(f"{{{name}}} is not known here; there are {there}")


Path = Annotated[str, AfterValidator(_path)]
Pointer = Annotated[str, AfterValidator(check_pointer)]
States = tuple[Annotated[str, Field(min_length=1)], ...]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ApplyRequest(_Section):
    """The request that changes the login."""

    method: Literal["PUT", "POST", "PATCH"] = "PUT"
    """HTTP method."""

    path: Path
    """Path and query, with ``{project}``, ``{image}``, ``{image_tag}``, ``{registry}`` or ``{generation}`` in it."""

    body: Annotated[dict[str, Any], AfterValidator(_body)]
    """JSON to send. Its texts may hold the same names, and must hold ``{username}`` and ``{password}``."""


class ReadRequest(_Section):
    """The request that shows what the form holds; a GET."""

    path: Path
    """As for ``apply``."""

    username_at: Pointer | None = None
    """JSON pointer to the user name in the answer. None: it is not shown."""

    updated_at: Pointer | None = None
    """JSON pointer to what changes with every change of the form, such as a time. None: nothing does."""


class StatusRequest(_Section):
    """The request that tells how the newest deployment stands; a GET."""

    path: Path
    """As for ``apply``."""

    state_at: Pointer
    """JSON pointer to the newest deployment's state."""

    id_at: Pointer | None = None
    """JSON pointer to its id, which then is in messages, and tells our deployment from the one before. None: it is not
    looked for."""

    ok: States = ("success",)
    """States of a deployment that ended well, in any case of letters."""

    busy: States = ("in progress",)
    """States of one that runs."""

    failed: States = ("error",)
    """States of one that ended badly."""


class HttpConfig(_Section):
    """Requests that TagoIO's support or a contract told. None is known to the program, and none is ever guessed."""

    api: ApiConfig
    """How the control plane is reached. Its accounts are not those of a project's own API."""

    apply: ApplyRequest
    """The request that changes the login."""

    read: ReadRequest | None = None
    """The request that shows the form. None: nothing is read back."""

    status: StatusRequest | None = None
    """The request that tells how the deployment goes. None: that it was accepted is all that is known."""

    envelope: Literal["tagoio", "none"] = "tagoio"
    """``tagoio``: a success is 2xx and ``"status": true``, as in TagoIO's documented API. ``none``: 2xx is enough."""

    busy_match: Annotated[str, AfterValidator(_pattern)] = "(?i)deployment.*progress"
    """Regular expression for the text of a refusal because a deployment runs."""

    deploy_timeout: Duration = timedelta(minutes=30)
    """How long a deployment may take before it counts as failed."""

    poll_interval: Duration = timedelta(seconds=15)
    """How often its state is asked for meanwhile."""


class DelegateConfig(_Section):
    """A program of the operator's that makes the change; told by a message signed as Standard Webhooks 1.0.0 says."""

    url: Annotated[str, AfterValidator(base_url)]
    """Where it listens."""

    signing_key: SecretRef
    """Where the signing key is read: ``whsec_`` and base64 of 24 to 64 random bytes."""

    carry_secret: bool = False
    """True puts user name and password into the message. False: only which generation is wanted, for a program that
    reads the login elsewhere."""

    insecure: bool = False
    """True allows plain HTTP and an unverified certificate."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for it. None: the system's."""


class TagoioDeployConfig(TargetConfig):
    """Options of a ``tagoio_deploy`` target: the Docker Image Configuration of a TagoIO Deploy project."""

    type: Literal["tagoio_deploy"]
    """The container of a TagoIO Deploy project."""

    project: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    """The project's id or name, by which people and requests find it."""

    image: str
    """The form's Image: registry and repository, such as ``ghcr.io/acme/service``, without a tag."""

    image_tag: str
    """The form's Image Tag."""

    mode: Literal["manual", "http", "delegate"] = "manual"
    """Who fills the form in. ``manual``: a person, who is told and then says that it is done. ``http``: requests that
    you write below ``http``. ``delegate``: a program of yours, named below ``delegate``."""

    hand_over: Literal["reveal", "file", "elsewhere"] = "reveal"
    """How a person gets the login: ``reveal``: shown once by ``rotator targets reveal``; ``file``: written to ``file``;
    ``elsewhere``: another target of the same credential holds it, and ``elsewhere`` says where."""

    file: str | None = None
    """Absolute path of the file that ``hand_over: file`` writes, mode 0600, and takes away once it is done."""

    elsewhere: Annotated[str, Field(max_length=200)] | None = None
    """Where people find the login with ``hand_over: elsewhere``, in your words, such as a path in Vault."""

    http: HttpConfig | None = None
    """The requests of ``mode: http``."""

    delegate: DelegateConfig | None = None
    """The program of ``mode: delegate``."""

    min_interval: Duration = timedelta(hours=6)
    """Shortest time between two changes, since each deploys the project."""

    @field_validator("image")
    @classmethod
    def _check_image(cls, value: str) -> str:
        reference = parse(value)
        if reference.tag is not None or reference.digest is not None:
            raise ValueError(f"{value!r} has a tag or digest, which the form asks for apart; write it in image_tag")
        return value

    @model_validator(mode="after")
    def _check(self) -> TagoioDeployConfig:
        parse(f"{self.image}:{self.image_tag}")
        for mode, section in (("http", self.http), ("delegate", self.delegate)):
            if (self.mode == mode) != (section is not None):
                raise ValueError(f"mode {mode} and the section {mode} go together; here is one of them alone")
        for way, text in (("file", self.file), ("elsewhere", self.elsewhere)):
            if (self.hand_over == way) != (text is not None):
                raise ValueError(f"hand_over: {way} and the key {way} go together; here is one of them alone")
        if self.hand_over != "reveal" and self.mode != "manual":
            raise ValueError("hand_over is for mode manual; remove it")
        if self.file is not None and not re.fullmatch(r"/([^/\0]+/)*[^/\0]+", self.file):
            raise ValueError("file is not an absolute path of a file")
        return self

    def pulls(self) -> str:
        """Return the image that is deployed, in full."""
        return str(self.reference())

    def hosts_sent_to(self) -> tuple[str, ...]:
        """Return where logins are sent; none where a person enters them."""
        urls = (self.http.api.url if self.http else None, self.delegate.url if self.delegate else None)
        return tuple(host_of(url) for url in urls if url is not None)

    def sites(self) -> tuple[Site, ...]:
        """Return the file for a person, or the project that is asked for at the same address."""
        if self.file is not None:
            path = os.path.realpath(self.file)
            return (Site("file", ("file", path), f"the file {path}"),)
        address: tuple[str, ...] = ()
        if self.http is not None:
            address = (self.http.api.url, str(self.http.api.token))
        elif self.delegate is not None:
            address = (self.delegate.url,)
        if not address:
            return ()
        return (Site("project", ("tagoio_deploy", *address, self.project), f"the project {self.project}"),)

    def reference(self) -> Reference:
        """Return the image that is deployed."""
        return parse(f"{self.image}:{self.image_tag}")
