"""The registry is not asked again before it locks us out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rotator.domain.attempt import Outcome
from rotator.engine.guard import (
    ADDRESS_REFUSALS,
    ADDRESS_WINDOW,
    AT_ONCE,
    BAN_PAUSE,
    LONGEST_PAUSE,
    PAUSE,
    REFUSALS,
    SLOW_PAUSE,
    Guard,
)
from rotator.errors import RateLimitedError
from rotator.sandbox.clock import ManualClock

GITLAB_BANS_AT = 30
"""Failed logins from one address in three minutes; docs.gitlab.com, rate limits."""


@pytest.fixture
def guard(clock: ManualClock) -> Guard:
    """Return a guard that saw nothing yet."""
    return Guard(clock)


async def show(
    guard: Guard, outcome: Outcome, host: str = "hub", user: str = "ann", wait: timedelta | None = None
) -> None:
    """Show one login, which ends like this."""
    async with guard.attempt(host, user) as attempt:
        attempt.outcome, attempt.wait = outcome, wait


async def refuse(guard: Guard, times: int, host: str = "hub", user: str = "ann") -> None:
    """Have this many logins refused in a row."""
    for _ in range(times):
        await show(guard, Outcome.REFUSED, host, user)


@pytest.mark.parametrize(
    ("hours", "is_closed"), [(23, True), (24, False)], ids=["shown within a day", "not shown for a day"]
)
async def test_a_user_name_that_is_not_shown_any_more_is_forgotten(
    guard: Guard, clock: ManualClock, hours: int, *, is_closed: bool
) -> None:
    """Refusals count in a row until the user name was not shown for a day, so that memory does not grow for ever."""
    await refuse(guard, REFUSALS - 1)
    clock.advance(timedelta(hours=hours))
    await show(guard, Outcome.ACCEPTED, user="bob")
    await refuse(guard, 1)

    assert bool(guard.closed()) == is_closed


async def test_a_user_name_that_is_locked_for_long_is_not_forgotten(guard: Guard, clock: ManualClock) -> None:
    """Where the registry asked for two days, it is left alone for two days."""
    await show(guard, Outcome.LOCKED_OUT, wait=timedelta(days=2))
    clock.advance(timedelta(hours=47))
    await show(guard, Outcome.ACCEPTED, user="bob")

    assert guard.closed() == {"hub"}


async def refuse_after_pauses(guard: Guard, clock: ManualClock, times: int) -> None:
    """Have this many logins refused, each as soon as the guard lets it."""
    for _ in range(times):
        await show(guard, Outcome.REFUSED)
        while guard.closed():
            last = clock.monotonic()
            clock.advance(pause_of(guard))
            assert clock.monotonic() > last


def pause_of(guard: Guard, host: str = "hub", user: str = "ann") -> timedelta:
    """Return for how long a login is held back; zero when it is not."""
    try:
        guard.check(host, user)
    except RateLimitedError as error:
        return error.retry_after or timedelta()
    return timedelta()


@pytest.mark.parametrize("times", [0, 1, 2])
async def test_two_refusals_close_nothing(guard: Guard, times: int) -> None:
    """Up to two refusals in a row a registry is asked on."""
    await refuse(guard, times)
    assert (pause_of(guard), guard.closed(), guard.reason("hub", "ann")) == (timedelta(), frozenset(), "")


async def test_the_third_refusal_closes(guard: Guard) -> None:
    """The third refusal in a row closes the account, and both error and reason say for how long and why."""
    await refuse(guard, 3)
    with pytest.raises(RateLimitedError, match="hub refused 3 logins in a row; not asked again") as caught:
        async with guard.attempt("hub", "ann"):
            pytest.fail("it was shown")
    assert caught.value.retry_after == PAUSE
    assert guard.closed() == {"hub"}
    assert guard.reason("hub", "ann") == "hub refused 3 logins in a row; left alone for 0:10:00"


async def test_accounts_are_counted_apart(guard: Guard) -> None:
    """Refusals of one user name close neither another one at the same host nor the same one elsewhere."""
    await refuse(guard, 3)
    await refuse(guard, 2, user="bob")
    assert (pause_of(guard, user="bob"), pause_of(guard, "quay")) == (timedelta(), timedelta())
    assert pause_of(guard) == PAUSE


async def test_many_accounts_close_the_address(guard: Guard, clock: ManualClock) -> None:
    """Refusals of different user names add up: far below the vendor's ban the host is closed to all of them."""
    shown = 0
    for number in range(GITLAB_BANS_AT):
        try:
            await show(guard, Outcome.REFUSED, user=f"user {number}")
        except RateLimitedError:
            break
        shown += 1
    assert shown == ADDRESS_REFUSALS
    assert shown + AT_ONCE < GITLAB_BANS_AT / 2
    assert pause_of(guard, user="somebody else") == ADDRESS_WINDOW
    assert pause_of(guard, "quay") == timedelta()
    assert guard.reason("hub", "x") == "hub refused 10 logins within 0:03:00; left alone for 0:03:00"
    clock.advance(ADDRESS_WINDOW)
    assert pause_of(guard, user="somebody else") == timedelta()


