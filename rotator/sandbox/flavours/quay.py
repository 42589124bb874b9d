"""Quay: a wrong login is refused whatever it asks for; what does not exist is not granted."""

from __future__ import annotations

from rotator.sandbox.flavour import Asks, Flavour, Pulls, Reply

_REFUSED = Reply(
    401,
    "Specified credentials are invalid",
    "UNAUTHORIZED",
    source="quay/quay endpoints/v2/errors.py (InvalidLogin) and v2auth.py, read 2026-11-28",
)

QUAY = Flavour(
    name="quay",
    host="quay.io",
    token_path="/v2/auth",  # noqa: S106 (a path)
    service="quay.io",
    wrong_login=_REFUSED,
    expired_login=_REFUSED,
    not_granted=Reply(
        401,
        "access to the requested resource is not authorized",
        "UNAUTHORIZED",
        Asks.LOGIN,
        source="quay/quay endpoints/v2/errors.py (Unauthorized), read 2026-11-28",
    ),
    missing_repository=None,
    missing_tag=Reply(
        404,
        "manifest unknown",
        "MANIFEST_UNKNOWN",
        source="quay/quay endpoints/v2/errors.py (ManifestUnknown), read 2026-11-28",
    ),
    over_limit=Reply(
        429,
        "Too many requests",
        source="https://access.redhat.com/solutions/6218921, read 2026-11-23",
    ),
    pulls=Pulls.ALL_UNTOLD,
)
