"""Harbor: a wrong secret that asks for a scope gets a token all the same, one that grants what anybody may do.

Only a question without a scope tells a wrong secret. Not imitated: ``Basic`` logins at the registry itself.
"""

from __future__ import annotations

from rotator.sandbox.flavour import Flavour, Pulls, Reply

_REFUSED = Reply(
    401,
    "unauthorized: unauthorized",
    "UNAUTHORIZED",
    source="goharbor/harbor src/core/service/token/creator.go (Create), read 2026-11-23",
)

HARBOR = Flavour(
    name="harbor",
    host="harbor.example",
    token_path="/service/token",  # noqa: S106 (a path)
    service="harbor-registry",
    wrong_login=_REFUSED,
    expired_login=_REFUSED,
    excused_by_scope=True,
    not_granted=Reply(
        401,
        "unauthorized to access repository: {name}, action: pull: unauthorized to access repository: {name}, "
        "action: pull",
        "UNAUTHORIZED",
        headers={"WWW-Authenticate": 'Basic realm="harbor"'},
        source="goharbor/harbor issue 17713; the challenge: src/server/middleware/v2auth/auth.go; read 2026-11-28",
    ),
    missing_repository=Reply(
        404, "repository {name} not found", "NOT_FOUND", source="goharbor/harbor issue 20764, read 2026-11-23"
    ),
    missing_tag=Reply(
        404,
        "artifact {name}:{reference} not found",
        "NOT_FOUND",
        source="goharbor/harbor issue 20764, read 2026-11-23",
    ),
    pulls=Pulls.ALL_UNTOLD,
)
