"""The daemon as everything above sees it.

`Application.open` has it built in order, `run` lists every task it has, leaving the ``async with`` block takes it down
in the opposite order.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from rotator.assemble import Parts, assemble
from rotator.clock import SystemClock
from rotator.config.root import Config
from rotator.config.standing import digest_of
from rotator.domain.audit import AuditVerdict, ChainedRecord
from rotator.domain.configuration import Standing
from rotator.domain.events import Event
from rotator.domain.headroom import LimitStatus
from rotator.domain.history import KnownVersion
from rotator.domain.leak import LeakProgress
from rotator.domain.place import PlaceStatus
from rotator.domain.rotation import Rotation
from rotator.domain.status import CredentialStatus
from rotator.domain.usage import Usage
from rotator.engine.credential import Credential
from rotator.engine.handover import Acknowledged, HandOver, Revealed
from rotator.engine.places import Trial, place_status, try_target
from rotator.engine.plan import Planner
from rotator.engine.recover import recover, strangers
from rotator.engine.ticket import Ticket
from rotator.engine.usage import usage_of
from rotator.errors import NotFoundError
from rotator.ports import Clock, Hook

STOP_GRACE_SECONDS = 5.0
GC_THRESHOLDS = (20_000, 20, 20)
"""A large rotation makes and keeps many small values; looking for cycles among them at the default pace is waste."""

STALLED_AFTER = timedelta(minutes=3)


class Application:
    """The daemon. Make one with `open`."""

    def __init__(self, config: Config, clock: Clock, parts: Parts, standing: Standing) -> None:
        self.config = config
        self.standing = standing
        self.clock = clock
        self.metrics = parts.metrics
        self._parts = parts
        self._stopping = asyncio.Event()

    @staticmethod
    @asynccontextmanager
    async def open(
        config: Config,
        clock: Clock | None = None,
        redactions: Callable[[], int] = lambda: 0,
        standing: Standing | None = None,
    ) -> AsyncIterator[Application]:
        """Build the daemon and take its state.

        Args:
            config: A valid configuration.
            clock: Time; None for the machine's.
            redactions: Tells how many secrets the log's last line of defence has masked.
            standing: Where the configuration comes from; None when it was made in memory.

        Raises:
            ConfigError: Something the configuration names cannot be used, or another daemon holds the state.
        """
        clock = clock or SystemClock()
        async with AsyncExitStack() as stack:
            parts = await assemble(config, clock, redactions, stack)
            gc.set_threshold(*GC_THRESHOLDS)
            stack.push_async_callback(parts.dispatcher.stop, STOP_GRACE_SECONDS)
            yield Application(config, clock, parts, standing or Standing(clock.now(), digest_of(config)))

    async def run(self, *services: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do everything the daemon does, and ``services`` beside it, until `stop`.

        A task that ends by an error ends all: a supervisor restarts the daemon, and the journal goes on from there.
        """
        parts = self._parts
        await recover(parts.credentials, parts.ledger, parts.dispatcher, self.clock)
        for unclaimed in strangers(parts.credentials, parts.ledger, self.clock.now()):
            parts.hooks(unclaimed)
        tasks = [
            asyncio.create_task(parts.scheduler.run(), name="scheduler"),
            asyncio.create_task(parts.watch.run(parts.dispatcher, parts.scheduler.wake), name="watch"),
            asyncio.create_task(parts.headroom.run(), name="headroom"),
            asyncio.create_task(parts.retirer.run(), name="retirements"),
            asyncio.create_task(parts.leaks.run(), name="leaks"),
            asyncio.create_task(parts.images.run(), name="images"),
            asyncio.create_task(parts.drift.run(), name="drift"),
            asyncio.create_task(parts.notifier.run(), name="notifications"),
            asyncio.create_task(parts.inspector.run(parts.scheduler.wake), name="inspections"),
            *(asyncio.create_task(task(), name="background") for task in parts.background),
            *(asyncio.create_task(service(), name="service") for service in services),
            asyncio.create_task(self._stopping.wait(), name="stop"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    def stop(self) -> None:
        """Have `run` return. Safe to repeat."""
        self._stopping.set()

    def statuses(self) -> list[CredentialStatus]:
        """Return how every credential stands, in configuration order."""
        return [self.status(name) for name in self._parts.credentials]

    def status(self, name: str) -> CredentialStatus:
        """Return how one credential stands.

        Raises:
            NotFoundError: No such credential; the known ones are named.
        """
        return self._parts.observer.status(self._named(name))

    def _named(self, name: str) -> Credential:
        credential = self._parts.credentials.get(name)
        if credential is None:
            known = ", ".join(sorted(self._parts.credentials)) or "none"
            raise NotFoundError(f"no credential is named {name}", hint=f"Configured are: {known}")
        return credential

    def limits(self) -> Sequence[LimitStatus]:
        """Return the last known pull limits."""
        return self._parts.headroom.limits()

    def places(self) -> Sequence[PlaceStatus]:
        """Return how every target stands that holds a credential, in the order of their names."""
        parts = self._parts
        return [place_status(target, parts.ledger, parts.rollout) for _, target in sorted(parts.targets.items())]

    async def try_target(self, name: str) -> Sequence[Trial]:
        """Read a target's placements without writing anything. Errors as `rotator.engine.places.try_target`.

        Raises:
            NotFoundError: No such target; the known ones are named.
        """
        target = self._parts.targets.get(name)
        if target is None:
            known = ", ".join(sorted(self._parts.targets)) or "none"
            raise NotFoundError(f"no target that holds a credential is named {name}", hint=f"There are: {known}")
        return await try_target(target, self._parts.ledger)

    async def acknowledge(self, name: str, generation: int, by: str) -> Acknowledged:
        """Take a person's word that a login is in place. Errors as `HandOver.acknowledge`."""
        done = await self._hand_over().acknowledge(name, generation, by)
        credential = self._parts.credentials.get(done.delivery.credential)
        if credential is not None:
            await self._parts.rotator.settle(credential)
        return done

    async def reveal(self, name: str, by: str) -> Revealed:
        """Return the login that a person is to enter, once. Secret. Errors as `HandOver.reveal`."""
        return await self._hand_over().reveal(name, by)

    def _hand_over(self) -> HandOver:
        return HandOver(self._parts.targets, self._parts.ledger, self.clock, self._parts.hooks)

    async def request_rotation(self, name: str, message: str, by: str) -> Ticket:
        """Rotate ``name`` now, or join the rotation that runs. Errors as `Dispatcher.request`."""
        return await self._parts.dispatcher.request(name, message, by)

    async def request_rollback(self, name: str, generation: int | None, message: str, by: str) -> Ticket:
        """Put an earlier version of ``name`` back. Errors as `Dispatcher.restore`."""
        return await self._parts.dispatcher.restore(name, generation, message, by)

    async def report_leak(self, name: str, reason: str, by: str, before: datetime | None = None) -> LeakProgress:
        """Take note that the secret of ``name`` is known to others, and begin at once. Errors as `Leaks.report`."""
        return await self._parts.leaks.report(name, reason, by, before)

    async def leak_progress(self, name: str) -> LeakProgress:
        """Return how far the response to a leak of ``name`` has come. Errors as `Leaks.progress`."""
        return await self._parts.leaks.progress(name)

    async def open_leaks(self) -> Sequence[LeakProgress]:
        """Return how far each response has come of whose leaked versions one is still kept."""
        return await self._parts.leaks.open()

    async def older_than(self, since: datetime) -> Sequence[str]:
        """Return the credentials of which a version from before ``since`` may still work, or none is in use."""
        return await self._parts.leaks.older_than(since)

    def usage(self, name: str) -> Usage:
        """Return what depends on ``name``, and what stops working when if it dies now.

        Raises:
            NotFoundError: No such credential.
        """
        parts, credential = self._parts, self._named(name)
        return usage_of(credential, parts.ledger, parts.rollout, parts.images.of(name), self.clock.now())

    async def audit(self, after: int, limit: int) -> Sequence[ChainedRecord]:
        """Return records of the audit after number ``after``, oldest first."""
        return await self._parts.ledger.audit(after, limit)

    async def newest_audit(self, limit: int, credential: str | None) -> Sequence[ChainedRecord]:
        """Return the newest records of the audit, newest first; of all credentials when ``credential`` is None."""
        return await self._parts.ledger.newest_audit(limit, credential)

    async def verify_audit(self) -> AuditVerdict:
        """Return whether the audit is as it was written."""
        return await self._parts.ledger.verify_audit()

    @property
    def planner(self) -> Planner:
        """What says what would happen, and does it."""
        return self._parts.planner

    async def rotations(self, credential: str | None, limit: int) -> Sequence[Rotation]:
        """Return the newest rotations, newest first."""
        return await self._parts.ledger.rotations(credential, limit)

    async def rotation(self, rotation_id: str) -> Rotation:
        """Return one rotation.

        Raises:
            NotFoundError: It never was, or is not kept any more.
        """
        return await self._parts.ledger.rotation(rotation_id)

    async def versions(self, name: str) -> Sequence[KnownVersion]:
        """Return the versions of ``name``, newest first, with where each is held and what becomes of it.

        Raises:
            NotFoundError: No such credential.
        """
        return await self._parts.history.versions(self._named(name), self.clock.now())

    def listening(self, hook: Hook) -> AbstractContextManager[None]:
        """Tell ``hook`` of every event while the block runs; it must not block."""
        return self._parts.hooks.listening(hook)

    def listen(self, hook: Hook) -> None:
        """Have ``hook`` told of every event from now on."""
        self._parts.hooks.add(hook)

    def emit(self, event: Event) -> None:
        """Tell every hook of something that happened outside the engine, such as a reload."""
        self._parts.hooks(event)

    def liveness(self) -> str:
        """Return why the daemon should be restarted; empty when it turns."""
        idle, allowed = self._parts.scheduler.idle_seconds(), STALLED_AFTER + self.config.engine.reconcile_interval
        if idle < allowed.total_seconds():
            return ""
        return f"the scheduler has not turned for {idle:.0f} s"

    def readiness(self) -> str:
        """Return why the daemon is not ready; empty when it is: state loaded, first look at everything done."""
        return "" if self._parts.scheduler.turned_at is not None else "starting"
