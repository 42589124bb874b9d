"""Docker Hub. A person makes the token on the web site; only the source can tell when it expires."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.domain.headroom import Headroom
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import Issued, Login, Strategy
from rotator.domain.reference import registry_host
from rotator.domain.verdict import Finding
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.dockerhub_limits import ask_headroom
from rotator.providers.from_source import SourceLogin, Username
from rotator.registry.verify import auth_probe


class DockerHubConfig(CredentialConfig):
    """A login to Docker Hub."""

    provider: Literal["dockerhub"] = "dockerhub"

    registry: Annotated[str, AfterValidator(registry_host)] = "docker.io"

    username: Username
    """The Docker ID, or the organisation's name for an organisation access token; or where it is read."""

    token: SecretRef
    """Where the access token is read. A password works too, unless the account has two-factor login."""


class DockerHub:
    """Reads the token from its source.

    Docker tells a token's expiry only to the account's own password session, which a daemon cannot have where
    two-factor login is on: so the expiry is what the source was told.

    Source: Docker Hub API reference, access tokens.
    """

    Config = DockerHubConfig
    strategy = Strategy.READ
    limit_cost = 0

    def __init__(self, config: DockerHubConfig, context: ProviderContext) -> None:
        self._config = config
        self._context = context
        self._source = SourceLogin(config.username, config.token, context.sources)

    @property
    def identity(self) -> str:
        """Registry and places of the login."""
        return f"{self._config.registry}|{self._source}"

    @property
    def limit_host(self) -> str:
        """The registry's own."""
        return self._config.registry

    @property
    def origin(self) -> str:
        """Where a person puts a new secret."""
        return self._source.origin

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (nothing is left behind at the vendor)
        """Return the token as the source holds it.

        Raises:
            RotatorError: As `rotator.ports.Source.read`; ConflictError: it kept changing.
        """
        reading = await self._source.read()
        return Issued(reading.login, self._context.clock.now(), reading.expiry, revision=reading.revision)

    async def revision(self) -> str | None:
        """Return the source's revision; None when it cannot tell cheaply."""
        return await self._source.revision()

    async def inspect(self, login: Login) -> Inspection:  # noqa: ARG002 (the port's signature)
        """Return unknown: Docker does not tell the token itself."""
        return NOTHING_KNOWN

    async def probe(self, login: Login) -> Finding:
        """Ask the token server for a token without a scope; that counts against no pull limit."""
        return await auth_probe(self._context.registry, login)

    async def headroom(self, login: Login | None) -> Headroom:
        """Return what is left of the pull limit, asked for by a HEAD. See `rotator.ports.MeasuresHeadroom`."""
        return await ask_headroom(self._context, self._config.registry, login)
