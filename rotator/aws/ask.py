"""Asks AWS something: reads the access key, has a thread call, waits no longer than a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal

from rotator.aws.options import AccessKey, AwsReach
from rotator.config.ref import SecretRef
from rotator.errors import ShapeError, UnavailableError
from rotator.ports import Source
from rotator.secret import Secret

DEADLINE_SECONDS = 60.0
"""For one answer, however often botocore tries, and including the wait for a free thread."""

Service = Literal["ecr", "ecr-public", "secretsmanager", "sts"]
"""botocore's words for the APIs that are asked."""

Job = Callable[[Any], Mapping[str, Any]]
"""What to ask: is given botocore's client of the service, blocks, and returns what is wanted of the answers."""


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

    service: Service
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


def ask_for(service: Service, region: str, options: AwsReach, *, fips: bool = False, six: bool = False) -> Ask:
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


@dataclass(frozen=True, slots=True)
class AwsTools:
    """What it takes to ask.

    Args:
        sources: Where the access key is read, by name.
        executor: The bounded pool in which botocore blocks; None for the event loop's own.
        deadline: Seconds for one answer, > 0.
    """

    sources: Mapping[str, Source]
    executor: Executor | None
    deadline: float = DEADLINE_SECONDS


async def ask_aws(ask: Ask, key: AccessKey | None, tools: AwsTools, job: Job) -> Mapping[str, Any]:
    """Have ``job`` done as whom and by which way ``ask`` says, and return its answer; may be secret.

    A call that does not end in time is left alone in its thread, where it has time-outs of its own.

    Args:
        ask: What to ask of whom.
        key: Where the access key is read; None for AWS's own chain.
        tools: Sources, threads and patience.
        job: Done in a thread; once more where the credentials had run out.

    Raises:
        UnavailableError: No answer in time. RotatorError: The key could not be read; else as `rotator.aws.call`.
    """
    pair = None if key is None else await _read_key(key, tools.sources)
    future = asyncio.get_running_loop().run_in_executor(tools.executor, _call, ask, pair, job)
    try:
        return await asyncio.wait_for(future, tools.deadline)
    except TimeoutError as error:
        raise UnavailableError(f"{ask}: no answer in {tools.deadline:g} s", cause="timeout") from error


def _call(ask: Ask, pair: AccessKeyPair | None, job: Job) -> Mapping[str, Any]:
    from rotator.aws.call import call  # noqa: PLC0415 (boto3 only when it is needed)

    return call(ask, pair, job)


async def _read_key(key: AccessKey, sources: Mapping[str, Source]) -> AccessKeyPair:
    key_id = (await sources[key.id.source].read(key.id.location)).secret
    secret = (await sources[key.secret.source].read(key.secret.location)).secret
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
