"""GitLab's registry: tokens that are made and ended through its API, or one that a person keeps in a source."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator

from rotator.config.duration import Duration
from rotator.config.ref import SecretRef
from rotator.config.url import base_url
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Issued, Login, Strategy
from rotator.domain.reference import registry_host
from rotator.domain.retirement import Retirement
from rotator.domain.verdict import Finding
from rotator.errors import (
    AuthenticationError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RotatorError,
    UnavailableError,
)
from rotator.ports import Made, Order
from rotator.providers.context import ProviderContext
from rotator.providers.expiry import earliest, parse_instant
from rotator.providers.from_source import SourceLogin, Username
from rotator.providers.vendor_api import (
    ApiOptions,
    Question,
    checked,
    fields_of,
    read_secret,
    text_of,
    vendor_api,
)
from rotator.registry.verify import auth_probe
from rotator.secret import Secret
from rotator.transport import Response

PER_PAGE = 100
MAX_PAGES = 50
"""A list that is longer is not read to its end: 5000 tokens are nobody's intention."""

DEPLOY_PREFIX = "gldt-"
ROLES = {"guest": 10, "planner": 15, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}

_NAMES = r"[A-Za-z0-9_.-]+"
_HANDLE = re.compile(r"(?:projects|groups)/[A-Za-z0-9_.%-]+/(?:deploy_tokens|access_tokens)/\d+", re.ASCII)
_DEPLOY_USERNAME = re.compile(r"gitlab\+deploy-token-(\d+)", re.ASCII)
_HINTS = {
    400: "GitLab refuses the request itself: look at scopes, role and valid_for, and what the group's settings allow",
    401: "Look whether the token behind api_token has expired or was revoked",
    403: "The token behind api_token needs the scope api, and the role Maintainer of the project or Owner of the group",
    404: "Look at project or group, and whether the token behind api_token may see it",
}


class GitLabConfig(ApiOptions):
    """A token for GitLab's registry."""

    provider: Literal["gitlab"] = "gitlab"

    registry: Annotated[str, AfterValidator(registry_host)] = "registry.gitlab.com"

    api_url: Annotated[str, AfterValidator(base_url)] | None = None
    """GitLab's own address, without ``/api/v4``. None: ``https://gitlab.com``."""

    mode: Literal["deploy_token", "access_token", "read"] = "deploy_token"
    """``deploy_token``, ``access_token``: each version is a new token of the project or group, made through GitLab's
    API; the old one works on until it is deleted or expires. ``read``: ``token`` is one that a person made."""

    project: Annotated[str, Field(pattern=rf"^(\d+|{_NAMES}(/{_NAMES})+)$")] | None = None
    """The project that the tokens are for, by path, or by id in quotes. Either this or ``group``."""

    group: Annotated[str, Field(pattern=rf"^{_NAMES}(/{_NAMES})*$")] | None = None
    """The group that the tokens are for, by path, or by id in quotes."""

    api_token: SecretRef | None = None
    """Where the daemon's own token is read: with the scope ``api``, of a Maintainer of the project or an Owner of the
    group. A project's or group's own access token cannot make access tokens."""

    scopes: Annotated[tuple[str, ...], Field(min_length=1)] = ("read_registry",)
    """What new tokens may do."""

    role: Literal["guest", "planner", "reporter", "developer", "maintainer", "owner"] = "reporter"
    """The role of new access tokens."""

    valid_for: Annotated[Duration, Field(ge=timedelta(days=2), le=timedelta(days=400))] = timedelta(days=60)
    """How long a new token lives, from 2 to 400 days; GitLab allows access tokens 365 unless it is told otherwise."""

    username: Username | None = None
    """For ``read``: the user name, or where it is read. For ``access_token`` any will do."""

    token: SecretRef | None = None
    """For ``read``: where the token is read."""

    @model_validator(mode="after")
    def _check_mode(self) -> Self:
        problem = _read_problem(self) if self.mode == "read" else _making_problem(self)
        if problem:
            raise ValueError(problem)
        return self


def _read_problem(config: GitLabConfig) -> str | None:
    if config.username is None or config.token is None:
        return "mode read needs username and token"
    if config.api_token is not None or config.project is not None or config.group is not None:
        return "api_token, project and group are for tokens that are made, not for mode: read"
    return None


def _making_problem(config: GitLabConfig) -> str | None:
    if config.api_token is None:
        return f"mode {config.mode} needs api_token"
    if (config.project is None) == (config.group is None):
        return f"mode {config.mode} needs project or group, and not both"
    if config.token is not None:
        return "token is for mode: read; write api_token"
    if config.mode == "deploy_token" and config.username is not None:
        return "GitLab names deploy tokens by itself; leave username away"
    if config.username is not None and not isinstance(config.username, str):
        return "write username as it is; any will do for an access token"
    return None


