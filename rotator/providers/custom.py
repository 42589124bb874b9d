"""Any registry with a user name and a password that somebody else keeps fresh."""

from __future__ import annotations

from typing import Literal

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.domain.inspection import Inspection
from rotator.domain.model import Issued, Login, Strategy
from rotator.domain.verdict import Finding
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.expiry import earliest, jwt_expiry
from rotator.providers.from_source import SourceLogin, Username
from rotator.registry.verify import auth_probe


class CustomConfig(CredentialConfig):
    """A login to a registry that speaks the OCI distribution protocol."""

    provider: Literal["custom"] = "custom"

    username: Username
    """The user name, or where it is read."""

    password: SecretRef
    """Where the password or token is read. A JWT tells its expiry by itself."""


class Custom:
    """Reads the login from its source. Knows of the vendor only what the password says about itself."""

    Config = CustomConfig
    strategy = Strategy.READ

    def __init__(self, config: CustomConfig, context: ProviderContext) -> None:
        self._config = config
        self._context = context
        self._source = SourceLogin(config.username, config.password, context.sources)

    @property
    def identity(self) -> str:
        """Registry and places of the login."""
        return f"{self._config.registry}|{self._source}"

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (nothing is left behind at the vendor)
        """Return the login as the source holds it; the expiry is the source's or the JWT's, whichever comes first.

        Raises:
            RotatorError: As `rotator.ports.Source.read`; ConflictError: it kept changing.
        """
        reading = await self._source.read()
        expiry = earliest(reading.expiry, (await self.inspect(reading.login)).expiry)
        return Issued(reading.login, self._context.clock.now(), expiry, revision=reading.revision)

    async def revision(self) -> str | None:
        """Return the source's revision; None when it cannot tell cheaply."""
        return await self._source.revision()

    async def inspect(self, login: Login) -> Inspection:
        """Return the ``exp`` of a JWT; unknown for any other password. Asks nobody."""
        return Inspection(jwt_expiry(login.secret.reveal()))

    async def probe(self, login: Login) -> Finding:
        """Ask whatever the registry's challenge names: its token server, or ``/v2/`` itself."""
        return await auth_probe(self._context.registry, login)
