"""Harbor's robots: each version is a secret of ours that is set on one of two robots, in turn."""

from __future__ import annotations

import math
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rotator.config.credential import CredentialConfig
from rotator.config.duration import Duration
from rotator.config.ref import SecretRef
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Issued, Login, Strategy, Version
from rotator.domain.retirement import Retirement
from rotator.domain.verdict import Finding, Verdict
from rotator.errors import PermanentError, RotatorError, UnavailableError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.expiry import parse_instant
from rotator.providers.from_source import SourceLogin, Username
from rotator.providers.slots import free_slot
from rotator.providers.vendor_api import Question, checked, fields_of, registry_api, text_of
from rotator.registry.verify import auth_probe
from rotator.secret import Secret

SECRET_BYTES = 32
SPENT = 0.4
"""From this share of its life on a version is renewed for its expiry: earliest at half, less a jitter of a tenth."""

_HINTS = {
    401: "Look whether the user in api_username still has the password in api_password",
    403: "The user in api_username needs the right to update this robot: an administrator, or its project's",
    404: "Look up the robots' ids in Harbor's API: GET /api/v2.0/robots",
}

Id = Annotated[int, Field(gt=0)]


class HarborConfig(CredentialConfig):
    """Two robots of a Harbor, whose secrets the daemon sets in turn."""

    provider: Literal["harbor"] = "harbor"

    robots: Annotated[tuple[Id, ...], Field(min_length=1, max_length=2)]
    """Ids of two robots with the same rights, which nobody else sets secrets of. A new secret goes to the one that is
    not in use, so that the old one works on. One id alone needs ``accept_gap``."""

    accept_gap: bool = False
    """True lets a single robot do: its old secret is refused from the moment that the new one is set until each target
    holds it, and so are pulls."""

    api_username: Username
    """The user who may update the robots, or where the name is read."""

    api_password: SecretRef
    """Where that user's password is read; for a user of an identity provider its CLI secret."""

    validity: Duration | None = None
    """A robot that would expire sooner than this has its ``duration`` grown, in whole days, when it gets a new secret.
    None: robots are left as they are; a new secret does not move their expiry."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.robots)) < len(self.robots):
            raise ValueError("robots names the same robot twice; write the ids of two")
        if len(self.robots) == 1 and not self.accept_gap:
            raise ValueError(
                "with one robot pulls fail between a new secret and its delivery; write a second id in robots, or "
                "accept_gap: true"
            )
        return self


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot as Harbor tells it. Holds no secret.

    Args:
        name: Its whole user name, prefix included.
        is_disabled: Whether it may log in at all.
        expiry: Its own, whatever its secret.
        scopes: What it may do, each as ``project acme repository:pull``; None when Harbor did not tell.
        created_at: What ``duration`` counts from; None when Harbor did not tell.
        document: All that Harbor told, which a change has to carry again.
    """

    name: str
    is_disabled: bool
    expiry: Expiry
    scopes: frozenset[str] | None
    created_at: datetime | None
    document: Mapping[str, Any] = field(repr=False)


