"""Why a rotation is due, and when the next one will be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.due import CHAIN, REASONS, Due, Situation, first_due, next_due_at
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Stage, Strategy, Version
from rotator.domain.schedule import RenewalRule

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
CURRENT = Version(
    "c", 3, Stage.CURRENT, "8" + "0" * 15, "u", NOW - HOUR, Expiry(NOW + 11 * HOUR), revision="7", verified_at=NOW
)
PUT_BACK = replace(CURRENT, restores=1)
QUIET = Situation(now=NOW, strategy=Strategy.EPHEMERAL, current=CURRENT, revision="7", looked_at=NOW - HOUR)
READ = replace(QUIET, strategy=Strategy.READ)
UNWATCHED = replace(READ, revision=None, is_unwatched=True)

DUE = {
    "NeverIssued": replace(QUIET, current=None),
    "Unfinished": replace(QUIET, unfinished=4),
    "Withdrawn": replace(QUIET, withdrawn=4),
    "Leaked": replace(QUIET, current=replace(CURRENT, leaked_at=NOW)),
    "Reconfigured": replace(QUIET, is_reconfigured=True),
    "ManuallyTriggered": replace(QUIET, requested="on-call asks"),
    "SourceChanged": replace(READ, revision="8"),
    "Rejected": replace(QUIET, current=replace(CURRENT, rejected_at=NOW)),
    "TargetAhead": replace(QUIET, fence=4),
    "RenewalPointReached": replace(QUIET, now=NOW + 6 * HOUR),
    "MaxAgeReached": replace(QUIET, rule=RenewalRule(max_age=HOUR)),
    "SourceUnwatched": replace(UNWATCHED, looked_at=None),
}
"""One situation for each reason."""

versions = st.builds(
    Version,
    credential=st.just("c"),
    generation=st.integers(1, 5),
    stage=st.just(Stage.CURRENT),
    fingerprint=st.text("0123456789abcdef", min_size=16, max_size=16),
    username=st.just("u"),
    issued_at=st.datetimes(datetime(2025, 12, 1), datetime(2026, 2, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (aware by timezones=)
    expiry=st.just(UNKNOWN)
    | st.just(NEVER)
    | st.builds(Expiry, st.datetimes(datetime(2025, 12, 1), datetime(2026, 3, 1), timezones=st.just(UTC))),  # noqa: DTZ001 (as above)
    revision=st.none() | st.just("7"),
    rejected_at=st.none() | st.just(NOW),
    leaked_at=st.none() | st.just(NOW),
    restores=st.integers(0, 1),
)
situations = st.builds(
    Situation,
    now=st.datetimes(datetime(2025, 12, 15), datetime(2026, 1, 15), timezones=st.just(UTC)),  # noqa: DTZ001 (as above)
    strategy=st.sampled_from(Strategy),
    rule=st.builds(
        RenewalRule,
        st.timedeltas(SECOND, timedelta(days=5)),
        st.none() | st.timedeltas(SECOND, timedelta(days=5)),
        st.none() | st.timedeltas(SECOND, timedelta(days=60)),
    ),
    current=st.none() | versions,
    revision=st.none() | st.sampled_from(["7", "8"]),
    is_unwatched=st.booleans(),
    looked_at=st.none() | st.datetimes(datetime(2025, 12, 14), datetime(2026, 1, 15), timezones=st.just(UTC)),  # noqa: DTZ001 (as above)
    failures=st.integers(0, 2),
    withdrawn=st.integers(0, 6),
    fence=st.integers(0, 6),
)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_given_by_the_chain(reason: str) -> None:
    """Each reason of the closed set is what the chain answers in some situation."""
    due = first_due(DUE[reason])
    assert due is not None
    assert due.reason == reason


def test_each_check_gives_one_reason_and_each_reason_has_one_check() -> None:
    """The chain's checks and the closed set of reasons correspond one to one, in the same order."""
    given = [{due.reason for situation in DUE.values() if (due := check(situation))} for check in CHAIN]
    assert given == [{reason} for reason in REASONS]


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(QUIET, id="fresh token"),
        pytest.param(READ, id="static token"),
        pytest.param(replace(UNWATCHED, looked_at=NOW), id="just read"),
        pytest.param(replace(READ, revision=None), id="source not asked yet"),
        pytest.param(replace(QUIET, revision=None, is_unwatched=True), id="no source at all"),
        pytest.param(replace(READ, now=NOW + 12 * HOUR), id="expired, but only a person can help"),
        pytest.param(replace(READ, rule=RenewalRule(max_age=HOUR)), id="too old, but only a person can help"),
        pytest.param(replace(QUIET, current=replace(CURRENT, expiry=UNKNOWN)), id="expiry unknown"),
        pytest.param(replace(QUIET, current=replace(CURRENT, expiry=NEVER)), id="never expires"),
        pytest.param(replace(QUIET, fence=3), id="a target holds this generation"),
        pytest.param(replace(QUIET, now=NOW - 2 * HOUR), id="issued in the future"),
        pytest.param(replace(QUIET, current=PUT_BACK, now=NOW + 10 * HOUR), id="put back by a person, late"),
        pytest.param(replace(QUIET, current=PUT_BACK, rule=RenewalRule(max_age=HOUR)), id="put back by a person, old"),
    ],
)
def test_nothing_is_due(situation: Situation) -> None:
    """In a quiet situation no check says yes."""
    assert first_due(situation) is None


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        (replace(DUE["NeverIssued"], requested="now"), "NeverIssued"),
        (replace(DUE["ManuallyTriggered"], now=NOW + 6 * HOUR), "ManuallyTriggered"),
        (replace(DUE["SourceChanged"], current=replace(CURRENT, rejected_at=NOW)), "SourceChanged"),
        (replace(DUE["Rejected"], now=NOW + 6 * HOUR), "Rejected"),
        (replace(DUE["RenewalPointReached"], rule=RenewalRule(max_age=HOUR)), "RenewalPointReached"),
        (replace(UNWATCHED, now=NOW + 20 * HOUR), "SourceUnwatched"),
        (replace(QUIET, current=PUT_BACK, now=NOW + 10.5 * HOUR), "RenewalPointReached"),
        (replace(QUIET, current=PUT_BACK, now=NOW + 6 * HOUR, failures=1), "RenewalPointReached"),
        (replace(QUIET, current=PUT_BACK, rule=RenewalRule(max_age=HOUR), failures=1), "MaxAgeReached"),
    ],
    ids=[
        "never issued",
        "a person",
        "source",
        "refused",
        "renewal point",
        "expired at an unwatched source",
        "put back, with only the outage budget left",
        "put back after a halt, at its renewal point",
        "put back after a halt, at its highest age",
    ],
)
def test_the_first_reason_of_the_chain_is_named(situation: Situation, reason: str) -> None:
    """Where several checks say yes, the first in the chain is the answer."""
    due = first_due(situation)
    assert due is not None
    assert due.reason == reason


