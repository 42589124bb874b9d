"""Options by which a provider is somebody at Entra, and the token that follows from them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.config.url import base_url, proxy_url
from rotator.providers.context import ProviderContext
from rotator.providers.entra import Principal, ask_entra, ask_sdk
from rotator.providers.sdk import require_package
from rotator.secret import Secret
from rotator.transport import Peer

ID = r"^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$"


class ServicePrincipal(BaseModel):
    """An application that is registered with Entra."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    client_id: Annotated[str, Field(pattern=ID)]
    """The application's id."""

    client_secret: SecretRef
    """Where its client secret is read."""


class EntraOptions(CredentialConfig):
    """As whom to ask Azure, and by which way."""

    tenant: Annotated[str, Field(pattern=ID)] | None = None
    """Entra tenant, by id or domain. None: the one that the identity belongs to."""

    service_principal: ServicePrincipal | None = None
    """As whom to ask; needs ``tenant``. None: Azure's own chain (environment, workload identity, managed identity,
    Azure CLI), which needs the extra ``azure``."""

    managed_identity: Annotated[str, Field(pattern=ID)] | None = None
    """Client id of a user-assigned managed identity for Azure's own chain. None: the one the machine has."""

    authority_url: Annotated[str, AfterValidator(base_url)] = "https://login.microsoftonline.com"
    """Entra's address; another one in sovereign clouds."""

    insecure: bool = False
    """True allows plain HTTP and an unverified certificate on the way to Azure's APIs."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for Azure's APIs. None: the system's."""

    proxy: Annotated[str, AfterValidator(proxy_url)] | None = None
    """Proxy URL for Azure's APIs. None: a direct connection, whatever the environment says."""

    @model_validator(mode="after")
    def _check_identity(self) -> Self:
        if self.service_principal is not None and self.tenant is None:
            raise ValueError("service_principal needs the tenant it belongs to; write tenant: as well")
        if self.service_principal is not None and self.managed_identity is not None:
            raise ValueError("write service_principal or managed_identity, not both")
        if not self.authority_url.startswith("https://") and not self.insecure:
            raise ValueError("authority_url is not https; write insecure: true beside it if that is really meant")
        return self


def require_identity(options: EntraOptions, subject: str) -> None:
    """Return if what ``options`` ask for is installed.

    Raises:
        ConfigError: It takes Azure's SDK, which is not.
    """
    if options.service_principal is None:
        subject = f"{subject} without service_principal"
        require_package("azure.identity", package="azure-identity", extra="azure", subject=subject)


def identity_of(options: EntraOptions) -> str:
    """Return who is asked as, and by which way: equal for equal identities. Not secret."""
    principal = options.service_principal
    who = f"{principal.client_id} with {principal.client_secret}" if principal else options.managed_identity or "-"
    way = (options.authority_url, options.ca_file or "-", options.proxy or "-", str(options.insecure))
    return "|".join((options.tenant or "-", who, *way))


def azure_peer(name: str, options: EntraOptions) -> Peer:
    """Return how one of Azure's APIs is reached."""
    return Peer(name, ca_file=options.ca_file, insecure=options.insecure, proxy=options.proxy)


async def entra_token(options: EntraOptions, audience: str, context: ProviderContext) -> Secret:
    """Return an access token for ``audience``. Repeating is safe.

    Raises:
        RotatorError: As `rotator.providers.entra.ask_entra` and `ask_sdk`; the client secret could not be read.
    """
    principal, peer = options.service_principal, azure_peer("entra", options)
    if principal is None:
        who = Principal(options.authority_url, options.tenant, options.managed_identity)
        return await ask_sdk(who, peer, audience, context)
    ref = principal.client_secret
    secret = (await context.sources[ref.source].read(ref.location)).secret
    return await ask_entra(
        Principal(options.authority_url, options.tenant, principal.client_id), secret, peer, audience, context
    )
