"""``Retry-After``, the status table, and values that do not print what they hold."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    TemporaryError,
    UnavailableError,
    UnsupportedError,
)
from rotator.transport import (
    MAX_RETRY_AFTER,
    Peer,
    Request,
    Response,
    Transport,
    check_status,
    code_of,
    origin_of,
    parse_retry_after,
)

Start = Callable[..., Awaitable[str]]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CANARY = "canary-7f3a"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("1e3", None),
        ("\u0661\u0662", None),
        ("1000000000", 86400),
        ("9" * 5000, 86400),
        ("0" * 5000 + "7", 7),
        ("Mon, 23 Nov 2026 12:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 14:01:00 +0200", 60),
        ("Monday, 23-Nov-26 12:01:00 GMT", 60),
        ("Mon Nov 23 12:01:00 2026", 60),
        ("Mon, 23 Nov 2026 12:00:00 GMT", None),
        ("Mon, 23 Nov 2026 11:59:00 GMT", None),
        ("Tue, 01 Jan 2200 00:00:00 GMT", 86400),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86400),
        ("Mon, 99 Nov 2026 12:01:00 GMT", None),
        ("Mon, 23 Nov 2026 12:01:00 +9999999999", None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_retry_after(value: str, seconds: int | None) -> None:
    """Seconds and dates of all three forms are understood, garbage and the past are ignored, a day is the most."""
    expected = None if seconds is None else timedelta(seconds=seconds)

    assert parse_retry_after(value, NOW) == expected


@settings(deadline=None, max_examples=100)
@given(st.text() | st.from_regex(r"\A\w{0,4},? \d{1,4}[ -]\w{3}[ -]-?\d{1,6} \d{1,3}:\d{2}(:\d{2})? [+-]?\w{0,12}\Z"))
def test_any_retry_after_is_a_bounded_wait_or_none(value: str) -> None:
    """Whatever a peer writes, the wait is within (0, 1 day] or there is none."""
    wait = parse_retry_after(value, NOW)

    assert wait is None or timedelta(0) < wait <= MAX_RETRY_AFTER


@settings(deadline=None, max_examples=50)
@given(st.integers(min_value=1, max_value=86400))
def test_seconds_and_date_mean_the_same(seconds: int) -> None:
    """A wait in seconds and the date it leads to are the same wait."""
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    assert parse_retry_after(str(seconds), NOW) == parse_retry_after(date, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, PermanentError), (304, PermanentError), (307, PermanentError),
        (400, PermanentError), (401, AuthenticationError), (402, PermanentError), (403, PermissionDeniedError),
        (404, NotFoundError), (405, UnsupportedError), (408, UnavailableError), (409, ConflictError),
        (410, NotFoundError), (412, ConflictError), (415, UnsupportedError), (418, PermanentError),
        (422, UnsupportedError), (429, RateLimitedError), (451, PermanentError),
        (500, UnavailableError), (502, UnavailableError), (503, UnavailableError), (504, UnavailableError),
        (599, UnavailableError),
    ],
)  # fmt: skip
def test_status_is_an_error_of_its_class(status: int, expected: type[RotatorError]) -> None:
    """Each status that is no success stands for exactly one class; the wait travels with the temporary ones."""
    response = Response(status, {}, CANARY.encode(), timedelta(seconds=9))
    with pytest.raises(RotatorError) as raised:
        check_status(response, "vault: read kv/ghcr")

    assert type(raised.value) is expected
    assert raised.value.message.startswith(f"vault: read kv/ghcr: HTTP {status}")
    assert CANARY not in f"{raised.value} {raised.value!r}"
    if isinstance(raised.value, TemporaryError) and not isinstance(raised.value, ConflictError):
        assert raised.value.retry_after == timedelta(seconds=9)


@pytest.mark.parametrize("status", [200, 201, 204, 206, 299])
def test_success_is_returned(status: int) -> None:
    """A success is handed back as it is."""
    response = Response(status, {}, b"")

    assert check_status(response, "x") is response


def test_codes_are_a_closed_set() -> None:
    """No status makes a metric label that is not known beforehand."""
    codes = {code_of(status) for status in range(200, 600)}

    assert codes == {"2xx", "3xx", "4xx", "5xx", "401", "403", "404", "409", "429"}


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (f"https://user:{CANARY}@host:8443/{CANARY}?q={CANARY}#{CANARY}", "https://host:8443"),
        ("https://host/", "https://host"),
        ("https://[::1]:5/x", "https://[::1]:5"),
        ("nonsense", "URL"),
        ("https://[::1", "URL"),
        ("", "URL"),
    ],
)
def test_origin_shows_no_more_than_scheme_and_host(url: str, origin: str) -> None:
    """Of a URL only scheme, host and port reach a message."""
    assert origin_of(url) == origin


def test_values_do_not_print_what_they_hold() -> None:
    """Requests, answers and peers show neither bodies, headers, queries nor the proxy's password."""
    values = (
        Request("GET", f"https://h/?q={CANARY}", {"Authorization": CANARY}, CANARY.encode()),
        Response(200, {"Location": CANARY}, CANARY.encode()),
        Peer("stub", proxy=f"http://u:{CANARY}@proxy:3128"),
    )

    assert CANARY not in f"{values} {[str(value) for value in values]}"


def chain_of(error: BaseException) -> list[BaseException]:
    """Return ``error`` and everything behind it, shown or not."""
    chain: list[BaseException] = []
    following: list[BaseException | None] = [error]
    while following:
        one = following.pop()
        if one is not None and one not in chain:
            chain.append(one)
            following += [one.__cause__, one.__context__]
    return chain


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX-Token %(canary)s\r\n\r\n",
        b"HTTP/1.1 %(canary)s OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Token: %(canary)s\r\nContent-Length: 99\r\n\r\n%(canary)s",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%(canary)s\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: %(canary)s\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-Token: %(canary)s\r\nX-T",
        b"%(canary)s",
        b"",
    ],
    ids=["header", "status", "short body", "chunk", "encoding", "half a head", "no HTTP", "nothing"],
)
async def test_no_error_quotes_the_question_or_the_answer(
    serve: Start, transport: Transport, peer: Peer, answer: bytes
) -> None:
    """However an answer breaks, neither the error nor anything chained to it holds a secret of either side."""

    async def handler(reader: object, writer: object) -> None:
        await reader.readuntil(b"\r\n\r\n")  # type: ignore[attr-defined]  # a stream reader
        writer.write(answer.replace(b"%(canary)s", CANARY.encode()))  # type: ignore[attr-defined]  # its writer

    url = f"http://{await serve(handler)}/?q={CANARY}"
    request = Request("POST", url, {"Authorization": CANARY}, CANARY.encode(), deadline=5)
    with pytest.raises(UnavailableError) as raised:
        await transport.send(peer, request)

    texts = [f"{error!r} {error} {vars(error)}" for error in chain_of(raised.value)]
    assert CANARY not in " ".join([*texts, *traceback.format_exception(raised.value)])
