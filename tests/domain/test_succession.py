"""What becomes of a credential's versions when a new one takes over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rotator.domain.model import Stage, Version
from rotator.domain.succession import KEPT, once_promoted

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def version(generation: int, stage: Stage, **facts: object) -> Version:
    """Return a version with a secret of its own."""
    return Version("c", generation, stage, f"{generation:016x}", "u", NOW, **facts)  # type: ignore[arg-type]


def stages(live: list[Version], kept: int | None, **promoted: object) -> dict[int, Stage]:
    """Return the stages once the newest of ``live`` is promoted."""
    newest = replace(live[-1], **promoted)  # type: ignore[arg-type]
    return {one.generation: one.stage for one in once_promoted([*live[:-1], newest], newest, NOW, kept)}


CURRENT, PENDING, PREVIOUS, RETIRED = Stage.CURRENT, Stage.PENDING, Stage.PREVIOUS, Stage.RETIRED


def test_one_before_is_kept_where_each_dies_by_itself() -> None:
    """The one in use becomes previous, the one before that is let go."""
    live = [version(1, PREVIOUS), version(2, CURRENT), version(3, PENDING)]

    assert stages(live, 0) == {1: RETIRED, 2: PREVIOUS, 3: CURRENT}


def test_all_are_kept_until_they_are_ended() -> None:
    """Where a person ends them, earlier ones wait for their end, a handful at most; where the vendor does, all do."""
    live = [*(version(number, PREVIOUS) for number in range(1, 9)), version(9, CURRENT), version(10, PENDING)]

    found = stages(live, KEPT)

    assert [number for number, stage in found.items() if stage is PREVIOUS] == [4, 5, 6, 7, 8, 9]
    assert found[10] is CURRENT
    assert [number for number, stage in stages(live, None).items() if stage is PREVIOUS] == list(range(1, 10))


@pytest.mark.parametrize("kept", [0, 1, KEPT], ids=["each dies by itself", "one", "a person ends them"])
def test_what_leaked_is_never_let_go_of(kept: int) -> None:
    """Somebody waits for the end of a version that leaked, however many came after it."""
    live = [
        version(1, PREVIOUS, leaked_at=NOW),
        *(version(number, PREVIOUS) for number in range(2, 9)),
        version(9, CURRENT),
        version(10, PENDING),
    ]

    assert stages(live, kept)[1] is PREVIOUS
    assert stages(live, kept)[2] is RETIRED


def test_what_was_overwritten_at_the_vendor_is_ended() -> None:
    """A version whose slot the new one took is retired at once and known to be ended."""
    (_, old) = once_promoted(
        [one := version(1, CURRENT, handle="a"), two := version(2, PENDING, handle="a")], two, NOW, 5
    )

    assert (old.stage, old.ended_at) == (RETIRED, NOW)
    assert one.generation == old.generation


def test_what_leaked_and_was_overwritten_is_yet_to_be_seen_refused() -> None:
    """A leaked version whose slot the new one took is ended, and kept until it was shown to be dead."""
    leaked, two = version(1, CURRENT, handle="a", leaked_at=NOW), version(2, PENDING, handle="a")
    (_, old) = once_promoted([leaked, two], two, NOW, 0)

    assert (old.stage, old.ended_at) == (PREVIOUS, NOW)


def test_a_secret_that_is_put_back_lives_on() -> None:
    """The version whose secret comes again is retired and not ended; what it replaces is withdrawn."""
    bad, good = version(2, CURRENT), version(1, PREVIOUS, handle="a")
    again = replace(version(3, PENDING, handle="a"), fingerprint=good.fingerprint, restores=1)

    found = {one.generation: one for one in once_promoted([good, bad, again], again, NOW, KEPT)}

    assert (found[1].stage, found[1].ended_at) == (RETIRED, None)
    assert (found[2].stage, found[2].withdrawn_at) == (PREVIOUS, NOW)
    assert found[3].stage is CURRENT


def test_time_of_succession_is_kept() -> None:
    """When a version was superseded is noted once: later promotions do not begin its grace anew."""
    earlier = NOW.replace(year=2025)
    old = once_promoted([version(1, PREVIOUS, superseded_at=earlier), two := version(2, PENDING)], two, NOW, KEPT)[1]

    assert old.superseded_at == earlier
