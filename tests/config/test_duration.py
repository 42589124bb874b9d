"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.config.duration import parse_duration, render_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("12h", 43200), ("14d", 1209600), ("1h30m", 5400), (" 5m ", 300)],
    ids=str,
)
def test_numbers_with_units_are_read(text: str, seconds: float) -> None:
    """Each unit means what it says, and several add up."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    ["", "5", 5, 5.0, True, None, "5 m", "m", "-5m", "1.5h", "5M", "5m x", "1w", "0s", "0h0m", "٣s", "9999999d", []],
    ids=repr,
)
def test_anything_else_is_refused(value: Any) -> None:
    """A number without a unit, a sign, a fraction, an unknown unit and zero are refused."""
    with pytest.raises(ValueError, match=r"unit|longer"):
        parse_duration(value)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 999_999 * 86_400_000).map(lambda count: timedelta(milliseconds=count)))
def test_what_is_rendered_is_read_back(value: timedelta) -> None:
    """Rendering loses nothing."""
    assert parse_duration(render_duration(value)) == value
