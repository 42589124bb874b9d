"""A registry's region is read from its name, and "far" is said only where it is certain."""

from __future__ import annotations

import pytest

from rotator.check.region import is_far, region_of


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
        ("123456789012.dkr-ecr.us-gov-west-1.on.aws", "us-gov-west-1"),
        ("europe-west1-docker.pkg.dev", "europe-west1"),
        ("europe-docker.pkg.dev:443", "europe"),
        ("gcr.io", "us"),
        ("eu.gcr.io", "europe"),
        ("ghcr.io", None),
        ("public.ecr.aws", None),
        ("docker.pkg.dev", None),
        ("eu-west-1.example", None),
    ],
)
def test_the_region_in_a_name(host: str, region: str | None) -> None:
    """Amazon's and Google's host names tell their region, and no other name does."""
    assert region_of(host) == region


@pytest.mark.parametrize(
    ("registry", "target", "far"),
    [
        pytest.param("eu-west-1", "eu-west-1", False, id="same"),
        pytest.param("eu-west-1", "eu-central-1", True, id="another region of one cloud"),
        pytest.param("europe", "europe-west1", False, id="within the multi-region"),
        pytest.param("europe", "us-central1", True, id="outside of the multi-region"),
        pytest.param("us", "us-east1", False, id="the american multi-region"),
        pytest.param("europe-west1", "eu-west-1", False, id="two clouds, one continent"),
        pytest.param("europe-west1", "us-east-1", True, id="two clouds, two continents"),
        pytest.param("asia-east1", "ap-southeast-2", False, id="perhaps one continent"),
        pytest.param("eu-west-1", "basement", False, id="a word of one's own"),
        pytest.param("us", "us-east-1", False, id="the american multi-region, from the other cloud"),
    ],
)
def test_far_is_said_where_it_is_certain(registry: str, target: str, far: bool) -> None:  # noqa: FBT001 (a table)
    """Another region of one cloud is far, and another continent; what is not known is not."""
    assert is_far(registry, target) is far
