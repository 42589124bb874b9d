"""Docker Hub: never says that a repository does not exist, and counts pulls but not HEADs.

Not imitated: organisations' tokens, the limit of requests per minute that ends in a bare 429, and the second factor.
"""

from __future__ import annotations

from datetime import timedelta

from rotator.sandbox.flavour import Asks, Ban, Flavour, Pulls, Reply

_WRONG = Reply(
    401,
    '{"details":"incorrect username or password"}',
    source="auth.docker.io/token, as quoted in docker/hub-feedback issues 1098 and 732; read 2026-11-28",
)

DOCKER_HUB = Flavour(
    name="dockerhub",
    host="docker.io",
    token_host="auth.docker.io",  # noqa: S106 (a host)
    service="registry.docker.io",
    wrong_login=_WRONG,
    expired_login=_WRONG,
    not_granted=Reply(
        401,
        "authentication required",
        "UNAUTHORIZED",
        Asks.WIDER_TOKEN,
        source="distribution/distribution issue 4354, docker/hub-feedback issue 1771; read 2026-11-23",
    ),
    missing_repository=None,
    missing_tag=Reply(404, "manifest unknown", "MANIFEST_UNKNOWN"),
    over_limit=Reply(
        429,
        "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: "
        "https://www.docker.com/increase-rate-limit",
        "TOOMANYREQUESTS",
        source="https://docs.docker.com/docker-hub/usage/pulls/, read 2026-11-23",
    ),
    pulls=Pulls.GETS_TOLD,
    ban=Ban(
        failures=10,
        within=timedelta(minutes=5),
        lasts=timedelta(minutes=10),
        reply=Reply(
            429,
            "toomanyrequests: too many failed login attempts for username or IP address",
            source="docker/hub-feedback issue 2201, read 2026-11-23; the numbers are not documented, but chosen here",
        ),
    ),
)
