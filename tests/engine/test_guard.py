"""The registry is not asked again before it locks us out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.engine.guard import PAUSE, Guard
from rotator.errors import RateLimitedError
from rotator.sandbox.clock import ManualClock


@pytest.fixture
def guard(clock: ManualClock) -> Guard:
    """Return a guard that saw nothing yet."""
    return Guard(clock)


def refuse(guard: Guard, times: int, host: str = "hub") -> None:
    """Note this many refusals."""
    for _ in range(times):
        guard.refused(host)


@pytest.mark.parametrize("times", [0, 1, 2])
def test_two_refusals_close_nothing(guard: Guard, times: int) -> None:
    """Up to two refusals in a row a registry is asked on."""
    refuse(guard, times)
    guard.check("hub")
    assert guard.closed() == frozenset()


def test_the_third_refusal_closes(guard: Guard) -> None:
    """The third refusal in a row closes the host, and the error says for how long and why."""
    refuse(guard, 3)
    with pytest.raises(RateLimitedError, match="hub refused 3 logins in a row") as caught:
        guard.check("hub")
    assert caught.value.retry_after == PAUSE
    assert guard.closed() == {"hub"}


def test_hosts_are_counted_apart(guard: Guard) -> None:
    """Refusals of one registry do not close another."""
    refuse(guard, 3)
    refuse(guard, 2, "quay")
    guard.check("quay")
    assert guard.closed() == {"hub"}


def test_an_acceptance_starts_the_count_anew(guard: Guard) -> None:
    """What counts are refusals in a row: an accepted login clears them."""
    refuse(guard, 2)
    guard.accepted("hub")
    refuse(guard, 2)
    guard.check("hub")
    guard.accepted("never seen")


def test_the_pause_runs_down_and_ends(guard: Guard, clock: ManualClock) -> None:
    """While closed the time left is told; afterwards one try is allowed."""
    refuse(guard, 3)
    clock.advance(timedelta(minutes=4))
    with pytest.raises(RateLimitedError) as caught:
        guard.check("hub")
    assert caught.value.retry_after == timedelta(minutes=6)
    clock.advance(timedelta(minutes=6))
    guard.check("hub")
    assert guard.closed() == frozenset()


@pytest.mark.parametrize(("refusals", "minutes"), [(3, 10), (4, 20), (5, 40), (6, 60), (7, 60), (10_000, 60)], ids=str)
def test_the_pause_grows_to_an_hour(guard: Guard, refusals: int, minutes: int) -> None:
    """Each further refusal doubles the pause, up to an hour."""
    refuse(guard, refusals)
    with pytest.raises(RateLimitedError) as caught:
        guard.check("hub")
    assert caught.value.retry_after == timedelta(minutes=minutes)


def test_the_wall_clock_does_not_matter(guard: Guard, clock: ManualClock) -> None:
    """F-31: setting the wall clock neither opens the guard nor keeps it closed for longer."""
    refuse(guard, 3)
    clock.set_wall(clock.now() + timedelta(days=1))
    assert guard.closed() == {"hub"}
    clock.set_wall(clock.now() - timedelta(days=2))
    clock.advance(PAUSE)
    guard.check("hub")
