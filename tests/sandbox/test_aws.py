"""The sandbox AWS mints registry passwords for boto3."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rotator.ports import Clock
from rotator.sandbox.aws import PRIVATE_TARGET, SandboxAws
from rotator.sandbox.registry import SandboxRegistry

LIFETIME = timedelta(hours=12)


@pytest.fixture
async def registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return the registry that minted passwords work at."""
    async with SandboxRegistry(clock, auth="basic") as server:
        yield server


@pytest.fixture
async def aws(clock: Clock, registry: SandboxRegistry) -> AsyncIterator[SandboxAws]:
    """Return the sandbox under test, which knows the key ``AKIDKNOWN``."""
    async with SandboxAws(clock, registry, lifetime=LIFETIME, access_key="AKIDKNOWN") as server:
        yield server


async def mint(server: SandboxAws, *, service: str = "ecr", key: str = "AKIDKNOWN") -> Any:
    """Call GetAuthorizationToken through boto3, once, and return its ``authorizationData``."""

    def call() -> Any:
        session = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key="x" * 40, region_name="us-east-1")
        client = session.client(service, endpoint_url=server.url, config=Config(retries={"total_max_attempts": 1}))
        try:
            return client.get_authorization_token()["authorizationData"]
        finally:
            client.close()

    return await asyncio.to_thread(call)


def login_of(data: dict[str, Any]) -> tuple[str, str]:
    """Return user name and password of one ``authorizationData``."""
    username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return username, password


async def test_minted_password_works_until_it_expires(
    aws: SandboxAws, registry: SandboxRegistry, clock: Clock, advance: Callable[[timedelta], None]
) -> None:
    """A minted password is user AWS's at the registry until ``expiresAt``, which is the lifetime from now."""
    (data,) = await mint(aws)
    username, password = login_of(data)
    assert username == "AWS"
    assert data["expiresAt"] == clock.now() + LIFETIME
    assert data["proxyEndpoint"] == registry.url
    assert registry.accepts(username, password)
    advance(LIFETIME)
    assert not registry.accepts(username, password)


async def test_every_call_mints_another_password(aws: SandboxAws, registry: SandboxRegistry) -> None:
    """Two calls give two passwords that work side by side, and both are counted."""
    logins = [login_of((await mint(aws))[0]) for _ in range(2)]
    assert logins[0] != logins[1]
    assert all(registry.accepts(*login) for login in logins)
    assert (aws.calls, aws.minted) == (2, 2)


async def test_public_api_answers_an_object(aws: SandboxAws, registry: SandboxRegistry, clock: Clock) -> None:
    """ECR Public's call answers one object, without a proxy endpoint."""
    data = await mint(aws, service="ecr-public")
    assert "proxyEndpoint" not in data
    assert data["expiresAt"] == clock.now() + LIFETIME
    assert registry.accepts(*login_of(data))


async def test_unknown_key_is_refused(aws: SandboxAws) -> None:
    """A key that is not known, or no longer, answers UnrecognizedClientException and mints nothing."""
    aws.add_key("AKIDOTHER")
    await mint(aws, key="AKIDOTHER")
    aws.remove_key("AKIDOTHER")
    with pytest.raises(ClientError) as caught:
        await mint(aws, key="AKIDOTHER")
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert aws.minted == 1


async def test_throttling_heals(aws: SandboxAws) -> None:
    """A throttled call answers ThrottlingException as often as ordered; the next one mints."""
    aws.throttle(1)
    with pytest.raises(ClientError) as caught:
        await mint(aws)
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert await mint(aws)


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, "UnknownOperationException"),
        ({"X-Amz-Target": "DynamoDB_20120810.ListTables"}, "UnknownOperationException"),
        ({"X-Amz-Target": PRIVATE_TARGET}, "MissingAuthenticationTokenException"),
        ({"X-Amz-Target": PRIVATE_TARGET, "Authorization": "Basic abc"}, "IncompleteSignatureException"),
    ],
    ids=["no-target", "other-service", "unsigned", "not-a-signature"],
)
async def test_what_is_not_a_signed_call_is_refused(
    aws: SandboxAws, http: aiohttp.ClientSession, headers: dict[str, str], kind: str
) -> None:
    """A call without a known target, or without a signature, answers 400 in AWS's JSON form."""
    async with http.post(aws.url, headers=headers, data=b"{}") as response:
        assert response.status == 400
        assert (await response.json(content_type=None))["__type"] == kind
