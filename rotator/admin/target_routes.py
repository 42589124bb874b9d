"""The admin API's paths about targets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from rotator.admin.failure import LocalOnlyError
from rotator.admin.routes import Admin, Operator, UsedContext
from rotator.admin.target_models import (
    Acknowledged,
    Acknowledgement,
    Nothing,
    PlaceList,
    PlaceView,
    RevealedLogin,
    TrialList,
    TrialView,
)

Name = Annotated[str, Path(max_length=63)]

router = APIRouter(prefix="/api/v1/targets")


@router.get("")
async def list_targets(context: UsedContext) -> PlaceList:
    """Return how every target stands that holds a credential."""
    places = tuple(PlaceView.of(place) for place in context.surface.places())
    return PlaceList(now=context.surface.clock.now(), targets=places)


@router.post("/{name}/trials")
async def try_target(context: UsedContext, _caller: Operator, name: Name, _: Nothing) -> TrialList:
    """Read one target's placements, at most 20, without writing anything."""
    trials = await context.surface.try_target(name)
    return TrialList(target=name, trials=tuple(TrialView.of(one) for one in trials))


@router.post("/{name}/acknowledgements")
async def acknowledge(context: UsedContext, caller: Operator, name: Name, body: Acknowledgement) -> Acknowledged:
    """Take the caller's word that a login which a person was to enter is in place. May be repeated."""
    done = await context.surface.acknowledge(name, body.generation, caller.name)
    delivery = done.delivery
    return Acknowledged(
        target=delivery.target,
        placement=delivery.placement,
        credential=delivery.credential,
        generation=delivery.generation,
        at=delivery.at,
        left_behind=done.left_behind,
    )


@router.post("/{name}/revelations")
async def reveal(context: UsedContext, caller: Admin, name: Name, _: Nothing) -> RevealedLogin:
    """Show the login that a person is to enter, once per generation. On the UNIX socket only."""
    if caller.via != "unix":
        raise LocalOnlyError(
            "a login is shown on the daemon's UNIX socket only, never over TCP",
            hint="Run it on the daemon's machine, without --url",
        )
    shown = await context.surface.reveal(name, caller.name)
    return RevealedLogin(
        target=shown.delivery.target,
        placement=shown.delivery.placement,
        credential=shown.delivery.credential,
        generation=shown.delivery.generation,
        username=shown.login.username,
        password=shown.login.secret.reveal(),
    )