async def test_refusals_long_ago_do_not_close_the_address(guard: Guard, clock: ManualClock) -> None:
    """Only what happened within the window counts against the address."""
    for number in range(3 * ADDRESS_REFUSALS):
        await show(guard, Outcome.REFUSED, user=f"user {number}")
        clock.advance(ADDRESS_WINDOW / (ADDRESS_REFUSALS - 1))
    assert pause_of(guard, user="somebody else") == timedelta()


async def test_a_burst_stays_below_the_ban(guard: Guard) -> None:
    """However many wrong logins start at the same time, fewer than half of what a ban needs are shown."""
    shown = 0

    async def fail(number: int) -> None:
        nonlocal shown
        async with guard.attempt("hub", f"user {number}") as attempt:
            shown += 1
            await asyncio.sleep(0)
            attempt.outcome = Outcome.REFUSED

    found = await asyncio.gather(*(fail(number) for number in range(100)), return_exceptions=True)
    assert shown < GITLAB_BANS_AT / 2
    assert sum(isinstance(one, RateLimitedError) for one in found) == 100 - shown


async def test_an_acceptance_starts_the_count_anew(guard: Guard) -> None:
    """What counts are refusals in a row: an accepted login clears them, an answer that tells nothing does not."""
    await refuse(guard, 2)
    await show(guard, Outcome.ACCEPTED)
    await refuse(guard, 2)
    assert pause_of(guard) == timedelta()
    await show(guard, Outcome.UNTOLD)
    await refuse(guard, 1)
    assert pause_of(guard) == PAUSE


async def test_the_pause_runs_down_and_ends(guard: Guard, clock: ManualClock) -> None:
    """While closed the time left is told; afterwards one try at a time is allowed."""
    await refuse(guard, 3)
    clock.advance(timedelta(minutes=4))
    assert pause_of(guard) == timedelta(minutes=6)
    clock.advance(timedelta(minutes=6))
    assert guard.closed() == frozenset()
    async with guard.attempt("hub", "ann"):
        with pytest.raises(RateLimitedError, match="one is being tried"):
            guard.check("hub", "ann")


@pytest.mark.parametrize(("refusals", "minutes"), [(3, 10), (4, 20), (5, 40), (6, 60), (7, 60), (100, 60)], ids=str)
async def test_the_pause_grows_to_an_hour(guard: Guard, clock: ManualClock, refusals: int, minutes: int) -> None:
    """Each further refusal doubles the pause, up to an hour."""
    await refuse_after_pauses(guard, clock, refusals - 1)
    await refuse(guard, 1)
    assert pause_of(guard) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("outcome", "wait", "own", "others"),
    [
        pytest.param(Outcome.LOCKED_OUT, None, PAUSE, timedelta(), id="account locked"),
        pytest.param(Outcome.LOCKED_OUT, timedelta(hours=2), timedelta(hours=2), timedelta(), id="locked for long"),
        pytest.param(Outcome.BANNED, None, BAN_PAUSE, BAN_PAUSE, id="address banned"),
        pytest.param(Outcome.BANNED, timedelta(minutes=1), BAN_PAUSE, BAN_PAUSE, id="banned for longer than it says"),
        pytest.param(Outcome.SLOWED, None, SLOW_PAUSE, SLOW_PAUSE, id="slow down"),
        pytest.param(Outcome.SLOWED, timedelta(minutes=5), *[timedelta(minutes=5)] * 2, id="slow down for 5 minutes"),
    ],
)
async def test_what_the_registry_says_closes_at_once(
    guard: Guard, outcome: Outcome, wait: timedelta | None, own: timedelta, others: timedelta
) -> None:
    """One answer that names a lock, a ban or a limit is enough; a lock is the account's, the others the address's."""
    await show(guard, outcome, wait=wait)
    assert (pause_of(guard), pause_of(guard, user="bob")) == (own, others)


async def test_a_shorter_pause_does_not_end_a_longer_one(guard: Guard) -> None:
    """An answer that was under way when the ban came does not shorten it."""
    async with guard.attempt("hub", "ann") as late:
        await show(guard, Outcome.BANNED, user="bob")
        late.outcome = Outcome.SLOWED
    assert pause_of(guard) == BAN_PAUSE


async def test_a_failure_inside_counts_for_nothing(guard: Guard) -> None:
    """A login whose answer never came is no refusal, and its place is free again."""
    for _ in range(REFUSALS + AT_ONCE):
        with pytest.raises(TimeoutError):
            async with guard.attempt("hub", "ann"):
                raise TimeoutError
    assert pause_of(guard) == timedelta()


async def test_the_wall_clock_does_not_matter(guard: Guard, clock: ManualClock) -> None:
    """F-31: setting the wall clock neither opens the guard nor keeps it closed for longer."""
    await refuse(guard, 3)
    clock.set_wall(clock.now() + timedelta(days=1))
    assert guard.closed() == {"hub"}
    clock.set_wall(clock.now() - timedelta(days=2))
    clock.advance(PAUSE)
    assert pause_of(guard) == timedelta()
    assert PAUSE < LONGEST_PAUSE
