"""Asking AWS for registry passwords: who shares them, and what is made of the answer."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rotator.aws.ask import ask_for
from rotator.aws.options import AccessKey
from rotator.config.ref import SecretRef
from rotator.domain.model import UNKNOWN, Expiry
from rotator.errors import (
    RotatorError,
    ShapeError,
    UnavailableError,
)
from rotator.ports import Clock, Order
from rotator.providers.aws import issue_password
from rotator.providers.context import ProviderContext
from rotator.providers.ecr import Ecr, EcrConfig
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import Fault

CANARY = "canary-7f3a9c51d2e8"
ROLE = "arn:aws:iam::210987654321:role/pull"
MakeContext = Callable[[str], ProviderContext]
Failure = Callable[[Ecr], Awaitable[RotatorError]]
Refusal = Callable[[str], str]
MakeEcr = Callable[..., Ecr]


async def test_password_and_expiry_are_as_aws_says(ecr: Ecr, registry: SandboxRegistry, clock: Clock) -> None:
    """User name, password and ``expiresAt`` reach the login; there is no revision."""
    issued = await ecr.issue(Order())
    assert issued.login.username == "AWS"
    assert registry.accepts("AWS", issued.login.secret.reveal())
    assert issued.expiry == Expiry(clock.now() + timedelta(hours=12))
    assert (issued.issued_at, issued.revision) == (clock.now(), None)


async def test_fifty_credentials_of_one_identity_cost_one_call(make_ecr: MakeEcr, aws: SandboxAws) -> None:
    """Fifty accounts' registries in one region, asked for together and one by one, share one password."""
    providers = [make_ecr(account=f"{number:012}") for number in range(50)]
    together = await asyncio.gather(*(provider.issue(Order()) for provider in providers))
    one_by_one = [await provider.issue(Order()) for provider in providers]
    assert aws.minted == 1
    assert len({issued.login.secret for issued in [*together, *one_by_one]}) == 1


async def test_two_regions_cost_two_calls(make_ecr: MakeEcr, aws: SandboxAws) -> None:
    """A password serves one region, so each region is asked."""
    await asyncio.gather(*(make_ecr(region=region).issue(Order()) for region in ("eu-west-1", "us-east-1")))
    assert aws.minted == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"assume_role": ROLE}, {}, id="role"),
        pytest.param({"assume_role": ROLE, "external_id": "a1"}, {"assume_role": ROLE}, id="external-id"),
        pytest.param({"access_key": None}, {}, id="access-key"),
        pytest.param({"endpoint_url": "https://vpce.example"}, {}, id="endpoint"),
        pytest.param({"region": None}, {"registry": "123456789012.dkr.ecr.us-east-1.amazonaws.com"}, id="region"),
        pytest.param({"proxy": "http://proxy:3128"}, {}, id="way"),
    ],
)
def test_identity_tells_principals_and_ways_apart(make_ecr: MakeEcr, one: Any, other: Any) -> None:
    """What leads to another principal, region or address is another identity."""
    assert make_ecr(**one).identity != make_ecr(**other).identity
    assert make_ecr(**one).identity == make_ecr(account="999999999999", **one).identity


async def test_a_password_is_minted_anew_after_a_minute(
    ecr: Ecr, aws: SandboxAws, advance: Callable[[timedelta], None]
) -> None:
    """The next rotation does not get the last one's password."""
    first = await ecr.issue(Order())
    advance(timedelta(seconds=61))
    assert (await ecr.issue(Order())).login.secret != first.login.secret
    assert aws.minted == 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("{}", UnavailableError, id="empty"),
        pytest.param("<html>Sign in</html>", UnavailableError, id="page"),
        pytest.param("[]", UnavailableError, id="list"),
        pytest.param('{"authorizationData": null}', UnavailableError, id="null"),
        pytest.param('{"authorizationData": []}', UnavailableError, id="none"),
        pytest.param('{"authorizationData": "x"}', UnavailableError, id="text"),
        pytest.param('{"authorizationData": [7]}', UnavailableError, id="number"),
        pytest.param('{"authorizationData": [{"expiresAt": 1}]}', UnavailableError, id="no-token"),
        pytest.param('{"authorizationData": [{"authorizationToken": 7}]}', UnavailableError, id="token-number"),
        pytest.param('{"authorizationData": [{"authorizationToken": "***"}]}', ShapeError, id="not-base64"),
        pytest.param('{"authorizationData": [{"authorizationToken": "Y2FuYXJ5"}]}', ShapeError, id="no-colon"),
        pytest.param('{"authorizationData": [{"authorizationToken": "//79"}]}', ShapeError, id="not-utf-8"),
        pytest.param('{"authorizationData": [{"authorizationToken": "QVdTOg=="}]}', ShapeError, id="no-password"),
        pytest.param(
            '{"authorizationData": [{"authorizationToken": "QVdTOng=", "expiresAt": "soon"}]}',
            UnavailableError,
            id="expiry-word",
        ),
        pytest.param(
            '{"authorizationData": [{"authorizationToken": "QVdTOng=", "expiresAt": [1]}]}',
            UnavailableError,
            id="expiry-list",
        ),
    ],
)
async def test_an_answer_without_a_password_is_refused(
    ecr: Ecr, aws: SandboxAws, body: str, expected: type[RotatorError], failure: Failure
) -> None:
    """Whatever is not AWS's answer gives an error of ours, and no password."""
    aws.fail(200, headers={"Content-Type": "application/x-amz-json-1.1"}, body=body)
    assert type(await failure(ecr)) is expected


