"""What is better changed is named, and only that."""

from __future__ import annotations

import pytest

from rotator.check.lint import LARGE_BYTES, granted_lints, lints, region_lints, size_lints
from rotator.check.report import Base
from rotator.domain.lint import Lint
from rotator.domain.model import Login
from rotator.domain.reference import parse
from rotator.registry.advice import Vendor, vendor_of
from rotator.secret import Secret

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("image", "password", "codes"),
    [
        pytest.param(f"r.example/app@{DIGEST}", None, set(), id="pinned"),
        pytest.param("r.example/app:1", None, {"mutable_tag"}, id="tag"),
        pytest.param("r.example/app", None, {"missing_tag", "mutable_tag"}, id="no tag"),
        pytest.param("r.example/app:latest", None, {"latest_tag", "mutable_tag"}, id="latest"),
        pytest.param(f"gcr.io/p/app@{DIGEST}", None, {"gcr_shutdown"}, id="gcr"),
        pytest.param(f"eu.gcr.io/p/app@{DIGEST}", None, {"gcr_shutdown"}, id="eu.gcr"),
        pytest.param(f"alpine@{DIGEST}", None, {"anonymous_hub"}, id="hub without a login"),
        pytest.param(f"acme/app@{DIGEST}", "dckr_pat_x", set(), id="hub token"),
        pytest.param(f"acme/app@{DIGEST}", "hunter2", {"password"}, id="hub password"),
        pytest.param(f"ghcr.io/acme/app@{DIGEST}", "ghp_x", set(), id="classic token"),
        pytest.param(f"ghcr.io/acme/app@{DIGEST}", "github_pat_x", {"fine_grained_token"}, id="fine-grained token"),
        pytest.param(f"r.example/app@{DIGEST}", "hunter2", set(), id="no known tokens"),
    ],
)
def test_lints(image: str, password: str | None, codes: set[str]) -> None:
    """Each habit has its code, and no sentence holds the password."""
    reference = parse(image)
    login = None if password is None else Login("me", Secret(password))
    found = lints(reference, vendor_of(reference.registry), login, DIGEST)
    assert {lint.code for lint in found} == codes
    assert password is None or not any(password in lint.text for lint in found)


@pytest.mark.parametrize(
    ("granted", "words"),
    [
        pytest.param(None, "", id="not told"),
        pytest.param(frozenset(), "", id="nothing"),
        pytest.param(frozenset({"pull"}), "", id="pull"),
        pytest.param(frozenset({"pull", "push"}), "may also push here", id="push"),
        pytest.param(frozenset({"pull", "push", "delete"}), "may also push and delete here", id="all"),
    ],
)
def test_more_than_pull_is_named(granted: frozenset[str] | None, words: str) -> None:
    """A login that may do more than pull is told so; where nobody tells, nothing is said."""
    found = granted_lints(Vendor.OTHER, granted)
    assert bool(found) == bool(words)
    assert all(words in lint.text for lint in found)


def test_more_than_pull_is_said_once() -> None:
    """What was found about the login already is not said again; another note is no reason to be silent."""
    granted = frozenset({"pull", "push"})
    assert granted_lints(Vendor.QUAY, granted, (Lint("over_privileged", "it may push"),)) == ()
    (found,) = granted_lints(Vendor.QUAY, granted, (Lint("password", "it is one"),))
    assert "give the robot the role read" in found.text


def test_targets_far_away_are_named() -> None:
    """Each target in another region is named; near ones, and registries of no known region, are not."""
    regions = {"prod": "us-east-1", "near": "eu-west-1"}
    (found,) = region_lints("123456789012.dkr.ecr.eu-west-1.amazonaws.com", regions)
    assert "target prod is in us-east-1" in found.text
    assert "near is" not in found.text
    assert region_lints("ghcr.io", regions) == ()


@pytest.mark.parametrize(
    ("size", "base", "words"),
    [
        pytest.param(None, None, "", id="not read"),
        pytest.param(LARGE_BYTES - 1, None, "", id="small"),
        pytest.param(LARGE_BYTES, None, "is unknown: it has no org.opencontainers.image.base", id="no annotations"),
        pytest.param(LARGE_BYTES, Base("debian:12", unread="because"), "debian:12, is unknown: because", id="unread"),
        pytest.param(LARGE_BYTES, Base("debian:12", size_bytes=48_500_000), "48 MB of it are its base", id="base"),
    ],
)
def test_large_images_are_named_with_their_base(size: int | None, base: Base | None, words: str) -> None:
    """A large image says how much of it is its base, or why that is unknown; a small one says nothing."""
    found = size_lints(size, base)
    assert bool(found) == bool(words)
    assert all(words in lint.text for lint in found)


def test_nothing_is_pinned_to_an_unknown_digest() -> None:
    """Where no digest could be read, there is nothing to pin and nothing is said of it."""
    assert lints(parse("r.example/app:1"), vendor_of("r.example"), None, "") == ()


def test_the_pin_is_ready_to_copy() -> None:
    """A tag whose digest is known is answered by the reference to write instead."""
    (found,) = lints(parse("r.example/app:1"), vendor_of("r.example"), None, DIGEST)
    assert f"r.example/app@{DIGEST}" in found.text
