"""Every dialect of rate-limit headers gives the same value, and garbage gives unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.headroom import Counted, Headroom, HeadroomState
from rotator.registry.ratelimit import limit_headers, read_headroom, read_resources

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UNIX = int(NOW.timestamp())
SOON = NOW + timedelta(seconds=30)
LIMITED, UNLIMITED, UNKNOWN = HeadroomState.LIMITED, HeadroomState.UNLIMITED, HeadroomState.UNKNOWN
HUB = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(HUB, Headroom(LIMITED, 100, 76, 21_600), id="docker hub"),
        pytest.param(
            {**HUB, "docker-ratelimit-source": "192.0.2.7"},
            Headroom(LIMITED, 100, 76, 21_600, source=Counted.ADDRESS),
            id="docker hub, by address",
        ),
        pytest.param(
            {**HUB, "docker-ratelimit-source": "2001:db8::/64"},
            Headroom(LIMITED, 100, 76, 21_600, source=Counted.ADDRESS),
            id="docker hub, by IPv6 network",
        ),
        pytest.param(
            {**HUB, "docker-ratelimit-source": "0f7c2a44-6f0e-4ad5-9c0b-6c1cf2a4b0aa"},
            Headroom(LIMITED, 100, 76, 21_600, source=Counted.ACCOUNT),
            id="docker hub, by account",
        ),
        pytest.param(
            {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(UNIX + 30)},
            Headroom(LIMITED, 5000, 0, None, SOON),
            id="x-ratelimit",
        ),
        pytest.param(
            {
                "ratelimit-limit": "100, 10;w=1, 100;w=60",
                "ratelimit-remaining": "50",
                "ratelimit-reset": "30",
            },
            Headroom(LIMITED, 100, 50, 60, SOON),
            id="draft 06",
        ),
        pytest.param(
            {"ratelimit-limit": "10", "ratelimit-remaining": "5", "ratelimit-policy": "99;w=9, 10;w=60;x=1"},
            Headroom(LIMITED, 10, 5, 60),
            id="draft 06 with a policy",
        ),
        pytest.param(
            {"ratelimit": "limit=100, remaining=50, reset=30", "ratelimit-policy": "100;w=60"},
            Headroom(LIMITED, 100, 50, 60, SOON),
            id="draft 07",
        ),
        pytest.param(
            {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=10'},
            Headroom(LIMITED, 100, 50, 10, SOON),
            id="draft 08",
        ),
        pytest.param(
            {
                "ratelimit": '"hour";r=900;t=30, "day,long";r=10;t=30, "bytes";r=1',
                "ratelimit-policy": '"hour";q=1000;w=3600, "day,long";q=2000;w=86400, "bytes";q=9;qu="content-bytes"',
            },
            Headroom(LIMITED, 2000, 10, 86_400, SOON),
            id="draft 08, the tightest limit of requests",
        ),
        pytest.param({"ratelimit-remaining": "5;w=60"}, Headroom(LIMITED, None, 5, 60), id="no limit told"),
        pytest.param(
            {**HUB, "ratelimit-reset": "600", "retry-after": "30"},
            Headroom(LIMITED, 100, 76, 21_600, SOON),
            id="Retry-After before reset",
        ),
        pytest.param(
            {"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}, Headroom(UNKNOWN, reset_at=SOON), id="Retry-After alone"
        ),
        pytest.param({"x-retry-after": str(UNIX + 30)}, Headroom(UNKNOWN, reset_at=SOON), id="X-Retry-After, Unix"),
    ],
)
def test_each_dialect_is_read(headers: dict[str, str], expected: Headroom) -> None:
    """Limit, remainder, window and reset come out the same, whatever the dialect."""
    assert read_headroom(headers, NOW) == expected


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"ratelimit-limit": ";w=21600", "ratelimit-remaining": ";w=21600"}, id="empty values"),
        pytest.param({"ratelimit-limit": "100;w=21600"}, id="nothing about what remains"),
        pytest.param({"ratelimit-limit": "100", "ratelimit-remaining": "-1"}, id="negative"),
        pytest.param({"ratelimit-limit": "100", "ratelimit-remaining": "many"}, id="a word"),
        pytest.param({"ratelimit-limit": "100", "ratelimit-remaining": "9" * 13}, id="absurd"),
        pytest.param({"ratelimit-limit": "100", "ratelimit-remaining": "\u0663"}, id="digits of another script"),
        pytest.param({"ratelimit-remaining": "5" + " " * 2000}, id="too long"),
        pytest.param({"ratelimit": '"default"'}, id="structured without r"),
        pytest.param({"ratelimit": ";"}, id="a semicolon"),
    ],
)
@pytest.mark.parametrize("absent", [UNKNOWN, UNLIMITED])
def test_what_is_not_readable_is_unknown(headers: dict[str, str], absent: HeadroomState) -> None:
    """A limit that is spoken of unreadably is unknown: not zero, and not unlimited either."""
    assert read_headroom(headers, NOW, absent=absent) == Headroom(UNKNOWN)


@pytest.mark.parametrize("absent", [UNKNOWN, UNLIMITED])
def test_silence_means_what_the_vendor_says(absent: HeadroomState) -> None:
    """No header at all is unlimited only for a vendor who says so."""
    assert read_headroom({"docker-ratelimit-source": " "}, NOW, absent=absent) == Headroom(absent)


@pytest.mark.parametrize("reset", ["-5", "99999999999", str(UNIX - 9), str(UNIX + 10**9), "soon", ""])
def test_a_reset_that_cannot_be_is_left_out(reset: str) -> None:
    """A reset in the past, in another century or in words is none; the numbers beside it count."""
    assert read_headroom({**HUB, "ratelimit-reset": reset}, NOW) == Headroom(LIMITED, 100, 76, 21_600)


def resource(remaining: object = 5, limit: object = 10, **more: object) -> dict[str, object]:
    """Return what a JSON answer says about one resource."""
    return {"limit": limit, "remaining": remaining, **more}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param({"core": resource(reset=UNIX + 30)}, Headroom(LIMITED, 10, 5, 3600, SOON), id="with a reset"),
        pytest.param({"core": resource(reset=0)}, Headroom(LIMITED, 10, 5, 3600), id="a reset that is none"),
        pytest.param({"core": resource(9), "search": resource(0)}, Headroom(LIMITED, 10, 9, 3600), id="core counts"),
        pytest.param({"a": resource(9), "b": resource(2)}, Headroom(LIMITED, 10, 2, 3600), id="else the tightest"),
        pytest.param({"core": resource(None), "search": resource(0)}, Headroom(UNKNOWN), id="core not readable"),
        pytest.param({"core": resource(remaining=True)}, Headroom(UNKNOWN), id="a word of logic"),
        pytest.param({"core": resource(-1)}, Headroom(UNKNOWN), id="negative"),
        pytest.param({"core": resource("5")}, Headroom(UNKNOWN), id="text"),
        pytest.param({}, Headroom(UNKNOWN), id="none"),
        pytest.param([1], Headroom(UNKNOWN), id="a list"),
    ],
)
def test_a_json_answer_is_read(resources: object, expected: Headroom) -> None:
    """GitHub's core resource counts, elsewhere the tightest; what is missing is unknown, not zero."""
    assert read_resources({"resources": resources}, NOW, window_seconds=3600) == expected


