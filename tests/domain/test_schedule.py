"""When a version is renewed, and how long is waited between tries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rotator.domain.model import NEVER, UNKNOWN, Expiry, Stage, Version
from rotator.domain.schedule import (
    LONGEST_ASKED,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    TRIES_THAT_FIT,
    RenewalRule,
    age_point,
    delivery_pause,
    left_of_pause,
    renewal_point,
    retry_pause,
    spread,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MIDDLE = "80000000"
"""A fingerprint whose jitter is zero."""

fingerprints = st.text("0123456789abcdef", min_size=16, max_size=16)
lifetimes = st.timedeltas(timedelta(milliseconds=10), timedelta(days=4000))
rules = st.builds(
    RenewalRule,
    st.timedeltas(timedelta(milliseconds=1), timedelta(days=60)),
    st.none() | st.timedeltas(timedelta(milliseconds=1), timedelta(days=60)),
)
instants = st.datetimes(datetime(2000, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (aware by timezones=)


def version(
    lifetime: timedelta | None, *, fingerprint: str = MIDDLE, issued_at: datetime = START, expiry: Expiry = UNKNOWN
) -> Version:
    """Return a current version that lives for ``lifetime``; None for ``expiry`` as it is."""
    expiry = expiry if lifetime is None else Expiry(issued_at + lifetime)
    return Version("c", 1, Stage.CURRENT, fingerprint, "u", issued_at, expiry)


@pytest.mark.parametrize(
    ("lifetime", "rule", "after"),
    [
        (12 * HOUR, RenewalRule(), 6 * HOUR),
        (30 * 24 * HOUR, RenewalRule(), 20 * 24 * HOUR),
        (10 * 24 * HOUR, RenewalRule(), 160 * HOUR),
        (timedelta(minutes=10), RenewalRule(), timedelta(minutes=5)),
        (12 * HOUR, RenewalRule(outage_budget=9 * HOUR), 6 * HOUR),
        (30 * 24 * HOUR, RenewalRule(outage_budget=15 * 24 * HOUR), 16.5 * 24 * HOUR),
        (12 * HOUR, RenewalRule(renew_before=2 * HOUR), 10 * HOUR),
        (12 * HOUR, RenewalRule(renew_before=timedelta(minutes=1)), 11.5 * HOUR),
        (12 * HOUR, RenewalRule(renew_before=12 * HOUR), 6 * HOUR),
        (12 * HOUR, RenewalRule(renew_before=24 * HOUR), 6 * HOUR),
        (12 * HOUR, RenewalRule(floor=7 * HOUR), 7 * HOUR),
        (12 * HOUR, RenewalRule(floor=5 * HOUR), 6 * HOUR),
        (timedelta(minutes=5), RenewalRule(floor=timedelta(minutes=10)), timedelta(minutes=10)),
        (12 * HOUR, RenewalRule(floor=timedelta.max), 6 * HOUR),
    ],
    ids=[
        "half of a short life",
        "two thirds of a long one",
        "ten days are long",
        "shorter than the outage budget: half",
        "a budget over half the life: half",
        "a budget over half of a long life: 55 %",
        "configured",
        "configured later than the budget",
        "configured as long as the life",
        "configured longer than the life",
        "not before the floor",
        "a floor that came earlier",
        "a floor beyond the life: after the expiry",
        "a floor that no calendar has",
    ],
)
def test_renewal_point(lifetime: timedelta, rule: RenewalRule, after: timedelta) -> None:
    """A version is renewed at half or two thirds of its life, or where the rule says, and never too late."""
    assert renewal_point(version(lifetime), rule) == START + after


@pytest.mark.parametrize("expiry", [UNKNOWN, NEVER], ids=["unknown", "never"])
def test_no_renewal_point_without_an_expiry(expiry: Expiry) -> None:
    """A version whose expiry is unknown or never has no renewal point."""
    assert renewal_point(version(None, expiry=expiry), RenewalRule()) is None


@pytest.mark.parametrize("lifetime", [timedelta(), -HOUR], ids=["none", "negative"])
def test_no_life_at_all_is_due_at_the_expiry(lifetime: timedelta) -> None:
    """F-14: an expiry that is not after the issue is itself the renewal point, so that nothing is computed from it."""
    assert renewal_point(version(lifetime), RenewalRule()) == START + lifetime


@settings(deadline=None, max_examples=100)
@given(lifetimes, rules, fingerprints, instants)
def test_the_renewal_point_lies_inside_the_life(
    lifetime: timedelta, rule: RenewalRule, fingerprint: str, issued_at: datetime
) -> None:
    """F-13: whatever the lifetime and the rule, the renewal point is after the issue and before the expiry."""
    one = version(lifetime, fingerprint=fingerprint, issued_at=issued_at)
    point = renewal_point(one, rule)
    assert point is not None
    assert one.expiry.at is not None
    assert issued_at < point < one.expiry.at


@settings(deadline=None, max_examples=100)
@given(lifetimes, rules, fingerprints)
def test_the_outage_budget_is_kept(lifetime: timedelta, rule: RenewalRule, fingerprint: str) -> None:
    """I1: what is left at the renewal point is the outage budget, or 45 % of a life too short for it."""
    one = version(lifetime, fingerprint=fingerprint)
    point = renewal_point(one, rule)
    assert point is not None
    assert one.expiry.at is not None
    budget = min(rule.outage_budget, lifetime * 0.45)
    assert one.expiry.at - point >= budget - timedelta(microseconds=1)


@settings(deadline=None, max_examples=100)
@given(lifetimes, rules, fingerprints)
def test_the_renewal_point_is_stable(lifetime: timedelta, rule: RenewalRule, fingerprint: str) -> None:
    """Asked twice, and of an equal version read from a store, the renewal point is the same, to the whole second."""
    point = renewal_point(version(lifetime, fingerprint=fingerprint), rule)
    assert point == renewal_point(version(lifetime, fingerprint=fingerprint), rule)
    assert point is not None
    assert point.microsecond == 0 or lifetime < timedelta(minutes=1) or rule.renew_before is not None


@settings(deadline=None, max_examples=100)
@given(st.timedeltas(timedelta(seconds=10), timedelta(days=9)), fingerprints)
def test_the_jitter_of_a_short_life(lifetime: timedelta, fingerprint: str) -> None:
    """Under ten days the point lies between 45 % and 55 % of the life, whatever the fingerprint."""
    point = renewal_point(version(lifetime, fingerprint=fingerprint), RenewalRule(timedelta(milliseconds=1)))
    assert point is not None
    assert 0.45 * lifetime - timedelta(seconds=1) <= point - START <= 0.55 * lifetime


def test_many_credentials_are_not_renewed_together() -> None:
    """A thousand tokens issued at the same instant are renewed spread over a tenth of their life."""
    tokens = (version(12 * HOUR, fingerprint=f"{number * 0x418937 % 2**32:08x}") for number in range(1000))
    points = {renewal_point(one, RenewalRule()) for one in tokens}
    assert len(points) > 900
    assert max(filter(None, points)) - min(filter(None, points)) > HOUR


@pytest.mark.parametrize(
    ("max_age", "expected"),
    [
        (None, None),
        (HOUR, START + HOUR),
        (timedelta(hours=1, milliseconds=5), START + HOUR),
        (timedelta(days=999_999), START + timedelta(days=999_999)),
        (timedelta.max, None),
    ],
    ids=["no rule", "an hour", "cut to the second", "2737 years", "beyond every year"],
)
def test_age_point(max_age: timedelta | None, expected: datetime | None) -> None:
    """The age rule counts from the issue; without one, or beyond year 9999, there is no such point."""
    assert age_point(version(None), RenewalRule(max_age=max_age)) == expected


@pytest.mark.parametrize(
    ("fingerprint", "share"),
    [("00000000", 0.0), (MIDDLE, 0.5), ("80000000ffff", 0.5), ("", 0.5), ("40000000", 0.25)],
    ids=["least", "middle", "only eight digits count", "none", "quarter"],
)
def test_spread(fingerprint: str, share: float) -> None:
    """A fingerprint's first eight digits are its share of the spread."""
    assert spread(fingerprint) == share


