"""What is better changed about an image that may well pull. Pure.

Sources (read 2026-11-23): docs.docker.com/docker-hub/usage/pulls (anonymous pulls count by address);
cloud.google.com/artifact-registry/docs/transition (Container Registry's end, 2025-03-18); docs.github.com, "Working
with the Container registry" (classic tokens only); the vendors' documented prefixes of tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

from rotator.check.report import Lint
from rotator.domain.model import Login
from rotator.domain.reference import Reference
from rotator.registry.diagnose import Vendor

_TOKEN_PREFIXES = {
    Vendor.DOCKER_HUB: ("dckr_pat_", "dckr_oat_"),
    Vendor.GHCR: ("ghp_", "gho_", "ghu_", "ghs_"),
    Vendor.GITLAB: ("glpat-", "gldt-", "glcbt-"),
}
_FINE_GRAINED = "github_pat_"


def lints(reference: Reference, vendor: Vendor, login: Login | None, digest: str) -> tuple[Lint, ...]:
    """Return what is better changed.

    Args:
        reference: The image.
        vendor: Whose registry it is at.
        login: What is shown to it; None for nothing. Only the beginning of its password is looked at.
        digest: What the tag points to at present; empty when unknown.
    """
    return (*_tag(reference, digest), *_registry(reference, vendor, login), *_password(vendor, login))


def _tag(reference: Reference, digest: str) -> Iterator[Lint]:
    if reference.digest is not None:
        return
    if reference.tag is None:
        yield Lint("missing_tag", "no tag, so latest is pulled: write the tag you mean")
    elif reference.tag == "latest":
        yield Lint("latest_tag", "latest means whatever was pushed last: write a version")
    pin = f"; pin it: {reference.name}@{digest}" if digest else ""
    yield Lint("mutable_tag", f"a tag may come to mean another image{pin}")


def _registry(reference: Reference, vendor: Vendor, login: Login | None) -> Iterator[Lint]:
    host = reference.registry
    if host == "gcr.io" or host.endswith(".gcr.io"):
        yield Lint(
            "gcr_shutdown",
            "Container Registry was shut down on 2025-03-18 and Artifact Registry answers for this name: "
            "write LOCATION-docker.pkg.dev/PROJECT/REPOSITORY",
        )
    if vendor is Vendor.DOCKER_HUB and login is None:
        yield Lint("anonymous_hub", "pulls without a login share one limit with everybody behind this address: log in")


def _password(vendor: Vendor, login: Login | None) -> Iterator[Lint]:
    prefixes = _TOKEN_PREFIXES.get(vendor)
    if login is None or prefixes is None:
        return
    password = login.secret.reveal()
    if vendor is Vendor.GHCR and password.startswith(_FINE_GRAINED):
        yield Lint("fine_grained_token", "GitHub's registry takes classic tokens only, this one is fine-grained")
    elif not password.startswith(prefixes):
        yield Lint("password", "this looks like a password, not a token: a token can be limited and revoked alone")
