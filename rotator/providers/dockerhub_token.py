"""Docker Hub, with access tokens that are made and ended through its API. Needs an account's password."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator

from rotator.config.duration import Duration
from rotator.config.ref import SecretRef
from rotator.config.url import base_url
from rotator.domain.headroom import Headroom
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import Expiry, Issued, Login, Strategy
from rotator.domain.reference import registry_host
from rotator.domain.retirement import Retirement
from rotator.domain.verdict import Finding
from rotator.errors import PermanentError, UnavailableError
from rotator.ports import Made, Order
from rotator.providers.context import ProviderContext
from rotator.providers.dockerhub_api import PERSONAL, HubAccount, hub_time, organization_tokens
from rotator.providers.dockerhub_limits import ask_headroom
from rotator.providers.expiry import earliest, parse_instant
from rotator.providers.from_source import SourceLogin, Username
from rotator.providers.vendor_api import ApiOptions, text_of, vendor_api
from rotator.registry.verify import auth_probe
from rotator.secret import Secret

MAX_LABEL_CHARS = 100
"""Source: the schema ``createAccessTokenRequest`` of the Docker Hub API (read 2026-11-28)."""

MAX_REPOSITORIES = 50
"""Source: docs.docker.com, Organization access tokens (read 2026-11-23)."""

PULL = "scope-image-pull"

Path = Annotated[str, Field(pattern=r"^[a-z0-9*][a-z0-9_-]*/[a-z0-9*][a-z0-9*._/-]*$")]


class DockerHubTokenConfig(ApiOptions):
    """A login to Docker Hub whose token is made by the daemon."""

    provider: Literal["dockerhub_token"] = "dockerhub_token"

    registry: Annotated[str, AfterValidator(registry_host)] = "docker.io"

    username: Username
    """The Docker ID of the account that makes the tokens, or where it is read; for an organisation's, of an owner."""

    password: SecretRef
    """Where that account's password is read. An access token does not do, nor does an account with two-factor login or
    enforced single sign-on: Docker Hub lets only a session that a password opened manage tokens."""

    organization: Annotated[str, Field(pattern=r"^[a-z0-9_-]{2,64}$")] | None = None
    """Make tokens of this organisation. None: personal tokens of the account."""

    repositories: Annotated[tuple[Path, ...], Field(max_length=MAX_REPOSITORIES)] = ()
    """What an organisation's token may pull: ``acme/api``, or ``acme/*``. Empty: all that the organisation has."""

    scope: Literal["repo:read", "repo:public_read"] = "repo:read"
    """What a personal token may do; it cannot be kept to some repositories."""

    expires_in: Annotated[Duration, Field(ge=timedelta(hours=1), le=timedelta(days=365))] = timedelta(days=30)
    """How long each token lives, unless it is ended before."""

    max_tokens: Annotated[int, Field(ge=2)] = 10
    """How many tokens the organisation may have; 10 with a Team plan, 100 with a Business plan. Expired ones count."""

    api_url: Annotated[str, AfterValidator(base_url)] = "https://hub.docker.com"
    """Docker Hub's API."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.repositories and self.organization is None:
            raise ValueError("a personal token cannot be kept to repositories; write organization, or leave them out")
        return self


class DockerHubToken:
    """Makes a token beside the old one, and deletes the old one when its time has come.

    A token carries the order's label, by which one that a lost answer left behind is found. Nothing else is deleted.

    Source: https://docs.docker.com/reference/api/hub/latest/ (read 2026-11-28).
    """

    Config = DockerHubTokenConfig
    strategy = Strategy.CREATE_RETIRE

    def __init__(self, config: DockerHubTokenConfig, context: ProviderContext) -> None:
        self._config = config
        self._context = context
        self._source = SourceLogin(config.username, config.password, context.sources)
        self._hub = HubAccount(vendor_api("dockerhub", config.api_url, config, context), context.clock)
        self._kind = organization_tokens(config.organization) if config.organization else PERSONAL

    @property
    def identity(self) -> str:
        """Registry, account, and what its tokens may do."""
        config = self._config
        granted = ",".join(config.repositories) if config.organization else config.scope
        return f"dockerhub_token|{config.registry}|{self._source}|{config.organization or '-'}|{granted}"

    @property
    def bearer_life(self) -> timedelta:
        """Five minutes, as ``expires_in`` of Docker's token server says."""
        return timedelta(minutes=5)

    async def issue(self, order: Order) -> Issued:
        """Make a token. After UnavailableError there may be one, which `made` finds.

        Raises:
            PermanentError: The organisation has as many as it may have, or the label is too long for Docker Hub.
            RotatorError: As `rotator.ports.Provider.issue`.
        """
        if len(order.label) > MAX_LABEL_CHARS:
            raise PermanentError(
                f"dockerhub: the label {order.label} has {len(order.label)} characters, and Docker Hub takes "
                f"{MAX_LABEL_CHARS}",
                hint="Give the credential a shorter name",
            )
        account = (await self._source.read()).login
        await self._refuse_full(account)
        asked_at = self._context.clock.now()
        end = asked_at + self._config.expires_in
        fields = await self._hub.make(account, self._kind, self._body(order.label, end))
        return self._issued(fields, account, asked_at, end)

    async def revision(self) -> str | None:
        """Return None: what the source holds is the account's password, not the login."""
        return None

    async def inspect(self, login: Login) -> Inspection:  # noqa: ARG002 (the port's signature)
        """Return unknown: the API tells of tokens by their ids, and nothing by a token itself."""
        return NOTHING_KNOWN

    async def probe(self, login: Login) -> Finding:
        """Ask the token server for a token without a scope; that counts against no pull limit."""
        return await auth_probe(self._context.registry, login)

    limit_cost = 0

    @property
    def limit_host(self) -> str:
        """The registry's own."""
        return self._config.registry

    async def headroom(self, login: Login | None) -> Headroom:
        """Return what is left of the pull limit. See `rotator.ports.MeasuresHeadroom`."""
        return await ask_headroom(self._context, self._config.registry, login)

    async def retire(self, handle: str, login: Login | None) -> Retirement:  # noqa: ARG002 (known by its handle)
        """Delete a token. An inactive one would still count against the organisation's limit.

        Raises:
            PermanentError: The handle names nothing. RotatorError: As `rotator.ports.Retires.retire`.
        """
        if not handle:
            raise PermanentError("dockerhub: a token without an id cannot be ended", hint="Delete it on hub.docker.com")
        await self._hub.end((await self._source.read()).login, self._kind, handle)
        return Retirement.ENDED

    async def made(self, order: Order) -> list[Made]:
        """Return the tokens that carry a label of ``order.credential``.

        Raises:
            RotatorError: Docker Hub could not be asked.
        """
        listed = await self._hub.tokens((await self._source.read()).login, self._kind)
        named = [(one.id, order.rotation_of(one.label)) for one in listed if one.id]
        return [Made(token_id, rotation) for token_id, rotation in named if rotation is not None]

    async def _refuse_full(self, account: Login) -> None:
        config = self._config
        if config.organization is None:
            return
        count = len(await self._hub.tokens(account, self._kind))
        if count >= config.max_tokens:
            url = f"https://app.docker.com/accounts/{quote(config.organization)}/organization-access-tokens"
            raise PermanentError(
                f"dockerhub: {config.organization} has {count} organisation access tokens, and max_tokens is "
                f"{config.max_tokens}; expired ones count",
                hint=f"Delete some at {url}, or write max_tokens: 100 if the plan is Business",
            )

    def _body(self, label: str, end: datetime) -> dict[str, object]:
        config = self._config
        if config.organization is None:
            return {"token_label": label, "scopes": [config.scope], "expires_at": hub_time(end)}
        resources = [{"type": "TYPE_REPO", "path": path, "scopes": [PULL]} for path in self._paths()]
        return {"label": label, "resources": resources, "expires_at": hub_time(end)}

    def _paths(self) -> tuple[str, ...]:
        return self._config.repositories or (f"{self._config.organization}/*",)

    def _issued(self, fields: dict[str, Any], account: Login, asked_at: datetime, end: datetime) -> Issued:
        token, token_id = text_of(fields, "token"), text_of(fields, self._kind.id)
        if not token or not token_id:
            raise UnavailableError("dockerhub: the answer holds no token with an id", cause="protocol")
        owner = self._config.organization
        scopes = [f"{path}:{PULL}" for path in self._paths()] if owner else [self._config.scope]
        return Issued(
            Login(owner or account.username, Secret(token)),
            asked_at,
            earliest(Expiry(parse_instant(text_of(fields, "expires_at"))), Expiry(end)),
            handle=token_id,
            scopes=frozenset(scopes),
            principal=owner or account.username,
        )
