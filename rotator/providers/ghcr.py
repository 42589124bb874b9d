"""GitHub's container registry. A person makes the token in a browser; GitHub tells when it expires and what it may."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.config.url import base_url, proxy_url
from rotator.domain.attempt import Outcome
from rotator.domain.headroom import Counted, Headroom, HeadroomState
from rotator.domain.inspection import Inspection
from rotator.domain.model import NEVER, UNKNOWN, Expiry, Issued, Login, Strategy
from rotator.domain.reference import registry_host
from rotator.domain.retirement import Retirement
from rotator.domain.verdict import Finding
from rotator.errors import RotatorError, ShapeError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.expiry import earliest, parse_instant
from rotator.providers.from_source import SourceLogin, Username
from rotator.registry.ratelimit import read_resources
from rotator.registry.verify import auth_probe
from rotator.secret import Secret
from rotator.transport import Peer, Request, Response, check_status

EXPIRY_HEADER = "GitHub-Authentication-Token-Expiration"
SCOPES_HEADER = "X-OAuth-Scopes"
API_SECONDS = 10.0
LIMIT_WINDOW_SECONDS = 3600
"""GitHub counts by the hour. Source: docs.github.com, "Rate limits for the REST API", read 2026-11-23."""

_OUTCOMES = {200: Outcome.ACCEPTED, 401: Outcome.REFUSED, 429: Outcome.SLOWED}
"""What an answer means for a lock-out: GitHub keeps out whoever shows wrong tokens too often."""

_APP_KINDS = ("ghs_", "ghu_", "gho_", "ghr_")
"""Tokens of apps. Most expire within hours; of them a missing header says nothing.

Source: GitHub documentation, "About authentication to GitHub", token formats."""


_REVOCABLE = ("ghp_", "github_pat_")
"""Tokens that GitHub revokes for whoever shows them."""


class GhcrConfig(CredentialConfig):
    """A login to GitHub's container registry."""

    provider: Literal["ghcr"] = "ghcr"

    registry: Annotated[str, AfterValidator(registry_host)] = "ghcr.io"

    username: Username
    """The account that the token belongs to, or where its name is read."""

    token: SecretRef
    """Where the token is read: a classic personal access token with ``read:packages`` and nothing else."""

    api_url: Annotated[str, AfterValidator(base_url)] = "https://api.github.com"
    """GitHub's API, or ``https://<host>/api/v3`` of a GitHub Enterprise Server. It is asked for the expiry."""

    revoke: bool = False
    """True has GitHub revoke a token once it was replaced everywhere and its ``grace`` is over, at once when it leaked.
    Irreversible; GitHub tells the owner by mail. Not on a GitHub Enterprise Server."""

    insecure: bool = False
    """True allows plain HTTP and an unverified certificate on the way to the API."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for the API. None: the system's."""

    proxy: Annotated[str, AfterValidator(proxy_url)] | None = None
    """Proxy URL for the API. None: a direct connection, whatever the environment says."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.api_url.startswith("https://") and not self.insecure:
            raise ValueError("api_url is not https; write insecure: true beside it if that is really meant")
        if self.revoke and urlsplit(self.api_url).path:
            raise ValueError("revoke: a GitHub Enterprise Server revokes for a login only, which we have none for")
        return self


class Ghcr:
    """Reads the token from its source and asks GitHub's API about it.

    Source: GitHub documentation, "Working with the container registry" and "Rate limit", which costs no quota; the
    expiry header as seen in recorded responses, November 2026.
    """

    Config = GhcrConfig

    def __new__(cls, config: GhcrConfig, context: ProviderContext) -> Ghcr:  # noqa: ARG004, PYI034
        """Make the kind that can end tokens, where the configuration wants that: only that kind is a `Retires`."""
        kind = RevokingGhcr if config.revoke and cls is Ghcr else cls
        return object.__new__(kind)

    strategy = Strategy.READ
    limit_cost = 0  # "does not count against your REST API rate limit"

    def __init__(self, config: GhcrConfig, context: ProviderContext) -> None:
        self._config = config
        self._context = context
        self._source = SourceLogin(config.username, config.token, context.sources)
        self._peer = Peer(name="github", ca_file=config.ca_file, insecure=config.insecure, proxy=config.proxy)

    @property
    def identity(self) -> str:
        """Registry and places of the login."""
        return f"{self._config.registry}|{self._source}"

    @property
    def origin(self) -> str:
        """Where a person puts a new secret."""
        return self._source.origin

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (nothing is left behind at the vendor)
        """Return the token as the source holds it, with what GitHub says about it.

        Its scopes are those of a classic token; unknown for other kinds and when GitHub could not be asked, which is no
        failure. Whose it is, this call does not tell.

        Raises:
            RotatorError: As `rotator.ports.Source.read`; ConflictError: it kept changing.
        """
        reading = await self._source.read()
        answer = await self._ask(reading.login)
        return Issued(
            reading.login,
            self._context.clock.now(),
            earliest(reading.expiry, token_expiry(answer, reading.login.secret)),
            revision=reading.revision,
            scopes=token_scopes(answer),
        )

    async def revision(self) -> str | None:
        """Return the source's revision; None when it cannot tell cheaply."""
        return await self._source.revision()

    async def inspect(self, login: Login) -> Inspection:
        """Ask GitHub when the token expires and what it may do. Unknown on any failure; never raises."""
        answer = await self._ask(login)
        return Inspection(token_expiry(answer, login.secret), token_scopes(answer))

    async def probe(self, login: Login) -> Finding:
        """Ask the registry's token server, which refuses a bad token even for public images."""
        return await auth_probe(self._context.registry, login)

    @property
    def limit_host(self) -> str:
        """GitHub's API: the registry itself tells no limit."""
        return urlsplit(self._config.api_url).netloc

    async def headroom(self, login: Login | None) -> Headroom:
        """Return what is left of the API's limit for the token. See `rotator.ports.MeasuresHeadroom`.

        Unlimited only where an Enterprise Server says itself that its limits are switched off.
        """
        if login is None:
            return Headroom(HeadroomState.UNKNOWN)
        answer = await self._send(login)
        if answer.status == 404 and b"not enabled" in answer.body:  # noqa: PLR2004
            return Headroom(HeadroomState.UNLIMITED)
        check_status(answer, f"{self.limit_host}: what is left")
        now = self._context.clock.now()
        found = read_resources(answer.json(), now, window_seconds=LIMIT_WINDOW_SECONDS)
        return replace(found, source=Counted.ACCOUNT)

    async def _ask(self, login: Login) -> Response | None:
        """Return GitHub's answer about the token; None when there is none or the token cannot stand in a header."""
        try:
            return await self._send(login)
        except RotatorError:
            return None

    async def _send(self, login: Login) -> Response:
        token = login.secret.reveal()
        if not token or not all("!" <= character <= "~" for character in token):
            raise ShapeError("the token cannot stand in a header")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        url = f"{self._config.api_url}/rate_limit"
        request = Request("GET", url, headers=headers, operation="rate_limit", deadline=API_SECONDS)
        async with self._context.registry.guard.attempt(self.limit_host, login.username) as attempt:
            answer = await self._context.transport.send(self._peer, request)
            attempt.outcome = _OUTCOMES.get(answer.status, Outcome.UNTOLD)
            attempt.wait = answer.retry_after
        return answer


