"""AWS Secrets Manager as a place: against moto, which others wrote from AWS's behaviour, and against refusals."""

from __future__ import annotations

import json
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from aiohttp import web
from pydantic import ValidationError

from rotator.clock import SystemClock
from rotator.domain.declares import Concurrency, Effect
from rotator.domain.model import Entry, Login
from rotator.errors import (
    AuthenticationError,
    ConflictError,
    FencedError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from rotator.ports import Source
from rotator.sandbox.server import Fault, SandboxServer
from rotator.secret import Secret
from rotator.targets.aws_secrets_manager import AwsSecretsManagerConfig, AwsSecretsManagerTarget
from rotator.targets.context import TargetContext
from rotator.transport import Transport

CANARY = "canary-3b8f90d1ee"
Make = Callable[..., AwsSecretsManagerTarget]


def entry(generation: int = 1, credential: str = "hub") -> Entry:
    """Return an entry whose password tells its generation."""
    return Entry(
        credential, "docker.io", Login("robot", Secret(f"{CANARY}-{generation}")), generation, f"p{generation}"
    )


@pytest.fixture
async def make(key_sources: dict[str, Source]) -> AsyncIterator[Make]:
    """Return a function that makes a target of one secret at an address."""
    clock = SystemClock()
    transport = Transport(clock=clock)

    def build(address: str, secret: str, **options: Any) -> AwsSecretsManagerTarget:
        key = {"id": {"env": "ID"}, "secret": {"env": "KEY"}}
        reach = {"access_key": key, "endpoint_url": address, "insecure": True}
        known = {"type": "aws_secrets_manager", "region": "eu-west-1", "secrets": [secret], **reach, **options}
        config = AwsSecretsManagerConfig.model_validate(known)
        return AwsSecretsManagerTarget("aws", config, TargetContext(transport, clock, lambda: 0.5, key_sources))

    yield build
    await transport.close()


@pytest.fixture
def admin(moto: Callable[[], str]) -> Iterator[Any]:
    """Return a client of somebody who may do everything."""
    keys = {"aws_access_key_id": "AKIDADMIN", "aws_secret_access_key": "x"}
    client = boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=moto(), **keys)
    yield client
    client.close()


@pytest.fixture
def secret(admin: Any, request: pytest.FixtureRequest) -> str:
    """Make a secret that holds a field of somebody else; return its name."""
    name = f"pull/{abs(hash(request.node.nodeid))}"
    admin.create_secret(Name=name, SecretString=json.dumps({"other": [1]}))
    return name


def value(admin: Any, secret: str) -> Any:
    """Return what the secret holds."""
    return json.loads(admin.get_secret_value(SecretId=secret)["SecretString"])


def versions(admin: Any, secret: str) -> int:
    """Return how many versions there are."""
    return len(admin.describe_secret(SecretId=secret)["VersionIdsToStages"])


async def test_fields_and_tags(make: Make, moto: Callable[[], str], admin: Any, secret: str) -> None:
    """The login's fields are written beside the others; tags tell the generation and hold no secret."""
    held = await make(moto(), secret).apply(secret, [entry(3)])
    assert (held.changed, held.logins) == (True, {"hub": entry(3).login})
    assert value(admin, secret) == {"other": [1], "username": "robot", "password": f"{CANARY}-3"}
    assert admin.describe_secret(SecretId=secret)["Tags"] == [{"Key": "rotator.hub", "Value": "3:p3"}]


async def test_unchanged_makes_no_version(make: Make, moto: Callable[[], str], admin: Any, secret: str) -> None:
    """What is there already is not written again: versions are few and cost money."""
    target = make(moto(), secret)
    await target.apply(secret, [entry()])
    before = versions(admin, secret)
    assert not (await target.apply(secret, [entry()])).changed
    assert versions(admin, secret) == before


async def test_the_pull_through_cache_has_its_own_fields(
    make: Make, moto: Callable[[], str], admin: Any, request: pytest.FixtureRequest
) -> None:
    """ECR's cache finds the token where it looks for it."""
    name = f"ecr-pullthroughcache/{abs(hash(request.node.nodeid))}"
    admin.create_secret(Name=name)
    await make(moto(), name, preset="ecr-pullthroughcache").apply(name, [entry()])
    assert value(admin, name) == {"username": "robot", "accessToken": f"{CANARY}-1"}


