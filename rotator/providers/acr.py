"""Azure's container registry. An Entra identity is exchanged for a password that lives about three hours."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlencode

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.config.url import base_url, proxy_url
from rotator.domain.inspection import Inspection
from rotator.domain.model import Issued, Login, Strategy
from rotator.domain.reference import api_host
from rotator.domain.verdict import Finding
from rotator.errors import AuthenticationError, UnavailableError, UnsupportedError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.entra import Principal, ask_entra, ask_sdk
from rotator.providers.expiry import jwt_expiry
from rotator.providers.sdk import require_package
from rotator.registry.verify import auth_probe
from rotator.secret import Secret
from rotator.transport import Peer, Request, check_status

NULL_GUID = "00000000-0000-0000-0000-000000000000"
"""The user name that says: the password is a refresh token."""

AUDIENCES = ("https://containerregistry.azure.net/.default", "https://management.azure.com/.default")
"""Asked for in this order: a registry may refuse tokens for Azure's management; an older cloud may know no others."""

ID = r"^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$"


class ServicePrincipal(BaseModel):
    """An application that is registered with Entra."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    client_id: Annotated[str, Field(pattern=ID)]
    """The application's id."""

    client_secret: SecretRef
    """Where its client secret is read."""


class AcrConfig(CredentialConfig):
    """A login to one registry at Azure."""

    lifetime: ClassVar[timedelta | None] = timedelta(hours=3)

    provider: Literal["acr"] = "acr"

    tenant: Annotated[str, Field(pattern=ID)] | None = None
    """Entra tenant, by id or domain. None: the one that the identity belongs to."""

    service_principal: ServicePrincipal | None = None
    """As whom to ask; needs ``tenant``. None: Azure's own chain (environment, workload identity, managed identity,
    Azure CLI), which needs the extra ``azure``."""

    managed_identity: Annotated[str, Field(pattern=ID)] | None = None
    """Client id of a user-assigned managed identity for Azure's own chain. None: the one the machine has."""

    audiences: Annotated[tuple[str, ...], Field(min_length=1)] = AUDIENCES
    """What the Entra token is asked for, first the first; the next where the registry refuses it."""

    authority_url: Annotated[str, AfterValidator(base_url)] = "https://login.microsoftonline.com"
    """Entra's address; another one in sovereign clouds."""

    insecure: bool = False
    """True allows plain HTTP and an unverified certificate on the way to Entra."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for Entra. None: the system's."""

    proxy: Annotated[str, AfterValidator(proxy_url)] | None = None
    """Proxy URL for Entra. None: a direct connection, whatever the environment says."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.service_principal is not None and self.tenant is None:
            raise ValueError("service_principal needs the tenant it belongs to; write tenant: as well")
        if self.service_principal is not None and self.managed_identity is not None:
            raise ValueError("write service_principal or managed_identity, not both")
        if not self.authority_url.startswith("https://") and not self.insecure:
            raise ValueError("authority_url is not https; write insecure: true beside it if that is really meant")
        return self


class Acr:
    """Exchanges an Entra token at the registry's ``/oauth2/exchange``; earlier passwords live on until they expire.

    A password is good for one registry only, since the registry issues it itself.

    Source: https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md (read 2026-11-23).
    """

    Config = AcrConfig
    strategy = Strategy.EPHEMERAL

    def __init__(self, config: AcrConfig, context: ProviderContext) -> None:
        if config.service_principal is None:
            subject = f"acr {config.registry} without service_principal"
            require_package("azure.identity", package="azure-identity", extra="azure", subject=subject)
        self._config = config
        self._context = context
        self._peer = Peer("entra", ca_file=config.ca_file, insecure=config.insecure, proxy=config.proxy)

    @property
    def identity(self) -> str:
        """Registry, tenant and principal."""
        config = self._config
        principal = config.service_principal
        who = f"{principal.client_id} with {principal.client_secret}" if principal else config.managed_identity or "-"
        way = (config.authority_url, config.ca_file or "-", config.proxy or "-", str(config.insecure))
        return "|".join(("acr", config.registry, config.tenant or "-", who, *config.audiences, *way))

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (nothing is left behind at the vendor)
        """Return a refresh token as a password, at most a minute old. Needs the role ``AcrPull`` or its like to pull.

        Raises:
            AuthenticationError: Entra or the registry does not know us. PermissionDeniedError: the registry's firewall
                says no. RateLimitedError, UnavailableError: try later. RotatorError: the client secret could not be
                read.
        """
        return await self._context.shared.issue(self.identity, self._mint)

    async def revision(self) -> str | None:
        """Return None: there is no source."""
        return None

    async def inspect(self, login: Login) -> Inspection:
        """Return the ``exp`` of the refresh token. Asks nobody."""
        return Inspection(jwt_expiry(login.secret.reveal()))

    async def probe(self, login: Login) -> Finding:
        """Ask the registry's token server for a token without a scope."""
        return await auth_probe(self._context.registry, login)

    async def _mint(self) -> Issued:
        *others, last = self._config.audiences
        for audience in others:
            password = await self._try(audience)
            if password is not None:
                return password
        return await self._mint_for(last)

    async def _try(self, audience: str) -> Issued | None:
        """Return a password, or None where another audience may help; that Entra does not know us is no such case."""
        try:
            token = await self._entra_token(audience)
        except UnsupportedError:
            return None
        try:
            return await self._exchange(token)
        except AuthenticationError:
            return None

    async def _mint_for(self, audience: str) -> Issued:
        return await self._exchange(await self._entra_token(audience))

    async def _entra_token(self, audience: str) -> Secret:
        config, principal = self._config, self._config.service_principal
        if principal is None:
            who = Principal(config.authority_url, config.tenant, config.managed_identity)
            return await ask_sdk(who, self._peer, audience, self._context)
        ref = principal.client_secret
        secret = (await self._context.sources[ref.source].read(ref.location)).secret
        who = Principal(config.authority_url, config.tenant, principal.client_id)
        return await ask_entra(who, secret, self._peer, audience, self._context)

    async def _exchange(self, token: Secret) -> Issued:
        """Return the registry's refresh token. The registry is reached as its own settings say."""
        asked_at = self._context.clock.now()
        host = api_host(self._config.registry)
        form = {"grant_type": "access_token", "service": host, "access_token": token.reveal()}
        if self._config.tenant is not None:
            form["tenant"] = self._config.tenant
        settings = self._context.registry.settings
        url = f"{'http' if settings.insecure else 'https'}://{host}/oauth2/exchange"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = Request("POST", url, headers=headers, body=urlencode(form).encode(), operation="exchange")
        peer = Peer("registry", ca_file=settings.ca_file, insecure=settings.insecure, proxy=settings.proxy)
        answer = await self._context.transport.send(peer, request)
        fields = check_status(answer, f"{host}: exchange the Entra token").json()
        found = fields.get("refresh_token") if isinstance(fields, dict) else None
        if not isinstance(found, str) or not found:
            raise UnavailableError(f"{host}: the answer to the exchange holds no refresh token", cause="protocol")
        return Issued(Login(NULL_GUID, Secret(found)), asked_at, jwt_expiry(found))
