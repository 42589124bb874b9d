"""`Page`: the status page as an ASGI application, in front of the admin API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rotator.admin.access import Access, Caller, Refusal, TokenAccess
from rotator.admin.surface import AdminSurface
from rotator.admin.watching import Watcher
from rotator.config.root import AdminConfig
from rotator.errors import RotatorError
from rotator.page.acts import ActPages
from rotator.page.assets import load_assets
from rotator.page.doors import Door, SocketDoor, TokenDoor
from rotator.page.gate import PageGate
from rotator.page.gather import Gatherer
from rotator.page.render import Renderer
from rotator.page.routes import Desk, ReadPages, knock_in, refusal_of, to_login
from rotator.page.sessions import Seals, Sessions
from rotator.page.steps import StepTimes

API = "/api/"
MAX_STREAMS = 32
"""Browsers that follow at once; each holds a connection."""

Handler = Callable[[Request, Caller], Awaitable[Response]]


def is_offered(admin: AdminConfig) -> bool:
    """Return whether there is a page: as the configuration says, else where the admin API is there over TCP."""
    return admin.listen is not None if admin.page is None else admin.page


class Page:
    """The page of one daemon; of each listener one application.

    Args:
        surface: The daemon.
    """

    def __init__(self, surface: AdminSurface) -> None:
        self.steps = StepTimes()
        self._surface = surface
        self._gatherer = Gatherer(surface, self.steps, surface.clock.now())
        self._sessions = Sessions(surface.clock)
        self._seals = Seals()

    def front(self, api: FastAPI, access: Access) -> ASGIApp:
        """Return the API with the page in front of it; the API alone where the page is not offered."""
        if not is_offered(self._surface.config.admin):
            return api
        door = TokenDoor(access, self._sessions) if isinstance(access, TokenAccess) else SocketDoor(access)
        return Front(api, self._pages(door, api.state.context.closing))

    def _pages(self, door: Door, closing: asyncio.Event) -> ASGIApp:
        assets = load_assets()
        renderer = Renderer(assets)
        desk = Desk(self._gatherer, renderer, door, self._seals, {one.name: one for one in assets.values()})
        pages, acts = ReadPages(desk), ActPages(desk, self._surface)
        live = _Live(self._surface, closing)
        guarded = _Guarded(desk)
        routes = [
            Route("/", guarded(pages.overview)),
            Route("/credentials", guarded(pages.credentials)),
            Route("/credentials/{name}", guarded(pages.credential)),
            Route("/credentials/{name}/{action}", guarded(acts.ask), methods=["GET"]),
            Route("/credentials/{name}/{action}", guarded(acts.act), methods=["POST"]),
            Route("/events", guarded(live.events)),
            Route("/login", acts.login, methods=["GET"]),
            Route("/login", acts.log_in, methods=["POST"]),
            Route("/logout", guarded(acts.log_out), methods=["POST"]),
            Route("/static/{file}", pages.static),
        ]
        handlers: dict[Any, Any] = {RotatorError: guarded.failed, HTTPException: guarded.unknown}
        app = Starlette(routes=routes, exception_handlers={**handlers, Exception: guarded.failed})
        app.router.redirect_slashes = False
        return PageGate(app, door, renderer)


@dataclass(frozen=True, slots=True)
class Front:
    """Sends requests to the API or to the page, by their path.

    Args:
        api: What is below `API`.
        page: Everything else.
    """

    api: ASGIApp
    page: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_api = scope["type"] != "http" or scope["path"].startswith(API)
        await (self.api if is_api else self.page)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _Guarded:
    """Lets only those in who are known, and shows every failure as a page."""

    desk: Desk

    def __call__(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            caller = self.desk.door.admit(knock_in(request))
            if not isinstance(caller, Refusal):
                return await handler(request, caller)
            if self.desk.door.has_login and request.method in {"GET", "HEAD"}:
                return to_login(request)
            return self.desk.refused(request, None, caller)

        return answer

    async def failed(self, request: Request, error: Exception) -> Response:
        """Show what went wrong."""
        return self.desk.refused(request, self._caller(request), refusal_of(request, error))

    async def unknown(self, request: Request, error: Exception) -> Response:
        """Show that there is nothing, or that it is not asked for like this."""
        is_method = isinstance(error, HTTPException) and error.status_code == 405  # noqa: PLR2004
        is_large = isinstance(error, HTTPException) and error.status_code == 413  # noqa: PLR2004
        code = "method_not_allowed" if is_method else "body_too_large" if is_large else "unknown_path"
        return self.desk.refused(request, self._caller(request), Refusal(code, _WORDS[code]))

    def _caller(self, request: Request) -> Caller | None:
        admitted = self.desk.door.admit(knock_in(request))
        return None if isinstance(admitted, Refusal) else admitted


_WORDS = {
    "method_not_allowed": "this page is not asked for like this",
    "body_too_large": "the form is too large",
    "unknown_path": "there is no such page",
}


class _Live:
    """Says when to look again: the API's own stream, for whoever is logged in to the page."""

    def __init__(self, surface: AdminSurface, closing: asyncio.Event) -> None:
        self._surface = surface
        self._closing = closing
        self._streams = 0

    async def events(self, request: Request, caller: Caller) -> Response:  # noqa: ARG002 (as `Handler`)
        if self._streams >= MAX_STREAMS:
            return Response(status_code=503, headers={"Retry-After": "30"})
        return StreamingResponse(self._lines(), media_type="text/event-stream")

    async def _lines(self) -> AsyncIterator[bytes]:
        self._streams += 1
        try:
            async for line in Watcher(self._surface, self._closing).events():
                yield line
        finally:
            self._streams -= 1
