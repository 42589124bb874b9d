"""The forecast of a pull limit, on traces whose end is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.forecast import exhaustion
from rotator.domain.headroom import Headroom, HeadroomState, Sample

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WINDOW = 21_600
STEP = timedelta(minutes=5)


def sample(minutes: float, remaining: int | None, *, limit: int | None = 100, window: int | None = WINDOW) -> Sample:
    """Return a sample taken some minutes after `NOW`."""
    state = HeadroomState.UNLIMITED if remaining is None else HeadroomState.LIMITED
    headroom = Headroom(state, limit if remaining is not None else None, remaining, window)
    return Sample("docker.io", "hub", NOW + timedelta(minutes=minutes), headroom)


def trace(*remaining: int | None, limit: int | None = 100, window: int | None = WINDOW) -> list[Sample]:
    """Return samples five minutes apart, the first at `NOW`."""
    return [sample(5.0 * n, left, limit=limit, window=window) for n, left in enumerate(remaining)]


STEADY = tuple(range(100, 38, -5))
BURSTY = (100, 100, 100, 100, 70, 70, 70, 40, 40, 40, 10)


def minutes(samples: Sequence[Sample]) -> float | None:
    """Return the forecast in minutes after `NOW`."""
    at = exhaustion(samples)
    return None if at is None else (at - NOW).total_seconds() / 60


def test_a_steady_pull_is_foretold_exactly() -> None:
    """One pull a minute from 100 ends after 100 minutes."""
    assert minutes(trace(*STEADY)) == pytest.approx(100, abs=0.1)


def test_the_order_of_samples_does_not_matter() -> None:
    """The same samples in another order give the same forecast."""
    assert exhaustion(trace(*STEADY)[::-1]) == exhaustion(trace(*STEADY))


def test_bursts_even_out() -> None:
    """Thirty pulls each quarter of an hour end within two quarters of the last sample."""
    found = minutes(trace(*BURSTY))
    assert found is not None
    assert 50 < found < 80


def test_one_glitch_changes_little() -> None:
    """A single value far off the line moves the forecast by less than a tenth."""
    assert minutes(trace(*(*STEADY[:6], STEADY[6] - 14, *STEADY[7:]))) == pytest.approx(100, rel=0.1)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param([], id="no sample"),
        pytest.param(trace(50, 40), id="two samples"),
        pytest.param([*trace(50), *trace(40), *trace(30)], id="one instant"),
        pytest.param(trace(80, 80, 80, 80), id="nobody pulls"),
        pytest.param(trace(50, 60, 70, 80), id="more comes back than is used"),
        pytest.param(trace(*range(100, 87, -1)), id="the window ends before"),
        pytest.param(trace(40, 20, 5, 100, 95), id="a reset, then too little to tell"),
        pytest.param(trace(40, 20, 10, None), id="no limit any more"),
        pytest.param([*trace(40, 20, 10), sample(15, 110, limit=200)], id="another limit"),
        pytest.param(trace(10**9, 10**9 - 1, 10**9 - 2, limit=None, window=None), id="years ahead"),
    ],
)
def test_what_cannot_be_told_is_not_told(samples: list[Sample]) -> None:
    """No forecast where the limit is not used up at this rate, or where samples are too few."""
    assert exhaustion(samples) is None


def test_only_what_came_after_a_reset_counts() -> None:
    """The rate before a reset does not speed up the forecast after it."""
    after = trace(*STEADY)
    before = [sample(5.0 * n - 60, 90 - 7 * n) for n in range(12)]
    assert exhaustion([*before, *after]) == exhaustion(after)


def test_idle_hours_do_not_hide_a_new_puller() -> None:
    """After ten idle hours, half an hour of pulling is foretold from that half hour."""
    idle = [sample(-5.0 * n, 100) for n in range(1, 121)]
    found = minutes([*idle, *trace(*range(100, 0, -8))])
    assert found == pytest.approx(62.5, rel=0.1)


def test_a_rolling_window_in_balance_is_not_used_up() -> None:
    """Where pulls come back as fast as others are made, nothing is foretold, however long it lasts."""
    rising_and_falling = [sample(5.0 * n, 40 + (1 if n % 2 else 0)) for n in range(120)]
    assert exhaustion(rising_and_falling) is None


def test_a_rolling_window_out_of_balance_is_foretold() -> None:
    """Where more is used than comes back for longer than a window, the net rate counts."""
    falling = [sample(5.0 * n, 150 - n, limit=200) for n in range(130)]
    assert minutes(falling) == pytest.approx(750, abs=1)


def test_a_told_reset_bounds_the_forecast() -> None:
    """When the registry says that it resets before the end, there is no end."""
    samples = trace(*STEADY)
    last = samples[-1]
    for told, expected in ((timedelta(minutes=30), None), (timedelta(hours=3), exhaustion(samples))):
        headroom = replace(last.headroom, reset_at=last.at + told)
        assert exhaustion([*samples[:-1], replace(last, headroom=headroom)]) == expected


def test_what_is_used_up_says_since_when() -> None:
    """With nothing left, the answer is the first moment without any."""
    assert minutes(trace(20, 10, 0, 0, 0)) == 10


@given(st.lists(st.tuples(st.integers(-(10**4), 10**4), st.none() | st.integers(0, 200)), max_size=20))
@settings(deadline=None, max_examples=100)
def test_any_trace_has_an_answer(points: list[tuple[int, int | None]]) -> None:
    """Whatever was measured, the forecast is none or an instant within a day of the last sample."""
    samples = [sample(at, left) for at, left in points]
    found = exhaustion(samples)
    assert found is None or found <= max(one.at for one in samples) + timedelta(days=1)
