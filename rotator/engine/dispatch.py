"""Which rotations run now: asks the domain what is due, starts it within bounds, joins requests to what runs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rotator.domain.due import Due, Situation, first_due, next_due_at
from rotator.domain.events import Crashed, RotationStarted, StoreFailed
from rotator.domain.model import Stage
from rotator.domain.rotation import Rotation, State, Step, end
from rotator.engine.credential import Credential
from rotator.engine.ledger import Ledger
from rotator.engine.rotate import Rotator, Surroundings
from rotator.errors import NotFoundError, RotatorError, StoreError
from rotator.ports import Changes

FIRST_EVER = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
HELD_BACK_AFTER_A_DEFECT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a request for a rotation got.

    Args:
        rotation: The rotation's id.
        joined: Whether it had been running already.
        finished: Done with the ended rotation; None when the daemon stops first.
    """

    rotation: str
    joined: bool
    finished: asyncio.Task[Rotation | None]


@dataclass(slots=True)
class _Running:
    rotation: Rotation
    task: asyncio.Task[Rotation | None]


class Dispatcher:
    """Starts rotations: one per credential, a bounded number in all, those closest to expiry first.

    Args:
        credentials: All configured ones, by name.
        ledger: Knows what was.
        rotator: Runs one rotation.
        world: Time, chance, and who is told.
        slots: Scheduled rotations at once, > 0. A person's request does not wait for a slot.
    """

    def __init__(
        self, credentials: Mapping[str, Credential], ledger: Ledger, rotator: Rotator, world: Surroundings, slots: int
    ) -> None:
        self._credentials = credentials
        self._ledger = ledger
        self._rotator = rotator
        self._world = world
        self._slots = slots
        self._running: dict[str, _Running] = {}
        self._backlog: deque[str] = deque()
        self._revisions: dict[str, str | None] = {}
        self._tried: dict[str, str | None] = {}
        self._held_back: dict[str, datetime] = {}
        self._beginning = asyncio.Lock()
        self.on_finished: Callable[[str], None] = lambda _name: None

    @property
    def running(self) -> Mapping[str, Rotation]:
        """Return the rotations that run now, by credential."""
        return {name: running.rotation for name, running in self._running.items()}

    def source_said(self, credential: str, revision: str | None) -> bool:
        """Take note of a source's revision; return whether it is news that may make a rotation due."""
        is_first = credential not in self._revisions
        self._revisions[credential] = revision
        if revision is None:
            return is_first
        current = self._ledger.current(credential)
        return current is not None and revision not in {current.revision, self._tried.get(credential)}

    async def request(self, name: str, message: str, by: str) -> Ticket:
        """Rotate ``name`` now, whatever its back-off; a request while one runs joins it.

        Raises:
            NotFoundError: No such credential. StoreError: The intent could not be journalled; nothing was started.
        """
        credential = self._credentials.get(name)
        if credential is None:
            known = ", ".join(sorted(self._credentials)) or "none"
            raise NotFoundError(f"no credential is named {name}", hint=f"Configured are: {known}")
        return await self._begin(credential, Due("ManuallyTriggered", message), by)

    async def turn(self) -> None:
        """Start everything that is due, closest to expiry first; what finds no slot waits and is started in turn."""
        now = self._world.clock.now()
        due = [name for name, credential in self._credentials.items() if self._due(credential, now)]
        self._backlog = deque(sorted(due, key=self._urgency))
        await self._fill()

    def next_wake_at(self, name: str | None = None) -> datetime | None:
        """Return when something will be due by the mere passing of time: of one credential, or the earliest of all."""
        if name is None:
            instants = (self._wake_at(credential) for credential in self._credentials.values())
            return min((instant for instant in instants if instant is not None), default=None)
        return self._wake_at(self._credentials[name]) if name in self._credentials else None

    async def resume(self, rotation: Rotation) -> None:
        """Go on with a rotation that a stop or a crash interrupted."""
        self._start(self._credentials[rotation.credential], rotation)
        self._world.emit(
            RotationStarted(rotation.id, rotation.credential, rotation.reason, rotation.message, resumed=True)
        )

    async def stop(self, grace: float) -> None:
        """Let running rotations come to an end for ``grace`` seconds, then interrupt them; the journal knows them."""
        self._backlog.clear()
        self._slots = 0
        tasks = [running.task for running in self._running.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _situation(self, credential: Credential, now: datetime) -> Situation:
        return Situation(
            now=now,
            strategy=credential.provider.strategy,
            rule=credential.rule,
            current=self._ledger.current(credential.name),
            revision=self._revisions.get(credential.name),
            is_unwatched=credential.name in self._revisions and self._revisions[credential.name] is None,
            looked_at=self._ledger.record(credential.name).looked_at,
        )

    def _due(self, credential: Credential, now: datetime) -> Due | None:
        """Return why ``credential`` is to be rotated now, back-off considered."""
        if credential.name in self._running:
            return None
        due = first_due(self._situation(credential, now))
        if due is None or now >= self._not_before(credential.name):
            return due
        news = self._revisions.get(credential.name) not in {None, self._tried.get(credential.name)}
        return due if due.reason == "SourceChanged" and news else None

    def _not_before(self, name: str) -> datetime:
        persisted = self._ledger.record(name).next_attempt_at or FIRST_EVER
        return max(persisted, self._held_back.get(name, FIRST_EVER))

    def _wake_at(self, credential: Credential) -> datetime | None:
        if credential.name in self._running:
            return None
        now = self._world.clock.now()
        at = next_due_at(self._situation(credential, now))
        return None if at is None else max(at, self._not_before(credential.name))

    def _urgency(self, name: str) -> datetime:
        current = self._ledger.current(name)
        if current is None:
            return FIRST_EVER
        return current.expiry.at or LAST

    async def _fill(self) -> None:
        while self._backlog and len(self._running) < self._slots:
            credential = self._credentials[self._backlog.popleft()]
            due = self._due(credential, self._world.clock.now())
            if due is None:
                continue
            try:
                await self._begin(credential, due, "schedule")
            except StoreError as error:
                self._store_failed(credential.name, error)

    async def _begin(self, credential: Credential, due: Due, by: str) -> Ticket:
        """Journal the intent, then start; join what runs already."""
        async with self._beginning:
            running = self._running.get(credential.name)
            if running is not None:
                return Ticket(running.rotation.id, joined=True, finished=running.task)
            rotation = self._intend(credential, due, by)
            overtaken = self._ledger.open_rotation(credential.name)
            message = f"overtaken by {rotation.id}"
            ended = [end(overtaken, State.ABANDONED, message, at=rotation.started_at)] if overtaken else []
            await self._ledger.commit(Changes(rotations=[*ended, rotation]))
            task = self._start(credential, rotation)
        self._world.emit(RotationStarted(rotation.id, credential.name, due.reason, due.message))
        return Ticket(rotation.id, joined=False, finished=task)

    def _intend(self, credential: Credential, due: Due, by: str) -> Rotation:
        now = self._world.clock.now()
        step = self._rotator.first_step(credential)
        pending = self._ledger.version(credential.name, Stage.PENDING)
        return Rotation(
            id=f"{now:%Y%m%dT%H%M%S.%fZ}-{int(self._world.random() * 0xFFFF):04x}",
            credential=credential.name,
            reason=due.reason,
            message=due.message,
            step=step,
            state=State.RUNNING,
            started_at=now,
            generation=pending.generation if pending is not None and step is Step.VERIFY else 0,
            by=by,
        )

    def _start(self, credential: Credential, rotation: Rotation) -> asyncio.Task[Rotation | None]:
        self._tried[credential.name] = self._revisions.get(credential.name)
        task = asyncio.create_task(self._run(credential, rotation), name=f"rotation {credential.name}")
        self._running[credential.name] = _Running(rotation, task)
        return task

    async def _run(self, credential: Credential, rotation: Rotation) -> Rotation | None:
        """Run one rotation; the one place where the engine catches everything."""
        try:
            return await self._rotator.rotate(credential, rotation)
        except StoreError as error:
            self._store_failed(credential.name, error)
        except Exception as error:  # noqa: BLE001 (a defect in one rotation must not stop the daemon)
            self._hold_back(credential.name)
            self._world.emit(Crashed(f"rotation of {credential.name}", error))
        finally:
            del self._running[credential.name]
            self.on_finished(credential.name)
        return None

    def _store_failed(self, name: str, error: RotatorError) -> None:
        self._hold_back(name)
        self._world.emit(StoreFailed("journal", error.code, str(error)))

    def _hold_back(self, name: str) -> None:
        self._held_back[name] = self._world.clock.now() + HELD_BACK_AFTER_A_DEFECT

    async def refill(self) -> None:
        """Start what waits for a slot, if one is free now."""
        await self._fill()
