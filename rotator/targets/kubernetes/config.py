"""Options of a Kubernetes target."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from rotator.config.duration import Duration
from rotator.config.fields import Fields
from rotator.config.target import TargetConfig
from rotator.domain.extent import Extent
from rotator.domain.fields import field_name
from rotator.domain.site import Site
from rotator.targets.kubernetes.listener import Listener, parse_flux, parse_workload
from rotator.targets.kubernetes.shape import ARGOCD, FluxSource, SecretTemplate, Shape, shape_of

SHORTEST_RESYNC = timedelta(seconds=10)
ANNOTATION_PREFIX = "rotator.dev/"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PATTERN = re.compile(r"[a-z0-9*?-]{1,63}")
_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_SUBDOMAIN_CHARS = 253
_MAX_ANNOTATION_CHARS = 63
_DATA_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")
_SHARE = (
    "deliver all of them to one of the two targets, name another secret in one, or, for different registries, "
    "write mode: merge in both"
)
_TYPE = r"^[A-Za-z0-9][A-Za-z0-9./_-]{0,252}$"


class Mode(StrEnum):
    """Whose Secret it is."""

    OWN = "own"
    """Ours as a whole; a Secret that somebody else made is refused."""
    MERGE = "merge"
    """Shared: only our registries are edited, everything else in it stays."""
    ADOPT = "adopt"
    """As own, but a Secret that somebody else made is taken over, with all that is in it."""


def _namespace_pattern(text: str) -> str:
    if not _PATTERN.fullmatch(text):
        raise ValueError(f"{text!r} is neither a namespace nor a pattern of one; a-z, 0-9, -, * and ? are possible")
    return text


def _object_name(text: str) -> str:
    if len(text) > _MAX_SUBDOMAIN_CHARS or not _SUBDOMAIN.fullmatch(text):
        raise ValueError(f"{text!r} cannot be the name of a Kubernetes object: lower case, a-z, 0-9, - and .")
    return text


def _not_too_often(value: timedelta) -> timedelta:
    if value < SHORTEST_RESYNC:
        raise ValueError("list the namespaces at most every 10s; the watch tells of changes at once")
    return value


def _flux_object(text: str) -> str:
    parse_flux(text)
    return text


def _workload(text: str) -> str:
    parse_workload(text)
    return text


NamespacePattern = Annotated[str, AfterValidator(_namespace_pattern)]
ObjectName = Annotated[str, AfterValidator(_object_name)]


class NamespaceRules(BaseModel):
    """Which namespaces, by pattern and by label. A namespace must pass all three."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    include: Annotated[list[NamespacePattern], Field(min_length=1)] = ["*"]
    """Names or patterns (``*`` any text, ``?`` one character), one of which must match."""

    exclude: list[NamespacePattern] = []
    """Names or patterns, none of which may match. Wins over ``include``."""

    selector: str | None = None
    """A label selector, such as ``team=web`` or ``env in (prod,stage)``; None for all."""


