"""Azure's container registry, with the two passwords that a scope-map token or the admin user has, set in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator

from rotator.config.duration import Duration
from rotator.config.url import base_url
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Issued, Login, Strategy
from rotator.domain.retirement import Retirement
from rotator.domain.verdict import Finding, Verdict
from rotator.errors import PermanentError, RotatorError, UnavailableError
from rotator.ports import Order
from rotator.providers.azure_arm import Arm
from rotator.providers.context import ProviderContext
from rotator.providers.entra_options import EntraOptions, azure_peer, entra_token, identity_of, require_identity
from rotator.providers.expiry import earliest, parse_instant
from rotator.providers.slots import free_slot
from rotator.providers.vendor_api import VendorApi, text_of
from rotator.registry.verify import auth_probe
from rotator.secret import Secret

TOKEN_SLOTS = ("password1", "password2")
ADMIN_SLOTS = ("password", "password2")
"""The two kinds name their slots differently.

Source: azure-mgmt-containerregistry 15.0.0, ``TokenPasswordName`` and ``PasswordName`` (read 2026-11-23).
"""

ADMIN_ACTIONS = frozenset(
    f"repositories/*/{action}"
    for action in ("content/read", "content/write", "content/delete", "metadata/read", "metadata/write")
)
"""What the admin user may do: all of it, far more than a pull needs."""

REPLICATION = timedelta(seconds=90)
"""Azure documents 60 seconds until a new password works everywhere.

Source: learn.microsoft.com, Create a token with repository-scoped permissions, Regenerate token passwords (read
2026-11-23).
"""


class AcrTokenConfig(EntraOptions):
    """A login to one registry at Azure that has two passwords."""

    provider: Literal["acr_token"] = "acr_token"

    subscription: Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{36}$")]
    """Id of the subscription that the registry is in."""

    resource_group: Annotated[str, Field(pattern=r"^[\w.()-]{1,90}$")]
    """Name of its resource group."""

    registry_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{5,50}$")] | None = None
    """Name of the registry's resource. None: the first part of its host's name."""

    token: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{5,50}$")] | None = None
    """Name of the scope-map token, which nobody else sets passwords of. Its scope map says what it may do."""

    admin_user: bool = False
    """True takes the registry's admin user instead of a token. It may do everything in the registry, and its passwords
    never expire: write ``max_age`` beside it, and better a token."""

    expires_in: Annotated[Duration, Field(ge=timedelta(hours=1), le=timedelta(days=365))] | None = None
    """How long each password of a token lives. None: 30 days. The admin user's cannot expire."""

    arm_url: Annotated[str, AfterValidator(base_url)] = "https://management.azure.com"
    """Azure Resource Manager's address, and what Entra's token is asked for; another one in sovereign clouds."""

    arm_audience: str | None = None
    """What the Entra token is asked for. None: ``arm_url`` followed by ``/.default``."""

    api_version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$")] = "2025-11-01"
    """Version of the API of ``Microsoft.ContainerRegistry``."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.token is None) != self.admin_user:
            raise ValueError("write token, or admin_user: true, and not both")
        if self.admin_user and self.expires_in is not None:
            raise ValueError("the admin user's passwords cannot expire; leave expires_in out and write max_age")
        if self.admin_user and self.max_age is None:
            raise ValueError("the admin user's passwords never expire; write max_age: 30d or the like")
        if not self.arm_url.startswith("https://") and not self.insecure:
            raise ValueError("arm_url is not https; write insecure: true beside it if that is really meant")
        return self


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A scope-map token as Azure tells it; its passwords are told only once. Not secret.

    Args:
        is_enabled: Whether it may log in at all.
        scope_map: Resource id of its scope map; empty when it was not told.
        created: When each slot was filled last; without the empty ones.
        expiries: When the password in each filled slot stops working.
    """

    is_enabled: bool
    scope_map: str
    created: Mapping[str, datetime]
    expiries: Mapping[str, Expiry]

    def first_to_fill(self, now: datetime) -> list[str]:
        """Return the slots: empty ones first, then expired ones, then the one that was filled longest ago."""

        def worth(slot: str) -> tuple[bool, bool, datetime]:
            expiry = self.expiries.get(slot, UNKNOWN)
            return (
                slot in self.expiries,
                not expiry.is_past(now),
                self.created.get(slot, datetime.min.replace(tzinfo=UTC)),
            )

        return sorted(TOKEN_SLOTS, key=worth)


