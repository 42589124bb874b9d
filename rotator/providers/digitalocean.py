"""DigitalOcean's container registry. Every request for credentials makes new ones, which die when we said."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import AfterValidator, Field

from rotator.config.duration import Duration
from rotator.config.ref import SecretRef
from rotator.config.url import base_url
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import Expiry, Issued, Login, Strategy
from rotator.domain.pull_secret import login_of
from rotator.domain.reference import registry_host
from rotator.domain.verdict import Finding
from rotator.errors import UnavailableError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.vendor_api import ApiOptions, Question, checked, fields_of, read_secret, vendor_api
from rotator.registry.verify import auth_probe

READ_ONLY = "read-only"
"""What the credentials may do: DigitalOcean's word for ``read_write=false``."""

_HINTS = {
    401: "Check the API token; it may have been deleted or have expired",
    403: "The API token needs the scope registry:read",
    404: "Check registry_name: no such registry, or the token is of another team",
}


class DigitalOceanConfig(ApiOptions):
    """A login to one registry at DigitalOcean."""

    provider: Literal["digitalocean"] = "digitalocean"

    registry: Annotated[str, AfterValidator(registry_host)] = "registry.digitalocean.com"

    registry_name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    """Name of the registry: the first part of its images' path."""

    api_token: SecretRef
    """Where the API token is read. It needs the scope ``registry:read`` and no other."""

    expires_in: Annotated[Duration, Field(ge=timedelta(minutes=10), le=timedelta(days=30))] = timedelta(hours=12)
    """How long each login lives. DigitalOcean's own default is for ever, and there is no way to end one earlier."""

    api_url: Annotated[str, AfterValidator(base_url)] = "https://api.digitalocean.com"
    """DigitalOcean's API."""


class DigitalOcean:
    """Asks for read-only credentials with an end. The GET makes new ones: it is sent once per rotation, never to look.

    What comes back is a docker configuration whose user name is the token itself: see `Login.public_username`.

    Source: https://docs.digitalocean.com/reference/pydo/reference/registries/get_docker_credentials (read 2026-11-28);
    that user name and password are the same token is not documented, and not relied on.
    """

    Config = DigitalOceanConfig
    strategy = Strategy.EPHEMERAL

    def __init__(self, config: DigitalOceanConfig, context: ProviderContext) -> None:
        self._config = config
        self._context = context
        self._api = vendor_api("digitalocean", config.api_url, config, context)

    @property
    def identity(self) -> str:
        """API, registry, place of the API token, and lifetime."""
        config = self._config
        names = ("digitalocean", config.registry, config.api_url, config.registry_name, str(config.api_token))
        return "|".join((*names, str(config.expires_in), config.ca_file or "-", config.proxy or "-"))

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (each one dies by itself)
        """Return new read-only credentials. A lost answer leaves some that nobody has, until they expire.

        Raises:
            RotatorError: As `rotator.ports.Provider.issue`.
        """
        return await self._context.shared.issue(self.identity, self._mint)

    async def revision(self) -> str | None:
        """Return None: there is no source."""
        return None

    async def inspect(self, login: Login) -> Inspection:  # noqa: ARG002 (the port's signature)
        """Return unknown: the API tells of credentials only when it makes them."""
        return NOTHING_KNOWN

    async def probe(self, login: Login) -> Finding:
        """Ask the registry's token server for a token without a scope. The API is not asked: that would mint."""
        return await auth_probe(self._context.registry, login)

    async def _mint(self) -> Issued:
        config = self._config
        subject = f"digitalocean: make credentials for {config.registry_name}"
        token = await read_secret(config.api_token, self._context)
        asked_at = self._context.clock.now()
        query = urlencode({"expiry_seconds": int(config.expires_in.total_seconds()), "read_write": "false"})
        path = f"/v2/registries/{quote(config.registry_name, safe='')}/docker-credentials?{query}"
        answer = checked(await self._api.send(Question("GET", path, bearer=token)), subject, _HINTS)
        login = _login(fields_of(answer, subject), config.registry)
        if login is None:
            raise UnavailableError(f"{subject}: the answer holds no login for {config.registry}", cause="protocol")
        expiry = Expiry(asked_at + config.expires_in)
        return Issued(login, asked_at, expiry, scopes=frozenset({READ_ONLY}))


def _login(document: dict[str, Any], registry: str) -> Login | None:
    """Return the login for ``registry``; where the document has one entry only, that one, whatever its host."""
    auths = document.get("auths")
    if not isinstance(auths, dict):
        return None
    only = next(iter(auths.values())) if len(auths) == 1 else None
    return login_of(auths.get(registry, only))
