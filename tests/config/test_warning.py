"""What is allowed and yet worth a second look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.config.kinds import Kinds
from rotator.config.load import load
from rotator.config.warning import warnings

OPEN = "the peer is not authenticated; its logins can be read by whoever is between"
LATEST = "is pulled as latest, which may go away or change; write the tag that is deployed"
UNPROVED = "add it to images, so that no version is delivered that cannot pull it"
SOUND = """
credentials:
  a: {provider: minted, registry: registry.example, images: ["registry.example/app:1"], deliver_to: [shelf]}
targets:
  shelf: {type: shelf}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(SOUND, [], id="sound"),
        pytest.param("version: 1", ["credentials: there are none, so that there is nothing to do"], id="nothing"),
        pytest.param(
            SOUND.replace(", deliver_to: [shelf]", ""),
            [
                "credentials.a: is delivered nowhere; name its targets in deliver_to",
                "targets.shelf: no credential is delivered to it",
            ],
            id="delivered-nowhere",
        ),
        pytest.param(
            SOUND.replace('"registry.example/app:1"', ""),
            ["credentials.a: has no images, so that only the login is proved, not that it can pull"],
            id="no-images",
        ),
        pytest.param(
            SOUND.replace("app:1", "app"),
            [f"credentials.a.images[0]: {LATEST}"],
            id="latest",
        ),
        pytest.param(SOUND.replace("app:1", "app@sha256:" + "a" * 64), [], id="digest"),
        pytest.param(
            SOUND + "registries: {registry.example: {insecure: true}}",
            [f"registries[registry.example].insecure: {OPEN}"],
            id="insecure-registry",
        ),
        pytest.param(
            SOUND.replace("type: shelf", "type: shelf, insecure: true"),
            [f"targets.shelf.insecure: {OPEN}"],
            id="insecure-target",
        ),
        pytest.param(
            SOUND.replace("type: shelf", 'type: shelf, image: "registry.example/other:latest"'),
            [
                "targets.shelf: deploys latest, which may be another image each time; write a version",
                f"credentials.a: target shelf pulls registry.example/other:latest; {UNPROVED}",
            ],
            id="image-of-a-target",
        ),
        pytest.param(
            SOUND + "registries: {quay.io: {}}",
            ["registries[quay.io]: no credential is for this registry"],
            id="unused-registry",
        ),
    ],
)
def test_each_doubt_is_named(text: str, expected: list[str], write: Callable[[str], Path], kinds: Kinds) -> None:
    """A doubt keeps nothing from loading, and is one sentence about one path."""
    assert warnings(load(write(text), kinds)) == expected
