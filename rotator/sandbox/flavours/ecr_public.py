"""Amazon ECR Public: a stale login blocks what is public, and a stale token is a 400 without a challenge."""

from __future__ import annotations

from rotator.sandbox.flavour import Flavour, Pulls, Reply

_EXPIRED = "Your authorization token has expired. Reauthenticate and try again."
_STALE = Reply(
    403,
    _EXPIRED,
    "DENIED",
    source="awslabs/amazon-ecr-credential-helper issue 286 (denied: ...; the status is not quoted); read 2026-11-28",
)

ECR_PUBLIC = Flavour(
    name="ecr-public",
    host="public.ecr.aws",
    token_path="/token/",  # noqa: S106 (a path)
    service="public.ecr.aws",
    wrong_login=_STALE,
    expired_login=_STALE,
    invalid_token=Reply(
        400, _EXPIRED, "DENIED", source="aws/containers-roadmap issue 2835 of 2026-07-13; read 2026-11-28"
    ),
    missing_repository=Reply(
        404,
        "The repository with name '{name}' does not exist in the registry",
        "NAME_UNKNOWN",
        source="as ECR; not seen",
    ),
    missing_tag=Reply(404, "Requested image not found", "MANIFEST_UNKNOWN"),
    over_limit=Reply(
        429, "Rate exceeded", "TOOMANYREQUESTS", source="Amazon ECR Public, Service quotas; read 2026-11-23"
    ),
    pulls=Pulls.ALL_UNTOLD,
)
