"""How the daemon proves itself to Vault: one function per login method, and `Lease`, what a login yields.

Source: https://developer.hashicorp.com/vault/api-docs/auth (read 2026-11-23).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import botocore.exceptions
import botocore.session
import hvac
import hvac.exceptions

from rotator.config.ref import SecretRef
from rotator.config.vault import AppRoleAuth, AwsAuth, JwtAuth, KubernetesAuth, TokenAuth, VaultConfig
from rotator.domain.model import NEVER, Expiry
from rotator.errors import AuthenticationError, PermanentError, ShapeError, UnavailableError
from rotator.ports import Clock
from rotator.secret import Secret
from rotator.sources.vault_wire import VaultWire

Bootstrap = Callable[[SecretRef], Awaitable[Secret]]
"""Reads a secret that opens Vault, from a file or the environment; called anew for each login."""

Ask = Callable[[hvac.Client], Any]
_HEADER_TEXT = re.compile(r"[\x21-\x7e]+")
_RENEWAL_POINT = 2 / 3


@dataclass(frozen=True, slots=True)
class Lease:
    """A token and how long it lives.

    Args:
        client: Shows the token.
        token: The token. Secret; kept here so that it is known as one for as long as it is used.
        ttl: Lifetime from when it was taken; None when it never ends.
        renewable: Whether Vault extends it.
        full: ``ttl`` as it was right after the login, for seeing that a renewal gave less.
        at: Wall-clock time when it was taken.
        mark: Monotonic seconds of the same moment.
    """

    client: hvac.Client = field(repr=False)
    token: Secret
    ttl: timedelta | None
    renewable: bool
    full: timedelta | None
    at: datetime
    mark: float

    def age(self, clock: Clock) -> timedelta:
        """Return the time since it was taken, by the clock that saw more of it: one stops while we are suspended."""
        return max(clock.now() - self.at, timedelta(seconds=clock.monotonic() - self.mark))

    def is_dead(self, clock: Clock) -> bool:
        """Return whether it has ended."""
        return self.ttl is not None and self.age(clock) >= self.ttl

    def due_in(self, clock: Clock) -> timedelta | None:
        """Return the time left until 2/3 of its life are over, negative when past; None when it never ends."""
        return None if self.ttl is None else self.ttl * _RENEWAL_POINT - self.age(clock)

    def has_shrunk(self) -> bool:
        """Return whether renewing gave less than half of the first lifetime: the maximum is near."""
        return self.ttl is not None and self.full is not None and self.ttl < self.full / 2

    def expiry(self) -> Expiry:
        """Return when it ends."""
        return NEVER if self.ttl is None else Expiry(self.at + self.ttl)


class Door:
    """Opens Vault: logs in by the configured method, and renews.

    Args:
        config: Method, roles, mounts and where the start-up secrets are.
        wire: Carries the calls.
        bootstrap: Reads the start-up secrets.
        clock: Marks when a lease was taken.
    """

    def __init__(self, config: VaultConfig, *, wire: VaultWire, bootstrap: Bootstrap, clock: Clock) -> None:
        self._auth = config.auth
        self._wire = wire
        self._bootstrap = bootstrap
        self._clock = clock

    async def log_in(self) -> Lease:
        """Return a fresh lease. Reads the start-up secrets and makes one call.

        Raises:
            AuthenticationError: Vault refuses the login. ShapeError: a start-up secret cannot be one.
            RotatorError: whatever reading the start-up secrets raises; UnavailableError: Vault does not answer.
        """
        auth = self._auth
        if isinstance(auth, TokenAuth):
            return await self._adopt(_header(await self._bootstrap(auth.token), "the token"))
        return self._granted(await self._let_in(await self._question(auth), self._wire.client()))

    async def renew(self, lease: Lease) -> Lease:
        """Return ``lease`` with a new life. One call; needs ``update`` on ``auth/token/renew-self``.

        Raises:
            AuthenticationError: Vault does not renew it. UnavailableError: Vault does not answer.
        """
        try:
            answer = await self._wire.call(_renew_self, lease.client)
        except (PermanentError, hvac.exceptions.InvalidPath) as error:
            raise AuthenticationError("vault: the token was not renewed") from error
        return replace(self._granted(answer), client=lease.client, token=lease.token, full=lease.full)

    async def _adopt(self, token: Secret) -> Lease:
        answer = await self._let_in(_lookup_self, self._wire.client(token))
        data = answer.get("data")
        if not isinstance(data, dict):
            raise _odd_answer()
        return self._taken(token, data.get("ttl"), renewable=data.get("renewable") is True)

    async def _let_in(self, ask: Ask, client: hvac.Client) -> Any:
        try:
            return await self._wire.call(ask, client)
        except (PermanentError, hvac.exceptions.InvalidPath) as error:
            raise _refused(self._auth.method, error) from error

    async def _question(self, auth: AppRoleAuth | KubernetesAuth | JwtAuth | AwsAuth) -> Ask:
        match auth:
            case AppRoleAuth():
                return await self._approle(auth)
            case AwsAuth():
                return await self._aws(auth)
            case KubernetesAuth() | JwtAuth():
                jwt = _header(await self._bootstrap(auth.jwt), "the JWT")
                return partial(_log_in_jwt, auth=auth, jwt=jwt)

    async def _approle(self, auth: AppRoleAuth) -> Ask:
        role_id = await self._bootstrap(auth.role_id)
        secret_id = await self._bootstrap(auth.secret_id) if auth.secret_id else None
        return partial(_log_in_approle, auth=auth, role_id=role_id, secret_id=secret_id)

    async def _aws(self, auth: AwsAuth) -> Ask:
        if auth.access_key_id is None or auth.secret_access_key is None:
            return partial(_log_in_aws, auth=auth, keys=_ambient_aws_keys)
        access_key_id = await self._bootstrap(auth.access_key_id)
        secret_access_key = await self._bootstrap(auth.secret_access_key)
        session_token = await self._bootstrap(auth.session_token) if auth.session_token else None
        return partial(_log_in_aws, auth=auth, keys=lambda: AwsKeys(access_key_id, secret_access_key, session_token))

    def _granted(self, answer: Mapping[str, Any]) -> Lease:
        granted = answer.get("auth")
        token = granted.get("client_token") if isinstance(granted, dict) else None
        if not isinstance(granted, dict) or not isinstance(token, str):
            raise _odd_answer()
        secret = _header(Secret(token), "the token Vault made")
        return self._taken(secret, granted.get("lease_duration"), renewable=granted.get("renewable") is True)

    def _taken(self, token: Secret, seconds: object, *, renewable: bool) -> Lease:
        if not isinstance(seconds, int) or seconds < 0:
            raise _odd_answer()
        ttl = timedelta(seconds=seconds) if seconds else None
        now, mark = self._clock.now(), self._clock.monotonic()
        return Lease(self._wire.client(token), token, ttl, renewable=renewable, full=ttl, at=now, mark=mark)


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """An AWS key pair; the session token is None for a long-lived one. Secret."""

    access_key_id: Secret
    secret_access_key: Secret
    session_token: Secret | None = None


def _lookup_self(client: hvac.Client) -> Any:
    return client.auth.token.lookup_self()


def _renew_self(client: hvac.Client) -> Any:
    return client.auth.token.renew_self()


def _log_in_approle(client: hvac.Client, *, auth: AppRoleAuth, role_id: Secret, secret_id: Secret | None) -> Any:
    return client.auth.approle.login(
        role_id.reveal(), secret_id.reveal() if secret_id else None, use_token=False, mount_point=auth.mount
    )


def _log_in_jwt(client: hvac.Client, *, auth: KubernetesAuth | JwtAuth, jwt: Secret) -> Any:
    if isinstance(auth, JwtAuth):
        return client.auth.jwt.jwt_login(auth.role, jwt.reveal(), use_token=False, path=auth.mount)
    return client.auth.kubernetes.login(auth.role, jwt.reveal(), use_token=False, mount_point=auth.mount)


def _log_in_aws(client: hvac.Client, *, auth: AwsAuth, keys: Callable[[], AwsKeys]) -> Any:
    found = keys()
    return client.auth.aws.iam_login(
        found.access_key_id.reveal(),
        found.secret_access_key.reveal(),
        session_token=found.session_token.reveal() if found.session_token else None,
        header_value=auth.server_id,
        role=auth.role,
        use_token=False,
        mount_point=auth.mount,
    )


def _ambient_aws_keys() -> AwsKeys:
    """Return what AWS's own chain finds; may ask the instance's metadata service, so it runs on the pool."""
    try:
        found = botocore.session.Session().get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except botocore.exceptions.BotoCoreError as error:
        raise UnavailableError("vault: AWS's credential chain failed", hint="Check the instance's role") from error
    if frozen is None:
        raise AuthenticationError(
            "vault: AWS's credential chain found nothing",
            hint="Give the machine a role, or write access_key_id and secret_access_key under vault.auth",
        )
    return AwsKeys(Secret(frozen.access_key), Secret(frozen.secret_key), Secret(frozen.token) if frozen.token else None)


def _header(secret: Secret, name: str) -> Secret:
    """Return ``secret`` if a header can carry it: HTTP libraries quote a value they refuse in their error."""
    if not _HEADER_TEXT.fullmatch(secret.reveal()):
        raise ShapeError(f"vault: {name} holds characters that no token has", hint="Check for spaces and line breaks")
    return secret


def _refused(method: str, error: Exception) -> PermanentError:
    if isinstance(error, ShapeError | AuthenticationError):
        return error
    return AuthenticationError(
        f"vault: the login by {method} was refused",
        hint="Check role, mount and namespace under vault, and that what the login shows has not expired",
    )


def _odd_answer() -> UnavailableError:
    return UnavailableError("vault: the login's answer is not Vault's", hint="Check vault.address", cause="protocol")
