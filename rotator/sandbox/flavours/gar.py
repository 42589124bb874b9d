"""Google Artifact Registry: 403 for everything, and only the words tell a bad login from a missing right."""

from __future__ import annotations

from rotator.sandbox.flavour import Flavour, Pulls, Reply

_UNAUTHENTICATED = Reply(
    403,
    "Unauthenticated request. Unauthenticated requests do not have permission "
    '"artifactregistry.repositories.downloadArtifacts" on resource "{name}" (or it may not exist)',
    "DENIED",
    source="argoproj/argo-cd issue 26260, read 2026-11-23",
)

GAR = Flavour(
    name="gar",
    host="europe-docker.pkg.dev",
    token_path="/v2/token",  # noqa: S106 (a path)
    wrong_login=_UNAUTHENTICATED,
    expired_login=_UNAUTHENTICATED,
    refused_guest=_UNAUTHENTICATED,
    not_granted=Reply(
        403,
        'Permission "artifactregistry.repositories.downloadArtifacts" denied on resource "{name}" '
        "(or it may not exist)",
        "DENIED",
        source="https://cloud.google.com/artifact-registry/docs/troubleshooting, read 2026-11-23",
    ),
    missing_repository=None,
    missing_tag=Reply(404, 'Failed to fetch "{reference}"', "MANIFEST_UNKNOWN"),
    over_limit=Reply(
        429,
        "Quota exceeded",
        "TOOMANYREQUESTS",
        source="https://cloud.google.com/artifact-registry/quotas (the status), read 2026-11-23",
    ),
    pulls=Pulls.ALL_UNTOLD,
)
