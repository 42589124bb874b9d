"""What Amazon's registry host names say."""

from __future__ import annotations

import pytest

from rotator.providers.hosts import EcrHost, parse_ecr_host

ACCOUNT = "123456789012"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param(f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com", EcrHost(ACCOUNT, "eu-west-1"), id="ordinary"),
        pytest.param(f"{ACCOUNT}.DKR.ECR.EU-WEST-1.amazonaws.com", EcrHost(ACCOUNT, "eu-west-1"), id="capitals"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com:443", EcrHost(ACCOUNT, "eu-west-1"), id="port-443"),
        pytest.param(
            f"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com", EcrHost(ACCOUNT, "us-east-1", fips=True), id="fips"
        ),
        pytest.param(f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn", EcrHost(ACCOUNT, "cn-north-1"), id="china"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.eusc-de-east-1.amazonaws.eu", EcrHost(ACCOUNT, "eusc-de-east-1"), id="europe"),
        pytest.param(
            f"{ACCOUNT}.dkr-ecr.us-west-2.on.aws", EcrHost(ACCOUNT, "us-west-2", dual_stack=True), id="dual-stack"
        ),
        pytest.param(
            f"{ACCOUNT}.dkr-ecr-fips.us-west-2.on.aws",
            EcrHost(ACCOUNT, "us-west-2", fips=True, dual_stack=True),
            id="dual-stack-fips",
        ),
        pytest.param(
            f"{ACCOUNT}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
            EcrHost(ACCOUNT, "cn-north-1", dual_stack=True),
            id="dual-stack-china",
        ),
        pytest.param(f"{ACCOUNT}.dkr.ecr.us-iso-east-1.c2s.ic.gov", EcrHost(ACCOUNT, "us-iso-east-1"), id="iso"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", EcrHost(ACCOUNT, "us-isob-east-1"), id="isob"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", EcrHost(ACCOUNT, "eu-isoe-west-1"), id="isoe"),
        pytest.param(
            f"{ACCOUNT}.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", EcrHost(ACCOUNT, "us-isof-south-1"), id="isof"
        ),
    ],
)
def test_every_form_of_a_private_host_is_understood(host: str, expected: EcrHost) -> None:
    """Account, region, FIPS and dual stack are read from each form that Amazon uses."""
    assert parse_ecr_host(host) == expected


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("public.ecr.aws", id="public"),
        pytest.param("12345678901.dkr.ecr.eu-west-1.amazonaws.com", id="eleven-digits"),
        pytest.param("1234567890123.dkr.ecr.eu-west-1.amazonaws.com", id="thirteen-digits"),
        pytest.param("١٢٣٤٥٦٧٨٩٠١٢.dkr.ecr.eu-west-1.amazonaws.com", id="digits-of-another-script"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com.evil.example", id="suffix-continues"),
        pytest.param(f"evil.{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com", id="prefix"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.org", id="other-domain"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com:8443", id="other-port"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com\n", id="newline"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.amazonaws.com", id="no-region"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.eu.west.amazonaws.com", id="region-with-dot"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_not_a_private_host_is_not_taken_for_one(host: str) -> None:
    """A host that only looks similar says nothing about account and region."""
    assert parse_ecr_host(host) is None
