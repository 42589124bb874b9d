"""As whom and by which way AWS is asked."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rotator.errors import (
    AuthenticationError,
    ConfigError,
    PermanentError,
    PermissionDeniedError,
    RotatorError,
    UnavailableError,
)
from rotator.ports import Order
from rotator.providers.ecr import Ecr
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.server import SandboxServer

CANARY = "canary-7f3a9c51d2e8"
ROLE = "arn:aws:iam::210987654321:role/pull"
Failure = Callable[[Ecr], Awaitable[RotatorError]]
Refusal = Callable[[str], str]
MakeEcr = Callable[..., Ecr]


async def test_a_role_is_assumed_first(make_ecr: MakeEcr, aws: SandboxAws, sts: Any) -> None:
    """AWS is asked with the role's own temporary key, and the role is the principal."""
    aws.remove_key("AKIDSANDBOX")
    aws.add_key("ASIATEMPORARY")
    issued = await make_ecr(assume_role=ROLE, external_id="a1", sts_endpoint_url=sts.url).issue(Order())
    assert issued.principal == ROLE
    (form,) = sts.forms
    assert (form["RoleArn"], form["ExternalId"], form["RoleSessionName"]) == (ROLE, "a1", "rotator")


async def test_a_role_that_may_not_be_assumed_names_the_action(make_ecr: MakeEcr, sts: Any, failure: Failure) -> None:
    """The hint says what to allow to whom."""
    body = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{CANARY}</Message></Error></ErrorResponse>"
    sts.fail(403, body=body)
    error = await failure(make_ecr(assume_role=ROLE, sts_endpoint_url=sts.url))
    assert isinstance(error, PermissionDeniedError)
    assert f"as {ROLE}: AssumeRole: AccessDenied" in error.message
    assert "sts:AssumeRole" in error.hint


async def test_an_sts_without_credentials_is_unavailable(make_ecr: MakeEcr, sts: Any, failure: Failure) -> None:
    """A success that holds nothing is not AWS's."""
    sts.fail(200, body="<AssumeRoleResponse/>")
    assert isinstance(await failure(make_ecr(assume_role=ROLE, sts_endpoint_url=sts.url)), UnavailableError)


# At 303 urllib3 gives up on botocore's headers and forgets its socket.
FORGETS_ITS_SOCKET = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.mark.parametrize("status", [301, 302, pytest.param(303, marks=FORGETS_ITS_SOCKET), 307, 308])
@pytest.mark.parametrize("service", ["ecr", "sts"])
async def test_no_redirect_is_followed(
    make_ecr: MakeEcr, aws: SandboxAws, sts: Any, status: int, service: str, failure: Failure
) -> None:
    """No other host gets to see a signed request, whichever API sends us there."""
    async with SandboxServer(web.Application()) as stranger:
        (aws if service == "ecr" else sts).fail(status, headers={"Location": f"{stranger.url}/"})
        aws.add_key("ASIATEMPORARY")
        error = await failure(make_ecr(assume_role=ROLE, sts_endpoint_url=sts.url))
        assert isinstance(error, RotatorError)
        assert list(stranger.asked) == []
    del error
    gc.collect()  # what urllib3 leaves behind at a 303 must go here, not in the next test


async def test_a_redirect_is_named(ecr: Ecr, aws: SandboxAws, failure: Failure) -> None:
    """A permanent redirect is a permanent error that says so."""
    aws.fail(308, headers={"Location": "https://elsewhere.example/"})
    error = await failure(ecr)
    assert isinstance(error, PermanentError)
    assert "HTTP 308, a redirect" in error.message


async def test_proxies_and_logins_of_the_environment_have_no_effect(
    make_ecr: MakeEcr, aws: SandboxAws, sts: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither proxy variables nor a netrc nor endpoint variables lead the requests astray."""
    (tmp_path / "netrc").write_text("default login thief password thief\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_STS", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    aws.add_key("ASIATEMPORARY")
    await make_ecr(assume_role=ROLE, sts_endpoint_url=sts.url).issue(Order())
    assert all(asked.credential.startswith("AWS4-HMAC-SHA256 ") for asked in [*aws.asked, *sts.asked])


async def test_a_configured_proxy_is_used(make_ecr: MakeEcr, failure: Failure) -> None:
    """The proxy in the configuration sees the request."""
    async with SandboxServer(web.Application()) as proxy:
        await failure(make_ecr(endpoint_url="http://ecr.example", proxy=proxy.url))
        assert proxy.count("POST", "/") > 0


async def test_awss_own_chain_is_used_without_an_access_key(make_ecr: MakeEcr, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an access key in the configuration AWS's own variables count."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDSANDBOX")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    assert (await make_ecr(access_key=None).issue(Order())).login.username == "AWS"


@pytest.mark.parametrize(
    "environment", [pytest.param({}, id="none"), pytest.param({"AWS_PROFILE": "absent"}, id="no-such-profile")]
)
async def test_no_credentials_at_all_are_explained(
    make_ecr: MakeEcr, aws: SandboxAws, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], failure: Failure
) -> None:
    """Without any identity nothing is asked, and the hint says how to get one."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    error = await failure(make_ecr(access_key=None))
    assert isinstance(error, AuthenticationError)
    assert "access_key" in error.hint
    assert list(aws.asked) == []


async def test_a_web_identity_without_its_file_is_explained(
    make_ecr: MakeEcr, monkeypatch: pytest.MonkeyPatch, failure: Failure
) -> None:
    """A missing token file is named, not raised as Python's error."""
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token")
    error = await failure(make_ecr(access_key=None))
    assert isinstance(error, AuthenticationError)
    assert "/nonexistent/token" in error.message


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(f"echo {CANARY}", AuthenticationError, id="not-json"),
        pytest.param("echo {}", UnavailableError, id="no-version"),
        pytest.param("false", UnavailableError, id="fails"),
        pytest.param("/nonexistent/helper", AuthenticationError, id="missing"),
    ],
)
async def test_a_broken_credential_process_is_explained(
    make_ecr: MakeEcr,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
    expected: type[RotatorError],
    failure: Failure,
) -> None:
    """Whatever a helper program does wrong, the error is ours and repeats nothing that it printed."""
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {command}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert type(await failure(make_ecr(access_key=None))) is expected


def test_boto3_is_imported_when_it_is_needed() -> None:
    """Configuring a provider does not cost the import of boto3."""
    code = "import sys, rotator.providers.ecr, rotator.providers.ecr_public; sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_an_authority_in_the_configuration_is_trusted(
    make_ecr: MakeEcr, stranger_tls: SandboxServer, ca_file: str, failure: Failure
) -> None:
    """With its authority configured, the same server is spoken to."""
    error = await failure(make_ecr(endpoint_url=stranger_tls.url, insecure=False, ca_file=ca_file))
    assert error.message.endswith("GetAuthorizationToken: HTTP 404")
    assert len(stranger_tls.asked) > 0


async def test_an_authority_file_that_is_missing_is_explained(
    make_ecr: MakeEcr, stranger_tls: SandboxServer, failure: Failure
) -> None:
    """A ``ca_file`` that does not exist is our error, not Python's."""
    error = await failure(make_ecr(endpoint_url=stranger_tls.url, insecure=False, ca_file="/nonexistent/ca.pem"))
    assert isinstance(error, ConfigError)
    assert "/nonexistent/ca.pem" in str(error)
