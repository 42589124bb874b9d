"""The admin API's paths. GET reads; the one POST asks the engine for a rotation."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import StreamingResponse

from rotator import __version__
from rotator.admin.access import Caller, Role
from rotator.admin.alerts import AlertDesk
from rotator.admin.failure import BusyError, RoleTooLowError
from rotator.admin.idempotency import Answers
from rotator.admin.leak_models import LeakView
from rotator.admin.models import (
    Accepted,
    CredentialDetail,
    CredentialPage,
    CredentialView,
    DaemonStatus,
    LimitList,
    LimitView,
    RotationList,
    RotationRequest,
    RotationView,
)
from rotator.admin.need_models import NeedView
from rotator.admin.plan_models import AppliedPlan
from rotator.admin.progress import Follower
from rotator.admin.surface import AdminSurface
from rotator.domain.attention import needs_of
from rotator.domain.status import Health

MAX_STREAMS = 16
"""Rotations that may be followed at once; each holds a connection."""
MAX_PAGE = 500
MAX_NAMED = 100

_log: Any = structlog.get_logger(__name__)


@dataclass(slots=True)
class Context:
    """What the paths need, kept in ``app.state.context``.

    Args:
        surface: The daemon.
        alerts: Takes alerts in; one for every door.
        closing: Set when the server closes; ends the streams.
        answers: What idempotency keys were answered.
        leak_answers: The same, of reports of leaks.
        applied: The same for plans that were applied.
        streams: Rotations that are followed now.
        watchers: Readers of everything that are there now.
    """

    surface: AdminSurface
    alerts: AlertDesk
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    answers: Answers[Accepted] = field(default_factory=Answers)
    leak_answers: Answers[LeakView] = field(default_factory=Answers)
    applied: Answers[AppliedPlan] = field(default_factory=Answers)
    streams: int = 0
    watchers: int = 0


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


async def caller_of(request: Request) -> Caller:
    """Return who asks, as the gate found out."""
    caller: Caller = request.state.caller
    return caller


async def _operator(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
    return _at_least(Role.OPERATOR, caller)


async def _admin(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
    return _at_least(Role.ADMIN, caller)


def _at_least(role: Role, caller: Caller) -> Caller:
    """Return ``caller``.

    Raises:
        RoleTooLowError: They may not do what needs ``role``.
    """
    if caller.role >= role:
        return caller
    raise RoleTooLowError(
        f"this needs the role {role.name.lower()}, and {caller.name} is {caller.role.name.lower()}",
        hint="Roles are given in admin.tokens_file, after the token; on the UNIX socket everybody is admin",
    )


UsedContext = Annotated[Context, Depends(_context)]
Operator = Annotated[Caller, Depends(_operator)]
Admin = Annotated[Caller, Depends(_admin)]
Name = Annotated[str, Path(max_length=63)]
RotationId = Annotated[str, Path(max_length=100)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]

router = APIRouter(prefix="/api/v1")


@router.get("/status")
async def read_status(context: UsedContext) -> DaemonStatus:
    """Return how the daemon as a whole stands."""
    surface = context.surface
    statuses = [surface.status(name) for name in sorted(surface.config.credentials)]
    unready, dead = surface.readiness(), surface.liveness()
    now = surface.clock.now()
    needs = needs_of(statuses, now, await surface.open_leaks(), surface.limits())
    return DaemonStatus(
        version=__version__,
        now=now,
        ready=not unready,
        alive=not dead,
        message=dead or unready,
        credentials=len(statuses),
        by_health=dict(Counter(status.health for status in statuses)),
        running=sum(status.running is not None for status in statuses),
        need_attention=tuple(status.name for status in statuses if status.health is not Health.OK)[:MAX_NAMED],
        needs=tuple(NeedView.of(need) for need in needs[:MAX_NAMED]),
    )


@router.get("/credentials")
async def list_credentials(
    context: UsedContext,
    after: Annotated[str, Query(max_length=63)] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> CredentialPage:
    """Return the credentials whose names come after ``after``, in the order of their names."""
    surface = context.surface
    names = [name for name in sorted(surface.config.credentials) if name > after]
    views = tuple(CredentialView.of(surface.status(name)) for name in names[:limit])
    rest = len(names) > limit
    return CredentialPage(now=surface.clock.now(), credentials=views, after=views[-1].name if rest else None)


@router.get("/credentials/{name}")
async def read_credential(context: UsedContext, name: Name) -> CredentialDetail:
    """Return one credential, with the placements that are behind."""
    status = context.surface.status(name)
    return CredentialDetail(now=context.surface.clock.now(), credential=CredentialView.detailed(status))


@router.post("/credentials/{name}/rotations", status_code=202)
async def request_rotation(
    context: UsedContext, caller: Operator, name: Name, body: RotationRequest, key: Key = None
) -> Accepted:
    """Rotate one credential now, or join the rotation of it that runs."""

    async def act() -> Accepted:
        ticket = await context.surface.request_rotation(name, body.reason, caller.name)
        _log.info("rotation_requested", credential=name, rotation=ticket.rotation, joined=ticket.joined, by=caller.name)
        return Accepted(rotation=ticket.rotation, joined=ticket.joined)

    if key is None:
        return await act()
    return await context.answers.once((caller.name, key), (name, body.reason), act)


@router.get("/limits")
async def list_limits(context: UsedContext) -> LimitList:
    """Return what is left of the registries' pull limits, and when it will be used up."""
    limits = tuple(LimitView.of(status) for status in context.surface.limits())
    return LimitList(now=context.surface.clock.now(), limits=limits)


@router.get("/rotations")
async def list_rotations(
    context: UsedContext,
    credential: Annotated[str | None, Query(max_length=63)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> RotationList:
    """Return the newest rotations, newest first; of all credentials, or of one."""
    rotations = await context.surface.rotations(credential, limit)
    return RotationList(rotations=tuple(RotationView.of(rotation) for rotation in rotations))


@router.get("/rotations/{rotation_id}")
async def read_rotation(context: UsedContext, rotation_id: RotationId) -> RotationView:
    """Return one rotation."""
    return RotationView.of(await context.surface.rotation(rotation_id))


@router.get(
    "/rotations/{rotation_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events until it ends"}},
)
async def follow_rotation(context: UsedContext, rotation_id: RotationId) -> StreamingResponse:
    """Follow one rotation to its end; of one that ended, tell how."""
    if context.streams >= MAX_STREAMS:
        raise BusyError(f"{MAX_STREAMS} rotations are followed already", hint="Ask for the rotation itself instead")
    follower = Follower(context.surface, await context.surface.rotation(rotation_id), context.closing)
    return StreamingResponse(_counted(context, follower), media_type="text/event-stream")


async def _counted(context: Context, follower: Follower) -> AsyncIterator[bytes]:
    context.streams += 1
    try:
        async for line in follower.events():
            yield line
    finally:
        context.streams -= 1
