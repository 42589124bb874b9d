"""``/metrics``, ``/healthz`` and ``/readyz``: for machines that come without a login, so they hold no secret."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rotator.admin.surface import AdminSurface
from rotator.domain.status import CredentialStatus

MAX_SCRAPES = 4
"""Renderings at once; each takes a thread and, with many series, memory. A further one is told to come again."""

GATHERED_AT_ONCE = 100
"""Credentials whose status is gathered before others have their turn."""


def create_probes(application: AdminSurface) -> Starlette:
    """Return the probes as an ASGI application.

    Not FastAPI's: it remembers endpoints for ever, and ours hold the whole daemon, which a reload replaces.
    """
    probes = _Probes(application)
    routes = [
        Route(f"/{one.__name__}", one, methods=["GET"]) for one in (probes.metrics, probes.healthz, probes.readyz)
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return app


class _Probes:
    def __init__(self, application: AdminSurface) -> None:
        self._application = application
        self._scrapes = 0

    async def metrics(self, request: Request) -> Response:
        if self._scrapes >= MAX_SCRAPES:
            return _plain("too many scrapes at once", 503)
        self._scrapes += 1
        try:
            accept = request.headers.get("accept", "")
            statuses = await self._statuses()
            body, media_type = await asyncio.to_thread(self._application.metrics.render, accept, statuses=statuses)
        finally:
            self._scrapes -= 1
        return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    async def healthz(self, _: Request) -> Response:
        return _verdict(self._application.liveness())

    async def readyz(self, _: Request) -> Response:
        return _verdict(self._application.readiness())

    async def _statuses(self) -> list[CredentialStatus]:
        """Gather how every credential stands, letting others have their turn in between."""
        statuses = []
        for count, name in enumerate(self._application.config.credentials):
            statuses.append(self._application.status(name))
            if count % GATHERED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return statuses


def _verdict(complaint: str) -> Response:
    return _plain(complaint, 503) if complaint else _plain("ok", 200)


def _plain(text: str, status: int) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return PlainTextResponse(f"{text}\n", status_code=status, headers=headers)
