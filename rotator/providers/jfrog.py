"""JFrog Artifactory. A person makes the token; it tells its expiry, or the platform does."""

from __future__ import annotations

from typing import Literal

from rotator.config.ref import SecretRef
from rotator.domain.inspection import Inspection
from rotator.domain.model import Issued, Login, Strategy
from rotator.domain.verdict import Finding
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.expiry import earliest
from rotator.providers.from_source import SourceLogin, Username
from rotator.providers.jfrog_api import inspect_token, jfrog_api
from rotator.providers.vendor_api import ApiOptions
from rotator.registry.verify import auth_probe


class JFrogConfig(ApiOptions):
    """A login to a registry of the JFrog Platform."""

    provider: Literal["jfrog"] = "jfrog"

    username: Username
    """The user name, or where it is read."""

    token: SecretRef
    """Where the access token is read: a JWT, a reference token, an identity token; or a password or API key."""


class JFrog:
    """Reads the token from its source. A JWT tells its expiry; of a reference token the platform is asked."""

    Config = JFrogConfig
    strategy = Strategy.READ

    def __init__(self, config: JFrogConfig, context: ProviderContext) -> None:
        self._config = config
        self._context = context
        self._source = SourceLogin(config.username, config.token, context.sources)
        self._api = jfrog_api(config, context)

    @property
    def identity(self) -> str:
        """Registry and places of the login."""
        return f"{self._config.registry}|{self._source}"

    @property
    def origin(self) -> str:
        """Where a person puts a new secret."""
        return self._source.origin

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (nothing is left behind at the vendor)
        """Return the token as the source holds it; the expiry is the source's or the token's, whichever comes first.

        Raises:
            RotatorError: As `rotator.ports.Source.read`; ConflictError: it kept changing.
        """
        reading = await self._source.read()
        found = await self.inspect(reading.login)
        return Issued(
            reading.login,
            self._context.clock.now(),
            earliest(reading.expiry, found.expiry),
            revision=reading.revision,
            scopes=found.scopes,
            principal=found.principal,
        )

    async def revision(self) -> str | None:
        """Return the source's revision; None when it cannot tell cheaply."""
        return await self._source.revision()

    async def inspect(self, login: Login) -> Inspection:
        """Return what the token says about itself, or the platform of a reference token."""
        return await inspect_token(self._api, login.secret)

    async def probe(self, login: Login) -> Finding:
        """Ask whatever the registry's challenge names: its token server, or ``/v2/`` itself."""
        return await auth_probe(self._context.registry, login)
