"""Tells whether a registry is far from where its images are pulled, by the region in its host name. Pure.

Says nothing where it cannot be told: registries whose names hold no region, and regions of two clouds on what may be
one continent.

Sources (read 2026-11-23): awslabs/amazon-ecr-credential-helper for ECR's host names;
cloud.google.com/artifact-registry/docs/repositories/repo-locations for Google's, multi-regions included;
cloud.google.com/artifact-registry/docs/transition for where the gcr.io hosts are.
"""

from __future__ import annotations

import re

from rotator.providers.hosts import parse_ecr_host

_GOOGLE_HOST = re.compile(r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev", re.ASCII)
_GCR = {"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}
_GOOGLE = re.compile(r"(?:us|northamerica|southamerica|europe|asia|australia|me|africa)(?:-[a-z]+[0-9]+)?", re.ASCII)
_AWS = re.compile(r"[a-z]{2}(?:-[a-z]+){1,2}-[0-9]+", re.ASCII)
_CONTINENTS = {
    "us": "America", "ca": "America", "mx": "America", "sa": "America",
    "northamerica": "America", "southamerica": "America",
    "eu": "Europe", "europe": "Europe", "asia": "Asia", "ap": "Asia or Australia", "cn": "Asia", "af": "Africa",
    "africa": "Africa", "australia": "Australia",
}  # fmt: skip
_MAY_MEET = {frozenset({"Asia", "Asia or Australia"}), frozenset({"Australia", "Asia or Australia"})}


def region_of(registry: str) -> str | None:
    """Return the region of a registry, in its cloud's word; None when its name does not tell.

    Args:
        registry: ``host[:port]``.
    """
    host = registry.lower().removesuffix(":443")
    ecr, google = parse_ecr_host(host), _GOOGLE_HOST.fullmatch(host)
    if ecr:
        return ecr.region
    return google["location"] if google else _GCR.get(host)


def is_far(registry_region: str, region: str) -> bool:
    """Return whether pulls certainly leave a region: another one of the same cloud, or another continent."""
    if registry_region == region or region.startswith(f"{registry_region}-"):
        return False
    clouds = [{cloud for cloud, form in (("aws", _AWS), ("google", _GOOGLE)) if form.fullmatch(one)}
              for one in (registry_region, region)]  # fmt: skip
    if clouds[0] & clouds[1]:
        return True
    ends = [_CONTINENTS.get(one.partition("-")[0]) for one in (registry_region, region)]
    return None not in ends and ends[0] != ends[1] and frozenset(end for end in ends if end) not in _MAY_MEET
