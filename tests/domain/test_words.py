"""Durations and numbers of things are put alike wherever people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.domain.words import at_place, counted, span


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=-5), "0s"),
        (timedelta(seconds=59), "59s"),
        (timedelta(seconds=60), "1m"),
        (timedelta(hours=6, minutes=12, seconds=59), "6h 12m"),
        (timedelta(hours=24), "1d"),
        (timedelta(days=90, seconds=1), "90d"),
        (timedelta(seconds=86_405), "1d"),
        (timedelta(seconds=3_725), "1h 2m"),
        (timedelta(days=1, hours=1, minutes=1), "1d 1h"),
    ],
    ids=str,
)
def test_a_span_has_two_units(duration: timedelta, text: str) -> None:
    """A duration is put in its two largest units, without a unit between them that is zero."""
    assert span(duration) == text


def test_one_is_singular() -> None:
    """One thing is one thing, and thousands have a comma."""
    told = [counted(number, "place") for number in (0, 1, 2, 1_000)]
    assert told == ["0 places", "1 place", "2 places", "1,000 places"]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        pytest.param("disk full", "/a/config.json: disk full", id="without it"),
        pytest.param("/a/config.json: disk full", "/a/config.json: disk full", id="with it"),
        pytest.param("/a/config.json is no file", "/a/config.json is no file", id="as its subject"),
    ],
)
def test_a_placement_is_named_once(message: str, text: str) -> None:
    """An error that begins with the placement is not put behind its name again."""
    assert at_place("/a/config.json", message) == text
