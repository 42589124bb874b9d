"""Quay's robot accounts: a token that somebody else keeps, or an hour's token in exchange for an OIDC token."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.domain.inspection import Inspection
from rotator.domain.model import NEVER, Issued, Login, Strategy
from rotator.domain.reference import api_host, registry_host
from rotator.domain.verdict import Finding
from rotator.errors import UnavailableError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.expiry import earliest, jwt_expiry
from rotator.providers.from_source import SourceLogin
from rotator.registry.verify import auth_probe
from rotator.secret import Secret
from rotator.transport import Peer, Request, check_status


class QuayConfig(CredentialConfig):
    """A robot's login to quay.io or a Quay of one's own."""

    provider: Literal["quay"] = "quay"

    registry: Annotated[str, AfterValidator(registry_host)] = "quay.io"

    mode: Literal["read", "federated"] = "read"
    """``read``: ``token`` is the robot's token. ``federated``: ``token`` is an OIDC token, exchanged for an hour's."""

    username: Annotated[str, Field(pattern=r"^[a-z0-9_.-]+\+[a-z0-9_.-]+$")]
    """The robot, ``organization+name``."""

    token: SecretRef
    """Where the robot's token is read; for ``federated`` an OIDC token that its federation settings trust, such as a
    projected service account token."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.mode == "federated" and self.token.source == "env":
            raise ValueError("an OIDC token must stay fresh, which one in the environment cannot; write file or vault")
        return self


class Quay:
    """Reads the robot's token, or exchanges an OIDC token. Tokens of the exchange cannot be revoked one by one.

    Source: quay/quay, ``endpoints/oauth/robot_identity_federation.py`` and ``data/model/user.py`` (read 2026-08-21).
    """

    Config = QuayConfig

    def __init__(self, config: QuayConfig, context: ProviderContext) -> None:
        self.strategy = Strategy.READ if config.mode == "read" else Strategy.EPHEMERAL
        self._config = config
        self._context = context
        self._source = SourceLogin(config.username, config.token, context.sources)

    @property
    def identity(self) -> str:
        """Mode, registry, robot and place of the token."""
        return f"quay|{self._config.mode}|{self._config.registry}|{self._source}"

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (nothing is left behind at the vendor)
        """Return the robot's token as the source holds it, or a new one that lives an hour.

        Raises:
            AuthenticationError: The OIDC token is not trusted for this robot. RotatorError: As
                `rotator.ports.Provider.issue`.
        """
        if self.strategy is Strategy.EPHEMERAL:
            return await self._context.shared.issue(self.identity, self._mint)
        reading = await self._source.read()
        expiry = earliest(reading.expiry, (await self.inspect(reading.login)).expiry)
        return Issued(reading.login, self._context.clock.now(), expiry, revision=reading.revision)

    async def revision(self) -> str | None:
        """Return the source's revision; None when it cannot tell cheaply, and for the exchange."""
        return await self._source.revision() if self.strategy is Strategy.READ else None

    async def inspect(self, login: Login) -> Inspection:
        """Return the ``exp`` of an hour's token; never for a robot's own. Asks nobody."""
        text = login.secret.reveal()
        return Inspection(jwt_expiry(text) if self.strategy is Strategy.EPHEMERAL or "." in text else NEVER)

    async def probe(self, login: Login) -> Finding:
        """Ask Quay's token server, which refuses a wrong login whatever it is asked for."""
        return await auth_probe(self._context.registry, login)

    async def _mint(self) -> Issued:
        oidc = (await self._source.read()).login
        asked_at = self._context.clock.now()
        token = await self._exchange(oidc)
        return Issued(Login(oidc.username, token), asked_at, jwt_expiry(token.reveal()))

    async def _exchange(self, oidc: Login) -> Secret:
        """Return the robot's token for an hour. The registry is reached as its own settings say."""
        host, settings = api_host(self._config.registry), self._context.registry.settings
        basic = b64encode(f"{oidc.username}:{oidc.secret.reveal()}".encode()).decode()
        url = f"{'http' if settings.insecure else 'https'}://{host}/oauth2/federation/robot/token"
        request = Request("GET", url, headers={"Authorization": f"Basic {basic}"}, operation="exchange")
        peer = Peer("registry", ca_file=settings.ca_file, insecure=settings.insecure, proxy=settings.proxy)
        answer = await self._context.transport.send(peer, request)
        fields = check_status(answer, f"{host}: exchange the OIDC token of {oidc.username}").json()
        found = fields.get("token") if isinstance(fields, dict) else None
        if not isinstance(found, str) or not found:
            raise UnavailableError(f"{host}: the answer to the exchange holds no token", cause="protocol")
        return Secret(found)