class GitLab:
    """Makes a token per version and deletes it in the end, or reads one from its source.

    GitLab's own ``rotate`` is never called: it ends the old token at once, and the new one when it is repeated.

    Source: https://docs.gitlab.com/api/deploy_tokens/, https://docs.gitlab.com/api/project_access_tokens/ and
    gitlabhq/gitlabhq, ``lib/api/deploy_tokens.rb``, ``lib/api/resource_access_tokens.rb`` (read 2026-11-28).
    """

    Config = GitLabConfig

    def __init__(self, config: GitLabConfig, context: ProviderContext) -> None:
        self.strategy = Strategy.READ if config.mode == "read" else Strategy.CREATE_RETIRE
        self._config = config
        self._context = context
        self._api = vendor_api("gitlab", f"{config.api_url or 'https://gitlab.com'}/api/v4", config, context)
        self._tokens = f"{_owner(config)}/{config.mode}s"
        self._source = (
            SourceLogin(config.username, config.token, context.sources)
            if config.username is not None and config.token is not None
            else None
        )

    @property
    def identity(self) -> str:
        """Registry and place of the tokens."""
        return f"gitlab|{self._config.registry}|{self._source or self._tokens}"

    @property
    def bearer_life(self) -> timedelta:
        """A quarter of an hour, as on GitLab.com; GitLab's default is 5 minutes.

        Source: https://docs.gitlab.com/administration/packages/container_registry/ (read 2026-11-23).
        """
        return timedelta(minutes=15)

    @property
    def origin(self) -> str:
        """Where a person puts a new token; empty where tokens are made."""
        return self._source.origin if self._source is not None else ""

    async def issue(self, order: Order) -> Issued:
        """Return a new token that carries ``order.label``, or the one in the source. Nothing else changes at GitLab.

        Raises:
            RotatorError: As `rotator.ports.Provider.issue`. After UnavailableError there may be a token that nobody
                has; `made` lists it.
        """
        if self._source is not None:
            return await self._read(self._source)
        asked_at = self._context.clock.now()
        question = Question("POST", f"/{self._tokens}", body=self._wanted(order, asked_at + self._config.valid_for))
        fields = fields_of(await self._ask(question), self._subject)
        found, token, handle = inspection_of(fields), text_of(fields, "token"), f"{self._tokens}/{fields.get('id')}"
        username = found.principal if self._config.mode == "deploy_token" else self._config.username or "rotator"
        if not token or not isinstance(username, str) or not username or not _HANDLE.fullmatch(handle):
            raise UnavailableError(f"{self._subject}: the answer holds no token", cause="protocol")
        login = Login(username, Secret(token))
        return Issued(login, asked_at, found.expiry, handle=handle, scopes=found.scopes, principal=found.principal)

    async def revision(self) -> str | None:
        """Return the source's revision; None when it cannot tell cheaply, and where tokens are made."""
        return await self._source.revision() if self._source is not None else None

    async def inspect(self, login: Login) -> Inspection:
        """Return what GitLab tells of the token. Nothing on any failure; never raises.

        A deploy token is looked up among those of the project or group; any other token is asked about itself, which
        each may, whatever its scopes (``lib/api/personal_access_tokens/self_information.rb``, read 2026-11-28).
        """
        try:
            return inspection_of(await self._about(login))
        except RotatorError:
            return NOTHING_KNOWN

    async def probe(self, login: Login) -> Finding:
        """Ask GitLab's token server. GitLab bans an address for an hour after 30 refusals in 3 minutes."""
        return await auth_probe(self._context.registry, login)

    async def retire(self, handle: str, login: Login | None) -> Retirement:  # noqa: ARG002 (the handle says it all)
        """Delete one token. That it is gone counts only when the list, which we may read, does not hold it.

        Raises:
            RotatorError: As `rotator.ports.Retires.retire`.
        """
        if self._source is not None or not _HANDLE.fullmatch(handle):
            return Retirement.PERSON
        try:
            await self._ask(Question("DELETE", f"/{handle}", operation="retire"))
        except PermanentError as refusal:
            if not await self._is_gone(handle, refusal):
                raise
        return Retirement.ENDED

    async def made(self, order: Order) -> Sequence[Made]:
        """Return the working tokens that carry a label of ``order.credential``.

        Raises:
            RotatorError: The list could not be read to its end.
        """
        if self._source is not None:
            return []
        labelled = [(one, order.rotation_of(text_of(one, "name"))) for one in await self._list(self._tokens)]
        return [Made(f"{self._tokens}/{one['id']}", rotation) for one, rotation in labelled if rotation is not None]

    def _wanted(self, order: Order, dies_at: datetime) -> dict[str, object]:
        """Return the token to make. Access tokens end at the first moment of a day, which comes before ``dies_at``."""
        wanted = {"name": order.label, "scopes": list(self._config.scopes)}
        if self._config.mode == "access_token":
            return {**wanted, "access_level": ROLES[self._config.role], "expires_at": f"{dies_at:%Y-%m-%d}"}
        return {**wanted, "expires_at": f"{dies_at:%Y-%m-%dT%H:%M:%SZ}"}

    async def _read(self, source: SourceLogin) -> Issued:
        kept = await source.read()
        found = await self.inspect(kept.login)
        return Issued(
            kept.login,
            self._context.clock.now(),
            earliest(kept.expiry, found.expiry),
            revision=kept.revision,
            scopes=found.scopes,
            principal=found.principal,
        )

    async def _about(self, login: Login) -> Mapping[str, Any]:
        deploy = _DEPLOY_USERNAME.fullmatch(login.username)
        if deploy is None and not login.secret.reveal().startswith(DEPLOY_PREFIX):
            question = Question("GET", "/personal_access_tokens/self", bearer=login.secret, operation="inspect")
            answer = await self._api.send(question)
            return fields_of(checked(answer, self._subject, {}), self._subject)
        if deploy is None or self._config.mode != "deploy_token":
            raise NotFoundError(f"{self._subject}: nobody but its maker knows this token")
        question = Question("GET", f"/{self._tokens}/{deploy[1]}", operation="inspect")
        return fields_of(await self._ask(question), self._subject)

    async def _is_gone(self, handle: str, refusal: PermanentError) -> bool:
        """Return whether GitLab refused because there is nothing to delete; 404 may mean that we may not look, too."""
        if isinstance(refusal, AuthenticationError | PermissionDeniedError):
            return False
        tokens, _, number = handle.rpartition("/")
        try:
            working = await self._list(tokens)
        except NotFoundError as error:
            raise PermissionDeniedError(
                f"{tokens} cannot be seen at GitLab, nor what became of {number}", hint=error.hint
            ) from None
        return number not in {str(one["id"]) for one in working}

    async def _list(self, tokens: str) -> Sequence[Mapping[str, Any]]:
        """Return the working tokens of a project or group."""
        found: list[Mapping[str, Any]] = []
        page = "1"
        for _ in range(MAX_PAGES):
            query = f"active=true&state=active&per_page={PER_PAGE}&page={page}"
            answer = await self._ask(Question("GET", f"/{tokens}?{query}", operation="list"))
            found += _working(answer.json(), self._subject)
            page = answer.headers.get("X-Next-Page", "")
            if not page.isdecimal():
                return found
        raise PermanentError(
            f"{self._subject}: more than {PER_PAGE * MAX_PAGES} tokens", hint="Delete those that nobody uses"
        )

    async def _ask(self, question: Question) -> Response:
        if self._config.api_token is None:
            raise NotFoundError(f"{self._subject}: no api_token is configured")
        token = await read_secret(self._config.api_token, self._context)
        answer = await self._api.send(replace(question, bearer=token))
        return checked(answer, f"{self._subject}: {question.method}", _HINTS)

    @property
    def _subject(self) -> str:
        return f"{self._config.registry}: {self._tokens if self._source is None else 'token'}"