@pytest.mark.parametrize("document", [None, [], "x", 3, {"resources": None}, {}], ids=repr)
def test_no_json_answer_is_unknown(document: object) -> None:
    """Whatever else the answer is, it tells nothing."""
    assert read_resources(document, NOW, window_seconds=3600) == Headroom(UNKNOWN)


def test_only_what_speaks_of_limits_is_kept() -> None:
    """Of an answer's headers only those of the dialects are kept, by lower-case name."""
    headers = {"RateLimit-Limit": "1", "X-RateLimit-Reset": "2", "Set-Cookie": "secret", "Retry-After": "3"}
    assert limit_headers(headers) == {"ratelimit-limit": "1", "x-ratelimit-reset": "2", "retry-after": "3"}


NAMES = st.sampled_from(
    [
        *("ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
        *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
        *("retry-after", "x-retry-after", "docker-ratelimit-source"),
    ]
)
VALUES = st.text(max_size=60) | st.text('0123456789;,="wrqt- ', max_size=30) | st.integers().map(str)


@given(st.dictionaries(NAMES, VALUES))
@settings(deadline=None, max_examples=100)
def test_garbage_never_raises(headers: dict[str, str]) -> None:
    """Whatever the headers hold there is a value, and what it claims to know it knows."""
    found = read_headroom(headers, NOW, absent=UNLIMITED)
    assert (found.remaining is not None) == (found.state is LIMITED)
    assert min(one for one in (found.limit, found.remaining, found.window_seconds, 0) if one is not None) >= 0
    assert found.reset_at is None or found.reset_at >= NOW
