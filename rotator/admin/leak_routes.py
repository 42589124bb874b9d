"""The admin API's paths about leaks: the report of one, and how far the response has come.

Whoever may ask for a rotation may report a leak: it does the same, everywhere at once, and ends what is old.
"""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Query

from rotator.admin.leak_models import Instant, LeakList, LeakReport, LeakView
from rotator.admin.routes import Admin, Key, UsedContext

Name = Annotated[str, Path(max_length=63)]

_log: Any = structlog.get_logger(__name__)

router = APIRouter(prefix="/api/v1")


@router.post("/credentials/{name}/leaks", status_code=202)
async def report_leak(context: UsedContext, caller: Admin, name: Name, body: LeakReport, key: Key = None) -> LeakView:
    """Take note that the secret in use is known to others; it is replaced everywhere at once, and ended."""

    async def act() -> LeakView:
        progress = await context.surface.report_leak(name, body.reason, caller.name, body.issued_before)
        _log.warning("leak_reported", credential=name, by=caller.name)
        return LeakView.of(progress)

    if key is None:
        return await act()
    return await context.leak_answers.once((caller.name, key), ("leak", name, body.reason), act)


@router.get("/credentials/{name}/leak")
async def read_leak(context: UsedContext, name: Name) -> LeakView:
    """Return how far the response to a leak of one credential has come."""
    return LeakView.of(await context.surface.leak_progress(name))


@router.get("/leaks")
async def list_leaks(context: UsedContext, since: Annotated[Instant | None, Query()] = None) -> LeakList:
    """Return which credentials are older than ``since``, and the responses to leaks that are not over."""
    surface = context.surface
    names = sorted(surface.config.credentials)
    found = [LeakView.of(await surface.leak_progress(name)) for name in names]
    older = await surface.older_than(since) if since is not None else ()
    return LeakList(
        now=surface.clock.now(),
        credentials=len(names),
        older=tuple(sorted(older)),
        open=tuple(one for one in found if not one.is_over),
    )
