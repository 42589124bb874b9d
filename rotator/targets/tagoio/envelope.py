"""What an answer of TagoIO means. Pure.

A success is 2xx *and* ``status`` exactly true: TagoIO also says no with HTTP 200. The text of an error stands in one of
three places, has no code, and may repeat what was sent: it is looked at here and goes no further.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rotator.errors import (
    AuthenticationError,
    ConflictError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    UnavailableError,
)
from rotator.transport import MAX_RETRY_AFTER, check_status

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.transport import Response

MINUTE = 60
_TOO_MANY = 429
_UNKNOWN = 401
_WAIT = re.compile(r"Retry-After:\s*(\d{1,6})", re.ASCII | re.IGNORECASE)
_DENIED = re.compile(r"authorization denied", re.IGNORECASE)
_POLICY = "The token's Access Management policy must allow it; a profile token with full permission does"


def document_of(response: Response, subject: str, now: datetime, busy: re.Pattern[str] | None = None) -> dict[str, Any]:
    """Return a successful answer, ``result`` and all.

    Args:
        response: The answer.
        subject: What was asked of whom, for the message.
        now: For the wait until the next clock minute, by which TagoIO counts requests.
        busy: What the text of a refusal looks like when something else has to end first; None when nothing can.

    Raises:
        RateLimitedError: Too many requests; the wait is the header's, else the text's, else until the next minute.
        ConflictError: The text is one of ``busy``. AuthenticationError: The token is not known.
        PermissionDeniedError: It may not do that. UnavailableError: Not an answer of TagoIO.
        PermanentError: Any other refusal, and whatever `rotator.transport.check_status` makes of the status.
    """
    is_fine = response.status < 300  # noqa: PLR2004
    document = _document(response, is_needed=is_fine)
    if is_fine and document.get("status") is True:
        return document
    text = message_of(document)
    if response.status == _TOO_MANY:
        wait = response.retry_after or _wait_in(text) or timedelta(seconds=MINUTE - now.timestamp() % MINUTE)
        raise RateLimitedError(f"{subject}: too many requests in this minute", retry_after=wait)
    if busy is not None and busy.search(text):
        raise ConflictError(f"{subject}: TagoIO is busy with a deployment of the project")
    if response.status == _UNKNOWN:
        raise AuthenticationError(
            f"{subject}: TagoIO does not know the token", hint="It may have expired or been removed"
        )
    if _DENIED.search(text):
        raise PermissionDeniedError(f"{subject}: TagoIO denies it", hint=_POLICY)
    check_status(response, subject)
    raise PermanentError(
        f"{subject}: TagoIO refuses it (HTTP {response.status}, status not true)",
        hint="Its text is not repeated here, since it may quote what was sent; try the same in TagoIO's console",
    )


def message_of(document: Any) -> str:
    """Return the text of a refusal, from whichever of the three places it stands in; empty when there is none."""
    if not isinstance(document, dict):
        return ""
    result = document.get("result")
    inner = result.get("message") if isinstance(result, dict) else result
    return next((text for text in (document.get("message"), inner) if isinstance(text, str)), "")


def _document(response: Response, *, is_needed: bool) -> dict[str, Any]:
    """Return the answer's JSON object; of a refusal that has none an empty one."""
    try:
        document = response.json()
    except UnavailableError:
        if is_needed:
            raise
        return {}
    return document if isinstance(document, dict) else {}


def _wait_in(text: str) -> timedelta | None:
    found = _WAIT.search(text)
    return min(timedelta(seconds=int(found[1])), MAX_RETRY_AFTER) if found and int(found[1]) else None
