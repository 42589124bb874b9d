"""What a Secret looks like to whoever reads it: the kubelet, Argo CD, Flux. Pure.

Sources, read 2026-11-28: argoproj/argo-cd, ``docs/operator-manual/declarative-setup.md`` (labels, ``url``, ``type``,
``username``, ``password``, ``project``; the longest ``url`` that a repository begins with wins),
``docs/user-guide/oci.md`` (``type: oci`` with ``oci://``; charts in a registry as ``type: helm`` with OCI switched on
and no scheme), ``util/db/repository_secrets.go`` (``enableOCI``); fluxcd/source-controller, ``docs/spec/v1``
(``ocirepositories.md``: the format of ``imagePullSecrets``; ``helmrepositories.md``: ``username``, ``password``). That
an ``ImageRepository`` reads a docker configuration is as Flux documents it, not read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rotator.domain.fields import Layout, Part

DOCKER_TYPE = "kubernetes.io/dockerconfigjson"
DOCKER_KEY = ".dockerconfigjson"
OPAQUE_TYPE = "Opaque"
BASIC_AUTH_TYPE = "kubernetes.io/basic-auth"
ARGOCD_LABEL = "argocd.argoproj.io/secret-type"

_DOCKER: Layout = {DOCKER_KEY: Part.DOCKER_CONFIG}
_PLAIN: Layout = {"username": Part.USERNAME, "password": Part.PASSWORD}


class SecretTemplate(StrEnum):
    """For whom the Secret is made."""

    DOCKERCONFIGJSON = "dockerconfigjson"
    """For the kubelet: any number of logins."""
    ARGOCD_REPOSITORY = "argocd_repository"
    """For Argo CD: the login of one repository."""
    ARGOCD_REPO_CREDS = "argocd_repo_creds"
    """For Argo CD: the login of every repository whose URL begins with this one's."""
    FLUX = "flux"
    """For Flux: what the kind of source in ``flux_source`` expects."""
    BASIC_AUTH = "basic_auth"
    """``username`` and ``password`` of one login."""
    OPAQUE = "opaque"
    """The keys in ``keys``."""


ARGOCD: Mapping[SecretTemplate, str] = {
    SecretTemplate.ARGOCD_REPOSITORY: "repository",
    SecretTemplate.ARGOCD_REPO_CREDS: "repo-creds",
}
"""The templates for Argo CD, and the value of `ARGOCD_LABEL` that it finds them by."""


class FluxSource(StrEnum):
    """A kind of source of Flux that names a Secret."""

    OCI_REPOSITORY = "OCIRepository"
    """Reads a docker configuration, as does an ``ImageRepository``."""
    IMAGE_REPOSITORY = "ImageRepository"
    """Reads a docker configuration."""
    HELM_REPOSITORY = "HelmRepository"
    """Reads ``username`` and ``password``, of charts in OCI registries and elsewhere."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a Secret must be, besides the logins in it.

    Args:
        type: Of the Secret; cannot be changed once it is made.
        layout: What each key of its ``data`` holds.
        data: Further keys with fixed values, in clear. Not secret.
        labels: Without these nobody finds it.
        holds_one: Whether there is room for one login only.
    """

    type: str
    layout: Layout
    data: Mapping[str, str]
    labels: Mapping[str, str]
    holds_one: bool

    @property
    def is_docker(self) -> bool:
        """Whether a kubelet can use it."""
        return self.type == DOCKER_TYPE


def shape_of(template: SecretTemplate, source: FluxSource, keys: Layout, data: Mapping[str, str]) -> Shape:
    """Return the shape of a template.

    Args:
        template: For whom the Secret is made.
        source: For `SecretTemplate.FLUX`: what reads it.
        keys: For `SecretTemplate.OPAQUE`: what each key holds.
        data: Keys with fixed values; they win over those of the template.
    """
    match template:
        case SecretTemplate.ARGOCD_REPOSITORY | SecretTemplate.ARGOCD_REPO_CREDS:
            fixed = {**_argocd_data(data.get("url", "")), **data}
            return Shape(OPAQUE_TYPE, _PLAIN, fixed, {ARGOCD_LABEL: ARGOCD[template]}, holds_one=True)
        case SecretTemplate.FLUX if source is FluxSource.HELM_REPOSITORY:
            return Shape(OPAQUE_TYPE, _PLAIN, data, {}, holds_one=True)
        case SecretTemplate.BASIC_AUTH:
            return Shape(BASIC_AUTH_TYPE, _PLAIN, data, {}, holds_one=True)
        case SecretTemplate.OPAQUE:
            return Shape(OPAQUE_TYPE, keys, data, {}, holds_one=False)
    return Shape(DOCKER_TYPE, _DOCKER, data, {}, holds_one=False)


def _argocd_data(url: str) -> dict[str, str]:
    """Return what Argo CD must be told about ``url``, by its scheme."""
    if url.startswith("oci://"):
        return {"type": "oci"}
    return {"type": "helm"} if "://" in url else {"type": "helm", "enableOCI": "true"}
