"""The response to a leak: everything with that secret is replaced at once, ended, and shown to be dead.

What is left to do is never held in memory: leaked versions are marked in the journal, the dispatcher finds the one in
use due (`rotator.domain.due.leaked`), the retirer gives the old ones no grace. A crash at any point changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.domain.audit import ENGINE, INTENT, OVER, AuditRecord
from rotator.domain.leak import LeakFacts, LeakProgress, leak_progress
from rotator.domain.model import Stage, Strategy, Version
from rotator.engine.credential import Credential
from rotator.engine.dispatch import Dispatcher
from rotator.engine.ledger import Ledger
from rotator.engine.retire import Retirer
from rotator.engine.rollout import Rollout
from rotator.errors import NotFoundError, StoreError
from rotator.ports import Changes, Clock, Provider, ReadsOrigin, Retires

TURN_SECONDS = 30.0


class Leaks:
    """Takes reports of leaks, and tells how far the response has come.

    Args:
        credentials: All configured ones, by name.
        ledger: Where leaked versions are marked.
        rollout: Knows what the targets have confirmed.
        dispatcher: Rotates.
        retirer: Ends old versions.
        clock: Time.
    """

    def __init__(
        self,
        credentials: Mapping[str, Credential],
        ledger: Ledger,
        rollout: Rollout,
        dispatcher: Dispatcher,
        retirer: Retirer,
        clock: Clock,
    ) -> None:
        self._credentials = credentials
        self._ledger = ledger
        self._rollout = rollout
        self._dispatcher = dispatcher
        self._retirer = retirer
        self._clock = clock
        self._not_over: set[str] | None = None
        """Credentials whose leak the audit does not call over yet; None when that must be read there."""
        self._reports: Counter[str] = Counter()

    async def run(self) -> None:
        """Look every 30 s which responses are over; cancel to stop."""
        while True:
            with suppress(StoreError):  # whoever keeps the state tells; this is looked at again
                await self.settle()
            await self._clock.sleep(TURN_SECONDS)

    async def settle(self) -> None:
        """Put into the audit which responses are over, each once. Safe to repeat, also after a crash.

        Raises:
            StoreError: It could not be read or written.
        """
        await self._ledger.clear_doubt()
        if self._not_over is None:
            self._not_over = set(await self._ledger.leaks_not_over())
        for name in sorted(self._not_over & self._credentials.keys()):
            reports = self._reports[name]
            progress = await self.progress(name)
            if progress.steps and progress.is_over:
                await self._say_over(name, progress.steps[-1].message, reports)

    async def _say_over(self, name: str, message: str, reports: int) -> None:
        """Say so, unless it was reported again while that was looked at."""

        def said() -> Changes:
            if self._reports[name] != reports:
                return Changes()
            return Changes(audit=[AuditRecord(self._clock.now(), ENGINE, "leak", name, OVER, message)])

        try:
            await self._ledger.amend(said)
        except StoreError:
            self._not_over = None
            raise
        if self._not_over is not None and self._reports[name] == reports:
            self._not_over.discard(name)

    async def report(self, name: str, reason: str, by: str, before: datetime | None = None) -> LeakProgress:
        """Take note that the secret of ``name`` is known to others, and begin at once. Safe to repeat.

        What is in use or was before counts as leaked; a version that is only on its way does not.

        Args:
            name: The credential's name.
            reason: What happened, for the audit.
            by: Who says so.
            before: Only what was obtained before it leaked; None for everything.

        Raises:
            NotFoundError: No such credential, or nothing of it is known that could have leaked. StoreError: It may not
                have been journalled, and nothing was begun; report it again. UnavailableError: The daemon is stopping.
        """
        credential = self._named(name)
        if all(one.stage in _NEVER_USED for one in self._ledger.live_versions(name)):
            raise NotFoundError(
                f"{name}: no version was ever in use, so none can have leaked",
                hint=f"If its first version is on its way, wait for it (rotator status {name}) and ask again",
            )
        kept = await self._ledger.versions(name)
        try:
            await self._ledger.amend(lambda: self._marked(credential, kept, reason, by, before))
        except StoreError:
            self._not_over = None
            raise
        current = self._ledger.current(name)
        if current is not None and current.leaked_at is not None:
            await self._dispatcher.replace_leaked(credential.name, f"leaked: {reason}", by)
        self._retirer.wake()
        return await self.progress(name)

    async def progress(self, name: str) -> LeakProgress:
        """Return how far the response to a leak of ``name`` has come.

        Raises:
            NotFoundError: No such credential.
        """
        credential = self._named(name)
        current, record = self._ledger.current(name), self._ledger.record(name)
        report = self._rollout.report(credential, current) if current is not None else None
        last = self._ledger.last_rotation(name)
        strategy = credential.provider.strategy
        return leak_progress(
            LeakFacts(
                name,
                strategy,
                current,
                [one for one in await self._ledger.versions(name) if one.leaked_at is not None],
                report.waiting if report is not None else (),
                str(report) if report is not None else "nothing was delivered yet",
                self._retirer.can_end(credential),
                last.message if last is not None and record.failures else "",
                _origin(credential.provider),
                self._clock.now(),
                credential.provider.bearer_life if isinstance(credential.provider, Retires) else timedelta(),
            )
        )

    async def open(self) -> list[LeakProgress]:
        """Return how far each response has come of whose leaked versions one is still kept."""
        kept = ((name, self._ledger.live_versions(name)) for name in self._credentials)
        names = [name for name, versions in kept if any(one.leaked_at is not None for one in versions)]
        return [await self.progress(name) for name in names]

    async def older_than(self, since: datetime) -> list[str]:
        """Return the credentials of which a version from before ``since`` may still work, or none is in use.

        A version counts until it was seen refused or has expired, whether it is in use, waits for its end, or was let
        go of. Of a token that a person makes it is known only when it was first read.
        """
        now = self._clock.now()
        return [
            name
            for name in self._credentials
            if self._ledger.current(name) is None
            or any(one.issued_at < since for one in _may_work(await self._ledger.versions(name), now))
        ]

    def _marked(
        self, credential: Credential, kept: Sequence[Version], reason: str, by: str, before: datetime | None
    ) -> Changes:
        """Return every version marked that was in use; of ephemeral ones also those that were let go of and still work.

        One on its way that carries the secret of such a version again counts as well. The newest comes last, so that
        the memory holds none that was let go of.
        """
        self._reports[credential.name] += 1
        if self._not_over is not None:
            self._not_over.add(credential.name)
        now = self._clock.now()
        live = {one.generation: one for one in self._ledger.live_versions(credential.name)}
        let_go = {one.generation: one for one in kept if _still_works(credential, one, now)}
        known = [one for _, one in sorted({**let_go, **live}.items()) if before is None or one.issued_at < before]
        used = [one for one in known if one.stage not in _NEVER_USED]
        used += [one for one in known if one not in used and any(one.has_secret_of(other) for other in used)]
        marked = [replace(one, leaked_at=one.leaked_at or now) for one in used]
        return Changes(versions=marked, audit=[AuditRecord(now, by, "leak", credential.name, INTENT, reason)])

    def _named(self, name: str) -> Credential:
        credential = self._credentials.get(name)
        if credential is None:
            known = ", ".join(sorted(self._credentials)) or "none"
            raise NotFoundError(f"no credential is named {name}", hint=f"Configured are: {known}")
        return credential


def _still_works(credential: Credential, version: Version, now: datetime) -> bool:
    """Return whether a version that was let go of works until its expiry: nobody ends ephemeral ones."""
    if version.stage is not Stage.RETIRED or credential.provider.strategy is not Strategy.EPHEMERAL:
        return False
    return version.expiry.at is not None and version.dead_at is None and not version.expiry.is_past(now)


def _may_work(kept: Sequence[Version], now: datetime) -> Iterator[Version]:
    """Yield every version that was ever in use and of which nobody knows that it is dead."""
    for version in kept:
        is_gone = version.dead_at is not None or version.expiry.is_past(now)
        has_ended = version.stage is Stage.RETIRED and version.ended_at is not None
        lives_on = any(one.generation > version.generation and one.has_secret_of(version) for one in kept)
        if version.stage not in _NEVER_USED and not is_gone and not has_ended and not lives_on:
            yield version


def _origin(provider: Provider) -> str:
    return provider.origin if isinstance(provider, ReadsOrigin) and provider.origin else "its source"


_NEVER_USED = frozenset({Stage.PENDING, Stage.ABANDONED})
