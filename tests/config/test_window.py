"""Maintenance windows as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.config.target import TargetConfig
from rotator.config.window import parse_window


@pytest.mark.parametrize("text", ["02:00-04:00 Europe/Berlin", "22:00-02:00 UTC"], ids=["a zone", "over midnight"])
def test_a_window_is_shown_as_it_was_written(text: str) -> None:
    """What is read is rendered as it was written."""
    assert str(parse_window(text)) == text


def test_no_zone_is_utc() -> None:
    """Without a zone the hours are those of UTC, and shown so."""
    assert parse_window("02:00-04:00") == parse_window("02:00-04:00 UTC")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "is not a window; write hours of the day, such as 02:00-04:00 Europe/Berlin", id="empty"),
        pytest.param("night", "is not a window", id="word"),
        pytest.param("2:00-4:00", "is not a window", id="one digit"),
        pytest.param("02:00", "is not a window", id="no end"),
        pytest.param("25:00-26:00", "an hour is from 00 to 23", id="hour"),
        pytest.param("02:00-04:00 Mars/Olympus", "Mars/Olympus is not a time zone", id="zone"),
        pytest.param("02:00-04:00 Europe", "Europe is not a time zone", id="directory of zones"),
        pytest.param("02:00-04:00 ../../etc/passwd", "is not a", id="path"),
        pytest.param("02:00-04:00 Europe/Berlin\n", "is not a window", id="line break"),
    ],
)
def test_what_is_no_window(text: str, reason: str) -> None:
    """What cannot be read as hours, or whose zone is unknown, is refused with what to write."""
    with pytest.raises(ValueError, match=reason):
        parse_window(text)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("02:00-04:00", ["02:00-04:00 UTC"]),
        (["02:00-04:00", "13:00-14:00 Europe/Berlin"], ["02:00-04:00 UTC", "13:00-14:00 Europe/Berlin"]),
    ],
    ids=["one", "several"],
)
def test_one_or_several(written: Any, shown: list[str]) -> None:
    """A target takes one window or a list of them."""
    config = TargetConfig(type="x", window=written)
    assert config.model_dump()["window"] == shown
    assert [str(one) for one in config.timing(timedelta()).windows] == shown


@pytest.mark.parametrize("written", [[], 4, {"from": "02:00"}], ids=["empty", "number", "mapping"])
def test_what_is_no_list_of_windows(written: Any) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(ValidationError, match="write hours of the day, such as 02:00-04:00 Europe/Berlin"):
        TargetConfig(type="x", window=written)


@pytest.mark.parametrize(
    ("written", "hours"),
    [({}, 6), ({"min_interval": "2h"}, 2), ({"min_interval": "0s"}, 0)],
    ids=["kind", "own", "none"],
)
def test_the_option_overrides_what_the_kind_is_made_for(written: dict[str, str], hours: int) -> None:
    """Where ``min_interval`` is not written, the kind's own holds; ``0s`` is none."""
    config = TargetConfig.model_validate({"type": "x", **written})
    assert config.timing(timedelta(hours=6)).min_interval == timedelta(hours=hours)