class RevokingGhcr(Ghcr):
    """Also revokes tokens that were replaced, as anybody may who knows them.

    Source: docs.github.com/rest/credentials/revoke, read 2026-11-28: without a login (with one it is refused), 60
    requests an hour, classic and fine-grained personal access tokens; an Enterprise Server wants a login.
    """

    bearer_life = timedelta(minutes=5)
    """How long the registry's own tokens may outlive it: GitHub documents nothing, so this is an assumption."""

    async def retire(self, handle: str, login: Login | None) -> Retirement:  # noqa: ARG002 (the token says it all)
        """Have GitHub revoke the token; of a kind that it does not take, a person does. See `rotator.ports.Retires`."""
        token = login.secret.reveal() if login is not None else ""
        if not token.startswith(_REVOCABLE):
            return Retirement.PERSON
        headers = {"Accept": "application/vnd.github+json", "Content-Type": "application/json"}
        body = json.dumps({"credentials": [token]}).encode()
        url = f"{self._config.api_url}/credentials/revoke"
        request = Request("POST", url, headers, body, operation="revoke", deadline=API_SECONDS)
        answer = await self._context.transport.send(self._peer, request)
        check_status(answer, f"{self.limit_host}: revoke the old token")
        return Retirement.ENDED


def token_expiry(answer: Response | None, token: Secret) -> Expiry:
    """Return when ``token`` expires, by GitHub's answer about it.

    Never only when GitHub itself answered 200, named no date, and the token is of a kind that may live for ever.

    Args:
        answer: To ``GET /rate_limit``; None when there was none.
        token: Secret.
    """
    if answer is None or (answer.status >= 400 and answer.status != 404):  # noqa: PLR2004
        return UNKNOWN
    text = answer.headers.get(EXPIRY_HEADER)
    if text is not None:
        return Expiry(parse_instant(text))
    if answer.status != 200 or token.reveal().startswith(_APP_KINDS) or not _is_github(answer):  # noqa: PLR2004
        return UNKNOWN
    return NEVER


def token_scopes(answer: Response | None) -> frozenset[str] | None:
    """Return the scopes that GitHub named; None when it named none, as for a fine-grained token or that of an app.

    An empty list is named, too: such a token may do nothing but be known.
    """
    if answer is None or answer.status != 200 or SCOPES_HEADER not in answer.headers:  # noqa: PLR2004
        return None
    return frozenset({scope.strip() for scope in answer.headers[SCOPES_HEADER].split(",")} - {""})


def _is_github(answer: Response) -> bool:
    """Return whether this is the answer to ``/rate_limit``, not the page of some proxy on the way."""
    try:
        value = answer.json()
    except RotatorError:
        return False
    return isinstance(value, dict) and "resources" in value
