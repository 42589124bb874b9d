"""Versions as a person looks at them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.domain.history import HeldAt, OldVersion, fate_of, held_at, old_versions
from rotator.domain.model import Delivery, DeliveryState, Expiry, Stage, Version
from rotator.domain.retirement import Action

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
OLD = Version("ghcr", 3, Stage.PREVIOUS, "f3", "bot", NOW - timedelta(days=1))
NEW = Version("ghcr", 4, Stage.CURRENT, "f4", "bot", NOW)
WAITS = (Action.WAIT, "in its grace until tomorrow")


def delivery(target: str, placement: str, confirmed: int) -> Delivery:
    """Return a delivery of generation 4 where ``confirmed`` was confirmed last."""
    state = DeliveryState.CONFIRMED if confirmed == 4 else DeliveryState.FAILED
    return Delivery(target, placement, "ghcr", 4, state, NOW, confirmed_generation=confirmed)


def test_held_is_what_was_confirmed_last() -> None:
    """A placement counts for the generation that it confirmed last, not for the one that is tried there."""
    deliveries = [delivery("web", "a", 4), delivery("web", "b", 3), delivery("app", "c", 3), delivery("app", "d", 0)]
    assert held_at(4, deliveries) == (HeldAt("web", 1),)
    assert held_at(3, deliveries) == (HeldAt("app", 1), HeldAt("web", 1))


@pytest.mark.parametrize(
    ("changes", "plan", "fate"),
    [
        pytest.param({"stage": Stage.CURRENT}, None, "in use", id="in use"),
        pytest.param({"stage": Stage.CURRENT, "leaked_at": NOW}, None, "in use though others know it", id="leaked"),
        pytest.param({"stage": Stage.PENDING}, None, "on its way into use", id="pending"),
        pytest.param({}, WAITS, "not dead yet: in its grace until tomorrow", id="in its grace"),
        pytest.param({}, (Action.PROVE, "ended"), "not seen dead yet: ended", id="ended"),
        pytest.param({"expiry": Expiry(NOW)}, WAITS, "expired", id="expired"),
        pytest.param({"stage": Stage.ABANDONED}, None, "was never in use", id="abandoned"),
        pytest.param({"stage": Stage.RETIRED}, None, "let go of; nobody has seen it refused", id="let go of"),
        pytest.param(
            {"stage": Stage.RETIRED, "dead_at": NOW}, None, "dead: the registry refused it after its end", id="dead"
        ),
    ],
)
def test_fate(changes: Any, plan: Any, fate: str) -> None:
    """What becomes of a version is said for every stage, and dead is only what was seen refused."""
    assert fate_of(replace(OLD, **changes), plan, NOW) == fate


@pytest.mark.parametrize(
    ("changes", "others"),
    [
        pytest.param({"dead_at": NOW}, [NEW], id="seen refused"),
        pytest.param({"expiry": Expiry(NOW)}, [NEW], id="expired"),
        pytest.param({}, [replace(NEW, fingerprint="f3")], id="its secret is in use again"),
    ],
)
def test_what_does_not_work_any_more_is_not_old(changes: Any, others: list[Version]) -> None:
    """A version that is dead, has expired, or whose secret is in use again, is not told as one that may still work."""
    old = replace(OLD, **changes)
    assert old_versions([old, *others], [(old, WAITS)], NOW) == ()


def test_what_may_still_work_is_told_newest_first() -> None:
    """Every other old version is told with the reason why it is not dead yet."""
    older = replace(OLD, generation=2, fingerprint="f2")
    told = old_versions([older, OLD, NEW], [(older, WAITS), (OLD, (Action.PROVE, "a person ends it"))], NOW)
    assert told == (OldVersion(3, "a person ends it"), OldVersion(2, "in its grace until tomorrow"))
