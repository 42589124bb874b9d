"""Amazon's registry host names: what they say about account, region and endpoint. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

ECR_PUBLIC_HOSTS = frozenset({"public.ecr.aws", "ecr-public.aws.com"})

_PRIVATE = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9][a-z0-9-]*)\.(?P<suffix>"
    r"amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|on\.aws|on\.amazonwebservices\.com\.cn|"
    r"sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class EcrHost:
    """What a private registry's host name says.

    Args:
        account: Twelve digits of the account that owns the registry; not always ours.
        region: Its region; the token must come from the same one.
        fips: Whether the host is a FIPS endpoint.
        dual_stack: Whether the host also answers over IPv6.
    """

    account: str
    region: str
    fips: bool = False
    dual_stack: bool = False


def parse_ecr_host(host: str) -> EcrHost | None:
    """Return what ``host`` says, or None when it is not a private ECR host (a proxy, a mirror, ECR Public).

    Args:
        host: ``host[:port]``; only port 443 is Amazon's.

    Source: the pattern of awslabs/amazon-ecr-credential-helper, ``ecr-login/api/client.go``, as of July 2026.
    """
    match = _PRIVATE.fullmatch(host.lower().removesuffix(":443"))
    if match is None:
        return None
    return EcrHost(
        account=match["account"],
        region=match["region"],
        fips=match["fips"] is not None,
        dual_stack=match["suffix"].startswith("on."),
    )
