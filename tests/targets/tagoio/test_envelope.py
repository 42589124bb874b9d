"""What TagoIO's answers mean."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
)
from rotator.targets.tagoio.envelope import document_of, message_of
from rotator.transport import Response

NOW = datetime(2026, 11, 28, 12, 0, 48, tzinfo=UTC)
CANARY = "canary-1f0e"


def answer(status: int, body: Any, retry_after: timedelta | None = None) -> Response:
    """Return an answer; text is sent as it is."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {}, content, retry_after)


def shapes(text: str) -> list[Any]:
    """Return a refusal in each of its three shapes."""
    return [
        {"status": False, "message": text},
        {"status": False, "result": {"message": text}},
        {"status": False, "result": text},
    ]


@pytest.mark.parametrize(
    ("body", "result"),
    [
        pytest.param({"status": True, "result": {"id": "1"}}, {"id": "1"}, id="object"),
        pytest.param({"status": True, "result": []}, [], id="empty list"),
        pytest.param(
            {"status": True, "result": "Successfully Updated", "message": "old API"},
            "Successfully Updated",
            id="warning",
        ),
        pytest.param({"status": True}, None, id="nothing"),
    ],
)
def test_a_success_brings_its_result(body: Any, result: Any) -> None:
    """What stands under ``result`` is what was asked for."""
    assert document_of(answer(200, body), "x", NOW).get("result") == result


@pytest.mark.parametrize("body", shapes("Authorization Denied"), ids=["message", "result.message", "result"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(200, PermissionDeniedError, id="200"),
        pytest.param(400, PermissionDeniedError, id="400"),
        pytest.param(403, PermissionDeniedError, id="403"),
        pytest.param(401, AuthenticationError, id="401"),
    ],
)
def test_a_denial_in_any_shape(body: Any, status: int, error: type[RotatorError]) -> None:
    """A denial is one wherever its text stands and whatever status it comes with."""
    with pytest.raises(error):
        document_of(answer(status, body), "x", NOW)


@pytest.mark.parametrize(
    "body", shapes("Too many requests (Retry-After: 8)"), ids=["message", "result.message", "result"]
)
def test_the_wait_is_read_from_the_text(body: Any) -> None:
    """A limit's wait stands in the text, in any shape."""
    with pytest.raises(RateLimitedError) as caught:
        document_of(answer(429, body), "x", NOW)
    assert caught.value.retry_after == timedelta(seconds=8)


@pytest.mark.parametrize(
    ("body", "header", "wait"),
    [
        pytest.param({"message": "(Retry-After: 8)"}, timedelta(seconds=3), 3, id="header first"),
        pytest.param({"message": "Too many requests"}, None, 12, id="neither: the next minute"),
        pytest.param({"message": "(Retry-After: 0)"}, None, 12, id="zero is no wait"),
        pytest.param({"message": "(Retry-After: 999999)"}, None, 86_400, id="at most a day"),
        pytest.param(b"<html>", None, 12, id="not JSON"),
        pytest.param([1], None, 12, id="not an object"),
    ],
)
def test_every_limit_has_a_wait(body: Any, header: timedelta | None, wait: int) -> None:
    """Limits count by the clock minute: without any other word it is over when the next one begins."""
    with pytest.raises(RateLimitedError) as caught:
        document_of(answer(429, body, header), "x", NOW)
    assert caught.value.retry_after == timedelta(seconds=wait)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        pytest.param(200, {"status": False, "message": "no"}, PermanentError, id="no with HTTP 200"),
        pytest.param(200, {"result": {}}, PermanentError, id="status missing"),
        pytest.param(200, {"status": "true"}, PermanentError, id="status is text"),
        pytest.param(200, {"status": 1}, PermanentError, id="status is a number"),
        pytest.param(200, [], PermanentError, id="a list"),
        pytest.param(200, b"OK", UnavailableError, id="not JSON"),
        pytest.param(204, b"", UnavailableError, id="empty"),
        pytest.param(404, {"status": False, "message": "gone"}, NotFoundError, id="404"),
        pytest.param(400, {"status": False, "message": "bad"}, PermanentError, id="400"),
        pytest.param(500, b"<html>", UnavailableError, id="500"),
        pytest.param(302, b"", PermanentError, id="redirect"),
        pytest.param(500, {"status": True, "result": 1}, UnavailableError, id="500 that says it is fine"),
    ],
)
def test_anything_else_is_no_success(status: int, body: Any, error: type[RotatorError]) -> None:
    """Only 2xx together with ``status`` true is a success; the rest is an error of the one tree."""
    with pytest.raises(error):
        document_of(answer(status, body), "x", NOW)


@pytest.mark.parametrize(
    "status", [pytest.param(400, id="400"), pytest.param(200, id="200"), pytest.param(409, id="409")]
)
def test_busy_is_told_by_its_text(status: int) -> None:
    """A refusal because of a running deployment passes by itself, whatever its status."""
    body = {"status": False, "message": "A deployment is in progress"}
    with pytest.raises(ConflictError, match="busy"):
        document_of(answer(status, body), "x", NOW, re.compile("(?i)deployment.*progress"))


@pytest.mark.parametrize(
    "body", [*shapes(f"bad password {CANARY}"), CANARY.encode()], ids=["message", "inner", "text", "raw"]
)
@pytest.mark.parametrize(
    "status", [pytest.param(200, id="200"), pytest.param(400, id="400"), pytest.param(500, id="500")]
)
def test_what_was_answered_is_not_repeated(status: int, body: Any) -> None:
    """No text of an answer reaches an error."""
    with pytest.raises(RotatorError) as caught:
        document_of(answer(status, body), "x", NOW)
    assert CANARY not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize(
    "document", [None, 1, [], {}, {"message": 1}, {"result": [1]}, {"result": {"message": None}}], ids=repr
)
def test_no_text_is_an_empty_text(document: Any) -> None:
    """Where no text stands none is made up."""
    assert message_of(document) == ""
