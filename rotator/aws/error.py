"""What AWS and botocore say when they refuse, in our own errors. Pure, apart from knowing botocore's classes.

Of AWS's answer only the error code is repeated: its text may quote the request that it refused, session token included.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from botocore import exceptions as botocore_errors

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

EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
"""The credentials we used have run out; those of a fresh session may not have."""

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation"})
_UNKNOWN_TO_AWS = EXPIRED_CODES | {
    "IDPRejectedClaim",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidIdentityToken",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_SLOW_DOWN = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
     "TooManyRequestsException", "RequestLimitExceeded", "SlowDown", "PriorRequestNotComplete"}
)  # fmt: skip
_UNSUPPORTED = frozenset({"UnsupportedCommandException", "UnknownOperationException", "RegionDisabledException"})
_BY_CODE: tuple[tuple[frozenset[str], type[RotatorError], str], ...] = (
    (_UNKNOWN_TO_AWS, AuthenticationError, "Check the access key or the role that the daemon runs as, and the clock"),
    (frozenset({"ResourceNotFoundException"}), NotFoundError, "Check its name and the region; it is not made here"),
    (frozenset({"ResourceExistsException"}), ConflictError, ""),
    (_UNSUPPORTED, UnsupportedError, "Check the region"),
)
"""Error codes, what they are to us, and what to do."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.:]{0,63}", re.ASCII)
_STATUS = re.compile(r"[1-5]\d\d", re.ASCII)

_ACTIONS = {
    ("ecr", "GetAuthorizationToken"): "ecr:GetAuthorizationToken on resource *",
    ("ecr-public", "GetAuthorizationToken"): "ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken",
}


def is_expired(error: Exception) -> bool:
    """Return whether AWS refused because the credentials we used have run out."""
    return isinstance(error, botocore_errors.ClientError) and _code(error.response) in EXPIRED_CODES


def refusal(error: botocore_errors.ClientError, subject: str, service: str) -> RotatorError:
    """Return our error for an answer of AWS that is not a success.

    Args:
        error: What botocore made of the answer.
        subject: What was asked as whom (``ecr eu-west-1 as arn:...``), for the message.
        service: botocore's word for the API, for the hint.
    """
    code, status = _code(error.response), _status(error.response)
    message = f"{subject}: {error.operation_name}: {_words(code, status)}"
    if code in _SLOW_DOWN or status == 429:  # noqa: PLR2004
        return RateLimitedError(message, retry_after=_retry_after(error.response))
    if code in _DENIED:
        return PermissionDeniedError(message, hint=_permission_hint(service, error.operation_name))
    for codes, kind, hint in _BY_CODE:
        if code in codes:
            return kind(message, hint=hint)
    if status >= 500:  # noqa: PLR2004
        return UnavailableError(message, cause="5xx")
    return PermanentError(message)


def breakdown(error: botocore_errors.BotoCoreError, subject: str) -> RotatorError:
    """Return our error for a call that got no answer at all, or could not even be made.

    Args:
        error: What botocore raised.
        subject: What was asked as whom, for the message.
    """
    if isinstance(error, _NO_IDENTITY):
        message = f"{subject}: no usable AWS credentials ({type(error).__name__})"
        return AuthenticationError(message, hint=_IDENTITY_HINT)
    cause = next((cause for kinds, cause in _CAUSES if isinstance(error, kinds)), None)
    if cause is None:
        return PermanentError(f"{subject}: cannot be asked ({type(error).__name__})", hint="Check region and options")
    if _is_unresolved(error):
        cause = "dns"
    return UnavailableError(f"{subject}: {_CAUSE_WORDS[cause]} ({type(error).__name__})", cause=cause)


def broken_chain(error: Exception, subject: str) -> RotatorError:
    """Return our error for a link of AWS's own chain that could not be read.

    botocore lets through what it meets there: a web identity's token file that is missing, a credential process that
    prints something else than JSON.

    Args:
        error: What Python raised; only its class and a file's name are repeated.
        subject: What was asked as whom, for the message.
    """
    name = f"{error.filename}: {type(error).__name__}" if isinstance(error, OSError) else type(error).__name__
    return AuthenticationError(f"{subject}: AWS's own chain cannot be read ({name})", hint=_IDENTITY_HINT)


_IDENTITY_HINT = "Give an access_key, or let the daemon run with an instance role, web identity or AWS_ variables"
_NO_IDENTITY = (
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.ProfileNotFound,
    botocore_errors.NoAuthTokenError,
    botocore_errors.SSOError,
)
_CAUSES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((botocore_errors.ConnectTimeoutError, botocore_errors.ReadTimeoutError), "timeout"),
    ((botocore_errors.SSLError,), "tls"),
    ((botocore_errors.ConnectionClosedError,), "reset"),
    ((botocore_errors.ConnectionError, botocore_errors.CredentialRetrievalError), "refused"),
    ((botocore_errors.HTTPClientError,), "protocol"),
)
"""First match wins. A credential process or a metadata service that failed counts as not reachable: it may recover."""

_CAUSE_WORDS = {
    "timeout": "no answer in time",
    "tls": "its certificate is not trusted, or no TLS connection could be agreed on",
    "reset": "the connection broke",
    "refused": "cannot connect",
    "dns": "the name does not resolve",
    "protocol": "the answer is not usable HTTP",
}


def _is_unresolved(error: botocore_errors.BotoCoreError) -> bool:
    inner = error.kwargs.get("error")
    return isinstance(inner, socket.gaierror) or type(inner).__name__ == "NameResolutionError"


def _code(response: Mapping[str, Any]) -> str:
    """Return AWS's error code, or an empty text when what stands there is none (a proxy's page, say)."""
    code = str(response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else ""


def _status(response: Mapping[str, Any]) -> int:
    status = str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    return int(status) if _STATUS.fullmatch(status) else 0


def _words(code: str, status: int) -> str:
    if 300 <= status < 400:  # noqa: PLR2004
        return f"HTTP {status}, a redirect, which is never followed"
    return code or f"HTTP {status}"


def _retry_after(response: Mapping[str, Any]) -> timedelta | None:
    text = str(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", ""))
    return timedelta(seconds=min(int(text), 86_400)) if re.fullmatch(r"[1-9]\d{0,6}", text, re.ASCII) else None


def _permission_hint(service: str, operation: str) -> str:
    if operation.startswith("AssumeRole"):
        return f"Allow sts:{operation} to the caller, and name the caller (and external id) in the role's trust policy"
    return f"Allow {_ACTIONS.get((service, operation), f'{service}:{operation}')} in the caller's IAM policy"
