"""Looks at what needs a person, and has each destination told of what is news to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from rotator.domain.attention import Need
from rotator.domain.events import (
    Crashed,
    DeliveryFinished,
    Event,
    ImageLookedAt,
    Notified,
    OperatorActed,
    RotationFinished,
    StoreFailed,
    TargetFailed,
    VersionEnded,
    VersionProbed,
)
from rotator.domain.note import News, Notebook
from rotator.errors import PermanentError, RotatorError, StoreError, TemporaryError
from rotator.notify.bucket import Bucket
from rotator.notify.destination import Sender
from rotator.ports import Clock, Notes

LOOK_SECONDS = 30.0
"""An expiry comes nearer without any event."""
SETTLE_SECONDS = 5.0
"""Looks are at least this far apart, however much happens."""
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
LONGEST_ASKED = timedelta(hours=1)

_STIRRING = (
    RotationFinished,
    VersionProbed,
    VersionEnded,
    TargetFailed,
    OperatorActed,
    ImageLookedAt,
)


@dataclass(slots=True)
class Outlet:
    """One destination, and how it stands.

    Args:
        name: Its name.
        sender: Sends to it.
        notebook: What it was told.
        bucket: How many messages it may be sent.
        failures: Messages in a row that it did not take.
        seen: Set when its notebook may have news.
    """

    name: str
    sender: Sender
    notebook: Notebook
    bucket: Bucket
    failures: int = 0
    seen: asyncio.Event = field(default_factory=asyncio.Event)


class Notifier:
    """A `rotator.ports.Hook` that only takes note that something happened; `run` does the work.

    Args:
        outlets: The destinations.
        needs: Tells what needs a person, worst first; may raise StoreError.
        notes: Where it is kept what was told.
        clock: Time.
        random: Draws from [0, 1).
        emit: Is told what became of each message.
    """

    def __init__(
        self,
        outlets: Sequence[Outlet],
        needs: Callable[[], Awaitable[Sequence[Need]]],
        notes: Notes,
        clock: Clock,
        random: Callable[[], float],
        emit: Callable[[Event], None],
    ) -> None:
        self._outlets = outlets
        self._needs = needs
        self._notes = notes
        self._clock = clock
        self._random = random
        self._emit = emit
        self._woken = asyncio.Event()

    def __call__(self, event: Event) -> None:
        """Have a look soon where ``event`` may have changed what needs a person. Costs nothing."""
        if isinstance(event, _STIRRING) or (isinstance(event, DeliveryFinished) and event.error):
            self._woken.set()

    async def run(self) -> None:
        """Look and tell for ever; cancel to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_forever(), name="needs")
            for outlet in self._outlets:
                group.create_task(self._serve(outlet), name=f"notifications to {outlet.name}")

    async def look(self) -> None:
        """Look once at what needs a person, and wake the destinations."""
        try:
            needs = await self._needs()
        except StoreError as error:
            self._emit(StoreFailed("notes", error.code, str(error)))
            return
        except Exception as error:  # noqa: BLE001 (as in the dispatcher: a defect must not stop the daemon)
            self._emit(Crashed("look at what needs a person", error))
            return
        for outlet in self._outlets:
            outlet.notebook.see(needs, self._clock.now())
            outlet.seen.set()

    async def _look_forever(self) -> None:
        while True:
            self._woken.clear()
            await self.look()
            await self._clock.sleep(SETTLE_SECONDS)
            await self._wait(LOOK_SECONDS - SETTLE_SECONDS)

    async def _wait(self, seconds: float) -> None:
        """Wait until something happened, at most ``seconds``."""
        sleeping = asyncio.create_task(self._clock.sleep(seconds))
        waking = asyncio.create_task(self._woken.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleeping, waking):
                task.cancel()
            await asyncio.gather(sleeping, waking, return_exceptions=True)

    async def _serve(self, outlet: Outlet) -> None:
        while True:
            await outlet.seen.wait()
            outlet.seen.clear()
            while outlet.notebook.news(self._clock.now()):
                await self._tell(outlet)

    async def _tell(self, outlet: Outlet) -> None:
        """Send one message about all that is news once it may be sent; wait after one that was not taken."""
        await self._clock.sleep(outlet.bucket.wait(self._clock.monotonic()))
        news = outlet.notebook.news(self._clock.now())
        if not news:
            return
        outlet.bucket.take(self._clock.monotonic())
        try:
            await outlet.sender.send(news)
        except RotatorError as error:
            self._note_failure(outlet, news, error)
            await self._clock.sleep(self._pause(outlet.failures, error))
        except Exception as error:  # noqa: BLE001 (as above)
            self._emit(Crashed(f"notification of {outlet.name}", error))
            await self._clock.sleep(LONGEST_PAUSE_SECONDS)
        else:
            await self._note_success(outlet, news)

    async def _note_success(self, outlet: Outlet, news: News) -> None:
        outlet.notebook.tell(news)
        self._emit(Notified(outlet.name, len(news.opened), len(news.resolved), "", "", outlet.failures > 0))
        outlet.failures = 0
        try:
            await self._notes.keep_notes(outlet.name, outlet.notebook.told)
        except StoreError as error:
            self._emit(StoreFailed("notes", error.code, str(error)))

    def _note_failure(self, outlet: Outlet, news: News, error: RotatorError) -> None:
        outlet.failures += 1
        counts = (len(news.opened), len(news.resolved))
        self._emit(Notified(outlet.name, *counts, error.code, str(error), outlet.failures == 1))

    def _pause(self, failures: int, error: RotatorError) -> float:
        """Return how long to leave a destination alone: 5 s doubled up to 5 minutes, with jitter, and what it asked."""
        longest = LONGEST_PAUSE_SECONDS
        grown = longest if isinstance(error, PermanentError) else FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10)
        pause = min(grown, longest) * (0.5 + self._random() / 2)
        asked = error.retry_after if isinstance(error, TemporaryError) else None
        return max(pause, min(asked or timedelta(), LONGEST_ASKED).total_seconds())
