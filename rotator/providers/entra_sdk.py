"""The blocking call to Azure's SDK. Import and run this in an executor thread only, and only where it is installed.

The SDK tries, in this order: variables of the environment, a workload identity, a managed identity, the Azure CLI. What
belongs to a person's desktop is left out. Proxies of the environment are not used.

Source: azure-identity 1.27.0, ``_credentials/default.py``; azure-core 1.41.0, ``transport/_requests_basic.py``.
"""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.identity import CredentialUnavailableError, DefaultAzureCredential

from rotator.errors import AuthenticationError, PermanentError, RateLimitedError, RotatorError, UnavailableError
from rotator.providers.entra import Principal
from rotator.secret import Secret
from rotator.transport import Peer

_HINT = "Give a service_principal, or let the daemon run with a managed or workload identity or AZURE_ variables"
_SECONDS = 10


def get_token(who: Principal, peer: Peer, audience: str) -> Secret:
    """Return an access token. Blocks; the caller has a deadline of its own.

    Args:
        who: Whom to ask as.
        peer: How Entra is reached.
        audience: Scope to ask for.

    Raises:
        AuthenticationError: No identity was found, or Entra refused it. RateLimitedError, UnavailableError: later.
        PermanentError: The SDK cannot be used with these options.
    """
    try:
        with DefaultAzureCredential(**_options(who, peer)) as credential:
            return Secret(credential.get_token(audience).token)
    except AzureError as error:
        # Without the cause: the SDK's text may quote an answer.
        raise _failure(error, str(who)) from None
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise PermanentError(f"{who}: Azure's SDK cannot be used ({type(error).__name__})", hint=_HINT) from None


def _options(who: Principal, peer: Peer) -> dict[str, Any]:
    options: dict[str, Any] = {
        "authority": who.authority,
        "exclude_shared_token_cache_credential": True,
        "exclude_visual_studio_code_credential": True,
        "exclude_developer_cli_credential": True,
        "exclude_powershell_credential": True,
        "exclude_broker_credential": True,
        "use_env_settings": False,
        "connection_timeout": _SECONDS,
        "read_timeout": _SECONDS,
        "connection_verify": peer.ca_file or not peer.insecure,
    }
    if who.tenant is not None:
        options["workload_identity_tenant_id"] = who.tenant
    if who.client_id is not None:
        options["managed_identity_client_id"] = who.client_id
    if peer.proxy is not None:
        options["proxies"] = {"http": peer.proxy, "https": peer.proxy}
    return options


def _failure(error: AzureError, who: str) -> RotatorError:
    if isinstance(error, CredentialUnavailableError):
        return AuthenticationError(f"{who}: no usable identity", hint=_HINT)
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status == 429:  # noqa: PLR2004
        return RateLimitedError(f"{who}: HTTP 429")
    if status is not None and status >= 500:  # noqa: PLR2004
        return UnavailableError(f"{who}: HTTP {status}")
    if isinstance(error, ClientAuthenticationError):
        return AuthenticationError(f"{who}: no identity of this machine was accepted", hint=_HINT)
    return UnavailableError(f"{who}: not reached ({type(error).__name__})", cause="refused")
