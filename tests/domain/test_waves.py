"""In which order placements get a new version, and when a rollout stops."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.model import Delivery, DeliveryState
from rotator.domain.waves import EVERYWHERE, Halt, Staging, plan, sizes, why_halt, why_no_canary

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def spots(target: str, count: int) -> list[tuple[str, str]]:
    """Return ``count`` placements of ``target``."""
    return [(target, f"p{number:03d}") for number in range(count)]


def delivery(error: str = "", generation: int = 2, confirmed: int = 1) -> Delivery:
    """Return how a delivery of generation 2 went."""
    state = DeliveryState.FAILED if error else DeliveryState.CONFIRMED
    return Delivery(
        "t", "p", "c", generation, state, NOW, error, "it says no" if error else "", confirmed_generation=confirmed
    )


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        pytest.param(1, [1], id="one"),
        pytest.param(19, [19], id="few"),
        pytest.param(20, [1, 1, 8, 10], id="twenty"),
        pytest.param(10_000, [1, 999, 4000, 5000], id="ten thousand"),
    ],
)
def test_default_waves(count: int, sizes: list[int]) -> None:
    """Without configuration a small target is written at once; of a large one, one goes first, then 10, 50, 100 %."""
    waves = plan(spots("prod", count), Staging()).waves["prod"]

    assert [len(wave) for wave in waves] == sizes


def test_targets_go_their_own_pace() -> None:
    """Each target has its own waves, so that one that hangs keeps no other waiting."""
    waves = plan([*spots("prod", 40), *spots("edge", 3)], Staging()).waves

    assert {target: [len(wave) for wave in of] for target, of in waves.items()} == {"prod": [1, 3, 16, 20], "edge": [3]}


def test_small_targets_are_staged_together() -> None:
    """Many targets of one placement go in waves as one of many placements would; a few of them go at once."""
    many = [spot for number in range(200) for spot in spots(f"h{number:03d}", 1)]

    assert [len(wave) for wave in plan(many, Staging()).waves["200 small targets"]] == [1, 19, 80, 100]
    assert [len(wave) for wave in plan(many[:19], Staging()).waves["19 small targets"]] == [19]
    assert [len(wave) for wave in plan(many, EVERYWHERE).waves["200 small targets"]] == [200]


def test_a_plan_tells_the_waves_of_each_target() -> None:
    """A large target has its own waves; a small one may have nothing in some of those that it shares."""
    stages = plan([*spots("prod", 40), *spots("a", 2), *spots("b", 19), *spots("c", 1)], Staging())

    assert sizes(stages) == {"prod": (1, 3, 16, 20), "a": (1, 1, 0, 0), "b": (0, 1, 8, 10), "c": (0, 0, 0, 1)}


@pytest.mark.parametrize(
    ("canary", "expected"),
    [
        pytest.param(("edge",), {("edge", "p000"), ("edge", "p001")}, id="a whole target"),
        pytest.param(("prod/p00?",), {("prod", f"p00{n}") for n in range(10)}, id="a pattern of placements"),
        pytest.param(("nowhere",), set(), id="nobody"),
    ],
)
def test_named_canaries_come_first(canary: tuple[str, ...], expected: set[tuple[str, str]]) -> None:
    """Canaries are named by target or by target and placement, and are in no wave."""
    stages = plan([*spots("prod", 30), *spots("edge", 2)], Staging(canary=canary))

    assert set(stages.canaries) == expected
    assert not expected & {spot for waves in stages.waves.values() for wave in waves for spot in wave}


def test_an_emergency_knows_no_waves() -> None:
    """What must be everywhere at once is one group per target."""
    assert [len(wave) for wave in plan(spots("prod", 500), EVERYWHERE).waves["prod"]] == [500]


@given(st.lists(st.integers(0, 60), max_size=4), st.lists(st.sampled_from([0.01, 0.1, 0.5, 0.99, 1.0]), min_size=1))
def test_every_placement_is_written_once(counts: list[int], shares: list[float]) -> None:
    """Whatever the shares, canaries and waves together hold each placement exactly once."""
    every = [spot for number, count in enumerate(counts) for spot in spots(f"t{number}", count)]
    stages = plan(every, Staging(canary=("t0/p00[12]",), waves=tuple(sorted(set(shares)))))

    planned = [*stages.canaries, *(spot for waves in stages.waves.values() for wave in waves for spot in wave)]

    assert sorted(planned) == sorted(every)
    assert all(wave for waves in stages.waves.values() for wave in waves)


@pytest.mark.parametrize(
    ("errors", "halt", "is_halted"),
    [
        pytest.param(["", ""], Halt(), False, id="all confirmed"),
        pytest.param(["unavailable", "permission_denied", "conflict"], Halt(), False, id="places out of reach"),
        pytest.param(["verification", ""], Halt(), True, id="one says it does not work"),
        pytest.param(["verification", "", "", ""], Halt(2, None), False, id="fewer than the rule's count"),
        pytest.param(["verification"] * 2 + [""] * 2, Halt(2, None), True, id="the rule's count"),
        pytest.param(["verification"] + [""] * 19, Halt(None, 0.05), False, id="the very share"),
        pytest.param(["verification"] * 2 + [""] * 18, Halt(None, 0.05), True, id="more than the share"),
        pytest.param(["awaiting_operator"], Halt(), False, id="a person is asked"),
    ],
)
def test_only_what_speaks_against_the_version_halts(errors: list[str], halt: Halt, *, is_halted: bool) -> None:
    """A place that is down, forbids us or is written by others stops nothing; one that says "does not work" does."""
    why = why_halt([delivery(error) for error in errors], 2, halt)

    assert bool(why) is is_halted
    assert ("it says no" in why) is is_halted


def test_failures_elsewhere_count() -> None:
    """The rule's count is over the whole rollout, as long as this wave adds to it; its share is of one wave."""
    rule, one_of_ten = Halt(3, 0.5), [delivery("verification"), *[delivery()] * 9]

    assert why_halt(one_of_ten, 2, rule, elsewhere=1) == ""
    assert why_halt(one_of_ten, 2, rule, elsewhere=2) == (
        "1 of 10 placements, and 2 before, speak against it: t: it says no"
    )
    assert why_halt([delivery()], 2, rule, elsewhere=5) == ""


def test_an_older_failure_halts_nothing() -> None:
    """What failed with another generation says nothing about this one."""
    assert why_halt([delivery("verification", generation=1)], 2, Halt()) == ""


def test_a_named_canary_must_confirm() -> None:
    """Beyond named canaries it goes only when one of them confirmed, and the reason is told where none did."""
    assert why_no_canary([delivery("unavailable"), delivery(confirmed=2)], 2) == ""
    assert why_no_canary([delivery("unavailable")], 2) == "no canary confirmed it: t: it says no"
    assert why_no_canary([], 2) == "no canary confirmed it"
