"""One rotation as server-sent events: what it is, its steps, its deliveries, its end.

Wire format: WHATWG HTML, section 9.2 "Server-sent events". Each event has a name and one JSON object:
``state`` (the rotation, and how many placements it has), ``step``, ``delivery`` (the first hundred, and every failure
among them), ``deliveries`` (counts so far), ``end`` (the rotation, its outcome, and how
many placements still lack the version in use).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rotator.admin.models import RotationView
from rotator.admin.surface import AdminSurface
from rotator.domain.events import DeliveryFinished, Event, RotationFinished, StepFinished
from rotator.domain.rotation import Rotation, State
from rotator.errors import NotFoundError

HEARTBEAT_SECONDS = 5.0
"""How often a silent stream says that it lives, and looks for an end that it did not hear of."""
MAX_STREAM_SECONDS = 3600.0
MAX_DELIVERIES_TOLD = 100
"""Deliveries told one by one; later ones are only counted."""
COUNT_EVERY = 100
MAX_QUEUED = 10_000
"""Events that a follower may be behind."""

OUTCOMES: dict[State, str] = {
    State.SUCCEEDED: "succeeded",
    State.UNCHANGED: "unchanged",
    State.FAILED: "failed",
    State.ABANDONED: "abandoned",
    State.DELIVERING: "partial",
}
"""How a rotation that does not run any more ended; ``partial`` means that stragglers are still tried."""

_BEAT = b": still here\n\n"


def sse(name: str, value: dict[str, Any]) -> bytes:
    """Return one event as it is sent."""
    return f"event: {name}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode()


@contextmanager
def queued(surface: AdminSurface) -> Iterator[asyncio.Queue[Event]]:
    """Yield a queue that gets every event; a reader that is too slow loses the oldest."""
    queue: asyncio.Queue[Event] = asyncio.Queue(MAX_QUEUED)

    def put(event: Event) -> None:
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(event)

    with surface.listening(put):
        yield queue


@dataclass(slots=True)
class Follower:
    """Turns the daemon's events into those of one rotation.

    Args:
        surface: The daemon.
        rotation: The rotation to follow, as it was when the stream began.
        closing: Set when the server closes.
    """

    surface: AdminSurface
    rotation: Rotation
    closing: asyncio.Event
    _confirmed: int = field(default=0, init=False)
    _failed: int = field(default=0, init=False)

    async def events(self) -> AsyncIterator[bytes]:
        """Yield events until the rotation ends, the server closes, or an hour has passed."""
        with queued(self.surface) as queue:
            # Read again now that nothing can be missed: it may have ended in between.
            self.rotation = await self.surface.rotation(self.rotation.id)
            yield sse("state", {"rotation": _dump(self.rotation), "placements": self._placements()})
            until = self.surface.clock.monotonic() + MAX_STREAM_SECONDS
            while self.rotation.is_running and self.surface.clock.monotonic() < until:
                event = await self._next(queue)
                if self.closing.is_set():
                    return
                for line in await self._told(event):
                    yield line
        yield self._counts()
        outcome = OUTCOMES.get(self.rotation.state, "running")
        yield sse("end", {"rotation": _dump(self.rotation), "outcome": outcome, "lacking": self._lacking()})

    async def _next(self, queue: asyncio.Queue[Event]) -> Event | None:
        """Return the next event; None after a while without one, or when the server closes."""
        getting = asyncio.create_task(queue.get())
        closing = asyncio.create_task(self.closing.wait())
        try:
            await asyncio.wait({getting, closing}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return getting.result() if getting.done() else None
        finally:
            getting.cancel()
            closing.cancel()

    async def _told(self, event: Event | None) -> list[bytes]:
        if event is None:
            await self._look()
            return [_BEAT]
        if getattr(event, "credential", None) != self.rotation.credential:
            return []
        if isinstance(event, StepFinished) and event.rotation == self.rotation.id:
            step = {"step": event.step, "seconds": round(event.seconds, 3), "message": event.message}
            return [self._counts(), sse("step", step)] if event.step == "deliver" else [sse("step", step)]
        if isinstance(event, RotationFinished) and event.rotation == self.rotation.id:
            await self._look()
            return []
        return await self._told_delivery(event) if isinstance(event, DeliveryFinished) else []

    async def _told_delivery(self, event: DeliveryFinished) -> list[bytes]:
        if not self.rotation.generation:
            await self._look()
        if event.generation != self.rotation.generation:
            return []
        self._confirmed += not event.error
        self._failed += bool(event.error)
        told = self._confirmed + self._failed
        if told > MAX_DELIVERIES_TOLD:
            return [self._counts()] if told % COUNT_EVERY == 0 else []
        delivery = {
            "target": event.target,
            "placement": event.placement,
            "error": event.error,
            "message": event.message,
            "changed": event.changed,
        }
        return [sse("delivery", delivery)]

    async def _look(self) -> None:
        """Read the rotation again; one that is not kept any more stays as it was last seen."""
        try:
            self.rotation = await self.surface.rotation(self.rotation.id)
        except NotFoundError:
            return

    def _counts(self) -> bytes:
        return sse("deliveries", {"confirmed": self._confirmed, "failed": self._failed})

    def _placements(self) -> int:
        """Return how many placements are known for the credential; 0 when it is not configured any more."""
        try:
            status = self.surface.status(self.rotation.credential)
        except NotFoundError:
            return 0
        return sum(target.placements for target in status.targets)

    def _lacking(self) -> int:
        """Return how many placements lack the version in use; a target that cannot be asked counts as one."""
        try:
            status = self.surface.status(self.rotation.credential)
        except NotFoundError:
            return 0
        return sum(target.placements - target.confirmed + bool(target.error) for target in status.targets)


def _dump(rotation: Rotation) -> dict[str, Any]:
    return RotationView.of(rotation).model_dump(mode="json")
