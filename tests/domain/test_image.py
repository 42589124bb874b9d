"""Ids of images, and how long our own requests wait."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.headroom import LONGEST_FAIR_PAUSE, Headroom, HeadroomState, fair_pause
from rotator.domain.image import ID, image_id
from rotator.domain.reference import parse

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        pytest.param("ghcr.io/acme/site:7", "acme-site-7", id="repository and tag"),
        pytest.param("registry.example:5000/acme/site", "acme-site-latest", id="no tag"),
        pytest.param("nginx", "library-nginx-latest", id="official image"),
        pytest.param(f"ghcr.io/acme/site@{DIGEST}", "acme-site-0123456789ab", id="digest"),
        pytest.param(f"ghcr.io/acme/site:7@{DIGEST}", "acme-site-0123456789ab", id="the digest wins"),
        pytest.param("ghcr.io/acme/site:V1_Beta_", "acme-site-v1_beta", id="capitals and edges"),
    ],
)
def test_an_id_is_made_of_repository_and_tag(reference: str, expected: str) -> None:
    """The id names repository and version, never the registry."""
    assert image_id(parse(reference)) == expected


@given(st.from_regex(r"[a-z0-9]{1,40}(/[a-z0-9]{1,40}){0,5}:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True))
@settings(deadline=None, max_examples=100)
def test_every_reference_has_an_id(text: str) -> None:
    """Whatever the reference, the id has the form of a name in the configuration, and is always the same."""
    reference = parse(f"ghcr.io/{text}")
    assert re.fullmatch(ID, image_id(reference))
    assert image_id(reference) == image_id(reference)


def test_long_references_that_differ_have_ids_that_differ() -> None:
    """Two references that agree in their first 200 characters do not share an id."""
    assert image_id(parse(f"ghcr.io/{'a' * 200}:1")) != image_id(parse(f"ghcr.io/{'a' * 200}:2"))


@pytest.mark.parametrize(
    ("headroom", "expected"),
    [
        pytest.param(None, timedelta(), id="nothing known"),
        pytest.param(Headroom(HeadroomState.UNKNOWN), timedelta(), id="unknown"),
        pytest.param(Headroom(HeadroomState.UNLIMITED), timedelta(), id="no limit"),
        pytest.param(Headroom(HeadroomState.LIMITED, None, 5), timedelta(), id="only what is left"),
        pytest.param(Headroom(HeadroomState.LIMITED, 100, 5, 21_600), timedelta(hours=12), id="100 in 6 h"),
        pytest.param(Headroom(HeadroomState.LIMITED, 5000, 5, 3600), timedelta(seconds=144), id="5000 an hour"),
        pytest.param(Headroom(HeadroomState.LIMITED, 200, 5), timedelta(days=1), id="window not told: a day"),
        pytest.param(Headroom(HeadroomState.LIMITED, 0, 0, 10**12), LONGEST_FAIR_PAUSE, id="absurd"),
    ],
)
def test_two_requests_wait_for_their_hundredth(headroom: Headroom | None, expected: timedelta) -> None:
    """The pause is as long as the limit takes to grant a hundred times as many requests."""
    assert fair_pause(headroom, 2) == expected
