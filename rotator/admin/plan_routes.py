"""The admin API's paths about plans: what would happen, and do it when nothing has changed since."""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query

from rotator.admin.plan_models import Application, AppliedPlan, Names, PlanView, Started
from rotator.admin.routes import Key, Operator, UsedContext

_log: Any = structlog.get_logger(__name__)

router = APIRouter(prefix="/api/v1/plan")


@router.get("")
async def read_plan(
    context: UsedContext,
    credential: Annotated[Names, Query()] = (),
    rotate: Annotated[Names, Query()] = (),
) -> PlanView:
    """Return what would happen to some credentials, or to all, and why. Reads targets; writes nothing."""
    plans = await context.surface.planner.plan(credential, rotate)
    return PlanView.of(plans, context.surface.clock.now(), credential, rotate)


@router.post("/applications", status_code=202)
async def apply_plan(context: UsedContext, caller: Operator, body: Application, key: Key = None) -> AppliedPlan:
    """Start the rotations of a plan, unless anything that it depends on has changed: then none of them."""

    async def act() -> AppliedPlan:
        started = await context.surface.planner.apply(body.names, body.asked, body.digest, caller.name)
        _log.info("plan_applied", rotations=[ticket.rotation for _, ticket in started], by=caller.name)
        rotations = (
            Started(credential=name, rotation=ticket.rotation, joined=ticket.joined) for name, ticket in started
        )
        return AppliedPlan(rotations=tuple(rotations))

    if key is None:
        return await act()
    asked = (body.digest, *body.names, "", *body.asked)
    return await context.applied.once((caller.name, key), asked, act)
