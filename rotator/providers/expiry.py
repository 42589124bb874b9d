"""When a token stops working, read from the texts vendors write. Pure: nothing here asks anybody.

What cannot be read is unknown, never a guess and never an error: the expiry of a token is advice, its value is not.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime, timedelta, timezone

from rotator.domain.model import NEVER, UNKNOWN, Expiry

MAX_JWT_CHARS = 65_536
"""A longer text is not looked into."""

_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](?P<time>\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?[ ]?(?P<zone>UTC|GMT|[Zz]|[+-]\d{2}:?\d{2}))?",
    re.ASCII,
)


def parse_instant(text: str) -> datetime | None:
    """Return the instant that ``text`` writes, aware UTC, cut to the second; None when it writes none.

    Accepts GitHub's two header formats (``2026-10-15 13:19:49 UTC`` and ``2027-03-19 00:00:00 -0500``), RFC 3339, and
    a bare date, which stands for its first moment in UTC: the earliest reading is the safe one. A time without a zone
    is refused: nobody knows when that is.

    Source: both formats as seen in recorded responses of ``GET https://api.github.com/rate_limit``, November 2026.
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        return None
    try:
        naive = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00:00'}")
        return naive.replace(tzinfo=_zone(match["zone"])).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if text is None or text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(offset if text[0] == "+" else -offset)


def jwt_expiry(token: str) -> Expiry:
    """Return when ``token`` expires by its own ``exp`` claim; unknown when it is no JWT or says nothing sensible.

    The signature is not checked: whoever issued it will check it, and a wrong ``exp`` costs one early rotation.
    An ``exp`` of zero or less counts as not said.

    Args:
        token: Any secret text; not only JWTs.

    Source: RFC 7519 section 4.1.4 (seconds since 1970, possibly with a fraction).
    """
    payload = jwt_claims(token)
    seconds = payload.get("exp")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        return UNKNOWN
    try:
        return Expiry(datetime.fromtimestamp(int(seconds), UTC))
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def jwt_claims(token: str) -> dict[str, object]:
    """Return what ``token`` says about itself, unchecked; nothing when it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_JWT_CHARS:  # noqa: PLR2004 (header, payload, signature)
        return {}
    try:
        payload = json.loads(base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def earliest(*expiries: Expiry) -> Expiry:
    """Return the earliest known expiry; without one, never if anybody said never; else unknown."""
    known = [expiry.at for expiry in expiries if expiry.at is not None]
    if known:
        return Expiry(min(known))
    return NEVER if any(expiry.never for expiry in expiries) else UNKNOWN
