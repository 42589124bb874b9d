"""The pages that are read. Each says how things stand and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rotator.admin.access import Caller, Knock, Refusal
from rotator.admin.failure import STATUS
from rotator.errors import RotatorError
from rotator.page.assets import Asset
from rotator.page.detail import detail_of
from rotator.page.doors import Door, session_of
from rotator.page.gate import refused
from rotator.page.gather import Gatherer
from rotator.page.overview import listing_of, overview_of
from rotator.page.render import Reader, Renderer
from rotator.page.sessions import Seals

FOREVER = "private, max-age=31536000, immutable"
MAX_QUERY_CHARS = 63

_log: Any = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every page needs.

    Args:
        gatherer: Asks the daemon.
        renderer: Makes HTML.
        door: Who is let in.
        seals: Proof that a form is ours.
        assets: Style, script and icon, by their names on the wire.
    """

    gatherer: Gatherer
    renderer: Renderer
    door: Door
    seals: Seals
    assets: Mapping[str, Asset]

    def reader(self, request: Request, caller: Caller) -> Reader:
        """Return for whom a page is made."""
        return Reader.of(caller, self.seal(request, caller, "/logout") if self.door.has_login else "")

    def seal(self, request: Request, caller: Caller, path: str) -> str:
        """Return what a form that is sent to ``path`` must carry."""
        return self.seals.seal(caller, session_of(knock_in(request)), path)

    async def html(self, request: Request, caller: Caller, template: str, values: Mapping[str, object]) -> Response:
        """Return a page."""
        body = await asyncio.to_thread(self.renderer.render, template, self.reader(request, caller), values)
        return HTMLResponse(body)

    def refused(self, request: Request, caller: Caller | None, refusal: Refusal) -> Response:
        """Return the page that says why something was not done."""
        return refused(refusal, self.renderer, self.reader(request, caller) if caller is not None else None)


def knock_in(request: Request) -> Knock:
    """Return the request as the gate saw it."""
    knock: Knock = request.state.knock
    return knock


class ReadPages:
    """Answers GET.

    Args:
        desk: What every page needs.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def overview(self, request: Request, caller: Caller) -> Response:
        """Show what needs a person, and how everything stands."""
        facts = await self._desk.gatherer.facts()
        view = await asyncio.to_thread(overview_of, facts)
        return await self._desk.html(request, caller, "overview.html", {"view": view, "here": "overview"})

    async def credentials(self, request: Request, caller: Caller) -> Response:
        """Show all credentials, a page at a time; of those whose names contain ``q``."""
        query = request.query_params.get("q", "").strip().lower()[:MAX_QUERY_CHARS]
        facts = await self._desk.gatherer.facts()
        view = await asyncio.to_thread(listing_of, facts, query, _number(request.query_params.get("page", "")))
        return await self._desk.html(request, caller, "credentials.html", {"view": view, "here": "credentials"})

    async def credential(self, request: Request, caller: Caller) -> Response:
        """Show one credential."""
        asked = request.query_params.get("asked", "")
        known = await self._desk.gatherer.known(request.path_params["name"], caller.role, asked)
        values = {"view": detail_of(known), "here": "credential"}
        return await self._desk.html(request, caller, "credential.html", values)

    async def static(self, request: Request) -> Response:
        """Serve style, script and icon; to anybody, since the login needs them."""
        asset = self._desk.assets.get(request.path_params["file"])
        if asset is None:
            return self._desk.refused(request, None, Refusal("unknown_path", "there is no such page"))
        headers = {"Cache-Control": FOREVER, "ETag": f'"{asset.name}"', "Content-Type": asset.media_type}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(asset.body, headers=headers)


def to_login(request: Request) -> Response:
    """Return the way to the login and back."""
    path = request.url.path
    return RedirectResponse(f"/login?next={path}" if path != "/" else "/login", 303)


def refusal_of(request: Request, error: Exception) -> Refusal:
    """Return what a person is told of an error: the sentence of ours, of any other only where to look."""
    correlation_id = request.state.correlation_id
    if isinstance(error, RotatorError) and error.code in STATUS:
        return Refusal(error.code, error.message, hint=error.hint)
    _log.error("page_crashed", path=request.url.path, correlation_id=correlation_id, exc_info=error)
    return Refusal("internal", "internal error", hint=f"Look for {correlation_id} in the daemon's log")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1  # noqa: PLR2004