@pytest.mark.parametrize(
    ("failures", "remaining", "expected"),
    [
        (1, None, 10),
        (2, None, 20),
        (3, None, 40),
        (6, None, 300),
        (10_000, None, 300),
        (10**9, None, 300),
        (10_000, timedelta(hours=1), 300),
        (10_000, timedelta(minutes=8), 60),
        (10_000, timedelta(seconds=4), 1),
        (10_000, timedelta(seconds=-5), 300),
    ],
    ids=["first", "second", "third", "capped", "10 000", "billion", "hour", "8 min", "4 s", "expired"],
)
def test_retry_pause_doubles_up_to_its_cap(failures: int, remaining: timedelta | None, expected: float) -> None:
    """Pauses double from 10 s up to 5 minutes or an eighth of the life that is left, for any number of failures."""
    pause = retry_pause(failures, remaining=remaining, jitter=1.0)
    assert pause == timedelta(seconds=expected)


@pytest.mark.parametrize("failures", [0, -1])
def test_a_pause_needs_a_failure(failures: int) -> None:
    """Without a failure there is no pause to compute."""
    with pytest.raises(ValueError, match="at least one failure"):
        retry_pause(failures, remaining=None, jitter=0.5)


@pytest.mark.parametrize(
    ("asked", "remaining", "expected"),
    [
        (timedelta(minutes=20), None, timedelta(minutes=20)),
        (timedelta(minutes=20), timedelta(hours=1), timedelta(minutes=20)),
        (timedelta(hours=2), timedelta(hours=1), timedelta(minutes=30)),
        (timedelta(milliseconds=1), timedelta(hours=1), timedelta(seconds=1)),
        (timedelta(hours=2), timedelta(seconds=-1), timedelta(hours=2)),
        (timedelta(hours=2), timedelta(milliseconds=1), timedelta(seconds=1)),
        (timedelta.max, None, LONGEST_ASKED),
        (timedelta.max, timedelta.max, LONGEST_ASKED),
        (timedelta(seconds=-5), None, timedelta(seconds=1)),
    ],
    ids=["no expiry", "fits", "half the life", "tiny", "expired", "about to", "for ever", "both for ever", "negative"],
)
def test_retry_after_is_honoured_as_far_as_the_life_allows(
    asked: timedelta, remaining: timedelta | None, expected: timedelta
) -> None:
    """A peer's wish is the pause, up to half of the life that is left and never for more than a day."""
    assert retry_pause(1, remaining=remaining, jitter=0.0, asked=asked) == expected


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 10_000),
    st.none() | st.timedeltas(timedelta(days=-1), timedelta(days=4000)),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.timedeltas(timedelta(days=-1)),
)
def test_a_retry_pause_is_bounded(
    failures: int, remaining: timedelta | None, jitter: float, asked: timedelta | None
) -> None:
    """I5: no pause is under a second; none is over 5 minutes unless a peer asked, and then none is over its wish."""
    pause = retry_pause(failures, remaining=remaining, jitter=jitter, asked=asked)
    longest = LONGEST_PAUSE if asked is None else max(LONGEST_PAUSE, min(asked, LONGEST_ASKED))
    assert SHORTEST_PAUSE <= pause <= longest