@pytest.mark.parametrize(
    ("expires_at", "expected"),
    [
        pytest.param("1420070400", Expiry(datetime(2015, 1, 1, tzinfo=UTC)), id="past"),
        pytest.param("0", Expiry(datetime(1970, 1, 1, tzinfo=UTC)), id="zero"),
        pytest.param("null", UNKNOWN, id="null"),
        pytest.param("253402300799", Expiry(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)), id="year-9999"),
    ],
)
async def test_an_expiry_is_passed_on_as_it_is(ecr: Ecr, aws: SandboxAws, expires_at: str, expected: Expiry) -> None:
    """The provider neither repairs nor judges what AWS says about the expiry."""
    token = base64.b64encode(b"AWS:pass:word").decode()
    aws.fail(200, body=f'{{"authorizationData": [{{"authorizationToken": "{token}", "expiresAt": {expires_at}}}]}}')
    issued = await ecr.issue(Order())
    assert issued.expiry == expected
    assert issued.login.secret.reveal() == "pass:word"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"{CANARY}\nsecond line", id="newline"),
        pytest.param(f"{CANARY} ", id="space"),
        pytest.param(f"{CANARY}é", id="not-ascii"),
        pytest.param(CANARY * 30, id="long"),
    ],
)
@pytest.mark.parametrize("half", ["id", "secret"])
async def test_what_cannot_be_an_access_key_is_never_sent(
    ecr: Ecr, aws: SandboxAws, access_key: dict[str, Any], half: str, value: str, failure: Failure
) -> None:
    """A broken access key is refused before it could stand in a header, without its value in the text."""
    Path(access_key[half]["file"]).write_text(value)
    assert isinstance(await failure(ecr), ShapeError)
    assert list(aws.asked) == []


@pytest.fixture
def hanging(aws: SandboxAws, refusal: Refusal) -> Iterator[asyncio.Event]:
    """Make AWS hang until the event is set."""
    event = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await event.wait()
        return web.Response(status=400, text=refusal("InvalidParameterException"))

    aws.faults.append(Fault(lambda _: True, hang))
    yield event
    event.set()


async def test_a_hanging_aws_is_given_up_at_the_deadline(
    hanging: asyncio.Event, aws: SandboxAws, make_context: MakeContext, access_key: dict[str, Any]
) -> None:
    """The call ends when its time is up, whatever botocore is waiting for."""
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    config = EcrConfig.model_validate(
        {"registry": host, "endpoint_url": aws.url, "insecure": True, "access_key": access_key}
    )
    with pytest.raises(UnavailableError) as caught:
        await issue_password(ask_for("ecr", "eu-west-1", config), config.access_key, make_context(host), deadline=0.2)
    hanging.set()
    assert caught.value.cause == "timeout"


def test_refs_are_what_identities_show() -> None:
    """An access key's identity is where it is read, not what it is."""
    key = AccessKey(
        id=SecretRef(source="vault", location="aws/ecr#id"), secret=SecretRef(source="vault", location="aws/ecr#key")
    )
    config = EcrConfig(registry="123456789012.dkr.ecr.eu-west-1.amazonaws.com", access_key=key)
    assert ask_for("ecr", "eu-west-1", config).principal == "access key vault:aws/ecr#id with vault:aws/ecr#key"
