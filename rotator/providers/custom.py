"""Any registry with a user name and a password that somebody else keeps fresh."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.config.url import page_url
from rotator.domain.attempt import Outcome
from rotator.domain.headroom import Headroom, HeadroomState
from rotator.domain.inspection import Inspection
from rotator.domain.model import Issued, Login, Strategy
from rotator.domain.verdict import Finding
from rotator.errors import UnavailableError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.expiry import earliest, jwt_expiry
from rotator.providers.from_source import SourceLogin, Username
from rotator.providers.grants import granted_scopes
from rotator.registry.ratelimit import limit_headers, read_headroom, read_resources
from rotator.registry.verify import auth_probe
from rotator.transport import Peer, Request, Response, check_status


class CustomConfig(CredentialConfig):
    """A login to a registry that speaks the OCI distribution protocol."""

    provider: Literal["custom"] = "custom"

    username: Username
    """The user name, or where it is read."""

    password: SecretRef
    """Where the password or token is read. A JWT tells its expiry by itself."""

    rate_limit_url: Annotated[str, AfterValidator(page_url)] | None = None
    """Address that tells what is left of a limit, by its headers or as JSON, such as Cloudsmith's
    ``https://api.cloudsmith.io/v1/rates/limits/``. It is shown the login. None: the limit is unknown."""

    @model_validator(mode="after")
    def _check_limit(self) -> Self:
        parts = urlsplit(self.rate_limit_url or "")
        if parts.scheme == "http" and parts.netloc.lower() != self.registry:
            raise ValueError("rate_limit_url is not https, and would show the login to everybody on the way")
        return self


class Custom:
    """Reads the login from its source. Knows of the vendor only what the password says about itself."""

    Config = CustomConfig
    strategy = Strategy.READ
    limit_cost = 1

    def __init__(self, config: CustomConfig, context: ProviderContext) -> None:
        self._config = config
        self._context = context
        self._source = SourceLogin(config.username, config.password, context.sources)

    @property
    def identity(self) -> str:
        """Registry and places of the login."""
        return f"{self._config.registry}|{self._source}"

    @property
    def limit_host(self) -> str:
        """The host of ``rate_limit_url``; empty without one."""
        return urlsplit(self._config.rate_limit_url or "").netloc.lower()

    @property
    def origin(self) -> str:
        """Where a person puts a new secret."""
        return self._source.origin

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (nothing is left behind at the vendor)
        """Return the login as the source holds it; the expiry is the source's or the JWT's, whichever comes first.

        Raises:
            RotatorError: As `rotator.ports.Source.read`; ConflictError: it kept changing.
        """
        reading = await self._source.read()
        expiry = earliest(reading.expiry, jwt_expiry(reading.login.secret.reveal()))
        return Issued(reading.login, self._context.clock.now(), expiry, revision=reading.revision)

    async def revision(self) -> str | None:
        """Return the source's revision; None when it cannot tell cheaply."""
        return await self._source.revision()

    async def inspect(self, login: Login) -> Inspection:
        """Return the ``exp`` of a JWT, and what the registry grants on the images, where its tokens tell."""
        scopes = await granted_scopes(self._context, login, self._config.images)
        return Inspection(jwt_expiry(login.secret.reveal()), scopes)

    async def probe(self, login: Login) -> Finding:
        """Ask whatever the registry's challenge names: its token server, or ``/v2/`` itself."""
        return await auth_probe(self._context.registry, login)

    async def headroom(self, login: Login | None) -> Headroom:
        """Return what ``rate_limit_url`` tells the login. See `rotator.ports.MeasuresHeadroom`."""
        url = self._config.rate_limit_url
        if login is None or url is None:
            return Headroom(HeadroomState.UNKNOWN)
        settings, is_own = self._context.registry.settings, self.limit_host == self._config.registry
        peer = Peer(
            self.limit_host,
            ca_file=settings.ca_file if is_own else None,
            insecure=settings.insecure and url.startswith("http://"),
            proxy=settings.proxy,
        )
        basic = b64encode(f"{login.username}:{login.secret.reveal()}".encode()).decode()
        request = Request("GET", url, headers={"Authorization": f"Basic {basic}"}, operation="rate_limit")
        async with self._context.registry.guard.attempt(self.limit_host, login.username) as attempt:
            answer = await self._context.transport.send(peer, request)
            attempt.outcome = _OUTCOMES.get(answer.status, Outcome.UNTOLD)
            attempt.wait = answer.retry_after
        return _read_limit(check_status(answer, f"{self.limit_host}: what is left"), self._context.clock.now())


LIMIT_WINDOW_SECONDS = 3600
"""Cloudsmith's JSON counts by the hour. Source: its clients' model RateCheck, read 2026-11-28."""

_OUTCOMES = {401: Outcome.REFUSED, 429: Outcome.SLOWED}
"""What an answer means for a lock-out; a 200 proves nothing, since the page may be public."""


def _read_limit(answer: Response, now: datetime) -> Headroom:
    """Return what the answer's JSON tells, which names a window, else what its headers do."""
    try:
        found = read_resources(answer.json(), now, window_seconds=LIMIT_WINDOW_SECONDS)
    except UnavailableError:  # no JSON
        found = Headroom(HeadroomState.UNKNOWN)
    return read_headroom(limit_headers(answer.headers), now) if found.state is HeadroomState.UNKNOWN else found
