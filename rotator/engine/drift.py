"""Compares what placements hold with what was confirmed there, and repairs what something else has changed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from rotator.domain.drift import PERIOD, READABLE, REPAIRS, drifted, is_contested
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


@dataclass(slots=True)
class _History:
    """What happened at one placement.

    Args:
        repairs: When it was repaired, in monotonic seconds; the latest few.
        left_until: Until when it is left alone, in the same; None when it is not.
    """

    repairs: deque[float] = field(default_factory=lambda: deque(maxlen=REPAIRS))
    left_until: float | None = None


class DriftWatch:
    """Looks at every placement once an interval, and repairs it a few times an hour at most.

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
        self._histories: dict[tuple[str, str], _History] = {}

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
        placements = self._ledger.placements(target.name)
        self._forget_vanished(target.name, placements)
        rendering, left = Rendering(self._ledger, target), iter(placements)
        await together(self._work_off(target, left, rendering) for _ in range(AT_ONCE))

    async def look_at(self, target: DeliveryTarget, placement: str, rendering: Rendering) -> None:
        """Look at one placement, and repair it where it has drifted. Safe to repeat. Errors as `look`."""
        history = self._histories.get((target.name, placement))
        if history is not None and history.left_until is not None:
            if self._world.clock.monotonic() >= history.left_until:
                await self._try_again(target, placement, history)
            return
        names = await self._drifted(target, placement, rendering)
        if not names or placement not in await self._rollout.placements(target):
            return
        history = self._histories.setdefault((target.name, placement), _History())
        if is_contested(history.repairs, self._world.clock.monotonic()):
            await self._leave_alone(target, placement, names, history)
        else:
            await self._note(target, placement, names, FOUND, is_contested=False)
            await self._repair(target, placement, names, history)

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

    def _forget_vanished(self, target: str, placements: Sequence[str]) -> None:
        """Forget what happened at placements of ``target`` that are not there any more; new ones begin anew."""
        kept = set(placements)
        for name, placement in [key for key in self._histories if key[0] == target and key[1] not in kept]:
            del self._histories[name, placement]
            self._rollout.turns.release(name, placement)

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

    async def _repair(self, target: DeliveryTarget, placement: str, names: Sequence[str], history: _History) -> None:
        await self._rollout.rewrite(target, placement, names)
        known = self._ledger.held_at(target.name, placement)
        if all(name in known and known[name].state is DeliveryState.CONFIRMED for name in names):
            history.repairs.append(self._world.clock.monotonic())
            self._world.emit(DriftRepaired(target.name, target.port.kind, placement, tuple(names)))

    async def _leave_alone(
        self, target: DeliveryTarget, placement: str, names: Sequence[str], history: _History
    ) -> None:
        until = self._world.clock.now() + PERIOD
        message = (
            f"something else writes there: {REPAIRS} repairs within an hour did not last; "
            f"it is left alone until {until:%H:%M} UTC"
        )
        history.left_until = self._world.clock.monotonic() + PERIOD.total_seconds()
        self._rollout.turns.leave_alone(target.name, placement)
        await self._note(target, placement, names, message, is_contested=True)

    async def _try_again(self, target: DeliveryTarget, placement: str, history: _History) -> None:
        history.left_until = None
        self._rollout.turns.release(target.name, placement)
        known = self._ledger.held_at(target.name, placement)
        if names := [name for name, one in known.items() if one.state is DeliveryState.FAILED]:
            await self._repair(target, placement, names, history)

    async def _note(
        self, target: DeliveryTarget, placement: str, names: Sequence[str], message: str, *, is_contested: bool
    ) -> None:
        """Journal that nobody knows any more what the placement holds, and tell."""
        await self._ledger.amend(lambda: Changes(deliveries=list(self._undone(target.name, placement, names, message))))
        self._world.emit(
            DriftFound(target.name, target.port.kind, placement, tuple(names), f"{placement} {message}", is_contested)
        )

    def _undone(self, target: str, placement: str, names: Sequence[str], message: str) -> Iterator[Delivery]:
        known, now = self._ledger.held_at(target, placement), self._world.clock.now()
        for name in names:
            last = known.get(name)
            if last is not None and last.state is DeliveryState.CONFIRMED:
                lost = replace(last, state=DeliveryState.FAILED, at=now, message=message, confirmed_generation=0)
                yield replace(lost, error=ConflictError.code)

    @asynccontextmanager
    async def _surviving(self, target: str) -> AsyncIterator[None]:
        """Report whatever breaks inside, and go on, as the watch does."""
        try:
            yield
        except StoreError as error:
            self._world.emit(StoreFailed("delivery", error.code, str(error)))
        except Exception as error:  # noqa: BLE001 (as in the dispatcher: a defect must not stop the daemon)
            self._world.emit(Crashed(f"look for drift at {target}", error))
