"""Amazon ECR, private registries. Passwords live 12 hours, cannot be revoked, and serve every registry of a region."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rotator.aws.ask import Ask, ask_for
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import Issued, Login, Strategy
from rotator.domain.verdict import Finding
from rotator.ports import Order
from rotator.providers.aws import issue_password
from rotator.providers.aws_options import AwsOptions
from rotator.providers.context import ProviderContext
from rotator.providers.hosts import ECR_PUBLIC_HOSTS, EcrHost, parse_ecr_host
from rotator.registry.verify import auth_probe


class EcrConfig(AwsOptions):
    """A login to one private registry at Amazon ECR."""

    provider: Literal["ecr"] = "ecr"

    region: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] | None = None
    """Region to ask. None: the one in the registry's host name."""

    @model_validator(mode="after")
    def _check_region(self) -> Self:
        host = parse_ecr_host(self.registry)
        if self.registry in ECR_PUBLIC_HOSTS:
            raise ValueError(f"{self.registry} is ECR Public; write provider: ecr_public")
        if host is None and self.region is None:
            raise ValueError(f"{self.registry} does not name a region; write region: as well")
        if host is not None and self.region not in {None, host.region}:
            raise ValueError(f"{self.registry} is in {host.region}, and its password must come from there too")
        return self


class Ecr:
    """Mints passwords with ``GetAuthorizationToken``.

    One call serves all credentials with the same principal, region and address, whatever account owns the registry:
    the password is as mighty as the principal.

    Source: Amazon ECR API reference, GetAuthorizationToken (``registryIds`` is deprecated and changes nothing).
    """

    Config = EcrConfig
    strategy = Strategy.EPHEMERAL

    def __init__(self, config: EcrConfig, context: ProviderContext) -> None:
        self._config = config
        self._context = context
        self._ask = _ask(config)

    @property
    def identity(self) -> str:
        """Principal, region and address; not the account."""
        return self._ask.identity

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (nothing is left behind at the vendor)
        """Return a password, at most a minute old. Needs ``ecr:GetAuthorizationToken`` on ``*``.

        Raises:
            AuthenticationError: AWS does not know us. PermissionDeniedError: IAM says no; the hint names the action.
            RateLimitedError, UnavailableError: Try later. RotatorError: The access key could not be read.
        """
        return await issue_password(self._ask, self._config.access_key, self._context)

    async def revision(self) -> str | None:
        """Return None: there is no source."""
        return None

    async def inspect(self, login: Login) -> Inspection:  # noqa: ARG002 (the port's signature)
        """Return unknown: AWS tells the expiry when it issues, and never again."""
        return NOTHING_KNOWN

    async def probe(self, login: Login) -> Finding:
        """Show the password to the registry's ``/v2/``, which no quota counts and nobody anonymous passes."""
        return await auth_probe(self._context.registry, login)


def _ask(config: EcrConfig) -> Ask:
    host = parse_ecr_host(config.registry) or EcrHost("", config.region or "")
    return ask_for("ecr", config.region or host.region, config, fips=host.fips, six=host.dual_stack)
