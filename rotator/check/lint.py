"""What is better changed about an image that may well pull. Pure.

Sources (read 2026-11-23): docs.docker.com/docker-hub/usage/pulls (anonymous pulls count by address);
docs.docker.com/docker-hub/image-library/mirror (mirrors); cloud.google.com/artifact-registry/docs/transition (Container
Registry's end, 2025-03-18). What tokens look like and what to request instead is `rotator.domain.privilege`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rotator.check.region import is_far, region_of
from rotator.check.report import Base
from rotator.domain.lint import Lint
from rotator.domain.model import Login
from rotator.domain.privilege import instead, password_lints
from rotator.domain.reference import Reference
from rotator.registry.diagnose import Vendor

_ANONYMOUS_HUB = (
    "pulls without a login share one limit with everybody behind this address: log in, or pull through a mirror"
)

LARGE_BYTES = 1_000_000_000
"""An image that transfers this much is worth a look: at 100 Mbit/s it takes 80 seconds to arrive."""
_MILLION = 1_000_000


def lints(reference: Reference, vendor: Vendor, login: Login | None, digest: str) -> tuple[Lint, ...]:
    """Return what is better changed.

    Args:
        reference: The image.
        vendor: Whose registry it is at.
        login: What is shown to it; None for nothing. Only the beginning of its password is looked at.
        digest: What the tag points to at present; empty when unknown.
    """
    return (*_tag(reference, digest), *_registry(reference, vendor, login), *_password(vendor, login))


def granted_lints(vendor: Vendor, granted: frozenset[str] | None, known: tuple[Lint, ...] = ()) -> tuple[Lint, ...]:
    """Return what is better changed about a login that may do more than pull.

    Args:
        vendor: Whose registry it is at.
        granted: What a token of it grants on the repository; None when that could not be told.
        known: What was found about the login already; the same is not said twice.
    """
    more = sorted((granted or frozenset()) - {"pull"}, reverse=True)
    if not more or any(lint.code == "over_privileged" for lint in known):
        return ()
    text = f"this login may also {' and '.join(more)} here: to pull, {instead(vendor)}"
    return (Lint("over_privileged", text),)


def region_lints(registry: str, regions: Mapping[str, str]) -> tuple[Lint, ...]:
    """Return which targets are far from the registry.

    Args:
        registry: Its host.
        regions: Target to region.
    """
    at = region_of(registry)
    if at is None:
        return ()
    far = [f"target {target} is in {region}" for target, region in sorted(regions.items()) if is_far(at, region)]
    text = f"the registry is in {at}, but {', '.join(far)}: a copy nearby pulls faster and saves the transfer's price"
    return (Lint("far_registry", text),) if far else ()


def size_lints(size_bytes: int | None, base: Base | None) -> tuple[Lint, ...]:
    """Return what is better changed about a large image.

    Args:
        size_bytes: What is transferred; None when not read.
        base: What it was built on; None when its manifest does not say.
    """
    if size_bytes is None or size_bytes < LARGE_BYTES:
        return ()
    if base is None:
        part = "how much of it is its base is unknown: it has no org.opencontainers.image.base annotations"
    elif base.size_bytes is None:
        part = f"how much of it is its base, {base.name}, is unknown: {base.unread}"
    else:
        part = f"{base.size_bytes // _MILLION} MB of it are its base, {base.name}"
    return (Lint("large_image", f"large: {size_bytes // _MILLION} MB are transferred; {part}"),)


def _tag(reference: Reference, digest: str) -> Iterator[Lint]:
    if reference.digest is not None:
        return
    if reference.tag is None:
        yield Lint("missing_tag", "no tag, so latest is pulled: write the tag you mean")
    elif reference.tag == "latest":
        yield Lint("latest_tag", "latest means whatever was pushed last: write a version")
    if digest:
        yield Lint("mutable_tag", f"a tag may come to mean another image; pin it: {reference.name}@{digest}")


def _registry(reference: Reference, vendor: Vendor, login: Login | None) -> Iterator[Lint]:
    host = reference.registry
    if host == "gcr.io" or host.endswith(".gcr.io"):
        yield Lint(
            "gcr_shutdown",
            "Container Registry was shut down on 2025-03-18 and Artifact Registry answers for this name: "
            "write LOCATION-docker.pkg.dev/PROJECT/REPOSITORY",
        )
    if vendor is Vendor.DOCKER_HUB and login is None:
        yield Lint("anonymous_hub", _ANONYMOUS_HUB)


def _password(vendor: Vendor, login: Login | None) -> Iterator[Lint]:
    if login is not None:
        yield from password_lints(vendor, login)
