"""What a plan depends on, and what has changed since."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.domain.plan import CredentialPlan, Ending, Odd, TargetPlan, changes, digest, lines, short_digest

PLAN = CredentialPlan(
    "ghcr",
    rotates=True,
    reason="RenewalPointReached",
    message="expires soon",
    step="issue",
    generation=3,
    fingerprint="aa",
    options="cc",
    targets=(
        TargetPlan("prod", "kubernetes", 2, standing="dd", odd=(Odd("web/pull", "cannot be read"),), odd_count=1),
    ),
    endings=(Ending(2, "bb", "wait", "in its grace until 12:00"),),
)
(PROD,) = PLAN.targets


@pytest.mark.parametrize(
    ("change", "about"),
    [
        pytest.param({"rotates": False}, "ghcr: rotation", id="no longer due"),
        pytest.param({"reason": "Rejected"}, "ghcr: rotation", id="another reason"),
        pytest.param({"step": "verify"}, "ghcr: rotation", id="something is pending now"),
        pytest.param({"running": "r1"}, "ghcr: runs", id="runs"),
        pytest.param({"generation": 4}, "ghcr: in use", id="another generation"),
        pytest.param({"fingerprint": "ab"}, "ghcr: in use", id="another secret"),
        pytest.param({"pending": 4}, "ghcr: pending", id="pending"),
        pytest.param({"options": "cd"}, "ghcr: configuration", id="configuration"),
        pytest.param({"endings": (Ending(2, "bb", "end", ""),)}, "ghcr: old generation 2", id="an old one ends"),
        pytest.param({"endings": ()}, "ghcr: old generation 2", id="an old one is gone"),
        pytest.param({"targets": ()}, "ghcr: prod", id="a target is gone"),
        pytest.param({"targets": (replace(PROD, standing="de"),)}, "ghcr: prod", id="a placement changed"),
        pytest.param({"targets": (replace(PROD, refused_count=1),)}, "ghcr: prod", id="policy"),
        pytest.param({"targets": (replace(PROD, error="cannot be listed"),)}, "ghcr: prod", id="out of reach"),
        pytest.param({"targets": (replace(PROD, odd=()),)}, "ghcr: prod: web/pull", id="drift is repaired"),
    ],
)
def test_every_change_is_named(change: dict[str, Any], about: str) -> None:
    """Whatever a rotation depends on has a line, and a plan of before differs in it and in its digest."""
    before, now = lines([PLAN]), lines([replace(PLAN, **change)])
    assert about in [text.partition(": was ")[0] for text in changes(before, now)]
    assert digest(before) != digest(now)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"message": "expires sooner"}, id="another sentence"),
        pytest.param({"not_before": datetime(2026, 1, 1, tzinfo=UTC)}, id="a pause"),
        pytest.param({"endings": (Ending(2, "bb", "wait", "in its grace until 13:00"),)}, id="another reason to wait"),
    ],
)
def test_time_alone_changes_nothing(change: dict[str, Any]) -> None:
    """A plan holds as long as nothing is due by the passing of time."""
    assert changes(lines([PLAN]), lines([replace(PLAN, **change)])) == []


def test_a_change_says_what_was_and_what_is() -> None:
    """Each sentence has both sides, also where one of them is missing."""
    assert changes({"a": "1", "b": "2"}, {"a": "2", "c": "3"}) == [
        "a: was 1, is 2",
        "c: was not there, is 3",
        "b: was 2, is gone",
    ]


def test_the_digest_does_not_depend_on_order() -> None:
    """Two sets of equal lines have one digest."""
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"})
    assert short_digest({"b": 1, "a": 2}) == short_digest({"a": 2, "b": 1})
