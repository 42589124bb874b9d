"""What depends on a credential, and what stops working when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.domain.model import NEVER, UNKNOWN, Expiry
from rotator.domain.usage import Holder, consequences

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOLDER = Holder("prod", "kubernetes", ("web", "api"), 0, NOW, (Expiry(NOW + timedelta(hours=6)),))


def test_what_fails_and_what_goes_on_is_said() -> None:
    """Pulls fail from now on at every known place; what runs is not touched."""
    told = " ".join(consequences("ghcr.io", ["ghcr.io/acme/app:1"], [HOLDER], NOW))
    assert "whatever pulls ghcr.io/acme/app:1 with what 2 placements of prod hold fails from then on" in told
    assert "Containers that run are not touched" in told


def test_what_holds_another_login_does_not_fail_with_it() -> None:
    """I7: a placement that holds another login than the one in use is not among those that fail; that is said."""
    other = replace(HOLDER, target="edge", placements=("node",), others=("node",))
    told = consequences("ghcr.io", [], [replace(HOLDER, others=("api",)), other], NOW)
    assert "with what 1 placement of prod holds fails from then on" in told[0]
    assert "1 placement of edge holds another login than the one in use" in told[3]

    alone = consequences("ghcr.io", [], [other], NOW)
    assert alone[0].startswith("No place is known to hold it")
    assert "edge: what it holds works until" in alone[2]


def test_images_that_are_not_configured_are_not_made_up() -> None:
    """Without configured images the registry is named, and that no image is."""
    assert "images of ghcr.io (none is configured by name)" in consequences("ghcr.io", [], [HOLDER], NOW)[0]


def test_nothing_is_held() -> None:
    """Where no placement ever confirmed anything, nothing is said to fail."""
    told = consequences("ghcr.io", [], [replace(HOLDER, placements=(), expiries=())], NOW)
    assert told == ("No place is known to hold it, so nothing that this daemon supplies stops working.",)


def test_a_target_that_cannot_say_is_named() -> None:
    """A target whose placements could not be listed may have more than is known."""
    told = consequences("ghcr.io", [], [replace(HOLDER, error="no answer")], NOW)
    assert "prod could not say what it has, so there may be more: no answer" in told


@pytest.mark.parametrize(
    ("expiries", "words"),
    [
        pytest.param((Expiry(NOW + timedelta(hours=6)),), "until 2026-11-28 18:00:00Z if nothing", id="known"),
        pytest.param((Expiry(NOW + timedelta(days=9)), Expiry(NOW)), "has expired at 2026-11-28 12:00", id="expired"),
        pytest.param((Expiry(NOW + timedelta(days=9)), UNKNOWN), "some of it nobody knows how long", id="partly known"),
        pytest.param((UNKNOWN,), "nobody has told when", id="unknown"),
        pytest.param((NEVER, UNKNOWN), "nobody has told when", id="never and unknown"),
        pytest.param((NEVER,), "never expires", id="never"),
    ],
)
def test_until_when_it_works(expiries: tuple[Expiry, ...], words: str) -> None:
    """The earliest known end among what is held counts, and what is unknown is not called never."""
    assert words in consequences("ghcr.io", [], [replace(HOLDER, expiries=expiries)], NOW)[2]
