"""One call to a vendor serves everybody who needs the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from rotator.domain.model import NEVER, UNKNOWN, Expiry, Issued, Login
from rotator.errors import PermissionDeniedError, RateLimitedError, RotatorError
from rotator.ports import Clock
from rotator.providers.shared import Shared
from rotator.secret import Secret

HALF_DAY = timedelta(hours=12)
Advance = Callable[[timedelta], None]


class Mint:
    """Counts its calls; each waits until the gate opens and gives another password, or raises.

    Args:
        clock: When a password is issued.
        life: How long one lives; None when nobody knows.
    """

    def __init__(self, clock: Clock, life: timedelta | None = HALF_DAY) -> None:
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.errors: list[RotatorError] = []
        self.life = life
        self._clock = clock

    async def __call__(self) -> Issued:
        """Mint one."""
        self.calls += 1
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop()
        now = self._clock.now()
        expiry = UNKNOWN if self.life is None else Expiry(now + self.life)
        return Issued(Login("AWS", Secret(f"password-{self.calls}")), now, expiry)


@pytest.fixture
def shared(clock: Clock) -> Shared:
    """Return the object under test."""
    return Shared(clock)


@pytest.fixture
def mint(clock: Clock) -> Mint:
    """Return a vendor whose passwords live half a day."""
    return Mint(clock)


async def test_those_who_ask_together_share_one_call(shared: Shared, mint: Mint) -> None:
    """A thousand callers at once cost one call and get the same value."""
    issued = await asyncio.gather(*(shared.issue("one", mint) for _ in range(1000)))
    assert mint.calls == 1
    assert {id(value) for value in issued} == {id(issued[0])}


async def test_other_identities_are_asked_for_separately(shared: Shared, mint: Mint) -> None:
    """Two identities cost two calls."""
    await asyncio.gather(shared.issue("one", mint), shared.issue("two", mint))
    assert mint.calls == 2


@pytest.mark.parametrize(("seconds", "calls"), [pytest.param(59, 1, id="within"), pytest.param(60, 2, id="at-its-end")])
async def test_a_result_serves_for_a_minute(
    shared: Shared, mint: Mint, advance: Advance, seconds: int, calls: int
) -> None:
    """Whoever asks within the window gets the result; afterwards the vendor is asked again."""
    await shared.issue("one", mint)
    advance(timedelta(seconds=seconds))
    await shared.issue("one", mint)
    assert mint.calls == calls


@pytest.mark.parametrize(
    ("life", "calls"),
    [
        pytest.param(timedelta(seconds=600), 1, id="most-of-it-left"),
        pytest.param(timedelta(seconds=100), 2, id="too-little-left"),
        pytest.param(timedelta(0), 2, id="none-at-all"),
        pytest.param(timedelta(days=-4000), 2, id="expired-years-ago"),
        pytest.param(None, 2, id="unknown"),
    ],
)
async def test_only_a_young_result_serves_others(
    shared: Shared, clock: Clock, advance: Advance, life: timedelta | None, calls: int
) -> None:
    """A value with under nine tenths of its life left, or of unknown life, is for its own caller only."""
    mint = Mint(clock, life)
    await shared.issue("one", mint)
    advance(timedelta(seconds=30))
    await shared.issue("one", mint)
    assert mint.calls == calls


async def test_an_error_reaches_all_who_wait_and_is_forgotten(shared: Shared, mint: Mint) -> None:
    """A refusal is everybody's; the next caller asks the vendor anew."""
    mint.errors = [PermissionDeniedError("no")]
    outcomes = await asyncio.gather(*(shared.issue("one", mint) for _ in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [PermissionDeniedError] * 5
    assert (await shared.issue("one", mint)).login.username == "AWS"
    assert mint.calls == 2


@pytest.mark.parametrize(
    ("asked", "wait"),
    [pytest.param(None, 5, id="vendor-gave-no-time"), pytest.param(timedelta(seconds=90), 90, id="vendor-gave-a-time")],
)
async def test_slow_down_holds_for_everybody(
    shared: Shared, mint: Mint, advance: Advance, asked: timedelta | None, wait: int
) -> None:
    """While a vendor wants to be left alone nobody asks it, and each is told how long that lasts."""
    mint.errors = [RateLimitedError("slow down", retry_after=asked)]
    with pytest.raises(RateLimitedError):
        await shared.issue("one", mint)
    advance(timedelta(seconds=wait - 2))
    with pytest.raises(RateLimitedError) as caught:
        await shared.issue("one", mint)
    assert (mint.calls, caught.value.retry_after) == (1, timedelta(seconds=2))
    advance(timedelta(seconds=2))
    await shared.issue("one", mint)
    assert mint.calls == 2


async def test_a_caller_that_is_cancelled_leaves_the_call_to_the_others(shared: Shared, mint: Mint) -> None:
    """Cancelling the first caller neither ends the call nor takes its result from the second."""
    mint.gate.clear()
    first, second = (asyncio.ensure_future(shared.issue("one", mint)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    mint.gate.set()
    assert (await second).login.secret == Secret("password-1")
    assert first.cancelled()
    assert mint.calls == 1


async def test_a_failure_that_nobody_waits_for_is_not_reported_as_lost(
    shared: Shared, mint: Mint, unhandled: list[str]
) -> None:
    """When every caller was cancelled, the call's failure disturbs nobody."""
    mint.gate.clear()
    mint.errors = [PermissionDeniedError("no")]
    caller = asyncio.ensure_future(shared.issue("one", mint))
    await asyncio.sleep(0)
    caller.cancel()
    mint.gate.set()
    await asyncio.wait({caller})
    assert (await shared.issue("one", mint)).expiry != NEVER
    assert unhandled == []
