"""One table from error codes to HTTP statuses, and the envelope that every failure is sent in."""

from __future__ import annotations

from fastapi.responses import JSONResponse

from rotator.admin.models import Problem, ProblemEnvelope
from rotator.errors import PermanentError

STATUS: dict[str, int] = {
    # from the daemon
    "not_found": 404,
    "conflict": 409,
    "fenced": 409,
    "rate_limited": 429,
    "permanent": 409,
    "unsupported": 422,
    "store": 503,
    "unavailable": 503,
    "temporary": 503,
    # from the doors
    "invalid_request": 422,
    "idempotency_key_reused": 422,
    "token_required": 401,
    "token_unknown": 401,
    "caller_not_allowed": 403,
    "local_only": 403,
    "role_too_low": 403,
    "cross_site": 403,
    "header_required": 403,
    "unknown_path": 404,
    "method_not_allowed": 405,
    "body_too_large": 413,
    "not_json": 415,
    "wrong_host": 421,
    "too_many_failures": 429,
    "busy": 503,
}
"""Every code that is shown as it is; any other is an internal error."""

SECURITY_HEADERS: dict[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer."""

INTERNAL = "internal"


class KeyReusedError(PermanentError):
    """One idempotency key was sent with two different requests."""

    code = "idempotency_key_reused"


class LocalOnlyError(PermanentError):
    """This is answered on the UNIX socket alone."""

    code = "local_only"


class RoleTooLowError(PermanentError):
    """The caller is known and may not do this."""

    code = "role_too_low"


class BusyError(PermanentError):
    """Too much of one kind is going on at once."""

    code = "busy"


def failure(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the answer for ``problem``: the status of its code, and the envelope."""
    return JSONResponse(
        ProblemEnvelope(error=problem).model_dump(),
        status_code=STATUS.get(problem.code, 500),
        headers={**SECURITY_HEADERS, **(headers or {})},
    )


def internal(correlation_id: str) -> JSONResponse:
    """Return the answer that tells nothing but where to look."""
    return failure(
        Problem(
            code=INTERNAL,
            message="internal error",
            hint=f"Look for {correlation_id} in the daemon's log",
            correlation_id=correlation_id,
        )
    )