def inspection_of(fields: Mapping[str, Any]) -> Inspection:
    """Return what GitLab's description of a token says.

    The principal is a deploy token's own user name, and ``user 42`` for any other. A date is its first moment in UTC,
    at which GitLab ends access tokens.
    """
    scopes, user = fields.get("scopes"), fields.get("user_id")
    known = isinstance(scopes, list) and all(isinstance(one, str) for one in scopes)
    principal = text_of(fields, "username") or (f"user {user}" if isinstance(user, int) else "")
    return Inspection(_expiry(fields), frozenset(scopes) if known and scopes is not None else None, principal)


def _expiry(fields: Mapping[str, Any]) -> Expiry:
    if "expires_at" not in fields:
        return UNKNOWN
    at = fields["expires_at"]
    return NEVER if at is None else Expiry(parse_instant(at)) if isinstance(at, str) else UNKNOWN


def _working(listed: object, subject: str) -> list[Mapping[str, Any]]:
    """Return those of a page that may still be used; GitLab goes on showing some that are revoked or expired."""
    if not isinstance(listed, list):
        raise UnavailableError(f"{subject}: the answer is no list", cause="protocol")
    if not all(isinstance(one, dict) and isinstance(one.get("id"), int) for one in listed):
        raise UnavailableError(f"{subject}: the list holds something that is no token", cause="protocol")
    return [one for one in listed if one.get("revoked") is not True and one.get("active") is not False]


def _owner(config: GitLabConfig) -> str:
    kind, name = ("groups", config.group) if config.group is not None else ("projects", config.project)
    return f"{kind}/{quote(name or '', safe='')}"