async def test_an_older_generation_is_refused(make: Make, moto: Callable[[], str], admin: Any, secret: str) -> None:
    """I3: what is older than the tags say is not written."""
    target = make(moto(), secret)
    await target.apply(secret, [entry(7)])
    with pytest.raises(FencedError, match="holds generation 7 of hub"):
        await target.apply(secret, [entry(6)])
    assert value(admin, secret)["password"] == f"{CANARY}-7"


@pytest.mark.parametrize("text", ["", "no json", '["a"]', f'"{CANARY}"'], ids=["empty", "text", "list", "string"])
async def test_what_is_no_object_is_left(
    make: Make, moto: Callable[[], str], admin: Any, secret: str, text: str
) -> None:
    """A secret that somebody uses otherwise is not overwritten; an empty one is free."""
    admin.put_secret_value(SecretId=secret, SecretString=text or "{}")
    target = make(moto(), secret)
    if not text:
        assert (await target.apply(secret, [entry()])).changed
        return
    with pytest.raises(ShapeError, match="is not a JSON object") as caught:
        await target.apply(secret, [entry()])
    assert admin.get_secret_value(SecretId=secret)["SecretString"] == text
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_a_binary_secret_is_left(make: Make, moto: Callable[[], str], admin: Any, secret: str) -> None:
    """A secret that holds bytes is not overwritten."""
    admin.put_secret_value(SecretId=secret, SecretBinary=b"\0")
    with pytest.raises(ShapeError, match="is not a JSON object"):
        await make(moto(), secret).apply(secret, [entry()])


async def test_a_secret_is_not_made(make: Make, moto: Callable[[], str]) -> None:
    """A secret that nobody made is an error: whose key and policy it has is not ours to choose."""
    with pytest.raises(NotFoundError, match="DescribeSecret: ResourceNotFoundException") as caught:
        await make(moto(), "pull/none").apply("pull/none", [entry()])
    assert "it is not made here" in caught.value.hint


async def test_a_secret_on_its_way_out_is_not_written(
    make: Make, moto: Callable[[], str], admin: Any, secret: str
) -> None:
    """A secret that is scheduled for deletion is left to whoever deletes it."""
    admin.delete_secret(SecretId=secret)
    with pytest.raises(NotFoundError, match="scheduled for deletion"):
        await make(moto(), secret).apply(secret, [entry()])


class Refusing(SandboxServer):
    """Secrets Manager's one address, with answers to order, in the JSON protocol 1.1 of AWS.

    Source: botocore 1.44.5, model ``secretsmanager`` 2017-10-17.
    """

    def __init__(self) -> None:
        app = web.Application()
        super().__init__(app)
        self.answers: dict[str, Any] = {}
        self.bodies: list[tuple[str, Any]] = []
        app.router.add_post("/", self._answer)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        action = request.headers["X-Amz-Target"].removeprefix("secretsmanager.")
        self.bodies.append((action, await request.json()))
        return web.json_response(self.answers.get(action, {}), content_type="application/x-amz-json-1.1")

    def refuse(self, action: str, status: int, code: str) -> None:
        """Answer ``action`` with an error that quotes a secret."""
        self.faults.append(
            Fault(
                lambda request: request.headers["X-Amz-Target"].endswith(action),
                lambda _: web.json_response({"__type": code, "message": CANARY}, status=status),
            )
        )


@pytest.fixture
async def refusing() -> AsyncIterator[Refusing]:
    """Serve an AWS in which one secret has one version."""
    async with Refusing() as server:
        server.answers["DescribeSecret"] = {"Name": "pull", "VersionIdsToStages": {"v1": ["AWSCURRENT"]}}
        server.answers["GetSecretValue"] = {"SecretString": "{}", "VersionId": "v1"}
        yield server


REFUSALS = [
    pytest.param(400, "AccessDeniedException", PermissionDeniedError, id="denied"),
    pytest.param(400, "UnrecognizedClientException", AuthenticationError, id="unknown key"),
    pytest.param(400, "ThrottlingException", RateLimitedError, id="throttled"),
    pytest.param(400, "InvalidRequestException", PermanentError, id="invalid"),
    pytest.param(400, "ResourceExistsException", ConflictError, id="token used"),
]


