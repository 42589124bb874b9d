"""How a mistake is written."""

from __future__ import annotations

import pytest

from rotator.config.mistake import KeyPath, Mistake, Place, render_path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param(("log", "level"), "log.level", id="plain"),
        pytest.param(("credentials", "a", "images", 0), "credentials.a.images[0]", id="index"),
        pytest.param(("registries", "ghcr.io", "ca_file"), "registries[ghcr.io].ca_file", id="host"),
        pytest.param(("a\x1b[31m\nb",), "[a?[31m?b]", id="control-characters"),
        pytest.param(("k" * 100,), f"[{'k' * 60}...]", id="long"),
    ],
)
def test_a_path_is_readable_on_one_line(path: KeyPath, text: str) -> None:
    """Keys are joined by dots; what is no plain word stands in brackets, harmless to a terminal."""
    assert render_path(path) == text


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        pytest.param(Mistake(Place("f", 3), ("a", "b"), "is wrong"), "f:3: a.b: is wrong", id="value"),
        pytest.param(Mistake(Place("f", 3), (), "is wrong"), "f:3: is wrong", id="line"),
        pytest.param(Mistake(Place("f"), (), "is wrong"), "f: is wrong", id="file"),
    ],
)
def test_a_mistake_names_file_line_and_path(mistake: Mistake, text: str) -> None:
    """What is known of the place comes first."""
    assert str(mistake) == text
