"""The check that every value passes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.errors import ShapeError
from rotator.secret import Secret
from rotator.sources.reading import checked_secret


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
@settings(max_examples=50, deadline=None)
def test_any_text_is_kept_to_the_letter(text: str) -> None:
    """Whatever UTF-8 can write is a secret, unchanged."""
    assert checked_secret(text, "x") == Secret(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "x is empty"),
        (5, "x is a number"),
        (1.5, "x is a number"),
        (True, "x is true or false"),
        (None, "x is null"),
        ({"canary": 1}, "x is an object"),
        (["canary"], "x is a list"),
        (b"canary", "x is not text"),
        ("canary\ud800", "x is not valid UTF-8"),
    ],
    ids=["empty", "int", "float", "bool", "null", "object", "list", "bytes", "surrogate"],
)
def test_what_is_no_text_is_refused_without_showing_it(value: Any, words: str) -> None:
    """The error names the kind of value, never the value."""
    with pytest.raises(ShapeError, match=words) as caught:
        checked_secret(value, "x")
    assert "canary" not in str(caught.value)
