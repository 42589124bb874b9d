"""Signatures of Standard Webhooks."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest

from rotator.errors import ShapeError
from rotator.secret import Secret
from rotator.transport.standard_webhook import PREFIX, SigningKey, is_genuine, parse_key, signed_headers

VECTOR = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime(2021, 2, 25, 15, 2, 10, tzinfo=UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def key(text: str = VECTOR) -> SigningKey:
    """Return a key."""
    return parse_key(Secret(text), "the key")


def other() -> SigningKey:
    """Return another key."""
    return key(PREFIX + base64.b64encode(b"o" * 32).decode())


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(AT, id="UTC"),
        pytest.param(AT.astimezone(timezone(timedelta(hours=5))), id="another zone"),
        pytest.param(AT + timedelta(microseconds=999_999), id="within the second"),
    ],
)
def test_the_published_vector(at: datetime) -> None:
    """The reference implementations' test vector is reproduced, however its instant is written."""
    assert signed_headers([key()], ID, at, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_each_key_signs() -> None:
    """With two keys, a receiver that knows either of them accepts the message, and one that knows neither does not."""
    headers = signed_headers([other(), key()], ID, AT, BODY)
    stranger = key(PREFIX + base64.b64encode(b"s" * 24).decode())

    assert headers["webhook-signature"].endswith(f" {SIGNATURE}")
    assert [is_genuine(one, headers, BODY, AT) for one in (key(), other(), stranger)] == [True, True, False]


@pytest.mark.parametrize(
    ("changed", "body", "now"),
    [
        pytest.param({}, BODY + b" ", AT, id="another body"),
        pytest.param({"webhook-id": "msg_2"}, BODY, AT, id="another id"),
        pytest.param({"webhook-id": ""}, BODY, AT, id="no id"),
        pytest.param({"webhook-timestamp": "1614265331"}, BODY, AT, id="another time"),
        pytest.param({"webhook-timestamp": "²"}, BODY, AT, id="a time that is none"),
        pytest.param({"webhook-timestamp": "-1"}, BODY, AT, id="a negative time"),
        pytest.param({"webhook-signature": ""}, BODY, AT, id="no signature"),
        pytest.param({"webhook-signature": SIGNATURE.replace("v1,", "v1a,")}, BODY, AT, id="another scheme"),
        pytest.param({"webhook-signature": "v1,\udcff"}, BODY, AT, id="not UTF-8"),
        pytest.param({}, BODY, AT + timedelta(minutes=6), id="too old"),
        pytest.param({}, BODY, AT - timedelta(minutes=6), id="from the future"),
    ],
)
def test_what_was_not_signed_so_is_refused(changed: dict[str, str], body: bytes, now: datetime) -> None:
    """A message is genuine only with the id, time and bytes that were signed, within five minutes."""
    headers = {**signed_headers([key()], ID, AT, BODY), **changed}
    assert not is_genuine(key(), headers, body, now)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(VECTOR.removeprefix(PREFIX), id="no prefix"),
        pytest.param(PREFIX + base64.b64encode(b"s" * 23).decode(), id="too short"),
        pytest.param(PREFIX + base64.b64encode(b"s" * 65).decode(), id="too long"),
        pytest.param(PREFIX + "canary!!" * 5, id="no base64"),
        pytest.param(PREFIX + "canaryé" * 5, id="not ASCII"),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    """A text that is no signing secret is refused, with how to make one and without the text."""
    with pytest.raises(ShapeError, match="the key is no signing secret") as caught:
        key(text)
    assert "head -c 32" in str(caught.value)
    assert "canary" not in repr(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_line_end_is_not_part_of_a_key() -> None:
    """A key read from a file with a line end signs as the same key without."""
    assert signed_headers([key(f"{VECTOR}\n")], ID, AT, BODY)["webhook-signature"] == SIGNATURE


def test_a_key_does_not_print_itself() -> None:
    """Nothing of a key is in its representation."""
    assert VECTOR.removeprefix(PREFIX) not in repr(key())


@pytest.mark.parametrize(
    ("keys", "message_id"),
    [
        pytest.param([], ID, id="no key"),
        pytest.param([key()], "msg.1", id="a full stop"),
        pytest.param([key()], "", id="no id"),
        pytest.param([key()], "msg\n", id="a line end"),
    ],
)
def test_what_cannot_be_signed(keys: list[SigningKey], message_id: str) -> None:
    """An id that could be taken apart differently, or no key at all, is a mistake of the caller's."""
    with pytest.raises(ValueError, match=r"nothing to sign with|cannot be the id"):
        signed_headers(keys, message_id, AT, BODY)