def test_messages_are_for_people() -> None:
    """A message says since when or until when, in UTC, and what a person wrote is passed on as it is."""
    assert first_due(DUE["ManuallyTriggered"]) == Due("ManuallyTriggered", "on-call asks")
    assert first_due(DUE["Rejected"]) == Due(
        "Rejected", "the registry refuses the version in use since 2026-01-01 12:00:00Z"
    )
    assert first_due(DUE["RenewalPointReached"]) == Due("RenewalPointReached", "expires at 2026-01-01 23:00:00Z")


@pytest.mark.parametrize(
    ("looked_at", "is_due"),
    [
        (None, True),
        (NOW, False),
        (NOW - timedelta(minutes=5) + SECOND, False),
        (NOW - timedelta(minutes=5), True),
        (NOW + SECOND, False),
        (NOW + HOUR, True),
    ],
    ids=["never", "now", "not quite", "5 minutes", "slewed", "the clock was set back"],
)
def test_an_unwatched_source_is_read_again(looked_at: datetime | None, is_due: bool) -> None:  # noqa: FBT001 (expected value)
    """A source without revisions is read every 5 minutes; F-31: a clock that was set back does not delay it."""
    assert (first_due(replace(UNWATCHED, looked_at=looked_at)) is not None) == is_due


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (QUIET, NOW + 5 * HOUR),
        (replace(QUIET, rule=RenewalRule(max_age=2 * HOUR)), NOW + HOUR),
        (replace(QUIET, rule=RenewalRule(max_age=20 * HOUR)), NOW + 5 * HOUR),
        (replace(QUIET, current=replace(CURRENT, expiry=NEVER)), None),
        (READ, None),
        (replace(UNWATCHED, looked_at=NOW - SECOND), NOW + timedelta(minutes=5) - SECOND),
        (DUE["NeverIssued"], NOW),
        (DUE["Rejected"], NOW),
    ],
    ids=["renewal", "age first", "renewal first", "never", "static", "recheck", "at once", "refused"],
)
def test_next_due_at(situation: Situation, expected: datetime | None) -> None:
    """The next due instant is the earliest of the points in time; now when something is due already."""
    assert next_due_at(situation) == expected


@settings(deadline=None, max_examples=100)
@given(situations)
def test_next_due_at_and_first_due_agree(situation: Situation) -> None:
    """At the announced instant a rotation is due, and not a second before; without one it never is."""
    at = next_due_at(situation)
    if at is None:
        assert first_due(replace(situation, now=NOW + timedelta(days=3650))) is None
        return
    assert first_due(replace(situation, now=at)) is not None
    if at > situation.now:
        earlier = max(at - SECOND, situation.now)
        assert first_due(replace(situation, now=earlier)) is None


@settings(deadline=None, max_examples=100)
@given(situations)
def test_only_known_reasons_are_given(situation: Situation) -> None:
    """Whatever the situation, the reason is one of the closed set."""
    due = first_due(situation)
    assert due is None or due.reason in REASONS


@settings(deadline=None, max_examples=100)
@given(situations, st.timedeltas(timedelta(), timedelta(days=60)))
def test_what_is_due_stays_due(situation: Situation, passed: timedelta) -> None:
    """The passing of time alone never makes something undue again."""
    if first_due(situation) is not None and not situation.is_unwatched:
        assert first_due(replace(situation, now=situation.now + passed)) is not None
