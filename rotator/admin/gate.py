"""`Gate`: in front of the admin API. Lets nobody in unasked, bounds what they send, and marks every answer."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rotator.admin.access import Access, Caller, Knock, Refusal, Role
from rotator.admin.failure import SECURITY_HEADERS, failure
from rotator.admin.models import Problem
from rotator.domain.events import AccessRefused
from rotator.ports import Hook

MISTAKES = frozenset({"body_too_large", "not_json"})
"""Refusals that say nothing about who asks: they are not logged."""
MAX_BODY_BYTES = 64 << 10
HOOKS = "/api/v1/hooks/"
"""Below it are the paths for machines that can send a token and JSON, and no header of ours."""
CUSTOM_HEADER = "X-Requested-With"
"""No web page can send it to another site without asking first (Fetch standard, "CORS-safelisted request-header"); with
any value it says that no form and no link brought the request."""

_log: Any = structlog.get_logger(__name__)


def make_correlation_id() -> str:
    """Return 16 hex digits that nobody can guess."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Gate:
    """ASGI middleware around everything else.

    Args:
        app: What is behind it.
        access: Who is let in.
        emit: Is told of whom was not let in.
        make_id: Makes the id that joins an answer with the log.
    """

    app: ASGIApp
    access: Access
    emit: Hook
    make_id: Callable[[], str] = field(default=make_correlation_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP is not served at all."""
        if scope["type"] != "http":
            return
        state = scope.setdefault("state", {})
        state["correlation_id"] = self.make_id()
        knock = knock_of(scope)
        admitted = self.access.admit(knock)
        refusal = admitted if isinstance(admitted, Refusal) else _unacceptable(knock, admitted, scope["path"])
        if refusal is not None:
            if refusal.code not in MISTAKES:
                tell(scope, knock, refusal)
                self.emit(AccessRefused(refusal.code))
            await _refuse(refusal, state["correlation_id"])(scope, receive, send)
            return
        state["caller"] = admitted
        await self.app(scope, bounded(receive), marked(send, state["correlation_id"], SECURITY_HEADERS))


def knock_of(scope: Scope) -> Knock:
    """Return a request as far as access is concerned."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    client = scope.get("client")
    return Knock(
        method=scope["method"],
        headers=headers,
        address=client[0] if client else "",
        uid=scope["state"].get("uid"),
    )


def _unacceptable(knock: Knock, caller: Caller, path: str) -> Refusal | None:
    """Return why the request of somebody who was let in is not looked at."""
    is_hook = path.startswith(HOOKS)
    if caller.role is Role.HOOK and not is_hook:
        return Refusal("role_too_low", f"{caller.name} may call the hooks, and nothing else")
    if is_too_large(knock):
        return Refusal("body_too_large", f"the body is larger than {MAX_BODY_BYTES} bytes")
    if knock.method == "POST" and media_type(knock) != "application/json":
        return Refusal("not_json", "the body must be JSON", hint="Send Content-Type: application/json")
    if knock.method == "POST" and not is_hook and not knock.headers.get(CUSTOM_HEADER.lower()):
        return Refusal("header_required", "a header is missing", hint=f"Send {CUSTOM_HEADER}: rotator")
    return None


def is_too_large(knock: Knock) -> bool:
    """Return whether a request announces a larger body than is read."""
    length = knock.headers.get("content-length", "0")
    return length.isdigit() and int(length[:12]) > MAX_BODY_BYTES


def media_type(knock: Knock) -> str:
    """Return what kind of body a request says it has, in lower case and without parameters."""
    return knock.headers.get("content-type", "").partition(";")[0].strip().lower()


def tell(scope: Scope, knock: Knock, refusal: Refusal) -> None:
    """Log that somebody was not let in."""
    _log.warning(
        "admin_access_refused",
        code=refusal.code,
        message=refusal.message,
        method=knock.method,
        path=scope["path"],
        address=knock.address,
        uid=knock.uid,
        correlation_id=scope["state"]["correlation_id"],
    )


def _refuse(refusal: Refusal, correlation_id: str) -> ASGIApp:
    headers = {"Connection": "close"}
    if refusal.retry_after:
        headers["Retry-After"] = str(math.ceil(refusal.retry_after))
    if refusal.code in {"token_required", "token_unknown"}:
        headers["WWW-Authenticate"] = 'Bearer realm="rotator"'
    problem = Problem(code=refusal.code, message=refusal.message, hint=refusal.hint, correlation_id=correlation_id)
    return failure(problem, headers)


def bounded(receive: Receive) -> Receive:
    """Return ``receive`` that fails once the body is larger than it may be, whatever its announced length."""
    size = 0

    async def receive_bounded() -> Message:
        nonlocal size
        message: Any = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise HTTPException(413)
        return dict(message)

    return receive_bounded


def marked(send: Send, correlation_id: str, headers: Mapping[str, str], kept: str = "") -> Send:
    """Return ``send`` that puts ``headers`` on every answer; the answer's own ``kept`` stays where it has one."""

    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = MutableHeaders(scope=message)
            for name, value in headers.items():
                if name != kept or name not in own:
                    own[name] = value
            own["X-Correlation-Id"] = correlation_id
        await send(message)

    return send_marked
