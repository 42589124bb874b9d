"""Compares what placements hold with what was confirmed there, and repairs what something else has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from rotator.domain.audit import of_repair
from rotator.domain.drift import PERIOD, READABLE, REPAIRS, drifted, is_contested, is_left_alone, repaired
from rotator.domain.events import Crashed, DriftFound, DriftRepaired, StoreFailed
from rotator.domain.model import Delivery, DeliveryState
from rotator.engine.credential import DeliveryTarget
from rotator.engine.ledger import Ledger
from rotator.engine.rendering import Rendering
from rotator.engine.rollout import Rollout
from rotator.engine.surroundings import Surroundings
from rotator.engine.together import together
from rotator.errors import ConflictError, RotatorError, ShapeError, StoreError
from rotator.ports import Changes, WatchesContent

AT_ONCE = 4
"""Placements of one target that are read at the same time."""

SPREAD = 0.2
"""Share of the interval by which a look comes earlier at random, so that looks do not stay together."""

FOUND = "holds something else than was confirmed there"


class DriftWatch:
    """Looks at every placement once an interval, and repairs it a few times an hour at most, also over restarts.

    A read that cannot tell is no drift, nor is a placement that its target does not have any more. A repair is an
    ordinary delivery of the generation that was confirmed, so a placement that holds a newer one refuses it.

    Args:
        targets: All that hold at least one credential; those that do not show what they hold are not asked.
        ledger: Knows what was confirmed, and is told what is not so any more.
        rollout: Writes.
        world: Time, chance, and who is told.
        interval: Time between two looks at a placement.
    """

    def __init__(
        self,
        targets: Sequence[DeliveryTarget],
        ledger: Ledger,
        rollout: Rollout,
        world: Surroundings,
        interval: timedelta,
    ) -> None:
        self._targets = [one for one in targets if one.port.declares.readback in READABLE]
        self._ledger = ledger
        self._rollout = rollout
        self._world = world
        self._interval = interval.total_seconds()

    async def run(self) -> None:
        """Look for ever; cancel to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait(), name="drift")  # there may be no target to look at
            for target in self._targets:
                group.create_task(self._look_forever(target), name=f"drift {target.name}")
                if isinstance(target.port, WatchesContent):
                    group.create_task(self._listen(target, target.port), name=f"changes {target.name}")

    async def look(self, target: DeliveryTarget) -> None:
        """Look at every placement of ``target`` once, a few at the same time.

        Raises:
            StoreError: What was found could not be journalled.
        """
        rendering, left = Rendering(self._ledger, target), iter(self._ledger.placements(target.name))
        await together(self._work_off(target, left, rendering) for _ in range(AT_ONCE))

    async def look_at(self, target: DeliveryTarget, placement: str, rendering: Rendering) -> None:
        """Look at one placement, and repair it where it has drifted. Safe to repeat. Errors as `look`."""
        known, now = self._ledger.held_at(target.name, placement), self._world.clock.now()
        if is_left_alone(known.values(), now):
            return
        if left := [name for name, one in known.items() if one.left_until and one.state is DeliveryState.FAILED]:
            await self._repair(target, placement, left)
            return
        names = await self._drifted(target, placement, rendering)
        if not names or placement not in await self._rollout.placements(target):
            return
        if is_contested(self._ledger.held_at(target.name, placement).values(), self._world.clock.now()):
            await self._leave_alone(target, placement, names)
        else:
            await self._note(target, placement, names, FOUND)
            await self._repair(target, placement, names)

    async def _look_forever(self, target: DeliveryTarget) -> None:
        await self._world.clock.sleep(self._interval * self._world.random())
        while True:
            async with self._surviving(target.name):
                await self.look(target)
            await self._world.clock.sleep(self._interval * (1 - SPREAD * self._world.random()))

    async def _listen(self, target: DeliveryTarget, port: WatchesContent) -> None:
        """Look at each placement as soon as its target says that it may have changed; begin again if that breaks."""
        while True:
            async with self._surviving(target.name):
                async for placement in port.changes():
                    async with self._surviving(target.name):
                        await self.look_at(target, placement, Rendering(self._ledger, target))
            await self._world.clock.sleep(self._interval)

    async def _work_off(self, target: DeliveryTarget, placements: Iterator[str], rendering: Rendering) -> None:
        for placement in placements:
            await self.look_at(target, placement, rendering)

    async def _drifted(self, target: DeliveryTarget, placement: str, rendering: Rendering) -> tuple[str, ...]:
        """Return the credentials that have drifted; none when it cannot be told. Nothing is written there meanwhile."""
        async with self._rollout.alone_at(target, placement):
            try:
                entries = await rendering.entries(placement)
                held = await target.port.read(placement, entries)
            except StoreError:
                raise
            except ShapeError:
                return self._settled_at(target.name, placement)  # whatever that is, it is not what was written
            except RotatorError:
                return ()
            return drifted(entries, held, self._ledger.held_at(target.name, placement))

    def _settled_at(self, target: str, placement: str) -> tuple[str, ...]:
        known = self._ledger.held_at(target, placement)
        return tuple(name for name, one in known.items() if one.state is DeliveryState.CONFIRMED)

    async def _repair(self, target: DeliveryTarget, placement: str, names: Sequence[str]) -> None:
        await self._rollout.rewrite(target, placement, names)
        known, now = self._ledger.held_at(target.name, placement), self._world.clock.now()
        if all(name in known and known[name].state is DeliveryState.CONFIRMED for name in names):

            def mended() -> Changes:
                settled = list(self._settled(target.name, placement, names))
                said = [of_repair(one, now) for one in settled]
                return Changes(deliveries=[repaired(one, now) for one in settled], audit=said)

            await self._ledger.amend(mended)
            self._world.emit(DriftRepaired(target.name, target.port.kind, placement, tuple(names)))

    async def _leave_alone(self, target: DeliveryTarget, placement: str, names: Sequence[str]) -> None:
        until = self._world.clock.now() + PERIOD
        message = (
            f"something else writes there: {REPAIRS} repairs within an hour did not last; "
            f"it is left alone until {until:%H:%M} UTC"
        )
        await self._note(target, placement, names, message, until)

    async def _note(
        self,
        target: DeliveryTarget,
        placement: str,
        names: Sequence[str],
        message: str,
        left_until: datetime | None = None,
    ) -> None:
        """Journal that nobody knows any more what the placement holds, and tell."""

        def undone() -> Changes:
            now = self._world.clock.now()
            lost = partial(
                replace,
                state=DeliveryState.FAILED,
                at=now,
                message=message,
                confirmed_generation=0,
                error=ConflictError.code,
                left_until=left_until,
            )
            return Changes(deliveries=[lost(one) for one in self._settled(target.name, placement, names)])

        await self._ledger.amend(undone)
        is_contested = left_until is not None
        self._world.emit(
            DriftFound(target.name, target.port.kind, placement, tuple(names), f"{placement} {message}", is_contested)
        )

    def _settled(self, target: str, placement: str, names: Sequence[str]) -> Iterator[Delivery]:
        """Yield the deliveries of ``names`` there that are confirmed."""
        known = self._ledger.held_at(target, placement)
        for name in names:
            last = known.get(name)
            if last is not None and last.state is DeliveryState.CONFIRMED:
                yield last

    @asynccontextmanager
    async def _surviving(self, target: str) -> AsyncIterator[None]:
        """Report whatever breaks inside, and go on, as the watch does."""
        try:
            yield
        except StoreError as error:
            self._world.emit(StoreFailed("delivery", error.code, str(error)))
        except Exception as error:  # noqa: BLE001 (as in the dispatcher: a defect must not stop the daemon)
            self._world.emit(Crashed(f"look for drift at {target}", error))
