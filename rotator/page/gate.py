"""`PageGate`: in front of every page. Lets no foreign name and no foreign form in, and marks every answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rotator.admin.access import Knock, Refusal
from rotator.admin.failure import STATUS
from rotator.admin.gate import (
    MAX_BODY_BYTES,
    bounded,
    is_too_large,
    knock_of,
    make_correlation_id,
    marked,
    media_type,
    tell,
)
from rotator.page.doors import Door
from rotator.page.forms import MEDIA_TYPE
from rotator.page.render import Reader, Renderer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer. With ``no-referrer`` browsers send ``Origin: null`` with our own forms (Fetch, section 3.2)."""
KEPT = "Cache-Control"
"""What an answer may say otherwise."""


@dataclass(frozen=True, slots=True)
class PageGate:
    """ASGI middleware around the pages.

    Args:
        app: What is behind it.
        door: Who is let in.
        renderer: For what a person reads who is not.
        make_id: Makes the id that joins an answer with the log.
    """

    app: ASGIApp
    door: Door
    renderer: Renderer
    make_id: Callable[[], str] = field(default=make_correlation_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP is not served at all."""
        if scope["type"] != "http":
            return
        state = scope.setdefault("state", {})
        state["correlation_id"] = self.make_id()
        knock = knock_of(scope)
        send = marked(send, state["correlation_id"], HEADERS, KEPT)
        refusal = self.door.outside(knock) or _unacceptable(knock)
        if refusal is not None:
            tell(scope, knock, refusal)
            await refused(refusal, self.renderer)(scope, receive, send)
            return
        state["knock"] = knock
        await self.app(scope, bounded(receive), send)


def refused(refusal: Refusal, renderer: Renderer, reader: Reader | None = None) -> HTMLResponse:
    """Return the page that says why something was not done."""
    headers = {"Retry-After": str(math.ceil(refusal.retry_after))} if refusal.retry_after else {}
    values = {"message": refusal.message, "hint": refusal.hint}
    body = renderer.render("refused.html", reader or Reader(), values)
    return HTMLResponse(body, STATUS.get(refusal.code, 500), headers)


def _unacceptable(knock: Knock) -> Refusal | None:
    if is_too_large(knock):
        return Refusal("body_too_large", f"the form is larger than {MAX_BODY_BYTES} bytes")
    if knock.method == "POST" and media_type(knock) != MEDIA_TYPE:
        return Refusal("invalid_request", "this is not a form of this page")
    return None
