"""The blocking calls to google-auth. Import and run this in an executor thread only, and only where it is installed.

Proxies of the environment are not used. google-auth decides by itself whether a token it has is fresh; here every call
makes its credentials anew, so nothing is remembered. A metadata server may still hand out a token that it kept.

Source: google-auth 2.62.2, ``_default.py``, ``impersonated_credentials.py`` and ``transport/requests.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import google.auth
import google.auth.aws
import google.auth.exceptions as google_errors
import google.auth.identity_pool
import google.auth.impersonated_credentials
import google.auth.transport.requests
import google.oauth2.service_account
import requests

from rotator.domain.model import UNKNOWN, Expiry
from rotator.errors import AuthenticationError, PermanentError, RotatorError, ShapeError, UnavailableError
from rotator.secret import Secret
from rotator.transport import Peer

LIFETIME_SECONDS = 3600
_AWS_TOKEN = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105 (a kind of token)
_HINT = "Give credentials, or let the daemon run with a service account, workload identity or GOOGLE_ variables"


@dataclass(frozen=True, slots=True)
class GoogleAsk:
    """What to ask of Google. Nothing in it is secret.

    Args:
        subject: The principal for messages.
        scope: OAuth scope.
        impersonate: E-mail address of the service account to act as; None for nobody else.
        iam_url: Base URL of the API that lets one act as another.
        peer: How Google is reached.
    """

    subject: str
    scope: str
    impersonate: str | None
    iam_url: str
    peer: Peer


def get_token(ask: GoogleAsk, document: Secret | None) -> tuple[Secret, Expiry]:
    """Return an access token and when it expires. Blocks; the caller has a deadline of its own.

    Args:
        ask: What to ask as whom.
        document: A credentials file's content; None for what google-auth finds on the machine. Secret.

    Raises:
        ShapeError: The document is none of google-auth's. AuthenticationError: nothing was found, or Google refused.
        UnavailableError: Google was not reached. PermanentError: google-auth cannot be used.
    """
    with requests.Session() as session:
        session.trust_env = False
        session.verify = ask.peer.ca_file or not ask.peer.insecure
        if ask.peer.proxy is not None:
            session.proxies = {"http": ask.peer.proxy, "https": ask.peer.proxy}
        request = google.auth.transport.requests.Request(session)
        try:
            credentials = _acting(ask, _found(ask, document, request))
            credentials.refresh(request)
        except google_errors.GoogleAuthError as error:
            # Without the cause: its text quotes Google's answer.
            raise _failure(error, ask.subject) from None
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise PermanentError(f"{ask.subject}: google-auth failed ({type(error).__name__})", hint=_HINT) from None
        if not credentials.token:
            raise UnavailableError(f"{ask.subject}: the answer holds no access token", cause="protocol")
        return Secret(credentials.token), aware(credentials.expiry)


def aware(expiry: datetime | None) -> Expiry:
    """Return google-auth's expiry, which is UTC but does not say so, as ours; None is unknown."""
    if expiry is None:
        return UNKNOWN
    return Expiry(expiry.replace(tzinfo=UTC) if expiry.tzinfo is None else expiry.astimezone(UTC))


def _found(ask: GoogleAsk, document: Secret | None, request: Any) -> Any:
    if document is None:
        return google.auth.default(scopes=[ask.scope], request=request)[0]
    try:
        return _read(_fields(document, ask.subject), ask)
    except (google_errors.GoogleAuthError, ValueError, TypeError, LookupError, AttributeError):
        # Without the cause: its text may quote the key.
        raise ShapeError(f"{ask.subject}: google-auth cannot use this document", hint=_DOCUMENT_HINT) from None


_DOCUMENT_HINT = "It must be a service account key or a workload identity configuration, in JSON"


def _read(fields: Mapping[str, Any], ask: GoogleAsk) -> Any:
    """Return the credentials of a document whose kind we know; one that names a program to run is none of them."""
    kind, source = fields.get("type"), fields.get("credential_source")
    if kind == "service_account":
        account: Any = google.oauth2.service_account.Credentials  # its methods are untyped
        return account.from_service_account_info(fields, scopes=[ask.scope])
    if kind != "external_account" or not isinstance(source, dict) or "executable" in source:
        raise ShapeError(f"{ask.subject}: a document of a kind that is not used", hint=_DOCUMENT_HINT)
    is_aws = fields.get("subject_token_type") == _AWS_TOKEN
    reader: Any = google.auth.aws.Credentials if is_aws else google.auth.identity_pool.Credentials
    return reader.from_info(fields, scopes=[ask.scope])


def _fields(document: Secret, subject: str) -> Mapping[str, Any]:
    try:
        fields = json.loads(document.reveal())
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise ShapeError(f"{subject}: not a JSON object", hint=_DOCUMENT_HINT)
    return fields


def _acting(ask: GoogleAsk, source: Any) -> Any:
    if ask.impersonate is None:
        return source
    acting: Any = google.auth.impersonated_credentials.Credentials  # untyped
    return acting(
        source_credentials=source,
        target_principal=ask.impersonate,
        target_scopes=[ask.scope],
        lifetime=LIFETIME_SECONDS,
        iam_endpoint_override=f"{ask.iam_url}/v1/projects/-/serviceAccounts/{ask.impersonate}:generateAccessToken",
    )


def _failure(error: google_errors.GoogleAuthError, subject: str) -> RotatorError:
    name = type(error).__name__
    if isinstance(error, google_errors.DefaultCredentialsError):
        return AuthenticationError(f"{subject}: no usable identity ({name})", hint=_HINT)
    if isinstance(error, google_errors.TransportError) or error.retryable:
        return UnavailableError(f"{subject}: not reached ({name})", cause="refused")
    return AuthenticationError(f"{subject}: Google refused ({name})", hint=_HINT)
