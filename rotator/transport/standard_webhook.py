"""Sign and check messages as Standard Webhooks 1.0.0 says. Pure: time and identity come in.

Source: https://github.com/standard-webhooks/standard-webhooks, ``spec/standard-webhooks.md`` (read 2026-11-28). Of its
two schemes only the symmetric one is used: ``v1``, HMAC-SHA256.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from rotator.errors import ShapeError
from rotator.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

PREFIX = "whsec_"
MIN_KEY_BYTES = 24
MAX_KEY_BYTES = 64
TOLERANCE = timedelta(minutes=5)
"""How far the clocks of sender and receiver may be apart."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One secret shared with a receiver.

    Args:
        text: Base64 of its bytes, without the prefix. Secret.
    """

    text: Secret = field(repr=False)

    def signature(self, message_id: str, timestamp: int, body: bytes) -> str:
        """Return ``v1,`` and the base64 signature of one attempt."""
        content = f"{message_id}.{timestamp}.".encode("ascii") + body
        digest = hmac.digest(base64.b64decode(self.text.reveal()), content, "sha256")
        return f"v1,{base64.b64encode(digest).decode('ascii')}"


def parse_key(secret: Secret, subject: str) -> SigningKey:
    """Return the key written as ``whsec_`` and base64 of 24 to 64 random bytes.

    Args:
        secret: The text. White space around it is not part of it. Secret.
        subject: Where it is from, for the message.

    Raises:
        ShapeError: It is not such a text. Nothing of it is in the message.
    """
    text = secret.reveal().strip()
    encoded = Secret(text.removeprefix(PREFIX))
    if not text.startswith(PREFIX) or not MIN_KEY_BYTES <= _length(encoded) <= MAX_KEY_BYTES:
        raise ShapeError(
            f"{subject} is no signing secret of Standard Webhooks",
            hint=f"Write {PREFIX} and base64 of {MIN_KEY_BYTES} to {MAX_KEY_BYTES} random bytes: "
            f'echo "{PREFIX}$(head -c 32 /dev/urandom | base64)"',
        )
    return SigningKey(encoded)


def signed_headers(keys: Sequence[SigningKey], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of one attempt to send ``body``.

    Args:
        keys: At least one. Each signs, so that a receiver that knows only the old or only the new one accepts it.
        message_id: Letters, digits, ``_`` and ``-``; the same for every attempt at one message.
        at: When this attempt is made, aware.
        body: The very bytes that are sent.

    Raises:
        ValueError: There is no key, or ``message_id`` could be taken apart differently: it has a full stop, say.
    """
    if not keys:
        raise ValueError("nothing to sign with")
    if not _ID.match(message_id):
        raise ValueError(f"{message_id!r} cannot be the id of a message")
    timestamp = int(at.astimezone(UTC).timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(key.signature(message_id, timestamp, body) for key in keys),
    }


def is_genuine(key: SigningKey, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Return whether a message was signed with ``key`` at most `TOLERANCE` away from ``now``.

    Args:
        key: What the receiver knows.
        headers: As received, names in lower case or in a mapping that does not care.
        body: As received, before anything was parsed.
        now: The receiver's time, aware.
    """
    message_id, written = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _ID.match(message_id) or not (written.isascii() and written.isdecimal()):
        return False
    if abs(now.timestamp() - int(written)) > TOLERANCE.total_seconds():
        return False
    wanted = key.signature(message_id, int(written), body).encode()
    offered = headers.get("webhook-signature", "").encode("utf-8", "surrogateescape").split(b" ")
    return any(hmac.compare_digest(one, wanted) for one in offered)


def _length(encoded: Secret) -> int:
    """Return how many bytes a text encodes; -1 where it is no base64."""
    try:
        return len(base64.b64decode(encoded.reveal().encode(), validate=True))
    except (binascii.Error, ValueError):
        return -1
