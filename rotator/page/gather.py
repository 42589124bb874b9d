"""Asks the daemon for what pages are made from. Reads only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from rotator.admin.access import Role
from rotator.admin.surface import AdminSurface
from rotator.domain.attention import needs_of
from rotator.domain.plan import CredentialPlan
from rotator.domain.status import CredentialStatus
from rotator.errors import RotatorError
from rotator.page.ask import Outlook
from rotator.page.detail import Known
from rotator.page.overview import RECENT, Facts
from rotator.page.steps import StepTimes

GATHERED_AT_ONCE = 50
"""Credentials whose status is gathered before others have their turn."""
HISTORY = 20
"""Rotations of one credential that are shown."""
PLAN_SECONDS = 8.0
"""How long places are waited for before somebody is told what will happen from memory alone."""


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Asks one daemon.

    Args:
        surface: The daemon.
        steps: Durations of steps.
        since: When the daemon began to serve this configuration.
    """

    surface: AdminSurface
    steps: StepTimes
    since: datetime

    async def facts(self) -> Facts:
        """Return how everything stands.

        Raises:
            StoreError: The journal could not be read.
        """
        surface = self.surface
        statuses = await self._statuses()
        rotations = await surface.rotations(None, RECENT)
        leaks = await surface.open_leaks()
        now, limits = surface.clock.now(), surface.limits()
        return Facts(
            now=now,
            since=self.since,
            unready=surface.readiness(),
            dead=surface.liveness(),
            statuses=statuses,
            limits=limits,
            needs=needs_of(statuses, now, leaks, limits),
            leaks=leaks,
            rotations=rotations,
            seconds={one.id: self.steps.of(one.id) for one in rotations},
        )

    async def known(self, name: str, role: Role, asked: str) -> Known:
        """Return what is known of one credential.

        Raises:
            NotFoundError: No such credential. StoreError: The journal could not be read.
        """
        surface = self.surface
        status = surface.status(name)
        rotations = await surface.rotations(name, HISTORY)
        return Known(
            now=surface.clock.now(),
            status=status,
            versions=await surface.versions(name),
            usage=surface.usage(name),
            leak=await surface.leak_progress(name),
            rotations=rotations,
            seconds={one.id: self.steps.of(one.id) for one in rotations},
            role=role,
            asked=asked,
        )

    async def outlook(self, name: str) -> Outlook:
        """Return what would happen to one credential; places are read for it, nothing is written.

        Raises:
            NotFoundError: No such credential. StoreError: The journal could not be read.
        """
        surface = self.surface
        status = surface.status(name)
        plan, unplanned = await self._plan(name)
        versions = await surface.versions(name)
        return Outlook(surface.clock.now(), status, plan, unplanned, versions, surface.usage(name))

    async def _plan(self, name: str) -> tuple[CredentialPlan | None, str]:
        """Return the plan of a rotation; without one, why."""
        try:
            async with asyncio.timeout(PLAN_SECONDS):
                plans = await self.surface.planner.plan([name], [name])
        except TimeoutError:
            return None, f"not within {PLAN_SECONDS:g} s"
        except RotatorError as error:
            return None, error.message
        return next(iter(plans), None), ""

    async def _statuses(self) -> list[CredentialStatus]:
        statuses = []
        for count, name in enumerate(sorted(self.surface.config.credentials)):
            statuses.append(self.surface.status(name))
            if count % GATHERED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return statuses
