"""HTTP statuses as errors and as metric labels: the one table."""

from __future__ import annotations

from rotator.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
    UnsupportedError,
)
from rotator.transport.message import Response

_STATUS: dict[int, type[RotatorError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: UnsupportedError,
    409: ConflictError,
    410: NotFoundError,
    412: ConflictError,
    415: UnsupportedError,
    422: UnsupportedError,
}
_EXACT = frozenset({401, 403, 404, 409, 429})


def check_status(response: Response, subject: str) -> Response:
    """Return ``response`` if it is a success, else raise the error its status stands for.

    Args:
        response: What the peer answered.
        subject: What was asked of whom, for the message (``vault: read kv/ghcr``).

    Raises:
        AuthenticationError: 401. PermissionDeniedError: 403. NotFoundError: 404, 410. ConflictError: 409, 412.
        UnsupportedError: 405, 415, 422. RateLimitedError: 429. UnavailableError: 408, 5xx.
        PermanentError: any other 3xx or 4xx.
    """
    status = response.status
    if 200 <= status < 300:  # noqa: PLR2004
        return response
    message = f"{subject}: HTTP {status}"
    if status == 429:  # noqa: PLR2004
        raise RateLimitedError(message, retry_after=response.retry_after)
    if status >= 500 or status == 408:  # noqa: PLR2004
        raise UnavailableError(message, retry_after=response.retry_after)
    if 300 <= status < 400:  # noqa: PLR2004
        raise PermanentError(
            f"{message}, a redirect", hint="Redirects are never followed; configure the final address itself"
        )
    raise _STATUS.get(status, PermanentError)(message)


def code_of(status: int) -> str:
    """Return the metric label for ``status`` (200 to 599): one of a closed set."""
    return str(status) if status in _EXACT else f"{status // 100}xx"
