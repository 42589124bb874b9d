"""Azure's container registry. An Entra identity is exchanged for a password that lives about three hours."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import Field

from rotator.domain.inspection import Inspection
from rotator.domain.model import Issued, Login, Strategy
from rotator.domain.reference import api_host
from rotator.domain.verdict import Finding
from rotator.errors import AuthenticationError, UnavailableError, UnsupportedError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.entra_options import EntraOptions, entra_token, identity_of, require_identity
from rotator.providers.expiry import jwt_claims, jwt_expiry
from rotator.providers.vendor_api import text_of
from rotator.registry.verify import auth_probe
from rotator.secret import Secret
from rotator.transport import Peer, Request, check_status

NULL_GUID = "00000000-0000-0000-0000-000000000000"
"""The user name that says: the password is a refresh token."""

AUDIENCES = ("https://containerregistry.azure.net/.default", "https://management.azure.com/.default")
"""Asked for in this order: a registry may refuse tokens for Azure's management; an older cloud may know no others."""


class AcrConfig(EntraOptions):
    """A login to one registry at Azure."""

    lifetime: ClassVar[timedelta | None] = timedelta(hours=3)

    provider: Literal["acr"] = "acr"

    audiences: Annotated[tuple[str, ...], Field(min_length=1)] = AUDIENCES
    """What the Entra token is asked for, first the first; the next where the registry refuses it."""


class Acr:
    """Exchanges an Entra token at the registry's ``/oauth2/exchange``; earlier passwords live on until they expire.

    A password is good for one registry only, since the registry issues it itself.

    Source: https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md (read 2026-11-23).
    """

    Config = AcrConfig
    strategy = Strategy.EPHEMERAL

    def __init__(self, config: AcrConfig, context: ProviderContext) -> None:
        require_identity(config, f"acr {config.registry}")
        self._config = config
        self._context = context

    @property
    def identity(self) -> str:
        """Registry, tenant and principal."""
        return "|".join(("acr", self._config.registry, *self._config.audiences, identity_of(self._config)))

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
        """Return what the refresh token says of itself. Asks nobody."""
        return inspect_refresh_token(login.secret)

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
            token = await entra_token(self._config, audience, self._context)
        except UnsupportedError:
            return None
        try:
            return await self._exchange(token)
        except AuthenticationError:
            return None

    async def _mint_for(self, audience: str) -> Issued:
        return await self._exchange(await entra_token(self._config, audience, self._context))

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
        peer = Peer(self._config.registry, ca_file=settings.ca_file, insecure=settings.insecure, proxy=settings.proxy)
        answer = await self._context.transport.send(peer, request)
        fields = check_status(answer, f"{host}: exchange the Entra token").json()
        found = fields.get("refresh_token") if isinstance(fields, dict) else None
        if not isinstance(found, str) or not found:
            raise UnavailableError(f"{host}: the answer to the exchange holds no refresh token", cause="protocol")
        secret = Secret(found)
        told = inspect_refresh_token(secret)
        return Issued(Login(NULL_GUID, secret), asked_at, told.expiry, scopes=told.scopes, principal=told.principal)


def inspect_refresh_token(token: Secret) -> Inspection:
    """Return what a refresh token says of itself: until when, for whom, and the actions that it may take.

    Actions are unknown where some are taken away again (``notActions``): how the two add up is not documented.

    Source: https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md, token claim sets (read 2026-11-28).
    """
    text = token.reveal()
    claims = jwt_claims(text)
    permissions = claims.get("permissions")
    return Inspection(jwt_expiry(text), _actions(permissions), text_of(claims, "sub"))


def _actions(permissions: object) -> frozenset[str] | None:
    if not isinstance(permissions, dict) or permissions.get("notActions"):
        return None
    actions = permissions.get("actions")
    known = isinstance(actions, list) and all(isinstance(one, str) for one in actions)
    return frozenset(actions) if known and actions is not None else None
