"""Images in the configuration: a reference, or a reference with an id."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rotator.config.image import Image
from rotator.config.kinds import Kinds
from rotator.config.load import load
from rotator.config.show import show
from rotator.errors import ConfigError

TEXT = """
version: 1
credentials:
  one: {{provider: kept, registry: ghcr.io, username: bot, token: {{env: T}}, images: {images}}}
"""
Write = Callable[[str], Path]


def images(write: Write, kinds: Kinds, text: str) -> list[tuple[str, str]]:
    """Return id and reference of each image in a configuration."""
    config = load(write(TEXT.format(images=text)), kinds)
    again = load(write(show(config)), kinds)
    found = [(image.id, str(image)) for image in config.credentials["one"].images]
    assert [(image.id, str(image)) for image in again.credentials["one"].images] == found
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("[ghcr.io/acme/app:1]", [("acme-app-1", "ghcr.io/acme/app:1")], id="plain"),
        pytest.param("[{id: app, image: 'ghcr.io/acme/app:1'}]", [("app", "ghcr.io/acme/app:1")], id="own id"),
        pytest.param(
            "[ghcr.io/acme/app:1, {id: two, image: 'ghcr.io/acme/app:1'}]",
            [("acme-app-1", "ghcr.io/acme/app:1"), ("two", "ghcr.io/acme/app:1")],
            id="both",
        ),
    ],
)
def test_an_image_has_an_id(write: Write, kinds: Kinds, text: str, expected: list[tuple[str, str]]) -> None:
    """A plain reference gets an id of its own making, another the one that is written; both survive `show`."""
    assert images(write, kinds, text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("[3]", "images[0]: write an image reference such as", id="a number"),
        pytest.param("[{image: 'ghcr.io/a/b'}]", "images[0]: write an image reference such as", id="no id"),
        pytest.param("[{id: a, image: 'ghcr.io/a/b', x: y}]", "or {id: app, image: ", id="a strange key"),
        pytest.param("[{id: 3, image: 'ghcr.io/a/b'}]", "or {id: app, image: ", id="an id that is no text"),
        pytest.param("[{id: 'A B', image: 'ghcr.io/a/b'}]", "its id must be 1 to 63 of", id="not an id"),
        pytest.param("[{id: a, image: 'ghcr.io/A'}]", "a repository is lower case only", id="no reference"),
        pytest.param("['ghcr.io/a/b:1', 'ghcr.io/a/b:1']", "images[0], a-b-1; remove one of the two", id="twice"),
        pytest.param("['ghcr.io/a/b:1', 'ghcr.io/a-b:1']", "a-b-1; give one of them an id of its own", id="collision"),
        pytest.param(
            "[{id: x, image: 'ghcr.io/a/b:1'}, {id: x, image: 'ghcr.io/a/c:1'}]",
            "images[0], x; give one",
            id="own id twice",
        ),
        pytest.param("[{id: a, image: 'docker.io/a/b'}]", "is on docker.io", id="another registry"),
    ],
)
def test_what_cannot_be_an_image_is_refused(write: Write, kinds: Kinds, text: str, sentence: str) -> None:
    """Each mistake is told at its image, with what to write instead."""
    with pytest.raises(ConfigError) as caught:
        load(write(TEXT.format(images=text)), kinds)
    assert "credentials.one.images[" in str(caught.value)
    assert sentence in str(caught.value)


def test_an_image_is_its_reference() -> None:
    """Everywhere else it is the full reference, as text; a copy keeps the id."""
    image = Image("nginx", "web")
    assert image == "docker.io/library/nginx:latest"
    assert (copy.deepcopy(image), copy.deepcopy(image).id) == (image, "web")
    assert yaml.safe_load(yaml.safe_dump(str(image))) == image
