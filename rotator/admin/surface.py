"""What the admin API needs of the daemon. `rotator.app.Application` has this shape; so may a fake in a test."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from rotator.config.root import Config
from rotator.domain.audit import AuditVerdict, ChainedRecord
from rotator.domain.configuration import Standing
from rotator.domain.events import Event
from rotator.domain.headroom import LimitStatus
from rotator.domain.history import KnownVersion
from rotator.domain.leak import LeakProgress
from rotator.domain.place import PlaceStatus
from rotator.domain.plan import CredentialPlan
from rotator.domain.rotation import Rotation
from rotator.domain.status import CredentialStatus
from rotator.domain.usage import Usage
from rotator.engine.handover import Acknowledged, Revealed
from rotator.engine.places import Trial
from rotator.engine.ticket import Ticket
from rotator.ports import Clock, Hook


class Rendered(Protocol):
    """Metrics that can be rendered."""

    def render(self, accept: str, /, *, statuses: Sequence[CredentialStatus]) -> tuple[bytes, str]:
        """Return the body and its content type for an ``Accept`` header. Blocks: call it in a thread.

        Args:
            accept: The scraper's ``Accept`` header; empty when there was none.
            statuses: How every credential stands, gathered in the event loop, which changes what they are made of.
        """
        ...


class Plans(Protocol):
    """What `rotator.engine.plan.Planner` offers."""

    async def plan(self, names: Sequence[str], asked: Sequence[str] = ()) -> Sequence[CredentialPlan]:
        """Return what would happen. Errors as `rotator.engine.plan.Planner.plan`."""
        ...

    async def apply(
        self, names: Sequence[str], asked: Sequence[str], expected: str, by: str
    ) -> Sequence[tuple[str, Ticket]]:
        """Do what a plan says. Errors as `rotator.engine.plan.Planner.apply`."""
        ...


class AdminSurface(Protocol):
    """The daemon, as seen from its doors. Reading never changes anything."""

    @property
    def config(self) -> Config:
        """The configuration in use."""
        ...

    @property
    def standing(self) -> Standing:
        """Which configuration is in use, and how the latest try to replace it went."""
        ...

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def metrics(self) -> Rendered:
        """What Prometheus scrapes."""
        ...

    def status(self, name: str) -> CredentialStatus:
        """Return how one credential stands.

        Raises:
            NotFoundError: No such credential; the known ones are named.
        """
        ...

    def limits(self) -> Sequence[LimitStatus]:
        """Return the last known pull limits."""
        ...

    def places(self) -> Sequence[PlaceStatus]:
        """Return how every target stands that holds a credential, in the order of their names."""
        ...

    async def try_target(self, name: str) -> Sequence[Trial]:
        """Read a target's placements without writing anything.

        Raises:
            NotFoundError: No such target. StoreError: The logins to compare with could not be read.
        """
        ...

    async def acknowledge(self, name: str, generation: int, by: str) -> Acknowledged:
        """Take a person's word that a login is in place. Errors as `rotator.engine.handover.HandOver.acknowledge`."""
        ...

    async def reveal(self, name: str, by: str) -> Revealed:
        """Return the login that a person is to enter, once. Secret. Errors as `HandOver.reveal`."""
        ...

    @property
    def planner(self) -> Plans:
        """What says what would happen, and does it."""
        ...

    async def request_rotation(self, name: str, message: str, by: str) -> Ticket:
        """Rotate ``name`` now, or join the rotation that runs.

        Raises:
            NotFoundError: No such credential. StoreError: The intent could not be journalled; nothing was started.
        """
        ...

    def usage(self, name: str) -> Usage:
        """Return what depends on ``name``, and what stops working when if it dies now.

        Raises:
            NotFoundError: No such credential.
        """
        ...

    async def audit(self, after: int, limit: int) -> Sequence[ChainedRecord]:
        """Return records of the audit after number ``after``, oldest first."""
        ...

    async def newest_audit(self, limit: int, credential: str | None) -> Sequence[ChainedRecord]:
        """Return the newest records of the audit, newest first; of all credentials when ``credential`` is None."""
        ...

    async def verify_audit(self) -> AuditVerdict:
        """Return whether the audit is as it was written."""
        ...

    async def rotations(self, credential: str | None, limit: int) -> Sequence[Rotation]:
        """Return the newest rotations, newest first; of all credentials when ``credential`` is None."""
        ...

    async def rotation(self, rotation_id: str, /) -> Rotation:
        """Return one rotation.

        Raises:
            NotFoundError: It never was, or is not kept any more.
        """
        ...

    async def request_rollback(self, name: str, generation: int | None, message: str, by: str) -> Ticket:
        """Put an earlier version of ``name`` back. Errors as `rotator.engine.dispatch.Dispatcher.restore`."""
        ...

    async def report_leak(self, name: str, reason: str, by: str, before: datetime | None = None) -> LeakProgress:
        """Take note of a leak, and begin at once. Errors as `rotator.engine.leak.Leaks.report`."""
        ...

    async def leak_progress(self, name: str) -> LeakProgress:
        """Return how far the response to a leak of ``name`` has come; without one it has no steps.

        Raises:
            NotFoundError: No such credential. StoreError: It could not be read.
        """
        ...

    async def open_leaks(self) -> Sequence[LeakProgress]:
        """Return how far each response has come of whose leaked versions one is still kept."""
        ...

    async def older_than(self, since: datetime) -> Sequence[str]:
        """Return the credentials of which a version from before ``since`` may still work, or none is in use."""
        ...

    async def versions(self, name: str) -> Sequence[KnownVersion]:
        """Return the versions of ``name``, newest first, with where each is held and what becomes of it.

        Raises:
            NotFoundError: No such credential.
        """
        ...

    def emit(self, event: Event) -> None:
        """Tell every listener of something that happened at the doors."""
        ...

    def listening(self, hook: Hook, /) -> AbstractContextManager[None]:
        """Tell ``hook`` of every event while the block runs; it must not block."""
        ...

    def liveness(self) -> str:
        """Return why the daemon should be restarted; empty when it turns."""
        ...

    def readiness(self) -> str:
        """Return why the daemon is not ready; empty when it is."""
        ...
