"""Tokens of Microsoft Entra: over plain HTTP for a service principal, through Azure's SDK for everybody else."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from rotator.errors import AuthenticationError, UnavailableError, UnsupportedError
from rotator.providers.context import ProviderContext
from rotator.providers.sdk import call_sdk
from rotator.secret import Secret
from rotator.transport import Peer, Request, Response, check_status

_UNKNOWN_CLIENT = frozenset({"invalid_client", "unauthorized_client"})
_UNKNOWN_AUDIENCE = frozenset({"invalid_resource", "invalid_scope"})
"""Error codes of OAuth 2.0 as Entra uses them: the application is unknown or its secret wrong; no such audience.

Source: https://learn.microsoft.com/entra/identity-platform/reference-error-codes (read 2026-11-23).
"""


@dataclass(frozen=True, slots=True)
class Principal:
    """As whom to ask Entra. Nothing in it is secret.

    Args:
        authority: Base URL of Entra, without a slash at the end.
        tenant: Id or domain; None for the principal's own, which only the SDK can tell.
        client_id: The application's or the managed identity's id; None for what the machine has.
    """

    authority: str
    tenant: str | None
    client_id: str | None

    def __str__(self) -> str:
        """Return the principal for messages."""
        return f"Entra as {self.client_id or 'what Azure finds on this machine'}"


async def ask_entra(who: Principal, secret: Secret, peer: Peer, audience: str, context: ProviderContext) -> Secret:
    """Return an access token for ``audience``, by the client-credentials flow. Repeating is safe.

    Args:
        who: The service principal; with a tenant.
        secret: Its client secret. Secret.
        peer: How Entra is reached.
        audience: Scope to ask for, ending in ``/.default``.
        context: The world.

    Raises:
        AuthenticationError: The application is unknown or its secret is wrong. UnsupportedError: there is no such
            audience. RotatorError: as `rotator.transport.check_status`.

    Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (read 2026-11-23).
    """
    form = {
        "grant_type": "client_credentials",
        "client_id": who.client_id or "",
        "client_secret": secret.reveal(),
        "scope": audience,
    }
    url = f"{who.authority}/{quote(who.tenant or 'organizations')}/oauth2/v2.0/token"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    request = Request("POST", url, headers=headers, body=urlencode(form).encode(), operation="token")
    answer = await context.transport.send(peer, request)
    return _token(_checked(answer, str(who), audience), str(who))


async def ask_sdk(who: Principal, peer: Peer, audience: str, context: ProviderContext) -> Secret:
    """Return an access token for ``audience`` from Azure's own chain of identities. Repeating is safe.

    Args:
        who: Whom to ask as; what is None is left to the SDK.
        peer: How Entra is reached.
        audience: Scope to ask for.
        context: The world.

    Raises:
        RotatorError: As `rotator.providers.entra_sdk.get_token`; UnavailableError: it took too long.
    """

    def call() -> Secret:
        from rotator.providers.entra_sdk import get_token  # noqa: PLC0415 (an extra; imported only when it is needed)

        return get_token(who, peer, audience)

    return await call_sdk(context, str(who), call)


def _checked(answer: Response, who: str, audience: str) -> Response:
    """Return a success, or raise what Entra's error code stands for; its text is never repeated."""
    if answer.status in {400, 401}:
        code = _error_code(answer)
        if code in _UNKNOWN_CLIENT:
            hint = "Check tenant, client id and client secret; a secret expires, as its application's page says"
            raise AuthenticationError(f"{who}: {code}", hint=hint)
        if code in _UNKNOWN_AUDIENCE:
            raise UnsupportedError(f"{who}: {code} for {audience}", hint="Check the option audiences")
    return check_status(answer, f"{who}: ask for a token")


def _error_code(answer: Response) -> str:
    try:
        fields = answer.json()
    except UnavailableError:
        return ""
    return str(fields.get("error", "")) if isinstance(fields, dict) else ""


def _token(answer: Response, who: str) -> Secret:
    fields = answer.json()
    found = fields.get("access_token") if isinstance(fields, dict) else None
    if not isinstance(found, str) or not found:
        raise UnavailableError(f"{who}: the answer holds no access token", cause="protocol")
    return Secret(found)
