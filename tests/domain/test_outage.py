"""The outage budget in force: until when what the targets hold lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rotator.domain.outage import Deadline, outage_deadline
from rotator.domain.status import TargetStatus

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def target(name: str, hours: int | None, *, required: bool = True) -> TargetStatus:
    """Return a target whose earliest login expires ``hours`` after noon; None where that is not known."""
    expires_at = None if hours is None else NOON + timedelta(hours=hours)
    return TargetStatus(name, "kubernetes", required, 1, 1, (), expires_at, NOON)


@pytest.mark.parametrize(
    ("targets", "deadline"),
    [
        ([], None),
        ([target("prod", None)], None),
        ([target("prod", 5), target("edge", 2)], Deadline(NOON + timedelta(hours=2), "edge")),
        ([target("prod", 5), target("edge", None)], Deadline(NOON + timedelta(hours=5), "prod")),
        ([target("prod", 5), target("lab", 1, required=False)], Deadline(NOON + timedelta(hours=5), "prod")),
        ([target("prod", 2), target("edge", 2)], Deadline(NOON + timedelta(hours=2), "prod")),
        ([target("prod", -1)], Deadline(NOON - timedelta(hours=1), "prod")),
    ],
    ids=["no target", "unknown or never", "the earliest", "what is known", "required only", "the first", "past"],
)
def test_the_first_required_target_decides(targets: list[TargetStatus], deadline: Deadline | None) -> None:
    """The deadline is the earliest known expiry among what required targets hold, with the target's name."""
    assert outage_deadline(targets) == deadline
