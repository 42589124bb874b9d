"""What AWS refuses, in our own errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from rotator.errors import (
    AuthenticationError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
    UnsupportedError,
)
from rotator.ports import Order
from rotator.providers.ecr import Ecr
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.server import SandboxServer

Failure = Callable[[Ecr], Awaitable[RotatorError]]
Refusal = Callable[[str], str]
MakeEcr = Callable[..., Ecr]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        pytest.param("AccessDeniedException", (PermissionDeniedError, "ecr:GetAuthorizationToken"), id="denied"),
        pytest.param("UnrecognizedClientException", (AuthenticationError, "access key"), id="unknown-key"),
        pytest.param("InvalidSignatureException", (AuthenticationError, "clock"), id="wrong-secret"),
        pytest.param("InvalidParameterException", (PermanentError, ""), id="parameter"),
        pytest.param("UnsupportedCommandException", (UnsupportedError, "region"), id="unsupported"),
    ],
)
async def test_refusals_say_who_asked_where_and_what_to_do(
    ecr: Ecr, aws: SandboxAws, code: str, outcome: tuple[type[RotatorError], str], failure: Failure, refusal: Refusal
) -> None:
    """Each refusal has its class, AWS's code, region and principal, and nothing else of AWS's words."""
    aws.fail(400, body=refusal(code))
    error = await failure(ecr)
    kind, hint = outcome
    assert type(error) is kind
    assert error.message.startswith("ecr eu-west-1 as access key file:")
    assert error.message.endswith(f"GetAuthorizationToken: {code}")
    assert hint in error.hint


async def test_an_unknown_access_key_is_refused(ecr: Ecr, aws: SandboxAws, failure: Failure) -> None:
    """A key that AWS does not know is ours to fix, and it was asked once."""
    aws.remove_key("AKIDSANDBOX")
    assert isinstance(await failure(ecr), AuthenticationError)
    assert aws.calls == 1


async def test_throttling_is_retried_a_little_and_then_everybodys(
    make_ecr: MakeEcr, aws: SandboxAws, failure: Failure
) -> None:
    """Botocore tries three times in all; then every credential of the identity keeps quiet."""
    fault = aws.throttle()
    first = await failure(make_ecr())
    assert isinstance(first, RateLimitedError)
    assert len(aws.asked) == 3
    aws.faults.remove(fault)
    second = await failure(make_ecr(account="999999999999"))
    assert isinstance(second, RateLimitedError)
    assert second.retry_after == timedelta(seconds=5)
    assert len(aws.asked) == 3


async def test_too_many_requests_names_its_own_time(
    ecr: Ecr, aws: SandboxAws, failure: Failure, refusal: Refusal
) -> None:
    """A ``Retry-After`` beside a 429 is passed on."""
    aws.fail(429, headers={"Retry-After": "77"}, body=refusal("TooManyRequestsException"))
    error = await failure(ecr)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == timedelta(seconds=77)


@pytest.mark.parametrize("status", [500, 503])
async def test_a_broken_aws_is_unavailable(ecr: Ecr, aws: SandboxAws, status: int, failure: Failure) -> None:
    """A server error is a reason to wait."""
    aws.fail(status, body="<html>oops</html>")
    error = await failure(ecr)
    assert isinstance(error, UnavailableError)
    assert error.cause == "5xx"


async def test_credentials_that_ran_out_are_resolved_once_more(ecr: Ecr, aws: SandboxAws, refusal: Refusal) -> None:
    """One "expired" is answered by a fresh session; a second one is final."""
    aws.fail(400, times=1, body=refusal("ExpiredTokenException"))
    assert (await ecr.issue(Order())).login.username == "AWS"
    assert len(aws.asked) == 2


async def test_credentials_that_stay_expired_are_refused(
    ecr: Ecr, aws: SandboxAws, failure: Failure, refusal: Refusal
) -> None:
    """When the fresh session is expired too, a person must act."""
    aws.fail(400, body=refusal("ExpiredTokenException"))
    assert isinstance(await failure(ecr), AuthenticationError)
    assert len(aws.asked) == 2


async def test_an_endpoint_that_does_not_resolve_says_so(make_ecr: MakeEcr, failure: Failure) -> None:
    """A name without an address is told apart from a port without a server."""
    error = await failure(make_ecr(endpoint_url="http://nowhere.invalid"))
    assert isinstance(error, UnavailableError)
    assert error.cause == "dns"


async def test_an_untrusted_certificate_says_so(
    make_ecr: MakeEcr, stranger_tls: SandboxServer, failure: Failure
) -> None:
    """A certificate of an unknown authority ends the call as a TLS failure."""
    error = await failure(make_ecr(endpoint_url=stranger_tls.url, insecure=False))
    assert isinstance(error, UnavailableError)
    assert error.cause == "tls"
    assert list(stranger_tls.asked) == []
