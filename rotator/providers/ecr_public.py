"""Amazon ECR Public. As ECR, but there is one registry for the world and one region that logs in to it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from rotator.aws.ask import ask_for
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import Issued, Login, Strategy
from rotator.domain.reference import registry_host
from rotator.domain.verdict import Finding
from rotator.ports import Order
from rotator.providers.aws import issue_password
from rotator.providers.aws_options import AwsOptions
from rotator.providers.context import ProviderContext
from rotator.providers.hosts import ECR_PUBLIC_HOSTS
from rotator.registry.verify import auth_probe

REGION = "us-east-1"
"""The only region that answers. Source: Amazon ECR Public user guide, registry authentication."""


class EcrPublicConfig(AwsOptions):
    """A login to Amazon ECR Public."""

    provider: Literal["ecr_public"] = "ecr_public"

    registry: Annotated[str, AfterValidator(registry_host)] = "public.ecr.aws"

    @model_validator(mode="after")
    def _check_host(self) -> Self:
        if self.registry not in ECR_PUBLIC_HOSTS and self.endpoint_url is None:
            raise ValueError(f"{self.registry} is not ECR Public; write registry: public.ecr.aws, or provider: ecr")
        return self


class EcrPublic:
    """Mints passwords with ``GetAuthorizationToken`` of ECR Public; one call serves all credentials of a principal."""

    Config = EcrPublicConfig
    strategy = Strategy.EPHEMERAL

    def __init__(self, config: EcrPublicConfig, context: ProviderContext) -> None:
        self._config = config
        self._context = context
        self._ask = ask_for("ecr-public", REGION, config)

    @property
    def identity(self) -> str:
        """Principal and address."""
        return self._ask.identity

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (nothing is left behind at the vendor)
        """Return a password, at most a minute old.

        Needs ``ecr-public:GetAuthorizationToken`` and ``sts:GetServiceBearerToken``.

        Raises:
            AuthenticationError: AWS does not know us. PermissionDeniedError: IAM says no; the hint names the actions.
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
        """Ask the registry's token server for a token without a scope."""
        return await auth_probe(self._context.registry, login)
