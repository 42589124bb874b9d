"""Hours of the day, in somebody's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rotator.targets.tagoio_deploy.window import parse_window


@pytest.mark.parametrize(
    ("window", "now", "wait"),
    [
        pytest.param("02:00-04:00", "2026-06-01T01:59:00", 60, id="a minute before"),
        pytest.param("02:00-04:00", "2026-06-01T02:00:00", 0, id="it opens"),
        pytest.param("02:00-04:00", "2026-06-01T03:59:59", 0, id="its last second"),
        pytest.param("02:00-04:00", "2026-06-01T04:00:00", 22 * 3600, id="it closes"),
        pytest.param("22:00-02:00", "2026-06-01T23:00:00", 0, id="over midnight, before it"),
        pytest.param("22:00-02:00", "2026-06-02T01:00:00", 0, id="over midnight, after it"),
        pytest.param("22:00-02:00", "2026-06-02T12:00:00", 10 * 3600, id="over midnight, closed"),
        pytest.param("02:00-04:00 Europe/Berlin", "2026-06-01T00:30:00", 0, id="summer in Berlin"),
        pytest.param("02:00-04:00 Europe/Berlin", "2026-12-01T00:30:00", 1800, id="winter in Berlin"),
        pytest.param("00:00-00:00", "2026-06-01T12:00:00", 0, id="all day"),
    ],
)
def test_when_it_opens(window: str, now: str, wait: int) -> None:
    """A window is open from its first minute to the last before its end, in its own zone."""
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert parse_window(window).opens_in(at) == timedelta(seconds=wait)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "is not a window", id="empty"),
        pytest.param("night", "is not a window", id="word"),
        pytest.param("2:00-4:00", "is not a window", id="one digit"),
        pytest.param("02:00", "is not a window", id="no end"),
        pytest.param("25:00-26:00", "an hour is from 00 to 23", id="hour"),
        pytest.param("02:00-04:00 Mars/Olympus", "Mars/Olympus is not a time zone", id="zone"),
        pytest.param("02:00-04:00 ../../etc/passwd", "is not a", id="path"),
        pytest.param("02:00-04:00 Europe/Berlin\n", "is not a window", id="line break"),
    ],
)
def test_what_is_no_window(text: str, reason: str) -> None:
    """What cannot be read as hours, or whose zone is unknown, is refused with the reason."""
    with pytest.raises(ValueError, match=reason):
        parse_window(text)
