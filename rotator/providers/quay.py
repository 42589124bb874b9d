"""Quay's robots: a token that somebody keeps, an hour's for an OIDC token, or new tokens for two robots in turn."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.domain.inspection import Inspection
from rotator.domain.model import NEVER, Expiry, Issued, Login, Strategy
from rotator.domain.reference import registry_host
from rotator.domain.retirement import Retirement
from rotator.domain.verdict import Finding
from rotator.errors import NotFoundError, PermanentError, UnavailableError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.expiry import earliest, jwt_expiry
from rotator.providers.from_source import KeptLogin, SourceLogin
from rotator.providers.grants import granted_scopes
from rotator.providers.quay_robots import Owner, QuayRobots
from rotator.providers.slots import free_slot
from rotator.providers.vendor_api import Question, checked, fields_of, registry_api, text_of
from rotator.registry.verify import auth_probe
from rotator.secret import Secret

ROBOT_NAME = r"[a-z0-9_.-]+\+[a-z0-9_.-]+"
RobotName = Annotated[str, Field(pattern=f"^{ROBOT_NAME}$")]


class QuayConfig(CredentialConfig):
    """A robot's login to quay.io or a Quay of one's own."""

    provider: Literal["quay"] = "quay"

    registry: Annotated[str, AfterValidator(registry_host)] = "quay.io"

    mode: Literal["read", "federated", "regenerate"] = "read"
    """``read``: ``token`` is the robot's token. ``federated``: ``token`` is an OIDC token, exchanged for an hour's.
    ``regenerate``: Quay's API gives one of ``robots`` a new token, in turn."""

    username: RobotName | None = None
    """The robot, ``organization+name``; for ``read`` and ``federated``."""

    token: SecretRef | None = None
    """Where the robot's token is read; for ``federated`` an OIDC token that its federation settings trust, such as a
    projected service account token. For ``read`` and ``federated``."""

    robots: Annotated[tuple[RobotName, ...], Field(max_length=2)] = ()
    """For ``regenerate``: two robots with the same rights, ``organization+name``, which nobody else regenerates. A new
    token goes to the one that is not in use, so that the old one works on. One alone needs ``accept_gap``."""

    accept_gap: bool = False
    """True lets a single robot do: its old token is refused from the moment that it has a new one until each target
    holds that, and so are pulls."""

    api_token: SecretRef | None = None
    """For ``regenerate``: where an OAuth token of Quay's API is read, with ``org:admin`` (or ``user:admin``). Whoever
    holds it can read the token of each robot of the organization."""

    owner: Owner = "organization"
    """For ``regenerate``: whose the robots are, an organization's or the user's that ``api_token`` belongs to."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        problem = _regenerate_problem(self) if self.mode == "regenerate" else _token_problem(self)
        if problem:
            raise ValueError(problem)
        return self


def _token_problem(config: QuayConfig) -> str | None:
    if config.username is None or config.token is None:
        return f"mode {config.mode} needs username and token"
    if config.robots or config.api_token is not None or config.accept_gap:
        return f"robots, api_token and accept_gap are for mode: regenerate, not for {config.mode}"
    if config.mode == "federated" and config.token.source == "env":
        return "an OIDC token must stay fresh, which one in the environment cannot; write file or vault"
    return None


def _regenerate_problem(config: QuayConfig) -> str | None:
    if not config.robots or config.api_token is None:
        return "mode regenerate needs robots and api_token"
    if config.username is not None or config.token is not None:
        return "username and token are for the other modes; write the robots' names in robots"
    if len(set(config.robots)) < len(config.robots):
        return "robots names the same robot twice; write the names of two"
    if len(config.robots) == 1 and not config.accept_gap:
        return (
            "with one robot pulls fail between a new token and its delivery; write a second name in robots, or "
            "accept_gap: true"
        )
    return None


class Quay:
    """Reads the robot's token, exchanges an OIDC token, or regenerates the token of the robot that is not in use.

    Source: quay/quay, ``endpoints/oauth/robot_identity_federation.py`` and ``data/model/user.py`` (read 2026-08-21).
    """

    Config = QuayConfig

    def __init__(self, config: QuayConfig, context: ProviderContext) -> None:
        self.strategy = _strategy(config)
        self._config = config
        self._context = context
        token, api = config.token, config.api_token
        self._source = SourceLogin(config.username or "", token, context.sources) if token is not None else None
        self._robots = QuayRobots(config.owner, api, context) if api is not None else None

    @property
    def identity(self) -> str:
        """Mode, registry, robots and place of the token."""
        return f"quay|{self._config.mode}|{self._config.registry}|{self._source or ','.join(self._config.robots)}"

    @property
    def bearer_life(self) -> timedelta:
        """An hour: ``REGISTRY_JWT_AUTH_MAX_FRESH_S``, read in ``endpoints/v2/v2auth.py`` (2026-11-28)."""
        return timedelta(hours=1)

    @property
    def origin(self) -> str:
        """Where a person puts a new token; empty where the daemon sets them."""
        return self._source.origin if self._source and self.strategy is Strategy.READ else ""

    async def issue(self, order: Order) -> Issued:
        """Return the robot's token as the source holds it, a new one that lives an hour, or a robot's new token.

        A robot's token that no live version holds is not regenerated: it was never delivered. It is what an interrupted
        issue left, what ended an old version, or, at the very first, what the robot had.

        Raises:
            AuthenticationError: The OIDC token is not trusted for this robot. RotatorError: As
                `rotator.ports.Provider.issue`.
        """
        if self._robots is not None:
            return await self._turn(self._robots, order)
        if self.strategy is Strategy.EPHEMERAL:
            return await self._context.shared.issue(self.identity, self._mint)
        return await self._read()

    async def revision(self) -> str | None:
        """Return the source's revision; None when it cannot tell cheaply, and where there is no source."""
        return await self._source.revision() if self._source and self.strategy is Strategy.READ else None

    async def inspect(self, login: Login) -> Inspection:
        """Return the ``exp`` of an hour's token, and never for a robot's own.

        What a robot may do tells Quay's API where we may ask it, else what the registry grants on the images.
        """
        text = login.secret.reveal()
        if self._robots is not None and login.username in self._config.robots:
            return Inspection(NEVER, await self._robots.scopes(login.username), login.username)
        scopes = await granted_scopes(self._context, login, self._config.images)
        return Inspection(self._expiry(text), scopes, login.username)

    async def probe(self, login: Login) -> Finding:
        """Ask Quay's token server, which refuses a wrong login whatever it is asked for."""
        return await auth_probe(self._context.registry, login)

    async def retire(self, handle: str, login: Login | None) -> Retirement:
        """Regenerate the robot ``handle`` if ``login`` is still its token; the new one is not handed to anybody.

        With a single robot that token is all there is, and is left alone. Without an API, time or a person ends it.

        Raises:
            RotatorError: As `rotator.ports.Retires.retire`.
        """
        if self._robots is None:
            return Retirement.DIES if self.strategy is Strategy.EPHEMERAL else Retirement.PERSON
        if login is None or not re.fullmatch(ROBOT_NAME, handle):
            return Retirement.PERSON
        try:
            token = await self._robots.token(handle)
        except NotFoundError:
            return Retirement.ENDED
        if token != login.secret:
            return Retirement.ENDED
        if self.strategy is Strategy.OVERWRITE:
            return Retirement.PERSON
        await self._robots.regenerate(handle)
        return Retirement.ENDED

    async def _turn(self, robots: QuayRobots, order: Order) -> Issued:
        robot = free_slot(self._config.robots, order)
        token = await robots.token(robot)
        scopes = await robots.scopes(robot)
        asked_at = self._context.clock.now()
        if order.is_live(Login(robot, token)):
            token = await robots.regenerate(robot)
        return Issued(Login(robot, token), asked_at, NEVER, handle=robot, scopes=scopes, principal=robot)

    async def _read(self) -> Issued:
        reading = await self._kept()
        login, now = reading.login, self._context.clock.now()
        expiry = earliest(reading.expiry, self._expiry(login.secret.reveal()))
        return Issued(login, now, expiry, revision=reading.revision, principal=login.username)

    def _expiry(self, text: str) -> Expiry:
        return jwt_expiry(text) if self.strategy is Strategy.EPHEMERAL or "." in text else NEVER

    async def _kept(self) -> KeptLogin:
        if self._source is None:
            raise PermanentError(f"{self._config.registry}: no token is configured", hint="Write token: as well")
        return await self._source.read()

    async def _mint(self) -> Issued:
        oidc = (await self._kept()).login
        asked_at = self._context.clock.now()
        token = await self._exchange(oidc)
        expiry = jwt_expiry(token.reveal())
        return Issued(Login(oidc.username, token), asked_at, expiry, principal=oidc.username)

    async def _exchange(self, oidc: Login) -> Secret:
        """Return the robot's token for an hour. The registry is reached as its own settings say."""
        question = Question("GET", "/oauth2/federation/robot/token", login=oidc, operation="exchange")
        subject = f"{self._config.registry}: exchange the OIDC token of {oidc.username}"
        answer = checked(await registry_api(self._context).send(question), subject, {})
        token = text_of(fields_of(answer, subject), "token")
        if not token:
            raise UnavailableError(f"{subject}: the answer holds no token", cause="protocol")
        return Secret(token)


def _strategy(config: QuayConfig) -> Strategy:
    if config.mode == "regenerate":
        return Strategy.TWO_SLOT if len(config.robots) > 1 else Strategy.OVERWRITE
    return Strategy.READ if config.mode == "read" else Strategy.EPHEMERAL