class Harbor:
    """Sets the robots' secrets; the secret is chosen here, so that it is kept before Harbor knows it.

    Source: goharbor/harbor, ``src/server/v2.0/handler/robot.go`` (``RefreshSec``, ``updateV2Robot``), and
    ``api/v2.0/swagger.yaml`` (read 2026-11-28).
    """

    Config = HarborConfig

    def __init__(self, config: HarborConfig, context: ProviderContext) -> None:
        self.strategy = Strategy.TWO_SLOT if len(config.robots) > 1 else Strategy.OVERWRITE
        self._config = config
        self._context = context
        self._api = registry_api(context)
        self._admin = SourceLogin(config.api_username, config.api_password, context.sources)

    @property
    def identity(self) -> str:
        """Registry and robots."""
        return f"harbor|{self._config.registry}|{','.join(map(str, self._config.robots))}"

    @property
    def bearer_life(self) -> timedelta:
        """Half an hour, Harbor's default (``token_expiration`` in its system settings)."""
        return timedelta(minutes=30)

    async def issue(self, order: Order) -> Issued:
        """Set a new secret on the robot that is not in use. It is kept before Harbor is told.

        Raises:
            PermanentError: The robot is disabled, has expired, or expires so soon that a secret is of no use.
            RotatorError: As `rotator.ports.Provider.issue`. After UnavailableError the secret may be in force.
        """
        number = free_slot([str(robot) for robot in self._config.robots], order)
        robot = await self._extended(number, await self._robot(number))
        self._refuse_useless(robot, order.current)
        now = self._context.clock.now()
        login = Login(robot.name, new_secret(self._context.entropy))
        issued = Issued(login, now, robot.expiry, handle=number, scopes=robot.scopes, principal=robot.name)
        await order.keep(issued)
        await self._set_secret(number, login.secret)
        return issued

    async def revision(self) -> str | None:
        """Return None: there is no source."""
        return None

    async def inspect(self, login: Login) -> Inspection:
        """Return what Harbor tells of the robot that ``login`` names. Nothing on any failure; never raises."""
        try:
            found = [await self._robot(str(number)) for number in self._config.robots]
        except RotatorError:
            return NOTHING_KNOWN
        robot = next((robot for robot in found if robot.name == login.username), None)
        return NOTHING_KNOWN if robot is None else Inspection(robot.expiry, robot.scopes, robot.name)

    async def probe(self, login: Login) -> Finding:
        """Ask the token server without a scope: with one, Harbor gives a token to any wrong secret."""
        return await auth_probe(self._context.registry, login)

    async def retire(self, handle: str, login: Login | None) -> Retirement:
        """Overwrite a secret that is still in force with one that nobody knows.

        What the registry refuses is ended already: most often because a newer version took its robot. With a single
        robot what still works is all there is, and is left alone.

        Raises:
            RotatorError: As `rotator.ports.Retires.retire`.
        """
        if login is None or not handle.isdecimal():
            return Retirement.PERSON
        finding = await self.probe(login)
        if finding.verdict is Verdict.REJECTED:
            return Retirement.ENDED
        if finding.verdict is not Verdict.ACCEPTED:
            raise UnavailableError(f"{self._config.registry}: cannot tell whether it still works: {finding.evidence}")
        if self.strategy is Strategy.OVERWRITE:
            return Retirement.PERSON
        await self._set_secret(handle, new_secret(self._context.entropy))
        return Retirement.ENDED

    def _refuse_useless(self, robot: Robot, current: Version | None) -> None:
        now = self._context.clock.now()
        subject = f"{self._config.registry}: robot {robot.name}"
        if robot.is_disabled:
            raise PermanentError(f"{subject} is disabled", hint="Enable it in Harbor")
        if robot.expiry.is_past(now) or is_renewed_for_nothing(current, robot.expiry, now):
            verb = "expired" if robot.expiry.is_past(now) else "expires"
            raise PermanentError(
                f"{subject} {verb} at {robot.expiry.at:%Y-%m-%d %H:%MZ}, which a new secret does not move",
                hint="Write validity: 90d beside robots, or give the robot a longer duration in Harbor",
            )

    async def _extended(self, number: str, robot: Robot) -> Robot:
        """Return ``robot`` with as long a life as is asked for, confirmed by Harbor."""
        needed, now = self._config.validity, self._context.clock.now()
        left = robot.expiry.left(now)
        if needed is None or left is None or left >= needed:
            return robot
        if robot.created_at is None:
            raise UnavailableError(f"{self._subject(number)}: Harbor does not tell when it was made", cause="protocol")
        days = math.ceil((now + needed - robot.created_at) / timedelta(days=1))
        await self._ask(number, Question("PUT", _path(number), body={**robot.document, "duration": days}))
        return await self._robot(number)

    async def _set_secret(self, number: str, secret: Secret) -> None:
        await self._ask(number, Question("PATCH", _path(number), body={"secret": secret.reveal()}))

    async def _robot(self, number: str) -> Robot:
        answer = await self._ask(number, Question("GET", _path(number), operation="robot"))
        return parse_robot(answer, self._subject(number))

    async def _ask(self, number: str, question: Question) -> Mapping[str, Any]:
        admin = (await self._admin.read()).login
        answer = await self._api.send(replace(question, login=admin))
        subject = f"{self._subject(number)}: {question.method}"
        checked(answer, subject, _HINTS)
        return fields_of(answer, subject) if question.method == "GET" else {}

    def _subject(self, number: str) -> str:
        return f"{self._config.registry}: robot {number}"


def new_secret(entropy: Callable[[int], bytes]) -> Secret:
    """Return a secret that Harbor takes: 8 to 128 characters, an upper and a lower case letter and a digit.

    Args:
        entropy: Returns as many unpredictable bytes as asked.
    """
    return Secret("Rb0" + urlsafe_b64encode(entropy(SECRET_BYTES)).decode().rstrip("="))


def is_renewed_for_nothing(current: Version | None, expiry: Expiry, now: datetime) -> bool:
    """Return whether a version is replaced because it will expire, by one that would not live longer.

    Left to itself that would go on, in ever shorter steps, until the robot's last minute.

    Args:
        current: The version in use.
        expiry: Of the robot that would be next.
        now: Aware UTC.
    """
    if current is None or current.rejected_at is not None or current.expiry.at is None or expiry.at is None:
        return False
    life = current.expiry.at - current.issued_at
    return expiry.at <= current.expiry.at and now - current.issued_at >= life * SPENT


def parse_robot(fields: Mapping[str, Any], subject: str) -> Robot:
    """Return the robot that Harbor described.

    Raises:
        UnavailableError: It has no name.
    """
    name = text_of(fields, "name")
    if not name:
        raise UnavailableError(f"{subject}: the answer names no robot", cause="protocol")
    return Robot(
        name,
        fields.get("disable") is True,
        _expiry(fields.get("expires_at")),
        _scopes(fields.get("permissions")),
        parse_instant(text_of(fields, "creation_time")),
        fields,
    )


def _expiry(seconds: object) -> Expiry:
    """Return what ``expires_at`` says: seconds since 1970, or -1 for never."""
    if seconds == -1:
        return NEVER
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds <= 0:
        return UNKNOWN
    try:
        return Expiry(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def _scopes(permissions: object) -> frozenset[str] | None:
    if not isinstance(permissions, list):
        return None
    return frozenset(scope for permission in _objects(permissions) for scope in _scopes_of(permission))


def _scopes_of(permission: Mapping[str, Any]) -> list[str]:
    where = f"{text_of(permission, 'kind')} {text_of(permission, 'namespace')}"
    allowed = [access for access in _objects(permission.get("access")) if access.get("effect") != "deny"]
    return [f"{where} {text_of(access, 'resource')}:{text_of(access, 'action')}" for access in allowed]


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _path(number: str) -> str:
    return f"/api/v2.0/robots/{number}"
