"""Asks AWS for a registry password, and understands the answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rotator.aws.ask import DEADLINE_SECONDS, Ask, AwsTools, ask_aws
from rotator.aws.options import AccessKey
from rotator.domain.model import UNKNOWN, Expiry, Issued, Login
from rotator.errors import ShapeError, UnavailableError
from rotator.providers.context import ProviderContext
from rotator.secret import Secret


async def issue_password(
    ask: Ask, key: AccessKey | None, context: ProviderContext, *, deadline: float = DEADLINE_SECONDS
) -> Issued:
    """Return a new password from AWS, shared with whoever asks for the same identity at about the same time.

    Repeating is safe: earlier passwords live on. One call of GetAuthorizationToken (with the permission of that name),
    after one of AssumeRole where there is a role, which is then the principal; whose the key is, AWS does not say here.
    The expiry is AWS's word about the password: how it stands to the end of a role's session is not documented.

    Args:
        ask: What to ask of whom.
        key: Where the access key is read; None for AWS's own chain.
        context: The world.
        deadline: Seconds for the whole call, > 0.

    Raises:
        RotatorError: As `rotator.ports.Provider.issue`.
    """

    async def mint() -> Issued:
        asked_at = context.clock.now()
        tools = AwsTools(context.sources, context.executor, deadline)
        answer = await ask_aws(ask, key, tools, lambda client: client.get_authorization_token())
        return replace(parse_answer(answer, str(ask), asked_at), principal=ask.role or "")

    return await context.shared.issue(ask.identity, mint)


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
    return Issued(_login(token, subject), asked_at, _expiry(entry.get("expiresAt")))


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
