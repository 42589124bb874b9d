"""Which parts of a place two descriptions share."""

from __future__ import annotations

import pytest

from rotator.domain.extent import Extent

MEET = [
    pytest.param(Extent(("web",)), Extent(("db", "web")), id="a name in both"),
    pytest.param(Extent(("a-web",)), Extent(("a-*",)), id="a name that a pattern matches"),
    pytest.param(Extent(("a-*",)), Extent(("*-b",)), id="patterns that one text matches"),
    pytest.param(Extent(("?",)), Extent(("*",)), id="one character and any text"),
    pytest.param(Extent(("[ab]-x",)), Extent(("b-*",)), id="a choice of characters"),
    pytest.param(Extent(exclude=("a-web",)), Extent(("a-*",)), id="a pattern that the other leaves out in part"),
    pytest.param(Extent(exclude=("a-?*",)), Extent(("a-*",)), id="a pattern with one text that is left"),
    pytest.param(Extent(exclude=("kube-*",)), Extent(exclude=("db",)), id="everything but a little"),
    pytest.param(Extent(selector="team=a"), Extent(), id="some of all"),
    pytest.param(Extent(selector="team=a"), Extent(selector="team=a"), id="the same selector"),
]


@pytest.mark.parametrize(("one", "other"), MEET)
def test_a_name_that_both_mean(one: Extent, other: Extent) -> None:
    """Two extents overlap where some name is meant by both, whichever is asked."""
    assert one.overlaps(other)
    assert other.overlaps(one)


APART = [
    pytest.param(Extent(("web",)), Extent(("db",)), id="other names"),
    pytest.param(Extent(("b-web",)), Extent(("a-*",)), id="a name that no pattern matches"),
    pytest.param(Extent(("a-*",)), Extent(("b-*",)), id="patterns with other beginnings"),
    pytest.param(Extent(("a?",)), Extent(("a",)), id="a character too many"),
    pytest.param(Extent(("*a*a*a*a*a*a*a*a*b",)), Extent(("*a*a*a*a*a*a*a*a*c",)), id="many stars, in no time"),
    pytest.param(Extent(exclude=("a-*",)), Extent(("a-web",)), id="a name that the other leaves out"),
    pytest.param(Extent(exclude=("a-*",)), Extent(("a-web-*",)), id="a pattern that the other leaves out"),
    pytest.param(Extent(exclude=("*",)), Extent(), id="nothing"),
    pytest.param(Extent(()), Extent(), id="no name"),
    pytest.param(Extent(selector="team=a"), Extent(selector="team=b"), id="selectors that differ"),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_no_name_that_both_mean(one: Extent, other: Extent) -> None:
    """Two extents are apart where no name is meant by both, or where that cannot be known."""
    assert not one.overlaps(other)
    assert not other.overlaps(one)
