"""The admin API's paths about versions: what there is, and back to an earlier one."""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path

from rotator.admin.models import Accepted
from rotator.admin.routes import Key, Operator, UsedContext
from rotator.admin.version_models import RollbackRequest, VersionList, VersionView

Name = Annotated[str, Path(max_length=63)]

_log: Any = structlog.get_logger(__name__)

router = APIRouter(prefix="/api/v1/credentials/{name}")


@router.get("/versions")
async def list_versions(context: UsedContext, name: Name) -> VersionList:
    """Return the versions of one credential, newest first: stages, ages, fingerprints, and where each is held."""
    now = context.surface.clock.now()
    versions = await context.surface.versions(name)
    return VersionList(credential=name, now=now, versions=tuple(VersionView.of(one, now) for one in versions))


@router.post("/rollbacks", status_code=202)
async def request_rollback(
    context: UsedContext, caller: Operator, name: Name, body: RollbackRequest, key: Key = None
) -> Accepted:
    """Put an earlier version back, under a new generation; it is verified before it is delivered."""

    async def act() -> Accepted:
        ticket = await context.surface.request_rollback(name, body.generation, body.reason, caller.name)
        _log.info("rollback_requested", credential=name, rotation=ticket.rotation, by=caller.name)
        return Accepted(rotation=ticket.rotation, joined=ticket.joined)

    if key is None:
        return await act()
    asked = ("rollback", name, body.reason, str(body.generation))
    return await context.answers.once((caller.name, key), asked, act)