@pytest.mark.parametrize(("status", "code", "kind"), REFUSALS)
async def test_each_refusal_has_its_class(
    make: Make, refusing: Refusing, status: int, code: str, kind: type[RotatorError]
) -> None:
    """Each refusal of a write becomes its class of error, names the action, and quotes nothing of AWS's text."""
    refusing.refuse("PutSecretValue", status, code)
    with pytest.raises(kind, match=f"PutSecretValue: {code}") as caught:
        await make(refusing.url, "pull").apply("pull", [entry()])
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    if kind is PermissionDeniedError:
        assert "secretsmanager:PutSecretValue" in caught.value.hint


async def test_an_answer_that_is_not_aws_s(make: Make, refusing: Refusing) -> None:
    """A web page in place of AWS is unavailable, and nothing is written."""
    refusing.faults.append(
        Fault(lambda _: True, lambda _: web.Response(text="<html>hi</html>", content_type="text/html"))
    )
    with pytest.raises(UnavailableError):
        await make(refusing.url, "pull").apply("pull", [entry()])
    assert refusing.bodies == []
    assert len(refusing.asked) == 1


async def test_a_write_that_is_sent_again_has_the_same_token(make: Make, refusing: Refusing) -> None:
    """The token depends on what is there and what is brought: sent again it makes no second version."""
    target = make(refusing.url, "pull")
    for _ in range(2):
        await target.apply("pull", [entry()])  # this AWS forgets what it was told, as after a lost answer
    await target.apply("pull", [entry(2)])
    refusing.answers["GetSecretValue"]["VersionId"] = "v2"
    await target.apply("pull", [entry(2)])
    tokens = [body["ClientRequestToken"] for action, body in refusing.bodies if action == "PutSecretValue"]
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 3
    assert not any(CANARY in token for token in tokens)


async def test_what_is_not_read_back_is_not_held(make: Make, refusing: Refusing) -> None:
    """I7: a write that AWS takes and does not show is not reported as held."""
    held = await make(refusing.url, "pull").apply("pull", [entry()])
    assert held.logins == {}


UNSUITABLE = [
    pytest.param({"RotationEnabled": True}, "rotated by AWS", id="rotated"),
    pytest.param({"OwningService": "rds"}, "managed by another", id="managed"),
]


@pytest.mark.parametrize(("described", "words"), UNSUITABLE)
async def test_what_others_keep_is_left(make: Make, refusing: Refusing, described: dict[str, Any], words: str) -> None:
    """A secret that AWS itself keeps fresh is not fought over."""
    refusing.answers["DescribeSecret"].update(described)
    with pytest.raises(UnsupportedError, match=words):
        await make(refusing.url, "pull").apply("pull", [entry()])
    assert [action for action, _ in refusing.bodies] == ["DescribeSecret"]


BAD = [
    pytest.param({"secrets": []}, "at least 1", id="no secret"),
    pytest.param({"secrets": ["a", "a"]}, "names a secret twice", id="twice"),
    pytest.param({"secrets": ["a b"]}, "should match", id="no name"),
    pytest.param({"region": "Europe"}, "should match", id="no region"),
    pytest.param({"preset": "ecs", "fields": {"p": "password"}}, "either preset or fields", id="both"),
    pytest.param({"preset": "ecr-pullthroughcache"}, "begin with ecr-pullthroughcache/", id="wrong name"),
    pytest.param({"endpoint_url": "http://x"}, "is not https", id="plain http"),
]


@pytest.mark.parametrize(("options", "words"), BAD)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    """Options that cannot work are refused when the configuration is read."""
    known = {"type": "aws_secrets_manager", "region": "eu-west-1", "secrets": ["pull"]}
    with pytest.raises(ValidationError, match=words):
        AwsSecretsManagerConfig.model_validate({**known, **options})


def test_an_arn_may_name_the_cache_s_secret() -> None:
    """The rule about names holds for ARNs, too."""
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ecr-pullthroughcache/hub-AbCdEf"
    known = {"type": "aws_secrets_manager", "region": "eu-west-1", "secrets": [arn]}
    assert AwsSecretsManagerConfig.model_validate({**known, "preset": "ecr-pullthroughcache"}).secrets == (arn,)


async def test_what_it_declares(make: Make) -> None:
    """AWS asks for no more than a version in ten minutes; ECS reads a secret when a task starts."""
    declares = make("http://127.0.0.1:1", "pull", preset="ecs").declares
    assert (declares.min_interval, declares.effect) == (timedelta(minutes=10), Effect.NEW_TASKS)
    assert declares.concurrency is Concurrency.IDEMPOTENCY_TOKEN
