"""What Google says of an access token.

Source: googleapis/google-auth-library-nodejs, ``getTokenInfo``, which shows the token in a header, never in the
address; answers as that library's ``TokenInfo`` reads them (read 2026-11-28).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import UNKNOWN, Expiry
from rotator.errors import RotatorError
from rotator.providers.vendor_api import Question, VendorApi, checked, fields_of, text_of
from rotator.secret import Secret


async def inspect_token(api: VendorApi, token: Secret) -> Inspection:
    """Return what Google tells of ``token``. Nothing on any failure; never raises.

    Its scopes are an upper bound: what it may do at a registry is decided by the roles of its principal.
    """
    subject = "google: look at the access token"
    try:
        answer = await api.send(Question("POST", "", bearer=token, operation="inspect"))
        return _inspection(fields_of(checked(answer, subject, {}), subject))
    except RotatorError:
        return NOTHING_KNOWN


def _inspection(fields: Mapping[str, Any]) -> Inspection:
    scope = fields.get("scope")
    scopes = frozenset(scope.split()) if isinstance(scope, str) else None
    return Inspection(_expiry(fields.get("exp")), scopes, text_of(fields, "email"))


def _expiry(seconds: object) -> Expiry:
    """Return the expiry that Google tells, in seconds since 1970, as a text or a number."""
    text = str(seconds)
    if isinstance(seconds, bool) or not text.isascii() or not text.isdigit() or int(text) == 0:
        return UNKNOWN
    try:
        return Expiry(datetime.fromtimestamp(int(text), UTC))
    except (ValueError, OverflowError, OSError):
        return UNKNOWN