class NudgeConfig(BaseModel):
    """Who is told of a new login, in each namespace of the target; nobody unless named."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    flux: tuple[Annotated[str, AfterValidator(_flux_object)], ...] = ()
    """Objects of Flux that are asked to reconcile: ``ocirepository/name``, ``helmrepository/name``,
    ``imagerepository/name``, or ``resource.version.group/name`` for others."""

    restart: tuple[Annotated[str, AfterValidator(_workload)], ...] = ()
    """Workloads whose pods are replaced: ``deployment/name``, ``statefulset/name`` or ``daemonset/name``."""

    @property
    def listeners(self) -> list[Listener]:
        """All of them."""
        return [*map(parse_flux, self.flux), *map(parse_workload, self.restart)]


class KubernetesConfig(TargetConfig):
    """Secrets with logins in the namespaces of one cluster."""

    has_namespaces: ClassVar[bool] = True

    type: Literal["kubernetes"]
    """Selects this kind."""

    kubeconfig: str | None = None
    """Path of a kubeconfig file; None: the daemon runs in the cluster and uses its own service account."""

    context: str | None = None
    """Context in the kubeconfig; None for its ``current-context``."""

    namespaces: Annotated[list[NamespacePattern], Field(min_length=1)] | NamespaceRules
    """Names or patterns, or include, exclude and selector. Plain names need no right to list namespaces."""

    secret: ObjectName
    """Name of the Secret, the same in every namespace."""

    secret_template: SecretTemplate = SecretTemplate.DOCKERCONFIGJSON
    """For whom the Secret is made: ``dockerconfigjson`` for the kubelet, ``argocd_repository``, ``argocd_repo_creds``,
    ``flux``, ``basic_auth``, or ``opaque`` with the keys in ``keys``."""

    keys: Fields | None = None
    """With ``secret_template: opaque``, what each key holds: ``username``, ``password``, ``registry``, ``auth`` or
    ``docker_config``. ``{credential}`` in a key's name is replaced by the credential's name."""

    data: dict[str, str] = Field(default_factory=dict)
    """Further keys of the Secret with fixed values, which are not secret: ``url`` and ``project`` for Argo CD."""

    flux_source: FluxSource | None = None
    """With ``secret_template: flux``, what names the Secret: ``OCIRepository``, ``ImageRepository`` or
    ``HelmRepository``. None: ``OCIRepository``."""

    secret_type: Annotated[str, Field(pattern=_TYPE)] | None = None
    """Type of the Secret. None: the template's; another one only with ``opaque``."""

    mode: Mode = Mode.OWN
    """Whose Secret it is: ``own``, ``merge`` or ``adopt``."""

    service_accounts: tuple[ObjectName, ...] = ()
    """Service accounts whose ``imagePullSecrets`` must name the Secret; entries of others stay."""

    nudge: NudgeConfig = NudgeConfig()
    """Who is told of a new login once the Secret holds it, once per generation. A failure is logged and tried again;
    the delivery counts without it. Default: nobody."""

    resync: Annotated[Duration, AfterValidator(_not_too_often)] = timedelta(minutes=5)
    """Time between two full lists of the namespaces, in case a watch missed something; at least ``10s``."""

    watch_secrets: bool = False
    """Watch the Secrets of this name, so that an edit by somebody else is noticed in seconds and not only every
    ``engine.drift_interval``. Needs the right to watch them by name in the whole cluster; only metadata is asked."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Labels to put on the Secret, beside those that are there."""

    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations to put on the Secret, beside those that are there."""

    insecure: bool = False
    """Allow plain HTTP and unverified TLS to the API server."""

    @property
    def shape(self) -> Shape:
        """What the Secret looks like, besides the logins in it."""
        shape = self._template_shape
        labels = {name: self.labels.get(name, value) for name, value in shape.labels.items()}
        return replace(shape, type=self.secret_type or shape.type, labels=labels)

    def secret_files(self) -> tuple[str, ...]:
        """Return the kubeconfig."""
        return () if self.kubeconfig is None else (self.kubeconfig,)

    def sites(self) -> tuple[Site, ...]:
        """Return the Secret; one that is not merged is one target's as a whole, down to its labels."""
        cluster = os.path.realpath(self.kubeconfig) if self.kubeconfig is not None else ""
        rules = self.namespaces
        if not isinstance(rules, NamespaceRules):
            rules = NamespaceRules(include=rules)
        return (
            Site(
                "secret",
                ("kubernetes", cluster, self.context or "", self.secret),
                f"the Secret {self.secret} in namespaces of the same cluster",
                self.shape.layout if self.mode is Mode.MERGE else None,
                Extent(tuple(rules.include), tuple(rules.exclude), (rules.selector or "").strip()),
                "" if self.mode is Mode.MERGE else _SHARE,
            ),
        )

    @property
    def _template_shape(self) -> Shape:
        source = self.flux_source or FluxSource.OCI_REPOSITORY
        return shape_of(self.secret_template, source, self.keys or {}, self.data)

    @model_validator(mode="after")
    def _options_of_the_template(self) -> Self:
        template, is_opaque = self.secret_template, self.secret_template is SecretTemplate.OPAQUE
        if is_opaque != (self.keys is not None):
            raise ValueError("keys and secret_template: opaque belong together; write both or neither")
        if self.flux_source is not None and template is not SecretTemplate.FLUX:
            raise ValueError("flux_source belongs to secret_template: flux; write both or neither")
        if not is_opaque and self.secret_type not in {None, self._template_shape.type}:
            raise ValueError(f"{template} makes Secrets of type {self._template_shape.type}; remove secret_type")
        if template in ARGOCD and not self.data.get("url"):
            raise ValueError("Argo CD looks a login up by URL; write data: {url: ...} as the repository has it")
        if self.service_accounts and not self.shape.is_docker:
            raise ValueError(f"service accounts pull with a docker configuration, and {template} makes none")
        return self

    @model_validator(mode="after")
    def _keys_of_a_secret(self) -> Self:
        layout = self.shape.layout
        if taken := sorted(set(layout) & set(self.data)):
            raise ValueError(f"data: {taken[0]} is where the login goes")
        names = [*(field_name(name, "a") for name in layout), *self.data]
        if wrong := [name for name in names if not _DATA_KEY.fullmatch(name)]:
            raise ValueError(f"{wrong[0]!r} cannot be a key of a Secret: A-Z, a-z, 0-9, -, _ and . are possible")
        return self

    @model_validator(mode="after")
    def _name_in_an_annotation(self) -> Self:
        if self.nudge.listeners and len(self.secret) > _MAX_ANNOTATION_CHARS:
            raise ValueError(f"with nudge, the name of the secret has {_MAX_ANNOTATION_CHARS} characters at most")
        return self

    @field_validator("annotations")
    @classmethod
    def _not_our_annotations(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := [key for key in value if key.startswith(ANNOTATION_PREFIX)]:
            raise ValueError(f"{taken[0]!r}: {ANNOTATION_PREFIX} is reserved for rotator itself")
        return value

    @field_validator("namespaces", mode="before")
    @classmethod
    def _one_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f"write a list: [{value}]")  # noqa: TRY004 (pydantic reports ValueError, not TypeError)
        return value
