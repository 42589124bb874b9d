"""How a leak is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rotator.domain.leak import LeakFacts, leak_progress
from rotator.domain.model import Expiry, Stage, Strategy, Version

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def version(generation: int) -> Version:
    """Return a version that leaked and works for an hour still."""
    until = Expiry(NOW + timedelta(hours=1))
    return Version("ecr", generation, Stage.PREVIOUS, "f", "AWS", NOW, until, leaked_at=NOW)


@pytest.mark.parametrize(
    ("generations", "can_end", "ended", "dead"),
    [
        ([2], True, "generation 2 is ended as soon as nobody needs it", "nobody has seen generation 2 refused yet"),
        (
            [3, 2],
            True,
            "generations 2, 3 are ended as soon as nobody needs them",
            "nobody has seen generations 2, 3 refused yet",
        ),
        (
            [3, 2],
            False,
            "generations 2, 3 cannot be ended and work until 2026-01-01 13:00:00Z; to end that now, deny the principal",
            "nobody has seen generations 2, 3 refused yet",
        ),
    ],
    ids=["one", "two", "two that cannot be ended"],
)
def test_what_is_left_is_named(generations: list[int], can_end: bool, ended: str, dead: str) -> None:  # noqa: FBT001
    """Each leaked version that may still work is named, lowest first, with what becomes of it."""
    leaked = [version(one) for one in generations]
    facts = LeakFacts("ecr", Strategy.EPHEMERAL, version(4), leaked, (), "1 of 1", can_end, "", "", NOW)

    steps = {step.name: step.message for step in leak_progress(facts).steps}

    assert (steps["ended"].removesuffix(" at the vendor"), steps["dead"]) == (ended, dead)
