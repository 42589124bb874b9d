"""JFrog Artifactory, with access tokens that are made and ended through the platform's API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from rotator.config.duration import Duration
from rotator.config.ref import SecretRef
from rotator.domain.inspection import Inspection
from rotator.domain.model import Expiry, Issued, Login, Strategy
from rotator.domain.retirement import Retirement
from rotator.domain.verdict import Finding
from rotator.errors import PermanentError, UnavailableError
from rotator.ports import Made, Order
from rotator.providers.context import ProviderContext
from rotator.providers.expiry import earliest
from rotator.providers.jfrog_api import HINTS, TOKENS, inspect_token, jfrog_api, list_tokens, revoke_token
from rotator.providers.vendor_api import ApiOptions, Question, checked, fields_of, read_secret, text_of
from rotator.registry.verify import auth_probe
from rotator.secret import Secret

REVOCABLE_FROM = timedelta(hours=6)
"""A shorter life makes a token that cannot be ended, unless ``force_revocable`` is sent (7.50.3 and later).

Source: jfrog.com/help, Generate Expirable Tokens: ``revocable-expiry-threshold`` (read 2026-11-23).
"""


class JFrogTokenConfig(ApiOptions):
    """A login to a registry of the JFrog Platform whose token is made by the daemon."""

    provider: Literal["jfrog_token"] = "jfrog_token"

    username: Annotated[str, Field(pattern=r"^[^:\s]{1,255}$")]
    """The user that the tokens belong to."""

    api_token: SecretRef
    """Where the token is read that makes the others: the user's own, or an administrator's for any user."""

    scope: Annotated[str, Field(pattern=r"^applied-permissions/\S.*$", max_length=500)] = "applied-permissions/user"
    """What the tokens may do. The default is all that the user may; ``applied-permissions/groups:readers`` is less."""

    expires_in: Annotated[Duration, Field(ge=timedelta(minutes=10), le=timedelta(days=365))] = timedelta(days=30)
    """How long each token lives, unless it is ended before. Below 6h the platform is told to keep it revocable, which
    takes version 7.50.3."""

    form: Literal["jwt", "reference"] = "jwt"
    """What is delivered: the token itself, or the reference to it, which has 64 characters."""


class JFrogToken:
    """Makes a token beside the old one, and revokes the old one when its time has come.

    The token's description is the order's label, by which one that a lost answer left behind is found.

    Source: https://docs.jfrog.com/administration/reference/createtoken (read 2026-11-28).
    """

    Config = JFrogTokenConfig
    strategy = Strategy.CREATE_RETIRE

    def __init__(self, config: JFrogTokenConfig, context: ProviderContext) -> None:
        self._config = config
        self._context = context
        self._api = jfrog_api(config, context)

    @property
    def identity(self) -> str:
        """Registry, user, scope and form of the tokens."""
        config = self._config
        return f"jfrog_token|{config.registry}|{config.username}|{config.scope}|{config.form}|{config.api_token}"

    @property
    def bearer_life(self) -> timedelta:
        """An hour: longer than any token that the platform's registries were seen to hand out; not documented."""
        return timedelta(hours=1)

    async def issue(self, order: Order) -> Issued:
        """Make a token. After UnavailableError there may be one, which `made` finds.

        Raises:
            RotatorError: As `rotator.ports.Provider.issue`.
        """
        subject = f"jfrog: make a token for {self._config.username}"
        bearer = await read_secret(self._config.api_token, self._context)
        asked_at = self._context.clock.now()
        answer = await self._api.send(Question("POST", TOKENS, bearer=bearer, body=self._body(order.label)))
        return await self._issued(fields_of(checked(answer, subject, HINTS), subject), subject, asked_at)

    async def revision(self) -> str | None:
        """Return None: what the source holds makes the login, and is not it."""
        return None

    async def inspect(self, login: Login) -> Inspection:
        """Return what the token says about itself, or the platform of a reference token."""
        return await inspect_token(self._api, login.secret)

    async def probe(self, login: Login) -> Finding:
        """Ask whatever the registry's challenge names: its token server, or ``/v2/`` itself."""
        return await auth_probe(self._context.registry, login)

    async def retire(self, handle: str, login: Login | None) -> Retirement:  # noqa: ARG002 (known by its handle)
        """Revoke a token.

        Raises:
            PermanentError: The handle names nothing. RotatorError: As `rotator.ports.Retires.retire`.
        """
        if not handle:
            raise PermanentError("jfrog: a token without an id cannot be revoked", hint="Revoke it in the platform")
        await revoke_token(self._api, await read_secret(self._config.api_token, self._context), handle)
        return Retirement.ENDED

    async def made(self, order: Order) -> list[Made]:
        """Return the tokens whose description is a label of ``order.credential``.

        Raises:
            RotatorError: The platform could not be asked.
        """
        tokens = await list_tokens(self._api, await read_secret(self._config.api_token, self._context))
        named = [(text_of(one, "token_id"), order.rotation_of(text_of(one, "description"))) for one in tokens]
        return [Made(token_id, rotation) for token_id, rotation in named if token_id and rotation is not None]

    def _body(self, label: str) -> dict[str, object]:
        config = self._config
        body: dict[str, object] = {
            "grant_type": "client_credentials",
            "username": config.username,
            "scope": config.scope,
            "expires_in": int(config.expires_in.total_seconds()),
            "refreshable": False,
            "include_reference_token": config.form == "reference",
            "description": label,
        }
        return body | ({"force_revocable": True} if config.expires_in < REVOCABLE_FROM else {})

    async def _issued(self, fields: dict[str, Any], subject: str, asked_at: datetime) -> Issued:
        token = Secret(text_of(fields, "access_token"))
        shown = token if self._config.form == "jwt" else Secret(text_of(fields, "reference_token"))
        token_id = text_of(fields, "token_id")
        if not token or not shown or not token_id:
            raise UnavailableError(f"{subject}: the answer holds no {self._config.form} with an id", cause="protocol")
        found = await inspect_token(self._api, token)
        return Issued(
            Login(self._config.username, shown),
            asked_at,
            earliest(found.expiry, Expiry(asked_at + self._config.expires_in)),
            handle=token_id,
            scopes=found.scopes,
            principal=found.principal or self._config.username,
        )
