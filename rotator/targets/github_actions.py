"""Keep logins in GitHub's secrets: of repositories, environments and organisations, for Actions or Dependabot.

GitHub never shows a secret again; what can be seen is that it was changed, and when. A value is sealed to the public
key of its place before it leaves. User name and password are two secrets, which cannot be written in one step: the
password is written last.

As documented at docs.github.com/rest/actions/secrets and /rest/dependabot/secrets, version 2022-11-28, and
/rest/using-the-rest-api, "Rate limits"; not read again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import importlib.util
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, field_validator, model_validator

from rotator.config.fields import Fields
from rotator.config.ref import SecretRef
from rotator.config.target import TargetConfig
from rotator.config.url import base_url, host_of, proxy_url
from rotator.domain.declares import Concurrency, Declares, Proof
from rotator.domain.fields import Part, field_name, shared_configs
from rotator.domain.model import Entry, Held
from rotator.domain.site import Site
from rotator.errors import (
    ConfigError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from rotator.targets.accepted import Accepted
from rotator.targets.context import TargetContext
from rotator.targets.fields import placed, waits_for
from rotator.transport import Peer, Request, Response, check_status

PAGE = 100
MAX_PAGES = 100
_NAME = re.compile(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", re.ASCII)
_REPOSITORY = r"^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$"
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "rotator"}
_FORBIDDEN, _UNPROCESSABLE = 403, 422


class Store(StrEnum):
    """Who may use the secrets."""

    ACTIONS = "actions"
    """Workflows."""
    DEPENDABOT = "dependabot"
    """Dependabot, which cannot see those of Actions."""


class Visibility(StrEnum):
    """Which repositories of an organisation may use a secret that is made here."""

    ALL = "all"
    PRIVATE = "private"
    SELECTED = "selected"


class GithubActionsConfig(TargetConfig):
    """Secrets of repositories, environments and organisations at GitHub."""

    type: Literal["github_actions"]
    """Secrets for GitHub Actions or Dependabot."""

    repositories: tuple[Annotated[str, Field(pattern=_REPOSITORY)], ...] = ()
    """Repositories, ``owner/name``, each a placement."""

    environment: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """Environment of these repositories whose secrets are meant. None: the repositories' own secrets."""

    organizations: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,39}$")], ...] = ()
    """Organisations, each a placement."""

    store: Store = Store.ACTIONS
    """Who may use the secrets: ``actions`` or ``dependabot``."""

    visibility: Visibility = Visibility.PRIVATE
    """Who may use a secret of an organisation that is made here: ``all``, ``private`` or ``selected`` (at first none).
    That of one which is there already is kept."""

    fields: Fields = Field(
        default_factory=lambda: {"REGISTRY_USERNAME": Part.USERNAME, "REGISTRY_PASSWORD": Part.PASSWORD}
    )
    """What each secret holds: ``username``, ``password``, ``registry``, ``auth`` or ``docker_config``.
    ``{CREDENTIAL}`` in a secret's name is replaced by the credential's name as that of a variable."""

    token: SecretRef
    """Where the token is read: fine-grained with "Secrets: write", or a GitHub App's. Read again for every delivery."""

    api_url: Annotated[str, AfterValidator(base_url)] = "https://api.github.com"
    """GitHub's API, or ``https://<host>/api/v3`` of a GitHub Enterprise Server."""

    insecure: bool = False
    """True allows plain HTTP and an unverified certificate on the way to the API."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for the API. None: the system's."""

    proxy: Annotated[str, AfterValidator(proxy_url)] | None = None
    """Proxy URL for the API. None: a direct connection, whatever the environment says."""

    @field_validator("fields")
    @classmethod
    def _are_names(cls, value: dict[str, Part]) -> dict[str, Part]:
        wrong = [name for name in value if not _NAME.fullmatch(field_name(name, "A"))]
        if wrong:
            raise ValueError(f"{wrong[0]} cannot be a secret's name: A-Z, 0-9 and _, not a digit or GITHUB_ first")
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.repositories and not self.organizations:
            raise ValueError("write repositories or organizations, else there is no place for a secret")
        if self.environment is not None and (self.organizations or self.store is Store.DEPENDABOT):
            raise ValueError("environments belong to repositories, and Dependabot has none")
        if not self.api_url.startswith("https://") and not self.insecure:
            raise ValueError("api_url is not https; write insecure: true beside it if that is really meant")
        return self

    def hosts_sent_to(self) -> tuple[str, ...]:
        """Return where logins are sent."""
        return (host_of(self.api_url),)

    def places(self) -> dict[str, str]:
        """Return each placement's name and the path of its secrets in the API."""
        store, within = self.store, self.environment
        if within is None:
            places = {name: f"/repos/{name}/{store}/secrets" for name in self.repositories}
        else:
            tail = f"environments/{quote(within, safe='')}/secrets"
            places = {f"{name} {within}": f"/repos/{name}/{tail}" for name in self.repositories}
        return {**places, **{name: f"/orgs/{name}/{store}/secrets" for name in self.organizations}}

    def sites(self) -> tuple[Site, ...]:
        """Return the secrets of each placement. Nothing is merged into one: GitHub does not show what it holds."""
        layout, repositories = dict.fromkeys(self.fields, Part.PASSWORD), set(self.repositories)
        return tuple(
            Site(
                "repositories" if name.split()[0] in repositories else "organizations",
                ("github", self.api_url, url.lower()),
                f"the same secrets of {name}",
                layout,
            )
            for name, url in self.places().items()
        )


