"""Questions and answers as values, and the limits an answer must keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from rotator.errors import UnavailableError

MAX_BODY_BYTES = 1 << 20
MAX_HEADERS = 100
MAX_JSON_DEPTH = 64
MAX_RETRY_AFTER = timedelta(days=1)
"""A longer wait is taken for garbage and cut to this."""

DEADLINE_SECONDS = 30.0
_RETRY_AFTER_DIGITS = 12
_NOT_JSON = object()


@dataclass(frozen=True, slots=True)
class Request:
    """One question.

    Args:
        method: HTTP method.
        url: Absolute URL, already percent-encoded; holds no secret.
        headers: Sent as they are; may hold secrets.
        body: Sent as it is; may hold secrets.
        operation: A word for metrics from a closed set (``apply``, ``manifest``).
        deadline: Seconds for the whole call, > 0.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    operation: str = "request"
    deadline: float = DEADLINE_SECONDS


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read to its end.

    Args:
        status: HTTP status, 200 to 599 (never followed when 3xx).
        headers: Case-insensitive; the first value of a repeated header: see `all`. May hold secrets (a signed
            ``Location``), so they are in no ``repr``.
        body: At most `MAX_BODY_BYTES`; may hold secrets, so it is in no ``repr``.
        retry_after: The peer's wish to be left alone, > 0; None when there was none or it made no sense.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    retry_after: timedelta | None = None

    def all(self, name: str) -> list[str]:
        """Return every value of a repeated header, in order."""
        getall = getattr(self.headers, "getall", None)
        return list(getall(name, [])) if getall else [self.headers[name]] if name in self.headers else []

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            UnavailableError: It is not JSON, or nested deeper than 64. The content is neither in the text nor in the
                chain behind it, where a parser's error would quote it.
        """
        value = _parsed(self.body)
        if value is _NOT_JSON:
            raise UnavailableError("the answer is not JSON", cause="protocol")
        brackets = self.body.count(b"{") + self.body.count(b"[")  # so few cannot be nested so deep
        if brackets > MAX_JSON_DEPTH and _is_deeper(value, MAX_JSON_DEPTH):
            raise UnavailableError(f"the answer is nested deeper than {MAX_JSON_DEPTH} levels", cause="protocol")
        return value


@dataclass(frozen=True, slots=True)
class Call:
    """One finished call, for metrics.

    Args:
        peer: The peer's name.
        operation: A word for what was asked (``apply``, ``manifest``).
        code: ``2xx`` ... ``5xx``, an exact 401/403/404/409/429, or the cause of a connection that broke.
        seconds: Duration; of a stream, until its head had arrived.
        date: The peer's ``Date`` header, unparsed; empty when absent.
    """

    peer: str
    operation: str
    code: str
    seconds: float
    date: str = ""


def ignore_call(call: Call) -> None:
    """Observe nothing."""


def parse_retry_after(value: str, now: datetime) -> timedelta | None:
    """Return how long ``Retry-After`` asks to wait.

    Args:
        value: Delta-seconds or an HTTP date in any of its three forms (RFC 9110 sections 5.6.7 and 10.2.3).
        now: Wall-clock time, aware.

    Returns:
        A duration in (0, 1 day], or None when the value is neither, or not in the future.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = int(text.lstrip("0")[:_RETRY_AFTER_DIGITS] or "0")
        return min(timedelta(seconds=seconds), MAX_RETRY_AFTER) if seconds > 0 else None
    try:
        at = parsedate_to_datetime(text)
        wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(wait, MAX_RETRY_AFTER) if wait > timedelta(0) else None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _is_deeper(value: object, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [
            child
            for item in layer
            for child in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]
        if not layer:
            return False
    return True
