"""GitHub Container registry: a bad token is denied at the token server, for public images as well.

Its challenge names a scope that is a placeholder. What does not exist looks like what may not be read.
"""

from __future__ import annotations

from rotator.sandbox.flavour import Asks, Flavour, Pulls, Reply

_DENIED = Reply(
    403,
    "denied",
    "DENIED",
    source="dexidp/dex issue 2672, as docker shows it: denied: denied; read 2026-11-28",
)

GHCR = Flavour(
    name="ghcr",
    host="ghcr.io",
    service="ghcr.io",
    ping_scope="repository:user/image:pull",
    wrong_login=_DENIED,
    expired_login=_DENIED,
    not_granted=Reply(
        403,
        "permission_denied: read_package",
        "DENIED",
        source="jikig-ai/soleur issue 6073 and cshuttle/workflows v1.2.0; read 2026-11-23",
    ),
    not_granted_guest=Reply(
        401, "authentication required", "UNAUTHORIZED", Asks.LOGIN, source="as seen by docker pull; read 2026-11-23"
    ),
    missing_repository=None,
    missing_tag=Reply(404, "manifest unknown", "MANIFEST_UNKNOWN"),
    over_limit=Reply(
        429,
        "retry-after: 880.092µs, allowed: 44000/minute",
        "TOOMANYREQUESTS",
        source="dependabot/cli issue 380 and gardenlinux/gardenlinux issue 2868; read 2026-11-23",
    ),
    pulls=Pulls.ALL_UNTOLD,
)
