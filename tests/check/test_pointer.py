"""The character that makes a text no image reference is found."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.check.pointer import first_bad


@pytest.mark.parametrize(
    ("text", "position"),
    [
        pytest.param("ghcr.io/acme/App:1", 13, id="capital"),
        pytest.param("acme/app name", 8, id="space"),
        pytest.param("acme/app:1\n", 10, id="line end"),
        pytest.param("acme/app:-x", 9, id="tag"),
        pytest.param("acme/app:", 9, id="empty tag"),
        pytest.param("acme//app", 5, id="empty part"),
        pytest.param("acme/app/", 9, id="slash at the end"),
        pytest.param("acme/a..b", 7, id="two dots"),
        pytest.param("ghcr.io/acme/\u0430pp", 13, id="cyrillic"),
        pytest.param("app@sha256:xyz", 11, id="digest"),
        pytest.param("app@md5:00", 4, id="algorithm"),
        pytest.param("localhost:5000/", 15, id="nothing after the host"),
        pytest.param("acme/app:1", None, id="nothing wrong"),
    ],
)
def test_the_character_is_found(text: str, position: int | None) -> None:
    """The position is that of the first character that does not fit, or the end where something is missing."""
    assert first_bad(text) == position


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    """Any text has a position in it, at its end, or none."""
    position = first_bad(text)
    assert position is None or 0 <= position <= len(text)
