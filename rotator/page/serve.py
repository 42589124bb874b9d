"""`serve`: the daemon's listeners with the status page in front of the admin API."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rotator.admin.serve import ignore_start
from rotator.admin.serve import serve as serve_admin
from rotator.admin.surface import AdminSurface
from rotator.page.app import Page


async def serve(application: AdminSurface, started: Callable[[Mapping[str, str]], None] = ignore_start) -> None:
    """Answer on every listener that the configuration names, until cancelled; as `rotator.admin.serve.serve`."""
    page = Page(application)
    with application.listening(page.steps):
        await serve_admin(application, started, page.front)
