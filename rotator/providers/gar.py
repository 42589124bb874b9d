"""Google's Artifact Registry, ``gcr.io`` included: access tokens that live for an hour, or a service account's key."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.config.url import base_url, proxy_url
from rotator.domain.inspection import Inspection
from rotator.domain.model import Expiry, Issued, Login, Strategy
from rotator.domain.verdict import Finding
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.from_source import SourceLogin
from rotator.providers.google_tokeninfo import inspect_token
from rotator.providers.sdk import call_sdk, require_package
from rotator.providers.vendor_api import VendorApi, text_of
from rotator.registry.verify import auth_probe
from rotator.secret import Secret
from rotator.transport import Peer

TOKEN_USER = "oauth2accesstoken"  # noqa: S105 (a user name)
KEY_USER = "_json_key"


class GarConfig(CredentialConfig):
    """A login to a registry at Google."""

    provider: Literal["gar"] = "gar"

    json_key: SecretRef | None = None
    """Where a service account's JSON key is read, to be the password itself. It does not expire: prefer tokens. None:
    tokens are minted."""

    credentials: SecretRef | None = None
    """Where the credentials file for minting is read: a service account's key or a workload identity configuration.
    None: what google-auth finds (``GOOGLE_APPLICATION_CREDENTIALS``, gcloud's file, the metadata server)."""

    impersonate: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+@[A-Za-z0-9.-]+$")] | None = None
    """E-mail address of the service account to mint as; its tokens always live a full hour. None: as whoever we are."""

    scope: Annotated[str, Field(pattern=r"^https://[a-z0-9./_-]+$")] = "https://www.googleapis.com/auth/cloud-platform"
    """OAuth scope of the tokens."""

    iam_url: Annotated[str, AfterValidator(base_url)] = "https://iamcredentials.googleapis.com"
    """The API that mints for another service account; asked only with ``impersonate``."""

    tokeninfo_url: Annotated[str, AfterValidator(base_url)] | None = None
    """Google's page about access tokens, ``https://oauth2.googleapis.com/tokeninfo``; it is shown the token in use and
    tells its OAuth scopes and whose it is. None: nobody is asked."""

    insecure: bool = False
    """True allows plain HTTP and an unverified certificate on the way to Google's APIs."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for Google's APIs. None: the well-known public ones."""

    proxy: Annotated[str, AfterValidator(proxy_url)] | None = None
    """Proxy URL for Google's APIs. None: a direct connection, whatever the environment says."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.json_key is not None and (self.credentials is not None or self.impersonate is not None):
            raise ValueError("json_key is the password itself; write credentials or impersonate only without it")
        if not self.iam_url.startswith("https://") and not self.insecure:
            raise ValueError("iam_url is not https; write insecure: true beside it if that is really meant")
        if (self.tokeninfo_url or "https://").startswith("http://") and not self.insecure:
            raise ValueError("tokeninfo_url is not https; write insecure: true beside it if that is really meant")
        return self


class Gar:
    """Mints access tokens through google-auth, or reads a key from its source.

    Tokens cannot be revoked one by one, and serve every registry that the principal may read.

    Source: https://cloud.google.com/artifact-registry/docs/docker/authentication (read 2026-11-23).
    """

    Config = GarConfig

    def __init__(self, config: GarConfig, context: ProviderContext) -> None:
        self.strategy = Strategy.READ if config.json_key else Strategy.EPHEMERAL
        if config.json_key is None:
            require_package("google.auth", package="google-auth", extra="gcp", subject=f"gar {config.registry}")
        self._config = config
        self._context = context
        self._key = None if config.json_key is None else SourceLogin(KEY_USER, config.json_key, context.sources)

    @property
    def identity(self) -> str:
        """Who asks, and by which way; not the registry, except for a key, where the place is what counts."""
        config = self._config
        if self._key is not None:
            return f"gar|{config.registry}|{self._key}"
        who = (config.credentials or "-", config.impersonate or "-", config.scope, config.iam_url)
        way = (config.insecure, config.ca_file or "-", config.proxy or "-")
        return "|".join(str(part) for part in ("gar", *who, *way))

    @property
    def origin(self) -> str:
        """Where a person puts a new key; empty where tokens are issued."""
        return self._key.origin if self._key is not None else ""

    async def issue(self, order: Order) -> Issued:  # noqa: ARG002 (nothing is left behind at the vendor)
        """Return a token, at most a minute old, or the key as its source holds it.

        Raises:
            RotatorError: As `rotator.ports.Source.read` and `rotator.providers.google_sdk.get_token`.
        """
        if self._key is None:
            return await self._context.shared.issue(self.identity, self._mint)
        reading = await self._key.read()
        login, now = reading.login, self._context.clock.now()
        return Issued(login, now, reading.expiry, revision=reading.revision, principal=key_owner(login.secret))

    async def revision(self) -> str | None:
        """Return the revision of the key; None for tokens, and when the source cannot tell cheaply."""
        return None if self._key is None else await self._key.revision()

    async def inspect(self, login: Login) -> Inspection:
        """Return whose the login is; of a token also what ``tokeninfo_url`` says, where it is configured.

        Of a key nobody tells when it expires or what its owner may do.
        """
        config = self._config
        if login.username == KEY_USER:
            return Inspection(principal=key_owner(login.secret))
        if config.tokeninfo_url is None:
            return Inspection(principal=config.impersonate or "")
        peer = Peer("google", ca_file=config.ca_file, insecure=config.insecure, proxy=config.proxy)
        return await inspect_token(VendorApi(config.tokeninfo_url, peer, self._context.transport), login.secret)

    async def probe(self, login: Login) -> Finding:
        """Ask the registry's token server for a token without a scope."""
        return await auth_probe(self._context.registry, login)

    async def _mint(self) -> Issued:
        document = await self._document()
        asked_at = self._context.clock.now()

        def call() -> tuple[Secret, Expiry]:
            from rotator.providers.google_sdk import GoogleAsk, get_token  # noqa: PLC0415 (an extra)

            config = self._config
            peer = Peer("google", ca_file=config.ca_file, insecure=config.insecure, proxy=config.proxy)
            return get_token(GoogleAsk(self._subject, config.scope, config.impersonate, config.iam_url, peer), document)

        token, expiry = await call_sdk(self._context, self._subject, call)
        return Issued(Login(TOKEN_USER, token), asked_at, expiry, principal=self._config.impersonate or "")

    async def _document(self) -> Secret | None:
        ref = self._config.credentials
        return None if ref is None else (await self._context.sources[ref.source].read(ref.location)).secret

    @property
    def _subject(self) -> str:
        return f"Google as {self._config.impersonate or self._config.credentials or 'what google-auth finds'}"


def key_owner(key: Secret) -> str:
    """Return the address of the service account that a JSON key is for; empty when it does not say."""
    try:
        fields = json.loads(key.reveal())
    except (ValueError, RecursionError):
        return ""
    return text_of(fields, "client_email") if isinstance(fields, dict) else ""
