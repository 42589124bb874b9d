"""Reading expiries from what vendors write."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.model import NEVER, UNKNOWN, Expiry
from rotator.providers.expiry import earliest, jwt_expiry, parse_instant


def jwt(payload: object) -> str:
    """Return a token with ``payload`` and a signature that nobody checks."""
    body = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{body}.c2ln"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-10-15 13:19:49 UTC", datetime(2026, 10, 15, 13, 19, 49, tzinfo=UTC), id="github-utc"),
        pytest.param("2027-03-19 00:00:00 -0500", datetime(2027, 3, 19, 5, tzinfo=UTC), id="github-offset"),
        pytest.param("2027-03-19 00:00:00 +0100", datetime(2027, 3, 18, 23, tzinfo=UTC), id="github-east"),
        pytest.param("2027-03-19T00:00:00Z", datetime(2027, 3, 19, tzinfo=UTC), id="rfc3339"),
        pytest.param("2027-03-19t00:00:00.123456789z", datetime(2027, 3, 19, tzinfo=UTC), id="rfc3339-fraction"),
        pytest.param("2027-03-19T00:00:00+05:30", datetime(2027, 3, 18, 18, 30, tzinfo=UTC), id="rfc3339-offset"),
        pytest.param("2027-03-19", datetime(2027, 3, 19, tzinfo=UTC), id="date-is-its-first-moment"),
        pytest.param(" 2027-03-19 ", datetime(2027, 3, 19, tzinfo=UTC), id="spaces-around"),
    ],
)
def test_known_formats_are_read(text: str, expected: datetime) -> None:
    """Each format that vendors use gives the instant in UTC."""
    assert parse_instant(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("never", id="word"),
        pytest.param("2027-03-19T00:00:00", id="no-zone"),
        pytest.param("2027-02-30", id="no-such-day"),
        pytest.param("2027-03-19 25:00:00 UTC", id="no-such-hour"),
        pytest.param("2027-03-19 00:00:00 +9999", id="no-such-offset"),
        pytest.param("0001-01-01T00:00:00+14:00", id="before-the-calendar"),
        pytest.param("9999-12-31T23:59:59-14:00", id="after-the-calendar"),
        pytest.param("2027-03-19 00:00:00 PST", id="named-zone"),
        pytest.param("٢٠٢٧-٠٣-١٩", id="digits-of-another-script"),
        pytest.param("1790000000", id="seconds"),
    ],
)
def test_anything_else_is_not_guessed(text: str) -> None:
    """A text without a certain instant gives none."""
    assert parse_instant(text) is None


@settings(deadline=None, max_examples=100)
@given(st.text())
def test_no_text_breaks_the_readers(text: str) -> None:
    """Whatever a vendor sends, reading it raises nothing."""
    assert parse_instant(text) is None or parse_instant(text)
    assert not jwt_expiry(text).never


def test_jwt_tells_its_expiry() -> None:
    """The ``exp`` claim is the expiry, cut to the second."""
    assert jwt_expiry(jwt({"exp": 1790000000.9})) == Expiry(datetime.fromtimestamp(1790000000, UTC))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("hunter2", id="no-jwt"),
        pytest.param("a.b.c", id="three-parts"),
        pytest.param("..", id="empty-parts"),
        pytest.param(jwt({}), id="no-exp"),
        pytest.param(jwt([1]), id="no-object"),
        pytest.param(jwt({"exp": "1790000000"}), id="text"),
        pytest.param(jwt({"exp": True}), id="true"),
        pytest.param(jwt({"exp": 0}), id="zero"),
        pytest.param(jwt({"exp": -5}), id="negative"),
        pytest.param(jwt({"exp": 1e300}), id="beyond-the-calendar"),
        pytest.param(jwt({"exp": 10**400}), id="huge-integer"),
        pytest.param(jwt({"exp": float("nan")}), id="nan"),
        pytest.param(jwt({"exp": float("inf")}), id="infinite"),
        pytest.param("e30." + "[" * 9000 + ".x", id="not-base64"),
        pytest.param(f"e30.{base64.b64encode(b'[' * 30_000).decode()}.x", id="nested"),
        pytest.param("x" * 70_000 + ".e30.x", id="too-long"),
        pytest.param("e30.\u0661\u0662\u0663.x", id="not-ascii"),
    ],
)
def test_a_token_that_says_nothing_sensible_is_unknown(token: str) -> None:
    """Neither a plain password nor a broken claim gives an expiry."""
    assert jwt_expiry(token) == UNKNOWN


def test_the_earliest_known_expiry_wins() -> None:
    """A known instant outweighs never, which outweighs unknown."""
    early, late = (Expiry(datetime(year, 1, 1, tzinfo=UTC)) for year in (2027, 2028))
    assert earliest(late, NEVER, early, UNKNOWN) == early
    assert earliest(UNKNOWN, NEVER) == NEVER
    assert earliest(UNKNOWN) == UNKNOWN
    assert earliest() == UNKNOWN