@settings(deadline=None, max_examples=100)
@given(
    st.timedeltas(timedelta(seconds=20), timedelta(days=30)),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=TRIES_THAT_FIT, max_size=TRIES_THAT_FIT),
    st.integers(0, 10_000),
)
def test_eight_tries_always_fit(remaining: timedelta, jitters: list[float], failed_before: int) -> None:
    """Whatever the draws and the history, eight more tries are made before the version in use expires."""
    for number, jitter in enumerate(jitters, start=1):
        remaining -= retry_pause(failed_before + number, remaining=remaining, jitter=jitter)
        assert remaining > timedelta()


@settings(deadline=None, max_examples=100)
@given(st.timedeltas(timedelta(minutes=10), timedelta(days=30)), st.timedeltas(timedelta(), timedelta(days=30)))
def test_a_peer_that_asks_for_the_moon_leaves_time(remaining: timedelta, asked: timedelta) -> None:
    """I1: a peer that asks for more than there is still gets another try before the expiry, eight times over."""
    for number in range(1, TRIES_THAT_FIT + 1):
        remaining -= retry_pause(number, remaining=remaining, jitter=0.5, asked=asked)
        assert remaining > timedelta()


@pytest.mark.parametrize(
    ("attempts", "longest", "seconds"),
    [
        (0, timedelta(minutes=5), 5),
        (1, timedelta(minutes=5), 5),
        (2, timedelta(minutes=5), 10),
        (3, timedelta(minutes=5), 20),
        (7, timedelta(minutes=5), 300),
        (10_000, timedelta(minutes=5), 300),
        (10_000, timedelta(days=1), 20_480),
        (1, timedelta(seconds=2), 2),
    ],
    ids=["none", "first", "second", "third", "capped", "10 000", "exponent capped", "short cap"],
)
def test_delivery_pause(attempts: int, longest: timedelta, seconds: float) -> None:
    """The pause at a placement doubles from 5 s and stops at the configured longest."""
    assert delivery_pause(attempts, longest) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("passed", "left"),
    [
        (timedelta(), HOUR),
        (timedelta(minutes=20), timedelta(minutes=40)),
        (HOUR, timedelta()),
        (timedelta(days=900), timedelta()),
        (timedelta(seconds=-1), HOUR),
        (timedelta(seconds=-3), timedelta()),
        (-HOUR, timedelta()),
    ],
    ids=["begins", "under way", "over", "long over", "slewed back", "set back", "set back an hour"],
)
def test_left_of_pause(passed: timedelta, left: timedelta) -> None:
    """F-31: a pause runs down; a clock that was set back ends it instead of making it longer."""
    assert left_of_pause(START, HOUR, START + passed) == left


@settings(deadline=None, max_examples=100)
@given(instants, st.timedeltas(timedelta(days=-1), timedelta(days=30)), instants)
def test_what_is_left_never_exceeds_the_pause(since: datetime, pause: timedelta, now: datetime) -> None:
    """What is left of a pause is between nothing and all of it, wherever the clock is."""
    assume(pause >= timedelta() or now >= since)
    assert timedelta() <= left_of_pause(since, pause, now) <= max(pause, timedelta())
