"""One word and one sentence for how a credential stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.model import NEVER, UNKNOWN, Expiry, Record, Stage, Version
from rotator.domain.status import Health, TargetStatus, health_of

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CURRENT = Version("c", 3, Stage.CURRENT, "f", "u", NOW, Expiry(NOW + timedelta(hours=1)), verified_at=NOW)
RECORD = Record("c", generation=3, last_success_at=NOW)
PROD = TargetStatus(
    "prod", "fake", required=True, confirmed=2, placements=2, behind=(), expires_at=None, confirmed_at=NOW
)
NOWHERE = "in use, and delivered nowhere: no target has a place for it"
EMPTY = replace(PROD, confirmed=0, placements=0)
LATE = replace(PROD, confirmed=1)
UNLISTED = replace(PROD, error="no answer")
OPTIONAL = replace(LATE, target="edge", required=False)


@pytest.mark.parametrize(
    ("current", "record", "targets", "health", "message"),
    [
        (CURRENT, RECORD, (PROD,), Health.OK, "in use, and confirmed by every required placement"),
        (CURRENT, RECORD, (), Health.OK, NOWHERE),
        (CURRENT, RECORD, (EMPTY,), Health.OK, NOWHERE),
        (CURRENT, RECORD, (EMPTY, OPTIONAL), Health.OK, "in use; no required target has a place for it"),
        (CURRENT, RECORD, (PROD, OPTIONAL), Health.OK, "in use, and confirmed by every required placement"),
        (None, RECORD, (PROD,), Health.MISSING, "no version is in use yet"),
        (None, replace(RECORD, failures=2), (), Health.MISSING, "no version is in use yet after 2 failed attempts"),
        (
            replace(CURRENT, expiry=Expiry(NOW)),
            replace(RECORD, failures=2),
            (LATE,),
            Health.EXPIRED,
            "expired at 2026-01-01 12:00:00Z",
        ),
        (
            replace(CURRENT, rejected_at=NOW),
            replace(RECORD, failures=2),
            (LATE,),
            Health.REJECTED,
            "the registry refuses it since 2026-01-01 12:00:00Z",
        ),
        (
            CURRENT,
            replace(RECORD, failures=2),
            (LATE,),
            Health.FAILING,
            "the last 2 attempts failed; generation 3 serves",
        ),
        (CURRENT, RECORD, (LATE, OPTIONAL), Health.PARTIAL, "1 placement of prod has not confirmed it"),
        (CURRENT, RECORD, (UNLISTED,), Health.PARTIAL, "the placements of prod cannot be listed"),
        (
            replace(CURRENT, expiry=NEVER),
            RECORD,
            (PROD,),
            Health.OK,
            "in use, and confirmed by every required placement",
        ),
        (
            replace(CURRENT, expiry=UNKNOWN),
            RECORD,
            (),
            Health.OK,
            NOWHERE,
        ),
    ],
    ids=[
        "good",
        "no target",
        "no placement",
        "no placement that is required",
        "an optional target is late",
        "never issued",
        "never issued, failing",
        "expired outweighs all",
        "refused outweighs failing",
        "failing outweighs late",
        "late",
        "not listed",
        "never expires",
        "expiry unknown",
    ],
)
def test_health(
    current: Version | None, record: Record, targets: tuple[TargetStatus, ...], health: Health, message: str
) -> None:
    """The worst that is true of a credential is its health, with the sentence that explains it."""
    assert health_of(current, record, targets, NOW) == (health, message)


@pytest.mark.parametrize(
    ("target", "in_sync"),
    [(PROD, True), (LATE, False), (UNLISTED, False), (replace(PROD, confirmed=0, placements=0), True)],
    ids=["all", "one missing", "not listed", "no placement"],
)
def test_in_sync(target: TargetStatus, in_sync: bool) -> None:  # noqa: FBT001 (expected value)
    """A target is in sync when its placements are known and each has confirmed."""
    assert target.in_sync == in_sync


@settings(deadline=None, max_examples=100)
@given(
    st.none() | st.timedeltas(timedelta(hours=-1), timedelta(hours=1)),
    st.integers(0, 3),
    st.booleans(),
    st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["", "down"])), max_size=3),
)
def test_ok_is_never_said_lightly(
    left: timedelta | None,
    failures: int,
    is_refused: bool,  # noqa: FBT001 (drawn)
    drawn: list[tuple[bool, int, int, str]],
) -> None:
    """I7: OK means not expired, not refused, not failing, and confirmed by every placement of every required target."""
    current = replace(
        CURRENT, expiry=UNKNOWN if left is None else Expiry(NOW + left), rejected_at=NOW if is_refused else None
    )
    targets = tuple(
        replace(PROD, required=required, confirmed=min(confirmed, placements), placements=placements, error=error)
        for required, confirmed, placements, error in drawn
    )
    health, _ = health_of(current, replace(RECORD, failures=failures), targets, NOW)
    is_good = not (is_refused or failures or (left is not None and left <= timedelta()))
    is_there = all(one.confirmed == one.placements and not one.error for one in targets if one.required)
    assert (health is Health.OK) == (is_good and is_there)
