"""Brings placements to the versions they must hold: journals the intent, writes, confirms by reading back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from weakref import WeakValueDictionary

from rotator.config.root import EngineConfig
from rotator.domain.audit import of_deliveries
from rotator.domain.delivery import merge
from rotator.domain.events import DeliveryFinished, Event, TargetFailed
from rotator.domain.model import Delivery, DeliveryState, Version
from rotator.domain.waves import Spot
from rotator.domain.window import Wait
from rotator.domain.words import at_place
from rotator.engine.credential import Credential, DeliveryTarget
from rotator.engine.ledger import Ledger
from rotator.engine.refusals import Refusals
from rotator.engine.rendering import Rendering
from rotator.engine.report import Report
from rotator.engine.together import together
from rotator.engine.turns import UNDONE, Turns
from rotator.engine.writing import Work, Writing
from rotator.errors import RotatorError, UnavailableError
from rotator.ports import Changes, Clock

BATCH = 1000
"""Outcomes written to the store in one transaction; a crash repeats at most this many idempotent writes."""


class Rollout:
    """Delivers versions to placements.

    Args:
        ledger: Knows what each placement must hold, and is told what it does hold.
        clock: Time.
        emit: Told of each delivery.
        config: How many placements at once over all targets, and the longest pause between two tries at one.

    Attributes:
        turns: Which placements may be written now.
        refusals: Which placements policy keeps credentials from.
    """

    def __init__(self, ledger: Ledger, clock: Clock, emit: Callable[[Event], None], config: EngineConfig) -> None:
        self._ledger = ledger
        self._clock = clock
        self._emit = emit
        self.turns = Turns(ledger, clock, config)
        self.refusals = Refusals(emit)
        self._writing = Writing(ledger, clock)
        self._slots = asyncio.Semaphore(config.max_deliveries)
        self._target_slots: dict[str, asyncio.Semaphore] = {}
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._listed: set[str] = set()
        self._unlisted: dict[str, RotatorError] = {}

    async def spots(self, credential: Credential) -> list[Spot]:
        """Return every placement of ``credential``, asking all its targets at once; one that cannot tell is noted."""
        listed = await asyncio.gather(*(self.placements(target) for target in credential.targets))
        return [
            (target.name, placement)
            for target, placements in zip(credential.targets, listed, strict=True)
            for placement in placements
            if not target.refusal(credential.name, placement)
        ]

    async def deliver(self, credential: Credential, version: Version, spots: Collection[Spot]) -> None:
        """Bring the placements in ``spots`` to ``version``, all targets concurrently.

        Safe to repeat: a placement that already confirmed this generation is left alone. A failing placement fails
        alone; StoreError stops everything, since nothing may be written that cannot be journalled.
        """
        wanted = {credential.name: version}
        placements: dict[str, list[str]] = {}
        for target, placement in spots:
            placements.setdefault(target, []).append(placement)
        await together(
            self._bring(target, placements[target.name], wanted, ignoring_pauses=True)
            for target in credential.targets
            if target.name in placements
        )

    def deliveries_at(self, credential: str, spots: Collection[Spot]) -> list[Delivery]:
        """Return the latest delivery of ``credential`` at each of ``spots`` that has one."""
        held = (self._ledger.held_at(target, placement).get(credential) for target, placement in spots)
        return [one for one in held if one is not None]

    def first_wait(self, credential: Credential, version: Version, spots: Collection[Spot]) -> Wait | None:
        """Return the shortest of what ``spots`` wait for until ``version`` may be written; None when none waits."""
        targets = {target.name: target for target in credential.targets}
        waits = (self.turns.wait(targets[target], placement, version) for target, placement in spots)
        return min((wait for wait in waits if wait is not None), key=lambda wait: wait.until, default=None)

    async def reconcile(self, target: DeliveryTarget) -> None:
        """Bring every placement of ``target`` to the current versions: new ones, and failed ones whose pause is over.

        Placements that the target no longer has are forgotten.
        """
        current = {name: version for name in target.credentials if (version := self._ledger.current(name)) is not None}
        placements = await self.placements(target)
        await self._bring(target, placements, current, ignoring_pauses=False)

    async def placements(self, target: DeliveryTarget) -> Sequence[str]:
        """Return the placements of ``target``, forgetting those that vanished; none when it cannot tell.

        What was delivered while the target made up its answer is not forgotten by it, however late it comes.
        """
        known = [one for name in self._ledger.placements(target.name) for one in self._held(target, name)]
        try:
            placements = await target.port.placements()
        except RotatorError as error:
            self._unlisted[target.name] = error
            self._emit(TargetFailed(target.name, target.port.kind, error.code, str(error)))
            return ()
        self._unlisted.pop(target.name, None)
        self._listed.add(target.name)
        self.refusals.note(target, placements)
        await self._forget_vanished(target, placements, known)
        return placements

    async def rewrite(self, target: DeliveryTarget, placement: str, credentials: Collection[str]) -> None:
        """Bring ``placement`` to what it must hold of ``credentials`` again, whatever pause it is in. Safe to repeat.

        Errors as `deliver`.
        """
        versions = ((name, self._ledger.wanted_at(target.name, placement, name)) for name in credentials)
        wanted = {name: version for name, version in versions if version is not None}
        await self._bring(target, [placement], wanted, ignoring_pauses=True)

    @asynccontextmanager
    async def alone_at(self, target: DeliveryTarget, placement: str) -> AsyncIterator[None]:
        """Keep every write of ours from ``placement`` inside the block, and take one of its target's places."""
        async with self._lock(target.name, placement), self._slots_of(target), self._slots:
            yield

    def report(self, credential: Credential, version: Version) -> Report:
        """Return how far ``version`` has come, from what is known now.

        A target whose placements were not listed since the start counts as waiting: it may have one that lacks it.
        """
        confirmed = failed = awaiting = deferred = 0
        waiting: set[str] = set()
        error: RotatorError | None = None
        for target in credential.targets:
            deliveries = list(self._ledger.deliveries_of(target.name, credential.name))
            behind = [one for one in deliveries if one.confirmed_generation < version.generation]
            confirmed += len(deliveries) - len(behind)
            failed += len(behind)
            awaiting += sum(one.state is DeliveryState.AWAITING for one in behind)
            deferred += sum(self.turns.wait(target, one.placement, version) is not None for one in behind)
            unlisted = self._unlisted.get(target.name)
            if target.required and (behind or unlisted or target.name not in self._listed):
                waiting.add(target.name)
            if error is None and behind:
                first = self.turns.explained(target, behind[0], version)
                error = unlisted or UnavailableError(f"{target.name}: {at_place(first.placement, first.message)}")
            error = error or unlisted
        return Report(confirmed, failed, frozenset(waiting), error, awaiting, deferred)

    def may_hold(self, credential: Credential, versions: Collection[Version]) -> frozenset[str]:
        """Return the required targets with a placement that holds one of ``versions``, or to which it is on its way."""
        sought = {one.generation for one in versions}
        return frozenset(
            target.name
            for target in credential.targets
            if target.required
            and any(
                sought & {one.generation, one.confirmed_generation}
                for one in self._ledger.deliveries_of(target.name, credential.name)
            )
        )

    def fence(self, credential: str) -> int:
        """See `rotator.engine.writing.Writing.fence`."""
        return self._writing.fence(credential)

    def unlisted(self, target: str) -> str:
        """Return why ``target`` could not say which placements it has; empty when it could."""
        error = self._unlisted.get(target)
        return str(error) if error is not None else ""

    async def _bring(
        self,
        target: DeliveryTarget,
        placements: Sequence[str],
        wanted: Mapping[str, Version],
        *,
        ignoring_pauses: bool,
    ) -> None:
        work = [
            Work(placement, focus)
            for placement in placements
            if (focus := self._behind(target, placement, wanted, ignoring_pauses=ignoring_pauses))
        ]
        await self._journal_intents(target, work)
        await self._write_all(target, work)

    def _behind(
        self, target: DeliveryTarget, placement: str, wanted: Mapping[str, Version], *, ignoring_pauses: bool
    ) -> dict[str, Version]:
        """Return the versions in ``wanted`` that ``placement`` was not seen to hold and may be tried now."""
        held = self._ledger.held_at(target.name, placement)
        behind = {}
        for name, version in wanted.items():
            if target.refusal(name, placement):
                continue
            last = held.get(name)
            if last is not None and last.confirmed_generation >= version.generation:
                continue
            if self.turns.wait(target, placement, version) is not None:
                continue
            if ignoring_pauses or self.turns.may_retry(target.name, placement, version):
                behind[name] = version
        return behind

    def _held(self, target: DeliveryTarget, placement: str) -> Collection[Delivery]:
        return self._ledger.held_at(target.name, placement).values()

    async def _forget_vanished(
        self, target: DeliveryTarget, placements: Sequence[str], known: Sequence[Delivery]
    ) -> None:
        """Forget those of the ``known`` deliveries whose placement is gone or refused, and that are as they were."""
        there = set(placements)
        gone = [one for one in known if one.placement not in there or target.refusal(one.credential, one.placement)]

        def forgotten() -> Changes:
            same = (one for one in gone if one in self._held(target, one.placement))
            return Changes(removed=[(one.target, one.placement, one.credential) for one in same])

        if gone:
            await self._ledger.amend(forgotten)

    async def _journal_intents(self, target: DeliveryTarget, work: Sequence[Work]) -> None:
        if work:
            await self._ledger.amend(lambda: self._told(target, list(self._intents(target, work))))

    def _intents(self, target: DeliveryTarget, work: Sequence[Work]) -> Iterator[Delivery]:
        now = self._clock.now()
        for one in work:
            for name, version in one.focus.items():
                last = self._writing.last(target, one.placement, name)
                if last.generation > version.generation or last.confirmed_generation >= version.generation:
                    continue  # a newer one is on its way there already, or a neighbour's write brought this one
                is_again = last.generation == version.generation
                if is_again and last.state is DeliveryState.AWAITING:
                    yield replace(last, attempts=last.attempts + 1)  # a person is told again; nothing else begins
                    continue
                yield Delivery(
                    target.name,
                    one.placement,
                    name,
                    version.generation,
                    DeliveryState.INTENDED,
                    now,
                    attempts=last.attempts + 1 if is_again else 1,
                    confirmed_generation=last.confirmed_generation,
                    proof=last.proof,
                    written_at=last.written_at,
                    revealed_at=last.revealed_at if is_again else None,
                    repairs=last.repairs,
                )

    async def _write_all(self, target: DeliveryTarget, work: Sequence[Work]) -> None:
        """Write every placement in ``work``, at most ``concurrency`` at once; outcomes reach the store in batches."""
        wave = _Wave(iter(work), Rendering(self._ledger, target))
        try:
            await together(self._work_off(target, wave) for _ in range(min(target.concurrency, len(work))))
        finally:
            await self._flush(target, wave)

    async def _work_off(self, target: DeliveryTarget, wave: _Wave) -> None:
        for one in wave.work:
            async with self.alone_at(target, one.placement):
                started = self._clock.monotonic()
                outcomes = await self._writing.write(target, one, wave.rendering)
            self._tell(target, outcomes, self._clock.monotonic() - started)
            wave.done.extend(delivery for delivery, _ in outcomes)
            if len(wave.done) >= BATCH:
                await self._flush(target, wave)

    async def _flush(self, target: DeliveryTarget, wave: _Wave) -> None:
        done, wave.done = wave.done, []
        if done:
            await self._ledger.amend(lambda: self._told(target, list(self._merged(done))))

    def _told(self, target: DeliveryTarget, deliveries: Sequence[Delivery]) -> Changes:
        return Changes(deliveries=deliveries, audit=of_deliveries(target.name, deliveries, self._clock.now()))

    def _merged(self, outcomes: Sequence[Delivery]) -> Iterator[Delivery]:
        """Yield ``outcomes`` as the journal may take them: what began there since a write is not undone by it.

        A failure at a placement that was forgotten meanwhile is forgotten too.
        """
        for outcome in outcomes:
            known = self._ledger.held_at(outcome.target, outcome.placement).get(outcome.credential)
            if known is None and outcome.state in UNDONE:
                continue
            yield outcome if known is None else merge(known, outcome)

    def _tell(self, target: DeliveryTarget, outcomes: list[tuple[Delivery, bool]], seconds: float) -> None:
        kind = target.port.kind
        for delivery, changed in outcomes:
            self._emit(
                DeliveryFinished(
                    delivery.target,
                    kind,
                    delivery.placement,
                    delivery.credential,
                    delivery.generation,
                    delivery.error,
                    delivery.message,
                    changed,
                    seconds,
                )
            )

    def _slots_of(self, target: DeliveryTarget) -> asyncio.Semaphore:
        """Return what bounds the writes to ``target``, whatever they are for."""
        slots = self._target_slots.get(target.name)
        if slots is None:
            slots = self._target_slots[target.name] = asyncio.Semaphore(target.concurrency)
        return slots

    def _lock(self, target: str, placement: str) -> asyncio.Lock:
        """Return what lets one write at a time to a placement; it is there as long as somebody has it or waits."""
        lock = self._locks.get((target, placement))
        if lock is None:
            lock = self._locks[target, placement] = asyncio.Lock()
        return lock


@dataclass(slots=True)
class _Wave:
    work: Iterator[Work]
    rendering: Rendering
    done: list[Delivery] = field(default_factory=list)
