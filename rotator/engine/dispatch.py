"""Which rotations run now: starts what the agenda says is due, within bounds; joins requests to what runs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from rotator.domain.audit import INTENT, of_end, of_rotation
from rotator.domain.due import Due
from rotator.domain.events import Crashed, RotationFinished, RotationStarted, StoreFailed
from rotator.domain.fate import fate, taken_up
from rotator.domain.rotation import Rotation, State, Step, end
from rotator.domain.waves import Staging
from rotator.engine.agenda import FIRST_EVER, HELD_BACK, Agenda
from rotator.engine.credential import Credential
from rotator.engine.ledger import Ledger
from rotator.engine.rotate import Rotator
from rotator.engine.surroundings import Surroundings
from rotator.engine.ticket import Running, Ticket
from rotator.errors import ConflictError, NotFoundError, RotatorError, StoreError, UnavailableError
from rotator.ports import Changes


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a rotation that began now would be.

    Args:
        due: Why one is due; None when none is.
        not_before: Until when an attempt by schedule is held back; None when it is not.
        step: The first step.
        staging: How what it brings would be rolled out.
    """

    due: Due | None
    not_before: datetime | None
    step: Step
    staging: Staging


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
        self._agenda = Agenda(ledger, rotator.fence, world.clock)
        self._running: dict[str, Running] = {}
        self._starts: dict[str, asyncio.Task[Running]] = {}
        self._backlog: deque[str] = deque()
        self._last_stamp = FIRST_EVER
        self._is_stopping = False
        self._beginning = asyncio.Lock()
        self._filling = asyncio.Lock()
        self.on_finished: Callable[[str], None] = lambda _name: None

    @property
    def running(self) -> Mapping[str, Rotation]:
        """Return the rotations that run now, by credential."""
        return {name: running.rotation for name, running in self._running.items()}

    def source_said(self, credential: str, revision: str | None) -> bool:
        """Take note of a source's revision; return whether it is news that may make a rotation due."""
        return self._agenda.source_said(credential, revision, is_running=credential in self._running)

    async def request(self, name: str, message: str, by: str) -> Ticket:
        """Rotate ``name`` now, whatever its back-off; a request while one runs joins it.

        Raises:
            NotFoundError: No such credential. StoreError: The intent was not journalled for sure; nothing was started.
            UnavailableError: The daemon is stopping.
        """
        return await self._begin(self._named(name), Due("ManuallyTriggered", message), by)

    async def restore(self, name: str, generation: int | None, message: str, by: str) -> Ticket:
        """Put an earlier version of ``name`` back, under a new generation; it is verified before it is delivered.

        Args:
            name: The credential's name.
            generation: Which one; None for the newest that was in use before the present one.
            message: Why.
            by: Who asks.

        Raises:
            NotFoundError: No such credential, or no such version is kept. ConflictError: A rotation of it runs, or is
                being begun.
            PermanentError: The version does not work any more. StoreError, UnavailableError: As `request`.
        """
        credential = self._named(name)
        if name in self._running or name in self._starts:
            what = f"rotation {self._running[name].rotation.id} runs" if name in self._running else "a rotation begins"
            raise ConflictError(
                f"{name}: {what}, and what it brings is not known yet",
                hint=f"Wait for its end (rotator status {name}), then ask again",
            )
        earlier = self._rotator.earlier(credential, generation)
        return await self._begin(credential, Due("RolledBack", message), by, restores=earlier.generation)

    async def replace_leaked(self, name: str, message: str, by: str) -> Ticket:
        """Rotate ``name`` because its secret is known to others: everywhere at once. Errors as `request`.

        A rotation that runs already, and waits between waves, does not wait any more.
        """
        ticket = await self._begin(self._named(name), Due("Leaked", message), by)
        self._rotator.look_again(name)
        return ticket

    async def begin_planned(self, name: str, due: Due, by: str) -> Ticket:
        """Rotate ``name`` for the reason that a plan gave. Errors as `request`."""
        return await self._begin(self._named(name), due, by)

    def prospect(self, name: str, revision: str | None = None) -> Prospect:
        """Return what a rotation of ``name`` that began now would be. Errors as `request`, of the name.

        Args:
            name: The credential's name.
            revision: What its source holds now; None for what it said last.
        """
        credential, now = self._named(name), self._world.clock.now()
        due, left = self._agenda.reason(credential, now, revision), self._agenda.pause(name, now)
        reason = due.reason if due is not None else ""
        step, restores = self._opening(credential, reason)
        staging = self._rotator.staging(credential, reason, restores)
        return Prospect(due, now + left if left else None, step, staging)

    def _named(self, name: str) -> Credential:
        credential = self._credentials.get(name)
        if credential is None:
            known = ", ".join(sorted(self._credentials)) or "none"
            raise NotFoundError(f"no credential is named {name}", hint=f"Configured are: {known}")
        return credential

    async def turn(self) -> None:
        """Start everything that is due, closest to expiry first; what finds no slot waits and is started in turn.

        A rotation that the store broke off is ended or goes on before that, by the rule of a restart.
        """
        try:
            await self._ledger.clear_doubt()
        except StoreError as error:
            self._store_failed(error)
            return
        await self._take_up()
        now = self._world.clock.now()
        due = [name for name, at in self._wakes(now) if at <= now]
        self._backlog = deque(sorted(due, key=self._agenda.urgency))
        await self.refill()

    async def refill(self) -> None:
        """Start what waits for a slot, as long as one is free."""
        async with self._filling:
            while self._backlog and len(self._running) < self._slots:
                await self._begin_if_due(self._credentials[self._backlog.popleft()])

    def next_wake_at(self, name: str | None = None) -> datetime | None:
        """Return when something will be due by the mere passing of time: of one credential, or the earliest of all.

        What waits for a slot does not count: it is started when one is freed, and no alarm brings that nearer.
        """
        now = self._world.clock.now()
        if name is not None:
            return self._wake_at(self._credentials[name], now) if name in self._credentials else None
        waiting = set(self._backlog)
        return min((at for name, at in self._wakes(now) if name not in waiting), default=None)

    async def resume(self, rotation: Rotation) -> None:
        """Go on with a rotation that a stop or a crash interrupted."""
        self._start(self._credentials[rotation.credential], rotation)
        self._world.emit(
            RotationStarted(rotation.id, rotation.credential, rotation.reason, rotation.message, resumed=True)
        )

    async def stop(self, grace: float) -> None:
        """Let running rotations come to an end for ``grace`` seconds, then interrupt them; the journal knows them.

        Nothing is started any more, not for a person either. Safe to repeat.
        """
        self._backlog.clear()
        self._slots = 0
        self._is_stopping = True
        async with self._beginning:  # whatever was being journalled is running, and known, after this
            tasks = [running.task for running in self._running.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wakes(self, now: datetime) -> Iterator[tuple[str, datetime]]:
        for name, credential in self._credentials.items():
            if (at := self._wake_at(credential, now)) is not None:
                yield name, at

    def _wake_at(self, credential: Credential, now: datetime) -> datetime | None:
        """Return when a scheduled attempt may begin: ``now`` when at once, None when never or while one runs."""
        if credential.name in self._running:
            return None
        at, left = self._agenda.due_at(credential, now), self._broken_off(credential.name)
        if left is None:
            return at
        again_at = now + self._agenda.store_pause(credential.name)
        return again_at if at is None else min(at, again_at)

    def _broken_off(self, name: str) -> Rotation | None:
        """Return the rotation of ``name`` that the journal says runs, and that nothing runs or is about to replace."""
        left = self._ledger.open_rotation(name)
        is_known = name in self._running or name in self._starts or name not in self._credentials
        return left if left is not None and left.is_running and not is_known else None

    async def _take_up(self) -> None:
        """Go on with each rotation that the store broke off, or end it, once the store's pause is over."""
        names = [one.credential for one in self._ledger.open_rotations()]
        over = [name for name in names if not self._agenda.store_pause(name) and not self._is_stopping]
        left = [rotation for name in over if (rotation := self._broken_off(name)) is not None]
        for rotation in left:
            if fate(rotation, is_configured=True) is None:
                await self.resume(taken_up(rotation))
        if any(self._broken_off(name) for name in over):
            try:
                await self._ledger.amend(lambda: self._abandoned(over))
            except StoreError as error:
                self._store_failed(error)

    def _abandoned(self, names: Sequence[str]) -> Changes:
        """Return the end of each broken-off rotation of ``names`` that does not go on."""
        now, left = self._world.clock.now(), [one for name in names if (one := self._broken_off(name)) is not None]
        fates = [(one, fate(one, is_configured=True)) for one in left]
        ended = [end(one, State.ABANDONED, why, at=now) for one, why in fates if why is not None]
        return Changes(rotations=ended, audit=[of_end(one) for one in ended])

    async def _begin_if_due(self, credential: Credential) -> None:
        due = self._agenda.due(credential, self._world.clock.now())
        if due is None or credential.name in self._running:
            return
        try:
            await self._begin(credential, due, "schedule")
        except StoreError as error:
            self._backlog.clear()  # the others cannot be journalled either; they are still due after the pause
            self._store_failed(error)
        except UnavailableError:
            self._backlog.clear()  # we stop

    async def _begin(self, credential: Credential, due: Due, by: str, restores: int = 0) -> Ticket:
        """Journal the intent, then start; join what runs already. Whoever asked may go away meanwhile."""
        name = credential.name
        if (running := self._running.get(name)) is not None:
            return running.ticket(joined=True)
        is_joined = name in self._starts
        if not is_joined:
            self._starts[name] = asyncio.create_task(self._journal_and_start(credential, due, by, restores))
            self._starts[name].add_done_callback(lambda _: self._starts.pop(name))
        return (await asyncio.shield(self._starts[name])).ticket(joined=is_joined)

    async def _journal_and_start(self, credential: Credential, due: Due, by: str, restores: int) -> Running:
        async with self._beginning:
            if self._is_stopping:
                raise UnavailableError(f"{credential.name}: the daemon is stopping", hint="Ask again once it is back")
            rotation = self._intend(credential, due, by, restores)
            begun = of_rotation(rotation, INTENT, f"{due.reason}: {due.message}", rotation.started_at)
            await self._ledger.amend(lambda: Changes(rotations=[*self._overtaken(rotation), rotation], audit=[begun]))
            running = self._start(credential, rotation)
        self._world.emit(RotationStarted(rotation.id, credential.name, due.reason, due.message))
        return running

    def _opening(self, credential: Credential, reason: str) -> tuple[Step, int]:
        """Return the first step of a rotation for ``reason``, and the generation that it puts back; 0 for none."""
        current, pending = self._ledger.current(credential.name), self._ledger.pending(credential.name)
        if reason == "Withdrawn" and current is not None:
            return Step.ISSUE, current.generation
        is_alive = pending is not None and not pending.expiry.is_past(self._world.clock.now())
        if reason == "Unfinished" and pending is not None and pending.restores and is_alive:
            return Step.VERIFY, pending.restores
        return self._rotator.first_step(credential), 0

    def _overtaken(self, rotation: Rotation) -> list[Rotation]:
        """Return what is left open of an earlier rotation, ended."""
        left_open = self._ledger.open_rotation(rotation.credential)
        message = f"overtaken by {rotation.id}"
        return [end(left_open, State.ABANDONED, message, at=rotation.started_at)] if left_open else []

    def _intend(self, credential: Credential, due: Due, by: str, restores: int) -> Rotation:
        now, pending = self._world.clock.now(), self._ledger.pending(credential.name)
        step, restores = (Step.ISSUE, restores) if restores else self._opening(credential, due.reason)
        return Rotation(
            id=f"{self._stamp(now):%Y%m%dT%H%M%S.%fZ}-{int(self._world.random() * 0xFFFF):04x}",
            credential=credential.name,
            reason=due.reason,
            message=due.message,
            step=step,
            state=State.RUNNING,
            started_at=now,
            generation=pending.generation if pending is not None and step is Step.VERIFY else 0,
            by=by,
            restores=restores,
        )

    def _stamp(self, now: datetime) -> datetime:
        """Return ``now``, or just after the last stamp where the clock stood still or went back: ids are unique."""
        self._last_stamp = max(now, self._last_stamp + timedelta(microseconds=1))
        return self._last_stamp

    def _start(self, credential: Credential, rotation: Rotation) -> Running:
        self._agenda.begun(credential.name)
        task = asyncio.create_task(self._run(credential, rotation), name=f"rotation {credential.name}")
        running = Running(rotation, task, asyncio.get_running_loop().create_future())
        self._running[credential.name] = running
        task.add_done_callback(partial(self._ended, credential.name))
        return running

    def _ended(self, name: str, task: asyncio.Task[Rotation | None]) -> None:
        running = self._running.pop(name)
        running.done.set_result(None if task.cancelled() else task.result())
        self.on_finished(name)

    async def _run(self, credential: Credential, rotation: Rotation) -> Rotation | None:
        """Run one rotation; the one place where the engine catches everything."""
        try:
            ended = await self._rotator.rotate(credential, rotation)
        except StoreError as error:
            self._agenda.hold_back(credential.name)
            self._store_failed(error)
            return None
        except Exception as error:  # noqa: BLE001 (a defect in one rotation must not stop the daemon)
            self._world.emit(Crashed(f"rotation of {credential.name}", error))
            await self._break_off(credential.name)
            return None
        still = self._agenda.reason(credential, self._world.clock.now())
        has_leaked_meanwhile = still is not None and still.reason == "Leaked" != rotation.reason
        if still is not None and ended.state is not State.FAILED and not has_leaked_meanwhile:
            self._agenda.hold_back(credential.name)  # it came to its end and did not help: no loop without a pause
        return ended

    async def _break_off(self, name: str) -> None:
        """Journal that a defect ended the rotation of ``name``, and hold the next attempt back."""
        self._agenda.hold_back(name)
        rotation, record = self._ledger.open_rotation(name), self._ledger.record(name)
        if rotation is None:
            return
        now = self._world.clock.now()
        message = "broken off by a defect of the daemon; its log says where"
        failed = end(rotation, State.FAILED, message, at=now, error=RotatorError.code)
        record = replace(record, failures=record.failures + 1, next_attempt_at=now + HELD_BACK, looked_at=now)
        try:
            await self._ledger.commit(Changes(records=[record], rotations=[failed], audit=[of_end(failed)]))
        except StoreError as error:
            self._store_failed(error)
            return
        seconds = (now - rotation.started_at).total_seconds()
        self._world.emit(
            RotationFinished(
                rotation.id, name, rotation.reason, failed.state, failed.step, failed.error, message, max(seconds, 0.0)
            )
        )

    def _store_failed(self, error: StoreError) -> None:
        self._agenda.hold_all_back()
        self._world.emit(StoreFailed("journal", error.code, str(error)))
