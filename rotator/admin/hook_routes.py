"""The admin API's paths for machines: Alertmanager tells of alerts, and a rotation may follow."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from rotator.admin.access import Caller, Role
from rotator.admin.alert_models import AlertGroup, HandledGroup
from rotator.admin.failure import RoleTooLowError
from rotator.admin.gate import HOOKS
from rotator.admin.routes import UsedContext, caller_of

router = APIRouter(prefix=HOOKS.removesuffix("/"))


async def _machine(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
    """Return ``caller``.

    Raises:
        RoleTooLowError: They may only look.
    """
    if caller.role is Role.VIEWER:
        raise RoleTooLowError(
            f"this needs the role hook or operator, and {caller.name} is viewer", hint="Give Alertmanager its own token"
        )
    return caller


@router.post("/alertmanager")
async def handle_alerts(
    context: UsedContext, caller: Annotated[Caller, Depends(_machine)], body: AlertGroup
) -> HandledGroup:
    """Rotate what the configured ones among these alerts are about; at most once per alert and cool-down."""
    return await context.alerts.take(body, caller.name)
