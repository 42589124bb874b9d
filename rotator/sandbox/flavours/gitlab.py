"""GitLab: the token server is GitLab itself, refuses what is not granted, and bans an address after 30 wrong logins."""

from __future__ import annotations

from datetime import timedelta

from rotator.sandbox.flavour import Ban, Flavour, Pulls, Reply

_REFUSED = Reply(
    401,
    "HTTP Basic: Access denied",
    "UNAUTHORIZED",
    source="/jwt/auth, as docker login shows it; read 2026-11-23",
)
_FORBIDDEN = Reply(
    403,
    "access forbidden",
    "DENIED",
    source="/jwt/auth, as docker pull shows it: denied: access forbidden; read 2026-11-23",
)

GITLAB = Flavour(
    name="gitlab",
    host="registry.gitlab.com",
    token_host="gitlab.com",  # noqa: S106 (a host)
    token_path="/jwt/auth",  # noqa: S106 (a path)
    service="container_registry",
    wrong_login=_REFUSED,
    expired_login=_REFUSED,
    refused_token=_FORBIDDEN,
    refused_guest=_FORBIDDEN,
    missing_repository=None,
    missing_tag=Reply(404, "manifest unknown", "MANIFEST_UNKNOWN"),
    pulls=Pulls.ALL_UNTOLD,
    ban=Ban(
        failures=30,
        within=timedelta(minutes=3),
        lasts=timedelta(hours=1),
        reply=Reply(
            403, "Forbidden\n", source="https://docs.gitlab.com/rate_limits/abuse_bans (failed logins), read 2026-11-23"
        ),
    ),
)