class GithubActionsTarget:
    """Secrets at GitHub. A placement is a repository, a repository and its environment, or an organisation.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: The world.

    Raises:
        ConfigError: PyNaCl is not installed.
    """

    Config = GithubActionsConfig
    kind = "github_actions"
    declares = Declares(readback=Proof.METADATA, concurrency=Concurrency.SERIALISED)

    def __init__(self, name: str, config: GithubActionsConfig, context: TargetContext) -> None:
        if importlib.util.find_spec("nacl") is None:
            mistake = f"target {name}: needs the Python package pynacl, which is not installed"
            raise ConfigError([mistake], hint="Install rotator[github]")
        self.name = name
        self._config = config
        self._context = context
        self._places = config.places()
        self._peer = Peer(name, ca_file=config.ca_file, insecure=config.insecure, proxy=config.proxy)
        self._accepted = Accepted(name)
        self._changed_at: dict[tuple[str, str], str] = {}
        self._begun: set[tuple[str, str]] = set()  # secrets in which is what this process was given, and no more
        self._turn = asyncio.Lock()

    async def placements(self) -> Sequence[str]:
        """Return the configured places. Asks nobody."""
        return tuple(self._places)

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Write the secrets of ``entries``, the passwords last, and see that each was changed. Safe to repeat.

        Repeating writes again what this process did not write, or what somebody changed since: nothing else can tell
        what a secret holds. One at a time, as GitHub asks of those who write.

        Raises:
            FencedError: A newer generation was written. UnsupportedError: The secrets cannot hold the logins.
            PermissionDeniedError, NotFoundError: The hint names the permission. RateLimitedError: As GitHub asks.
            Others as the transport and `check_status`.
        """
        return await self.apply_beside(placement, entries, {})

    async def apply_beside(self, placement: str, entries: Sequence[Entry], unissued: Mapping[str, str]) -> Held:
        """Do as `apply`, but for a docker configuration that is there and that this process did not write.

        Raises:
            UnavailableError: There is one; a login of ``unissued`` in it could not be kept. Others as `apply`.
        """
        path = self._path(placement)
        values = placed({}, entries, self._config.fields, f"{self.name}: {placement}")
        async with self._turn:
            missing = self._accepted.missing(placement, entries)
            if not missing and await self._is_untouched(path, list(values)):
                return self._held(placement, entries, changed=False)
            await self._refuse_to_drop(placement, unissued)
            seen = [await self._write(path, name, values[name]) for name in self._ordered(values, entries)]
            if all(seen):
                self._accepted.note(placement, entries)
            return self._held(placement, entries if all(seen) else (), changed=True)

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return the logins of ``entries`` that this process wrote and nobody changed since. Errors as `apply`."""
        path = self._path(placement)
        values = placed({}, entries, self._config.fields, f"{self.name}: {placement}")
        untouched = await self._is_untouched(path, list(values))
        return self._held(placement, entries if untouched else (), changed=False)

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: the configuration names every place. Ends when it is cancelled."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Do nothing: connections belong to the transport."""

    def _path(self, placement: str) -> str:
        try:
            return self._places[placement]
        except KeyError:
            raise NotFoundError(f"{self.name}: {placement} is no placement of this target") from None

    def _held(self, placement: str, entries: Sequence[Entry], *, changed: bool) -> Held:
        return replace(self._accepted.held(placement, entries, changed=changed), proof=Proof.METADATA)

    async def _refuse_to_drop(self, placement: str, unissued: Mapping[str, str]) -> None:
        """Refuse to replace a docker configuration of unknown content while a credential has no version yet."""
        path = self._path(placement)
        for name in shared_configs(self._config.fields) if unissued else ():
            if (path, name) not in self._begun and await self._look(path, name) is not None:
                raise waits_for(f"{self.name}: {placement}: {name}", unissued)

    def _ordered(self, values: Mapping[str, str], entries: Sequence[Entry]) -> list[str]:
        """Return the names with those that hold a secret last: half of a pair is then the half that harms less."""
        open_parts = [name for name, part in self._config.fields.items() if part in {Part.USERNAME, Part.REGISTRY}]
        first = {field_name(name, entry.credential) for name in open_parts for entry in entries}
        return sorted(values, key=lambda name: name not in first)

    async def _is_untouched(self, path: str, names: Sequence[str]) -> bool:
        """Return whether each secret was last changed when we wrote it."""
        for name in names:
            known = self._changed_at.get((path, name))
            if known is None or _time(await self._look(path, name)) != known:
                return False
        return True

    async def _write(self, path: str, name: str, value: str) -> bool:
        """Write one secret; return whether GitHub shows that it was changed."""
        self._changed_at.pop((path, name), None)
        before = await self._look(path, name)
        scope = await self._scope(path, name, before) if path.startswith("/orgs/") else {}
        self._begun.add((path, name))
        answer = await self._put(path, name, value, scope)
        if answer.status == _UNPROCESSABLE:  # the public key was replaced in between
            answer = await self._put(path, name, value, scope)
        self._check(answer, f"PUT {path}/{name}")
        after = await self._look(path, name)
        if after is None or (before is not None and _time(after) == _time(before)):
            return False
        self._changed_at[path, name] = _time(after)
        return True

    async def _put(self, path: str, name: str, value: str, scope: Mapping[str, Any]) -> Response:
        key = await self._json(f"{path}/public-key")
        try:
            public, key_id = str(key["key"]), str(key["key_id"])
        except KeyError:
            raise UnavailableError(f"{self.name}: {path}: there is no public key", cause="protocol") from None
        body = {"encrypted_value": _sealed(value, public, f"{self.name}: {path}"), "key_id": key_id, **scope}
        return await self._send("PUT", f"{path}/{name}", body)

    async def _scope(self, path: str, name: str, before: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return which repositories may use an organisation's secret: those that may now."""
        if before is None:
            return {"visibility": str(self._config.visibility)}
        visibility = before.get("visibility")
        if visibility not in set(Visibility):
            raise UnsupportedError(
                f"{self.name}: {path}/{name}: GitHub does not tell who may use it, and it must not be widened",
                hint="Write the secret once by hand, or give the token the right to read it",
            )
        if visibility != Visibility.SELECTED:
            return {"visibility": visibility}
        ids = await self._selected(f"{path}/{name}/repositories")
        listed = [str(one) for one in ids] if self._config.store is Store.DEPENDABOT else ids
        return {"visibility": visibility, "selected_repository_ids": listed}

    async def _selected(self, path: str) -> list[int]:
        ids: list[int] = []
        for page in range(1, MAX_PAGES + 1):
            answer = await self._json(f"{path}?per_page={PAGE}&page={page}")
            found = answer.get("repositories")
            if not isinstance(found, list) or not all(
                isinstance(one, dict) and type(one.get("id")) is int for one in found
            ):
                break
            ids += [one["id"] for one in found]
            if len(ids) >= answer.get("total_count", 0):
                return ids
        raise UnavailableError(f"{self.name}: {path}: the selected repositories are not listed", cause="protocol")

    async def _look(self, path: str, name: str) -> Mapping[str, Any] | None:
        """Return what GitHub tells of a secret; None when there is none."""
        try:
            return await self._json(f"{path}/{name}")
        except NotFoundError:
            return None

    async def _json(self, path: str) -> Mapping[str, Any]:
        answer = self._check(await self._send("GET", path), f"GET {path}").json()
        if not isinstance(answer, dict):
            raise UnavailableError(f"{self.name}: GET {path}: the answer is not GitHub's", cause="protocol")
        return answer

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Response:
        ref = self._config.token
        token = (await self._context.sources[ref.source].read(ref.location)).secret.reveal()
        if not token or not all("!" <= character <= "~" for character in token):
            raise ShapeError(f"{self.name}: {ref}: cannot be a token of GitHub: {len(token)} characters")
        headers = {**_HEADERS, "Authorization": f"Bearer {token}"}
        content = None if body is None else json.dumps(body).encode()
        operation = "read" if body is None else "apply"
        request = Request(method, f"{self._config.api_url}{path}", headers, content, operation=operation)
        return await self._context.transport.send(self._peer, request)

    def _check(self, answer: Response, subject: str) -> Response:
        """Return a success. A 403 that speaks of limits is a limit."""
        subject = f"{self.name}: {subject}"
        is_limit = answer.retry_after is not None or answer.headers.get("x-ratelimit-remaining") == "0"
        if answer.status == _FORBIDDEN and is_limit:
            wait = answer.retry_after or self._until(answer.headers.get("x-ratelimit-reset", ""))
            raise RateLimitedError(f"{subject}: HTTP 403, a rate limit", retry_after=wait)
        try:
            return check_status(answer, subject)
        except PermissionDeniedError as error:
            raise PermissionDeniedError(error.message, hint='Give the token "Secrets: write" for this place') from None

    def _until(self, reset: str) -> timedelta | None:
        if not re.fullmatch(r"[1-9]\d{9}", reset, re.ASCII):
            return None
        wait = datetime.fromtimestamp(int(reset), UTC) - self._context.clock.now()
        return min(wait, timedelta(hours=1)) if wait > timedelta(0) else None


def _time(secret: Mapping[str, Any] | None) -> str:
    return str(secret.get("updated_at", "")) if secret else ""


def _sealed(value: str, public_key: str, subject: str) -> str:
    """Return ``value`` so that only GitHub can read it: libsodium's sealed box, base64.

    Raises:
        UnavailableError: The key is none.
    """
    from nacl.exceptions import CryptoError  # noqa: PLC0415 (an extra)
    from nacl.public import PublicKey, SealedBox  # noqa: PLC0415 (an extra)

    try:
        key = PublicKey(base64.b64decode(public_key, validate=True))
    except (binascii.Error, CryptoError, ValueError, TypeError) as error:
        raise UnavailableError(f"{subject}: the public key is none", cause="protocol") from error
    return base64.b64encode(SealedBox(key).encrypt(value.encode())).decode("ascii")
