"""The admin API's path about everything that happens."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from rotator.admin.failure import BusyError
from rotator.admin.routes import Context, UsedContext
from rotator.admin.watching import Watcher

MAX_WATCHERS = 64
"""Of `rotator.admin.server.MAX_CONNECTIONS`."""

router = APIRouter(prefix="/api/v1")


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events, for up to an hour"}},
)
async def watch(context: UsedContext) -> StreamingResponse:
    """Say what changes, as it does: which kind of thing, of which credential, at which target."""
    if context.watchers >= MAX_WATCHERS:
        raise BusyError(f"{MAX_WATCHERS} readers watch already", hint="Ask for the status now and then instead")
    return StreamingResponse(watching(context), media_type="text/event-stream")


async def watching(context: Context) -> AsyncIterator[bytes]:
    """Yield the lines for one reader, who is counted meanwhile."""
    context.watchers += 1
    try:
        async for line in Watcher(context.surface, context.closing).events():
            yield line
    finally:
        context.watchers -= 1
