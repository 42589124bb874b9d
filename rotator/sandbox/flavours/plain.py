"""No vendor's own: token authentication as distribution documents it, and passwords in every request."""

from __future__ import annotations

from rotator.sandbox.flavour import Asks, Flavour, Reply

EXPIRED_TEXT = "Sorry: this authorization token has expired. Fetch another one and log in again."
"""Plain text, not JSON, as ECR answers an expired password."""

_REFUSED = Reply(401, '{"details": "incorrect username or password"}', source="as Docker Hub, in short")

BEARER = Flavour(
    name="bearer",
    host="registry.example",
    service="sandbox-registry",
    wrong_login=_REFUSED,
    expired_login=_REFUSED,
)
BASIC = Flavour(
    name="basic",
    host="registry.example",
    scheme="basic",
    service="sandbox-registry",
    no_login=Reply(401, "Not Authorized\n", asks=Asks.LOGIN, source="as ECR, in short"),
    wrong_login=Reply(401, "Not Authorized\n", asks=Asks.LOGIN, source="as ECR, in short"),
    expired_login=Reply(403, EXPIRED_TEXT, source="as ECR, in short"),
    not_granted=Reply(403, "User: {user} is not authorized to perform: pull on {name}", "DENIED", source="as ECR"),
)
