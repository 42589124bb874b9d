"""When a placement may be written: hours of the day in somebody's time zone, and a shortest time between writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rotator.domain.model import NEVER, UNKNOWN, Expiry, Stage, Version
from rotator.domain.window import Step, Timing, Window, wait_for

HOUR = timedelta(hours=1)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Timing(windows=(Window(time(2), time(4), UTC),))
TWO_O_CLOCK = NOON + 14 * HOUR


def window(text: str, zone: Any = UTC) -> Window:
    """Return the window that ``text`` writes."""
    start, _, end = text.partition("-")
    return Window(time.fromisoformat(start), time.fromisoformat(end), zone)


def at(text: str) -> datetime:
    """Return an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "zone", "now", "opens"),
    [
        pytest.param("02:00-04:00", UTC, "2026-06-01T01:59:00", "2026-06-01T02:00:00", id="a minute before"),
        pytest.param("02:00-04:00", UTC, "2026-06-01T02:00:00", "2026-06-01T02:00:00", id="it opens"),
        pytest.param("02:00-04:00", UTC, "2026-06-01T03:59:59", "2026-06-01T03:59:59", id="its last second"),
        pytest.param("02:00-04:00", UTC, "2026-06-01T04:00:00", "2026-06-02T02:00:00", id="it closes"),
        pytest.param("22:00-02:00", UTC, "2026-06-01T23:00:00", "2026-06-01T23:00:00", id="before midnight"),
        pytest.param("22:00-02:00", UTC, "2026-06-02T01:00:00", "2026-06-02T01:00:00", id="after midnight"),
        pytest.param("22:00-02:00", UTC, "2026-06-02T12:00:00", "2026-06-02T22:00:00", id="between two nights"),
        pytest.param("02:00-04:00", BERLIN, "2026-06-01T00:30:00", "2026-06-01T00:30:00", id="summer in Berlin"),
        pytest.param("02:00-04:00", BERLIN, "2026-12-01T00:30:00", "2026-12-01T01:00:00", id="winter in Berlin"),
        pytest.param("00:00-00:00", UTC, "2026-06-01T12:00:00", "2026-06-01T12:00:00", id="all day"),
        pytest.param("02:00-04:00", BERLIN, "2026-03-29T00:00:00", "2026-03-29T01:00:00", id="forward: opens at three"),
        pytest.param("02:00-04:00", BERLIN, "2026-03-29T01:59:00", "2026-03-29T01:59:00", id="forward: an hour long"),
        pytest.param("02:00-04:00", BERLIN, "2026-03-29T02:00:00", "2026-03-30T00:00:00", id="forward: closed"),
        pytest.param("02:10-02:50", BERLIN, "2026-03-29T00:00:00", "2026-03-29T01:10:00", id="forward: not left out"),
        pytest.param(
            "02:30-03:15", BERLIN, "2026-03-29T02:00:00", "2026-03-29T02:00:00", id="forward: keeps its length"
        ),
        pytest.param("02:00-04:00", BERLIN, "2026-10-24T12:00:00", "2026-10-25T00:00:00", id="back: opens once"),
        pytest.param("02:00-04:00", BERLIN, "2026-10-25T02:59:00", "2026-10-25T02:59:00", id="back: three hours long"),
        pytest.param("02:10-02:50", BERLIN, "2026-10-25T01:40:00", "2026-10-25T01:40:00", id="back: the second time"),
        pytest.param("02:00-04:00", BERLIN, "2026-10-25T03:00:00", "2026-10-26T01:00:00", id="back: closed"),
    ],
)
def test_when_it_opens(hours: str, zone: Any, now: str, opens: str) -> None:
    """A window is open from its first minute to the last before its end, in its own zone, each day of the year."""
    assert window(hours, zone).next_open(at(now)) == at(opens)


@pytest.mark.parametrize(
    ("timing", "written", "chance"),
    [
        (Timing(), None, NOON),
        (Timing(6 * HOUR), None, NOON),
        (Timing(6 * HOUR), NOON - 2 * HOUR, NOON + 4 * HOUR),
        (Timing(6 * HOUR), NOON - 7 * HOUR, NOON),
        (Timing(6 * HOUR), NOON + 9 * HOUR, NOON),
        (NIGHT, None, TWO_O_CLOCK),
        (Timing(24 * HOUR, NIGHT.windows), NOON - HOUR, TWO_O_CLOCK + 24 * HOUR),
        (Timing(windows=(*NIGHT.windows, window("13:00-14:00"))), None, NOON + HOUR),
    ],
    ids=["no rule", "first write", "too early", "over", "clock set back", "closed", "both", "two windows"],
)
def test_the_next_chance(timing: Timing, written: datetime | None, chance: datetime) -> None:
    """The shortest time since the last write must be over, and some window open."""
    assert timing.next_chance(written, NOON) == chance


def version(generation: int = 1, **facts: Any) -> Version:
    """Return a version that expires in a day."""
    known = {"expiry": Expiry(NOON + 24 * HOUR), "issued_at": NOON - HOUR, **facts}
    return Version("ecr", generation, Stage.CURRENT, "f", "AWS", **known)


def step(**held: Any) -> Step:
    """Return how generation 2 takes the place of a version with these facts."""
    return Step(version(**held), version(2), HOUR / 2, NOON - HOUR)


@pytest.mark.parametrize(
    ("facts", "waits"),
    [
        ({}, True),
        ({"expiry": NEVER}, True),
        ({"expiry": UNKNOWN}, True),
        ({"expiry": Expiry(TWO_O_CLOCK + HOUR)}, True),
        ({"expiry": Expiry(TWO_O_CLOCK + HOUR / 2)}, False),
        ({"expiry": Expiry(NOON - HOUR)}, False),
        ({"leaked_at": NOON}, False),
        ({"rejected_at": NOON}, False),
        ({"withdrawn_at": NOON}, False),
        ({"ended_at": NOON}, False),
        ({"dead_at": NOON}, False),
    ],
    ids=[
        "good",
        "never",
        "unknown",
        "lasts",
        "within the budget",
        "past",
        "leaked",
        "refused",
        "taken back",
        "ended",
        "dead",
    ],
)
def test_nothing_good_is_worth_a_gap(facts: dict[str, Any], waits: bool) -> None:  # noqa: FBT001 (expected value)
    """I1: what is held and lasts until the window and the outage budget after it waits; all else goes at once."""
    assert (wait_for(step(**facts), NIGHT, NOON) is not None) is waits


@pytest.mark.parametrize(
    "urgent",
    [
        replace(step(), held=None),
        replace(step(), wanted=version(2, restores=1)),
        replace(step(), held=version(handle="one"), wanted=version(2, handle="one")),
    ],
    ids=["nobody knows what it holds", "an earlier version is put back", "its slot was overwritten"],
)
def test_what_may_be_dead_does_not_wait(urgent: Step) -> None:
    """A placement whose login may have been ended by the new one's issue is written at once."""
    assert wait_for(urgent, NIGHT, NOON) is None


def test_the_wait_is_said() -> None:
    """A window and a shortest time between writes are told apart, with the instant."""
    window_wait, interval_wait = wait_for(step(), NIGHT, NOON), wait_for(step(), Timing(6 * HOUR), NOON)
    assert window_wait is not None
    assert interval_wait is not None
    assert window_wait.message == "waits for its window, which opens at 2026-06-02 02:00 UTC"
    assert interval_wait.message == "waits until 2026-06-01 17:00 UTC, so that it is not written too often"
    assert (window_wait.until, interval_wait.until) == (TWO_O_CLOCK, NOON + 5 * HOUR)
