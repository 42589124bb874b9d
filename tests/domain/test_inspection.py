"""What is learnt is kept; what is unknown now takes nothing away."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rotator.domain.inspection import NOTHING_KNOWN, Inspection, learned
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Stage, Strategy, Version

EARLY, LATE = (Expiry(datetime(year, 1, 1, tzinfo=UTC)) for year in (2027, 2028))


def version(expiry: Expiry) -> Version:
    """Return a version of which something is known."""
    issued = datetime(2026, 1, 1, tzinfo=UTC)
    return Version("a", 1, Stage.CURRENT, "f", "u", issued, expiry, scopes=frozenset({"pull"}), principal="ann")


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("expiry", [EARLY, NEVER, UNKNOWN], ids=["known", "never", "unknown"])
def test_nothing_told_changes_nothing(expiry: Expiry, strategy: Strategy) -> None:
    """Whatever was known stays, whoever could not be asked."""
    assert learned(version(expiry), NOTHING_KNOWN, strategy) == version(expiry)


@pytest.mark.parametrize(
    ("strategy", "known", "told", "expected"),
    [
        pytest.param(Strategy.READ, UNKNOWN, EARLY, EARLY, id="becomes known"),
        pytest.param(Strategy.READ, UNKNOWN, NEVER, NEVER, id="becomes never"),
        pytest.param(Strategy.READ, NEVER, EARLY, EARLY, id="gets an end"),
        pytest.param(Strategy.READ, LATE, EARLY, EARLY, id="earlier"),
        pytest.param(Strategy.READ, EARLY, LATE, EARLY, id="the source knew an earlier end"),
        pytest.param(Strategy.READ, EARLY, NEVER, EARLY, id="the source knew an end"),
        pytest.param(Strategy.TWO_SLOT, EARLY, LATE, LATE, id="the vendor extended it"),
        pytest.param(Strategy.TWO_SLOT, EARLY, NEVER, NEVER, id="the vendor took its end away"),
        pytest.param(Strategy.TWO_SLOT, LATE, EARLY, EARLY, id="the vendor shortened it"),
    ],
)
def test_whose_word_about_the_end_counts(strategy: Strategy, known: Expiry, told: Expiry, expected: Expiry) -> None:
    """Of what was read an earlier end counts alone; else the vendor's latest word."""
    assert learned(version(known), Inspection(told), strategy).expiry == expected


def test_scopes_and_principal_are_the_latest_told() -> None:
    """An empty set of scopes is told, too."""
    found = learned(version(UNKNOWN), Inspection(UNKNOWN, frozenset(), "bob"), Strategy.READ)
    assert (found.scopes, found.principal) == (frozenset(), "bob")
