"""What is better changed is named, and only that."""

from __future__ import annotations

import pytest

from rotator.check.lint import lints
from rotator.domain.model import Login
from rotator.domain.reference import parse
from rotator.registry.advice import vendor_of
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


def test_the_pin_is_ready_to_copy() -> None:
    """A tag whose digest is known is answered by the reference to write instead."""
    (found,) = lints(parse("r.example/app:1"), vendor_of("r.example"), None, DIGEST)
    assert f"r.example/app@{DIGEST}" in found.text
