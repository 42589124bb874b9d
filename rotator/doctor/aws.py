"""AWS: as whom we are known there. What that identity may do beyond, AWS does not tell it.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html ("No permissions are required to
perform this operation"), read 2026-11-28. The answer's account and ARN are no secrets, and are not repeated in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rotator.aws.ask import AwsTools, ask_aws, ask_for
from rotator.aws.options import AwsReach
from rotator.config.root import Config
from rotator.doctor.finding import Finding, Level, of_error
from rotator.errors import RotatorError

FAMILY = "aws"
DEFAULT_REGION = "us-east-1"
_REGION = re.compile(r"\.ecr(?:-fips)?\.([a-z0-9-]+)\.")


async def check_aws(config: Config, tools: AwsTools) -> list[Finding]:
    """Return as whom AWS knows each of its credentials and targets; each is one free call to STS."""
    return [finding for name, options in _users(config) for finding in await _check_identity(name, options, tools)]


def _users(config: Config) -> Iterator[tuple[str, AwsReach]]:
    named: list[tuple[str, object]] = [*config.credentials.items(), *config.targets.items()]
    for name, options in named:
        if isinstance(options, AwsReach):
            yield name, options


async def _check_identity(name: str, options: AwsReach, tools: AwsTools) -> list[Finding]:
    where = options.model_copy(update={"endpoint_url": options.sts_endpoint_url})
    try:
        told = await ask_aws(ask_for("sts", region_of(options), where), options.access_key, tools, _who)
    except RotatorError as error:
        return [of_error(FAMILY, name, error, "Look at access_key, at the instance's role, and at assume_role")]
    return judge_identity(name, str(told.get("Arn", "")))


def _who(client: Any) -> Any:
    return client.get_caller_identity()


def judge_identity(name: str, arn: str) -> list[Finding]:
    """Decide by the ARN that AWS knows us by."""
    if not arn:
        return [Finding(FAMILY, name, Level.UNKNOWN, "STS answers without an ARN", "Look at sts_endpoint_url")]
    if arn.endswith(":root"):
        mend = "Delete the root user's access key, and use a role with deploy/aws's policy"
        return [
            Finding(FAMILY, name, Level.WARN, "AWS knows us as the account's root user, who may do everything", mend)
        ]
    kind = arn.split(":", 5)[-1]
    unknown = "what else this identity may do, AWS does not tell it"
    mend = "Compare its policies with those in deploy/aws"
    return [
        Finding(FAMILY, name, Level.OK, f"AWS knows us as {kind}"),
        Finding(FAMILY, name, Level.UNKNOWN, unknown, mend),
    ]


def region_of(options: AwsReach) -> str:
    """Return the region that is written, else that of the registry's host, else one that every account has."""
    written = getattr(options, "region", None)
    host = _REGION.search(str(getattr(options, "registry", "")))
    return str(written) if written else host.group(1) if host else DEFAULT_REGION
