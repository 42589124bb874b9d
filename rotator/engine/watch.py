"""Looks between rotations: did a source change, is the current version still accepted, are there new placements."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.config.root import EngineConfig
from rotator.domain.events import Crashed, SourceFailed, StoreFailed, VersionProbed
from rotator.domain.model import DeliveryState, Strategy, Version
from rotator.domain.schedule import delivery_pause, left_of_pause, spread
from rotator.domain.verdict import Finding, Verdict
from rotator.engine.credential import Credential, DeliveryTarget
from rotator.engine.dispatch import Dispatcher
from rotator.engine.ledger import Ledger
from rotator.engine.pause import pause
from rotator.engine.rollout import Rollout
from rotator.engine.rotate import Rotator
from rotator.engine.surroundings import Surroundings
from rotator.errors import NotFoundError, RotatorError, StoreError
from rotator.ports import Changes

SHORTEST_LOOK = timedelta(seconds=1)
"""A target is not looked at more often than this, whatever fails there."""

LOOK_AGAIN_SECONDS = 30.0
"""Wait after a look at a target that could not be finished: it was not reachable, or the store failed."""

AT_ONCE = 16
"""Sources or registries asked at the same time."""

SETTLE_SECONDS = 0.2
"""Changes of a target's placements that come this close together are looked at once."""


SHARED_FOR = 0.9
"""Share of its probe interval for which a credential takes another one's answer about the same login."""

ANSWER_SECONDS = 3600.0
"""How long an answer is kept at all."""

WRITTEN_EVERY = timedelta(hours=6)
"""How often the store is told that a version is still accepted; in between it is only remembered."""


