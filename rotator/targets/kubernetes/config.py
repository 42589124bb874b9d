"""Options of a Kubernetes target."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from rotator.config.duration import Duration
from rotator.config.target import TargetConfig

SHORTEST_RESYNC = timedelta(seconds=10)
ANNOTATION_PREFIX = "rotator.dev/"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PATTERN = re.compile(r"[a-z0-9*?-]{1,63}")
_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_SUBDOMAIN_CHARS = 253


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


class KubernetesConfig(TargetConfig):
    """Pull secrets in the namespaces of one cluster."""

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

    secret_type: Literal["kubernetes.io/dockerconfigjson"] = "kubernetes.io/dockerconfigjson"  # noqa: S105 (a type)
    """Type of the Secret."""

    mode: Mode = Mode.OWN
    """Whose Secret it is: ``own``, ``merge`` or ``adopt``."""

    service_accounts: tuple[ObjectName, ...] = ()
    """Service accounts whose ``imagePullSecrets`` must name the Secret; entries of others stay."""

    resync: Annotated[Duration, AfterValidator(_not_too_often)] = timedelta(minutes=5)
    """Time between two full lists of the namespaces, in case a watch missed something; at least ``10s``."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Labels to put on the Secret, beside those that are there."""

    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations to put on the Secret, beside those that are there."""

    insecure: bool = False
    """Allow plain HTTP and unverified TLS to the API server."""

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
