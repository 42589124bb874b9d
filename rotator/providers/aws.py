"""Asks AWS for a registry password: reads the access key, waits no longer than a deadline, understands the answer."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from rotator.config.ref import SecretRef
from rotator.domain.model import UNKNOWN, Expiry, Issued, Login
from rotator.errors import ShapeError, UnavailableError
from rotator.providers.aws_options import AccessKey, AwsOptions
from rotator.providers.context import ProviderContext
from rotator.secret import Secret

DEADLINE_SECONDS = 60.0
"""For one answer, however often botocore tries, and including the wait for a free thread."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What to ask of whom. Nothing in it is secret.

    Args:
        service: botocore's word for the API.
        region: Where.
        principal: As whom, in words for people: the access key's place or AWS's chain.
        role: ARN of the role to assume first; None for none.
        external_id: What the role wants to hear; None for nothing.
        endpoint_url: Address of the API; None for AWS's own.
        sts_endpoint_url: Address of STS; None for AWS's own.
        insecure: Whether plain HTTP and unverified certificates are allowed.
        ca_file: PEM file of the only trusted authorities; None for the public ones.
        proxy: Proxy URL; None for none.
        fips: Whether to use AWS's FIPS address. Only without ``endpoint_url``.
        dual_stack: Whether to use AWS's IPv6 address. Only without ``endpoint_url``.
    """

    service: Literal["ecr", "ecr-public"]
    region: str
    principal: str = "AWS's own chain"
    role: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None
    insecure: bool = False
    ca_file: str | None = None
    proxy: str | None = None
    fips: bool = False
    dual_stack: bool = False

    @property
    def identity(self) -> str:
        """A stable text that is equal where one password can serve both."""
        parts = (self.service, self.region, self.principal, self.role, self.external_id, self.endpoint_url)
        way = (self.sts_endpoint_url, self.ca_file, self.proxy, self.fips, self.dual_stack, self.insecure)
        return "|".join(str(part or "-") for part in (*parts, *way))

    def __str__(self) -> str:
        """Return service, region and principal for messages."""
        return f"{self.service} {self.region} as {self.role or self.principal}"


@dataclass(frozen=True, slots=True)
class AccessKeyPair:
    """An access key as it was read.

    Args:
        id: Not secret by itself.
        secret: Secret.
    """

    id: str
    secret: Secret


def ask_for(
    service: Literal["ecr", "ecr-public"], region: str, options: AwsOptions, *, fips: bool = False, six: bool = False
) -> Ask:
    """Return the question that ``options`` describe.

    Args:
        service: botocore's word for the API.
        region: Where.
        options: As configured.
        fips: Whether the registry's host is a FIPS one.
        six: Whether the registry's host is a dual-stack one.
    """
    key = options.access_key
    return Ask(
        service=service,
        region=region,
        principal="AWS's own chain" if key is None else f"access key {key.id} with {key.secret}",
        role=options.assume_role,
        external_id=options.external_id,
        endpoint_url=options.endpoint_url,
        sts_endpoint_url=options.sts_endpoint_url,
        insecure=options.insecure,
        ca_file=options.ca_file,
        proxy=options.proxy,
        fips=fips,
        dual_stack=six,
    )


async def issue_password(
    ask: Ask, key: AccessKey | None, context: ProviderContext, *, deadline: float = DEADLINE_SECONDS
) -> Issued:
    """Return a new password from AWS, shared with whoever asks for the same identity at about the same time.

    Repeating is safe: earlier passwords live on. One call of GetAuthorizationToken (with the permission of that name),
    after one of AssumeRole where there is a role.

    Args:
        ask: What to ask of whom.
        key: Where the access key is read; None for AWS's own chain.
        context: The world.
        deadline: Seconds for the whole call, > 0.

    Raises:
        RotatorError: As `rotator.ports.Provider.issue`.
    """

    async def mint() -> Issued:
        pair = None if key is None else await _read_key(key, context)
        asked_at = context.clock.now()
        future = asyncio.get_running_loop().run_in_executor(context.executor, _call, ask, pair)
        try:
            answer = await asyncio.wait_for(future, deadline)
        except TimeoutError as error:
            raise UnavailableError(f"{ask}: no answer in {deadline:g} s", cause="timeout") from error
        return parse_answer(answer, str(ask), asked_at)

    return await context.shared.issue(ask.identity, mint)


def _call(ask: Ask, pair: AccessKeyPair | None) -> Mapping[str, Any]:
    from rotator.providers.aws_call import get_authorization_token  # noqa: PLC0415 (boto3 only when it is needed)

    return get_authorization_token(ask, pair)


async def _read_key(key: AccessKey, context: ProviderContext) -> AccessKeyPair:
    key_id = (await context.sources[key.id.source].read(key.id.location)).secret
    secret = (await context.sources[key.secret.source].read(key.secret.location)).secret
    for value, ref in ((key_id, key.id), (secret, key.secret)):
        _check_key(value, ref)
    return AccessKeyPair(key_id.reveal(), secret)


def _check_key(value: Secret, ref: SecretRef) -> None:
    """Refuse what cannot be half of an access key; inside an HTTP header it would end up in an error's text."""
    text = value.reveal()
    if not text or len(text) > 256 or not all("!" <= character <= "~" for character in text):  # noqa: PLR2004
        raise ShapeError(
            f"{ref}: cannot be part of an AWS access key: {len(text)} characters",
            hint="It must be 1 to 256 printable ASCII characters without spaces",
        )


def parse_answer(answer: Mapping[str, Any], subject: str, asked_at: datetime) -> Issued:
    """Return what AWS handed over: a list of one at ECR, a single object at ECR Public.

    An expiry in the past is returned as it is: judging it is for the engine.

    Args:
        answer: As botocore parsed it.
        subject: What was asked as whom, for messages.
        asked_at: When, aware UTC.

    Raises:
        UnavailableError: There is no password in it. ShapeError: What is there is no password.

    Source: botocore 1.44.5, models of ``ecr`` (2015-09-21) and ``ecr-public`` (2020-10-30).
    """
    found = answer.get("authorizationData")
    entry = found[0] if isinstance(found, list) and found else found
    token = entry.get("authorizationToken") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(token, str):
        raise UnavailableError(f"{subject}: the answer holds no authorization token", cause="protocol")
    ends = answer.get("sessionExpiresAt")
    notes = {"session_expires_at": ends.astimezone(UTC).isoformat()} if isinstance(ends, datetime) else {}
    return Issued(_login(token, subject), asked_at, _expiry(entry.get("expiresAt")), notes=notes)


def _login(token: str, subject: str) -> Login:
    try:
        username, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        # Without the cause: a decoding error carries the decoded bytes.
        raise ShapeError(f"{subject}: the authorization token is not base64 of text") from None
    if not colon or not username or not password:
        raise ShapeError(f"{subject}: the authorization token is not user:password")
    return Login(username, Secret(password))


def _expiry(value: object) -> Expiry:
    if not isinstance(value, datetime) or value.tzinfo is None:
        return UNKNOWN
    try:
        return Expiry(value.astimezone(UTC))
    except OverflowError:
        return UNKNOWN