@dataclass(frozen=True, slots=True)
class _Answer:
    finding: Finding
    at: float
    asked_by: str


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched.

    Args:
        credentials: All configured ones, by name.
        targets: All that hold at least one credential.
        poll: How often sources are asked for their revision.
        config: How often targets are asked for their placements, and pauses.
    """

    credentials: Mapping[str, Credential]
    targets: Sequence[DeliveryTarget]
    poll: timedelta
    config: EngineConfig


class Watch:
    """Notices what changed outside, and has it acted on."""

    def __init__(
        self, watched: Watched, ledger: Ledger, rollout: Rollout, rotator: Rotator, world: Surroundings
    ) -> None:
        self._watched = watched
        self._ledger = ledger
        self._rollout = rollout
        self._rotator = rotator
        self._world = world
        self._asking = asyncio.Semaphore(AT_ONCE)
        self._answers: dict[tuple[str, str, str], _Answer] = {}
        self._written: dict[str, datetime | None] = {}

    async def run(self, dispatcher: Dispatcher, wake: Callable[[], None]) -> None:
        """Watch for ever; cancel to stop. ``wake`` is called when a rotation has become due."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll_forever(dispatcher, wake), name="source polls")
            group.create_task(self._probe_forever(wake), name="probes")
            for target in self._watched.targets:
                group.create_task(self._keep_forever(target), name=f"target {target.name}")

    async def poll(self, dispatcher: Dispatcher) -> bool:
        """Ask every source that a person may change for its revision; return whether a rotation became due."""
        readers = [one for one in self._watched.credentials.values() if one.provider.strategy is Strategy.READ]
        return any(await asyncio.gather(*(self._ask_source(one, dispatcher) for one in readers)))

    async def probe(self, credential: Credential) -> Verdict | None:
        """Show the current version to the registry; a refusal is journalled and makes a rotation due.

        Returns:
            What the registry made of it; None when there is no version.
        """
        version = self._ledger.current(credential.name)
        if version is None:
            return None
        try:
            finding = await self._ask_registry(credential, version)
        except NotFoundError:
            return None  # replaced twice while we asked the store
        current = self._ledger.current(credential.name)
        if current is None or current.generation != version.generation:
            return None  # replaced while we asked the registry: the answer is about yesterday
        if finding.verdict is Verdict.ACCEPTED and self._is_written_lately(current):
            self._ledger.note(replace(current, verified_at=self._world.clock.now()))
        elif finding.verdict in {Verdict.ACCEPTED, Verdict.REJECTED}:
            await self._ledger.amend(lambda: self._found(version, finding))
            self._written[credential.name] = self._world.clock.now()
        now = self._world.clock.now()
        self._world.emit(VersionProbed(credential.name, version.generation, finding.verdict, finding.evidence, now))
        return finding.verdict

    async def _ask_registry(self, credential: Credential, version: Version) -> Finding:
        """Return the registry's answer; one clear answer serves every credential that has the same login there."""
        key = (credential.config.registry, version.username, version.fingerprint)
        now, known = self._world.clock.monotonic(), self._answers.get(key)
        lasts = credential.config.probe_interval.total_seconds() * SHARED_FOR
        if known is not None and known.asked_by != credential.name and now < known.at + lasts:
            return known.finding
        login = await self._ledger.login(version)
        try:
            finding = await credential.provider.probe(login)
        except RotatorError as error:
            return Finding(credential.config.registry, Verdict.CANNOT_TELL, str(error))
        if finding.verdict is not Verdict.CANNOT_TELL:
            self._answers = {old: one for old, one in self._answers.items() if now < one.at + ANSWER_SECONDS}
            self._answers[key] = _Answer(finding, now, credential.name)
        return finding

    def _is_written_lately(self, version: Version) -> bool:
        """Return whether the store need not be told that ``version`` was accepted once more."""
        if version.rejected_at is not None:
            return False
        written = self._written.setdefault(version.credential, version.verified_at)
        return written is not None and timedelta() <= self._world.clock.now() - written < WRITTEN_EVERY

    def _found(self, version: Version, finding: Finding) -> Changes:
        """Return what a probe's clear answer about ``version`` changes; nothing when it was replaced meanwhile."""
        current, now = self._ledger.current(version.credential), self._world.clock.now()
        if current is None or current.generation != version.generation:
            return Changes()
        if finding.verdict is Verdict.ACCEPTED:
            return Changes(versions=[replace(current, verified_at=now, rejected_at=None)])
        return Changes(versions=[replace(current, rejected_at=current.rejected_at or now)])

    async def keep(self, target: DeliveryTarget) -> None:
        """Bring ``target`` to the current versions and end the rotations that waited for it."""
        await self._rollout.reconcile(target)
        for name in target.credentials:
            await self._rotator.settle(self._watched.credentials[name])

    async def _poll_forever(self, dispatcher: Dispatcher, wake: Callable[[], None]) -> None:
        while True:
            if await self.poll(dispatcher):
                wake()
            await self._world.clock.sleep(self._watched.poll.total_seconds())

    @asynccontextmanager
    async def _surviving(self, what: str, of: str) -> AsyncIterator[None]:
        """Report whatever breaks inside, and go on: one broken peer or adapter must not stop the watch over all."""
        try:
            yield
        except StoreError as error:
            self._world.emit(StoreFailed(what, error.code, str(error)))
        except Exception as error:  # noqa: BLE001 (as in the dispatcher: a defect must not stop the daemon)
            self._world.emit(Crashed(f"{what} of {of}", error))

    async def _ask_source(self, credential: Credential, dispatcher: Dispatcher) -> bool:
        is_news = False
        async with self._asking, self._surviving("poll", credential.name):
            try:
                revision = await credential.provider.revision()
            except RotatorError as error:
                self._world.emit(SourceFailed(credential.name, error.code, str(error)))
            else:
                is_news = dispatcher.source_said(credential.name, revision)
        return is_news

    async def _probe_forever(self, wake: Callable[[], None]) -> None:
        """Probe each credential in its own interval, spread so that they do not come together."""
        clock = self._world.clock
        turns = [(clock.monotonic() + self._first_wait(one), one.name) for one in self._watched.credentials.values()]
        heapq.heapify(turns)
        async with asyncio.TaskGroup() as probes:
            while True:
                await clock.sleep(max(turns[0][0] - clock.monotonic(), 0.0) if turns else 3600.0)
                while turns and turns[0][0] <= clock.monotonic():
                    name = turns[0][1]
                    credential = self._watched.credentials[name]
                    interval = credential.config.probe_interval.total_seconds()
                    heapq.heapreplace(turns, (clock.monotonic() + interval, name))
                    probes.create_task(self._probe_and_wake(credential, wake), name=f"probe {name}")

    def _first_wait(self, credential: Credential) -> float:
        version = self._ledger.current(credential.name)
        share = spread(version.fingerprint) if version is not None else self._world.random()
        return credential.config.probe_interval.total_seconds() * share

    async def _probe_and_wake(self, credential: Credential, wake: Callable[[], None]) -> None:
        async with self._surviving("probe", credential.name):
            async with self._asking:
                verdict = await self.probe(credential)
            if verdict is Verdict.REJECTED:
                wake()

    async def _keep_forever(self, target: DeliveryTarget) -> None:
        changed = asyncio.Event()
        watcher = asyncio.create_task(self._listen(target, changed), name=f"watch {target.name}")
        try:
            while True:
                changed.clear()
                is_kept = False
                async with self._surviving("delivery", target.name):
                    await self.keep(target)
                    is_kept = not self._rollout.unlisted(target.name)
                seconds = self._next_look(target) if is_kept else LOOK_AGAIN_SECONDS
                await pause(self._world.clock, seconds, changed)
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _listen(self, target: DeliveryTarget, changed: asyncio.Event) -> None:
        """Set ``changed`` whenever the target says so. A watch that broke is begun again after a resync."""
        while True:
            async with self._surviving("watch", target.name):
                async for _ in target.port.watch():
                    await self._world.clock.sleep(SETTLE_SECONDS)
                    changed.set()
            await self._world.clock.sleep(self._watched.config.resync_interval.total_seconds())

    def _next_look(self, target: DeliveryTarget) -> float:
        """Return the seconds until ``target`` is looked at again: at the resync, or when a pause or wait ends."""
        longest, now = self._watched.config.delivery_retry, self._world.clock.now()
        pauses = (
            left_of_pause(one.at, delivery_pause(one.attempts, longest), now)
            for name in target.credentials
            for one in self._ledger.deliveries_of(target.name, name)
            if one.state is DeliveryState.FAILED
        )
        turn = self._rollout.turns.next_turn(target)
        turns = [] if turn is None else [turn]
        return max(min([self._watched.config.resync_interval, *pauses, *turns]), SHORTEST_LOOK).total_seconds()
