"""Which slot a new version goes into."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rotator.domain.model import Stage, Version
from rotator.ports import Order
from rotator.providers.slots import free_slot

AT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param({}, "a", id="first"),
        pytest.param({"a": Stage.CURRENT}, "b", id="second"),
        pytest.param({"b": Stage.CURRENT}, "a", id="other-way"),
        pytest.param({"a": Stage.CURRENT, "b": Stage.PREVIOUS}, "b", id="previous-gives-way"),
        pytest.param({"a": Stage.PENDING, "b": Stage.CURRENT}, "a", id="pending-is-replaced"),
        pytest.param({"a": Stage.PENDING, "b": Stage.PREVIOUS}, "b", id="pending-outranks-previous"),
        pytest.param({"c": Stage.CURRENT}, "a", id="slots-were-changed"),
        pytest.param({"a": Stage.PREVIOUS}, "b", id="an-empty-one-first"),
    ],
)
def test_the_slot_in_use_is_never_taken(live: dict[str, Stage], expected: str) -> None:
    """The slot of the version in use is the last choice, and an empty one the first."""
    versions = [
        Version("c", number, stage, "p", "u", AT, handle=handle)
        for number, (handle, stage) in enumerate(live.items(), 1)
    ]
    assert free_slot(["a", "b"], Order(live=versions)) == expected


def test_a_slot_held_twice_counts_for_the_more_precious() -> None:
    """A slot whose older version is still in its grace belongs to the version in use."""
    stages = [Stage.CURRENT, Stage.PREVIOUS]
    for order in (stages, stages[::-1]):
        versions = [Version("c", 1, stage, "p", "u", AT, handle="a") for stage in order]
        assert (
            free_slot(["a", "b"], Order(live=[*versions, Version("c", 3, Stage.PREVIOUS, "p", "u", AT, handle="b")]))
            == "b"
        )


def test_a_single_slot_is_taken() -> None:
    """With one slot there is no choice."""
    assert free_slot(["a"], Order(live=[Version("c", 1, Stage.CURRENT, "p", "u", AT, handle="a")])) == "a"
