"""What is to be done about an old version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.domain.model import Expiry, Stage, Strategy, Version
from rotator.domain.retirement import Action, Leaving, is_alive, next_action

NOW = datetime(2026, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLD = Version("c", 1, Stage.PREVIOUS, "1" * 16, "u", NOW - 48 * HOUR, handle="a", superseded_at=NOW - 25 * HOUR)
NEW = Version("c", 2, Stage.CURRENT, "2" * 16, "u", NOW - 25 * HOUR, handle="b")
LEAVING = Leaving(OLD, [NEW], Strategy.CREATE_RETIRE, can_end=True, grace=24 * HOUR, held_by=(), now=NOW)


def left(**facts: object) -> Leaving:
    """Return the situation of an old version of which ``facts`` differ."""
    return replace(LEAVING, version=replace(OLD, **facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("leaving", "action", "why"),
    [
        pytest.param(LEAVING, Action.END, "its grace is over", id="grace over"),
        pytest.param(
            left(superseded_at=NOW - HOUR), Action.WAIT, "in its grace until 2026-01-03 23:00:00Z", id="in its grace"
        ),
        pytest.param(left(superseded_at=NOW, leaked_at=NOW), Action.END, "leaked", id="leaked has no grace"),
        pytest.param(
            replace(left(leaked_at=NOW), held_by={"prod"}), Action.WAIT, "may still be needed at prod", id="still held"
        ),
        pytest.param(
            left(ended_at=NOW), Action.PROVE, "it was ended; the registry must refuse it now", id="ended, not proved"
        ),
        pytest.param(left(ended_at=NOW, dead_at=NOW), Action.FORGET, "the registry refuses it", id="dead"),
        pytest.param(left(expiry=Expiry(NOW)), Action.FORGET, "it has expired", id="expired"),
        pytest.param(
            left(fingerprint="2" * 16),
            Action.FORGET,
            "its secret is in use under a newer generation",
            id="the same secret serves",
        ),
        pytest.param(
            replace(left(), others=[NEW, replace(OLD, generation=3, stage=Stage.PENDING)]),
            Action.WAIT,
            "its secret is in use, or may come into use, under another generation",
            id="the same secret is on its way",
        ),
        pytest.param(
            replace(left(fingerprint="2" * 16, generation=3), others=[NEW]),
            Action.WAIT,
            "its secret is in use, or may come into use, under another generation",
            id="the same secret serves under an older generation",
        ),
        pytest.param(left(handle="b"), Action.FORGET, "overwritten at the vendor by a newer one", id="slot reused"),
        pytest.param(
            left(handle="b", leaked_at=NOW),
            Action.PROVE,
            "it was ended; the registry must refuse it now",
            id="leaked, slot reused",
        ),
        pytest.param(
            replace(left(handle="b", leaked_at=NOW), others=[replace(NEW, stage=Stage.PENDING)]),
            Action.WAIT,
            "a newer one is taking its place at the vendor",
            id="leaked, slot is being reused",
        ),
        pytest.param(
            replace(LEAVING, can_end=False, strategy=Strategy.READ),
            Action.PROVE,
            "only a person can end it; whether they did shows at the registry",
            id="a person ends it",
        ),
        pytest.param(
            replace(LEAVING, can_end=False, strategy=Strategy.EPHEMERAL),
            Action.WAIT,
            "cannot be ended; dies at its expiry",
            id="dies by itself",
        ),
    ],
)
def test_what_is_done_about_an_old_version(leaving: Leaving, action: Action, why: str) -> None:
    """An old version is ended after its grace, or at once when leaked, but never while a required target needs it."""
    assert next_action(leaving) == (action, why)


def test_an_older_slot_does_not_count_as_overwriting() -> None:
    """Only a newer version takes a slot; an older one of the same handle is history."""
    older = replace(NEW, generation=0, handle="a")

    assert next_action(replace(LEAVING, others=[older]))[0] is Action.END


def test_what_is_put_back_overwrites_nothing() -> None:
    """A version that carries an older secret again was not made at the vendor, where the newer one still is."""
    again = replace(NEW, handle="a", restores=1)

    assert next_action(replace(LEAVING, others=[again]))[0] is not Action.FORGET


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({}, True, id="nobody saw it refused"),
        pytest.param({"ended_at": NOW}, True, id="ended is not yet dead"),
        pytest.param({"dead_at": NOW}, False, id="refused"),
        pytest.param({"expiry": Expiry(NOW)}, False, id="expired"),
        pytest.param({"fingerprint": "2" * 16}, False, id="lives on as the one in use"),
    ],
)
def test_alive_until_seen_dead(facts: dict[str, object], *, expected: bool) -> None:
    """I7: an old version counts as alive until the registry was seen to refuse it or its time has come."""
    assert is_alive(replace(OLD, **facts), [NEW], NOW) is expected  # type: ignore[arg-type]