class AcrToken:
    """Sets the password that is not in use; the slot is always named, since Azure would set both otherwise.

    A version's handle is ``registry/token/slot``. An interrupted order is made good by the next one, which sets the
    same slot: never that of the version in use.

    Source: https://learn.microsoft.com/rest/api/container-registry/registries/generate-credentials and
    ``.../regenerate-credential`` (read 2026-11-28).
    """

    Config = AcrTokenConfig
    strategy = Strategy.TWO_SLOT

    def __init__(self, config: AcrTokenConfig, context: ProviderContext) -> None:
        require_identity(config, f"acr_token {config.registry}")
        self._config = config
        self._context = context
        self._name = config.registry_name or config.registry.partition(".")[0]
        self._prefix = f"{self._name}/{config.token or 'admin'}/"
        self._path = (
            f"/subscriptions/{config.subscription}/resourceGroups/{quote(config.resource_group)}"
            f"/providers/Microsoft.ContainerRegistry/registries/{self._name}"
        )

    @property
    def identity(self) -> str:
        """Registry, token, and who asks."""
        config = self._config
        return "|".join(("acr_token", config.registry, config.arm_url, self._path, self._prefix, identity_of(config)))

    @property
    def bearer_life(self) -> timedelta:
        """75 minutes, as the registry's access tokens say."""
        return timedelta(minutes=75)

    @property
    def settles_within(self) -> timedelta:
        """Longer than a new password needs to be everywhere."""
        return REPLICATION

    async def issue(self, order: Order) -> Issued:
        """Set the password that no version in use holds. After UnavailableError it may be set; nobody has it then.

        Raises:
            PermanentError: The token is disabled. RotatorError: As `rotator.ports.Provider.issue`.
        """
        arm = await self._arm()
        if self._config.token is None:
            return await self._issue_admin(arm, order)
        return await self._issue_token(arm, self._config.token, order)

    async def revision(self) -> str | None:
        """Return None: there is no source."""
        return None

    async def inspect(self, login: Login) -> Inspection:  # noqa: ARG002 (which slot it is in, Azure does not tell)
        """Return what Azure tells of the token; the expiry only where no slot has another one."""
        if self._config.token is None:
            return Inspection(NEVER, ADMIN_ACTIONS, self._name)
        try:
            arm = await self._arm()
            facts = await self._facts(arm, self._config.token)
            scopes = await self._scopes(arm, facts)
        except RotatorError:
            return NOTHING_KNOWN
        expiries = set(facts.expiries.values())
        return Inspection(expiries.pop() if len(expiries) == 1 else UNKNOWN, scopes, self._config.token)

    async def probe(self, login: Login) -> Finding:
        """Ask the registry's token server for a token without a scope."""
        return await auth_probe(self._context.registry, login)

    async def retire(self, handle: str, login: Login | None) -> Retirement:
        """Set the password in the slot anew, and keep it from everybody, unless the slot holds another one by now.

        Raises:
            PermanentError: The handle is that of another token or registry. UnavailableError: The registry does not say
                whether it still takes the login. RotatorError: As `rotator.ports.Retires.retire`.
        """
        slot = handle.removeprefix(self._prefix)
        slots = ADMIN_SLOTS if self._config.token is None else TOKEN_SLOTS
        if not handle.startswith(self._prefix) or slot not in slots:
            raise PermanentError(
                f"acr_token: {handle or 'no slot'} is none of {self._prefix[:-1]}", hint="End it by hand"
            )
        if login is None:
            return Retirement.PERSON  # what the slot holds may be in use
        finding = await self.probe(login)
        if finding.verdict is Verdict.REJECTED:
            return Retirement.ENDED
        if finding.verdict is not Verdict.ACCEPTED:
            raise UnavailableError(f"acr_token: cannot tell what {handle} holds: {finding.evidence}")
        await self._fill(await self._arm(), slot)
        return Retirement.ENDED

    async def _arm(self) -> Arm:
        config = self._config
        bearer = await entra_token(config, config.arm_audience or f"{config.arm_url}/.default", self._context)
        api = VendorApi(config.arm_url, azure_peer("arm", config), self._context.transport)
        return Arm(api, config.api_version, bearer, self._context.clock)

    async def _issue_token(self, arm: Arm, token: str, order: Order) -> Issued:
        facts = await self._facts(arm, token)
        if not facts.is_enabled:
            raise PermanentError(f"acr_token: the token {token} is disabled", hint="Enable it, or name another one")
        slots = [f"{self._prefix}{slot}" for slot in facts.first_to_fill(self._context.clock.now())]
        handle = free_slot(slots, order)
        scopes = await self._scopes_or_none(arm, facts)
        asked_at = self._context.clock.now()
        secret, expiry = await self._fill(arm, handle.removeprefix(self._prefix))
        return Issued(Login(token, secret), asked_at, expiry, handle=handle, scopes=scopes, principal=token)

    async def _issue_admin(self, arm: Arm, order: Order) -> Issued:
        handle = free_slot([f"{self._prefix}{slot}" for slot in ADMIN_SLOTS], order)
        asked_at = self._context.clock.now()
        secret, _ = await self._fill(arm, handle.removeprefix(self._prefix))
        login = Login(self._name, secret)
        return Issued(login, asked_at, NEVER, handle=handle, scopes=ADMIN_ACTIONS, principal=self._name)

    async def _fill(self, arm: Arm, slot: str) -> tuple[Secret, Expiry]:
        """Set the password in ``slot``; return it and when it stops working."""
        subject = f"acr_token: set {self._prefix}{slot}"
        if self._config.token is None:
            fields = await arm.order(f"{self._path}/regenerateCredential", {"name": slot}, subject)
            return _password(fields, slot, subject)[0], NEVER
        end = self._context.clock.now() + (self._config.expires_in or timedelta(days=30))
        token_id = f"{self._path}/tokens/{self._config.token}"
        body: dict[str, object] = {"tokenId": token_id, "name": slot, "expiry": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        fields = await arm.order(f"{self._path}/generateCredentials", body, subject)
        secret, told = _password(fields, slot, subject)
        return secret, earliest(told, Expiry(end.replace(microsecond=0)))

    async def _facts(self, arm: Arm, token: str) -> TokenFacts:
        subject = f"acr_token: look at the token {token}"
        found = (await arm.get(f"{self._path}/tokens/{token}", subject)).get("properties")
        properties: dict[str, Any] = found if isinstance(found, dict) else {}
        passwords = _passwords(properties.get("credentials"))
        created = {name: parse_instant(text_of(one, "creationTime")) for name, one in passwords.items()}
        return TokenFacts(
            text_of(properties, "status") != "disabled",
            text_of(properties, "scopeMapId"),
            {name: at for name, at in created.items() if at is not None},
            {name: _expiry(one) for name, one in passwords.items()},
        )

    async def _scopes(self, arm: Arm, facts: TokenFacts) -> frozenset[str] | None:
        """Return the actions of the token's scope map; None when it has none that is below this registry."""
        if not facts.scope_map.lower().startswith(f"{self._path.lower()}/scopemaps/"):
            return None
        name = quote(facts.scope_map.rpartition("/")[2], safe="")
        found = await arm.get(f"{self._path}/scopeMaps/{name}", f"acr_token: look at the scope map {name}")
        properties = found.get("properties")
        actions = properties.get("actions") if isinstance(properties, dict) else None
        return frozenset(map(str, actions)) if isinstance(actions, list) else None

    async def _scopes_or_none(self, arm: Arm, facts: TokenFacts) -> frozenset[str] | None:
        """Return the actions; None when we may not look, which keeps no password from being set."""
        try:
            return await self._scopes(arm, facts)
        except RotatorError:
            return None


def _passwords(credentials: object) -> dict[str, dict[str, Any]]:
    found = credentials.get("passwords") if isinstance(credentials, dict) else None
    entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    return {text_of(entry, "name"): entry for entry in entries}


def _password(fields: dict[str, Any], slot: str, subject: str) -> tuple[Secret, Expiry]:
    entry = _passwords(fields).get(slot, {})
    secret = Secret(text_of(entry, "value"))
    if not secret:
        raise UnavailableError(f"{subject}: the answer does not hold it", cause="protocol")
    return secret, Expiry(parse_instant(text_of(entry, "expiry")))


def _expiry(entry: Mapping[str, Any]) -> Expiry:
    """Return when a password of a token expires; one without an expiry never does."""
    text = text_of(entry, "expiry")
    return Expiry(parse_instant(text)) if text else NEVER
