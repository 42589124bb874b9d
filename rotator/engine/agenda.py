"""When each credential is due: what its expiry, its source and the ledger say, and what holds an attempt back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rotator.domain.due import Due, Situation, first_due, next_due_at
from rotator.domain.schedule import left_of_pause
from rotator.engine.credential import Credential
from rotator.engine.crowd import rule_of, unended
from rotator.engine.ledger import Ledger
from rotator.ports import Clock

FIRST_EVER = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
NO_PAUSE = timedelta()
HELD_BACK = timedelta(seconds=30)
"""How long a credential is left alone after a defect, or after a rotation that did not help."""
STORE_PAUSE = timedelta(seconds=5)
"""How long nothing is started by schedule after the store failed: what cannot be journalled is not begun."""


class Agenda:
    """Decides what is due and starts nothing. What runs is the dispatcher's business: it does not ask about that.

    Args:
        ledger: Knows what was.
        fence: Tells the highest generation of a credential that a placement held against us; 0 for none.
        clock: Time.
    """

    def __init__(self, ledger: Ledger, fence: Callable[[str], int], clock: Clock) -> None:
        self._ledger = ledger
        self._fence = fence
        self._clock = clock
        self._revisions: dict[str, str | None] = {}
        self._tried: dict[str, str | None] = {}
        self._due_from: dict[str, tuple[object, datetime | None]] = {}
        self._held_back: dict[str, float] = {}
        self._store_pause_until = float("-inf")

    def source_said(self, name: str, revision: str | None, *, is_running: bool) -> bool:
        """Take note of a source's revision; return whether it is news that may make a rotation due.

        The first revision heard of a credential that failed before the restart, or is being rotated already, counts
        as tried: a daemon that is restarted again and again must not try a bad value once each time.
        """
        is_first = name not in self._revisions
        self._revisions[name] = revision
        if revision is None:
            return is_first
        if is_first and (is_running or self._ledger.record(name).failures):
            self._tried[name] = revision
        return self._is_mended(name)

    def begun(self, name: str) -> None:
        """Take note that a rotation begins: what the source holds now counts as tried."""
        self._tried[name] = self._revisions.get(name)

    def hold_back(self, name: str) -> None:
        """Have no rotation of ``name`` be due for a while."""
        self._held_back[name] = self._clock.monotonic() + HELD_BACK.total_seconds()

    def hold_all_back(self) -> None:
        """Have nothing be due for a moment: the store failed."""
        self._store_pause_until = self._clock.monotonic() + STORE_PAUSE.total_seconds()

    def reason(self, credential: Credential, now: datetime, revision: str | None = None) -> Due | None:
        """Return why ``credential`` is to be rotated, whatever holds it back; None when it is not.

        Args:
            credential: Which one.
            now: Aware UTC.
            revision: What its source holds, where that was asked beside the watch; None for what it said last.
        """
        situation = self._situation(credential, now)
        if revision is not None:
            situation = replace(situation, revision=revision, is_unwatched=False)
        return first_due(situation)

    def due(self, credential: Credential, now: datetime) -> Due | None:
        """Return why ``credential`` is to be rotated now; None when it is not, or is held back."""
        found = self.reason(credential, now)
        return found if found is not None and not self.pause(credential.name, now) else None

    def due_at(self, credential: Credential, now: datetime) -> datetime | None:
        """Return when an attempt may begin: ``now`` when at once, None when never by the passing of time."""
        at = self._remembered_due_at(credential, now)
        return at if at is None or at > now else now + self.pause(credential.name, now)

    def pause(self, name: str, now: datetime) -> timedelta:
        """Return how long attempts are held back still, zero or more: by the store, a defect, failures."""
        ticks = self._clock.monotonic()
        if ticks < self._store_pause_until:
            return timedelta(seconds=self._store_pause_until - ticks)
        record = self._ledger.record(name)
        if (record.next_attempt_at is None and name not in self._held_back) or self._is_mended(name):
            return NO_PAUSE
        held_back = timedelta(seconds=max(self._held_back.get(name, ticks) - ticks, 0.0))
        since = record.looked_at or now
        failed = left_of_pause(since, (record.next_attempt_at or since) - since, now)
        return max(held_back, failed)

    def store_pause(self, name: str) -> timedelta:
        """Return how long a rotation of ``name`` that the store broke off is left alone still, zero or more."""
        ticks = self._clock.monotonic()
        until = max(self._store_pause_until, self._held_back.get(name, ticks))
        return timedelta(seconds=max(until - ticks, 0.0))

    def urgency(self, name: str) -> datetime:
        """Return when ``name`` is left without a login that works: what comes first is begun first."""
        current = self._ledger.current(name)
        if current is None or current.rejected_at is not None:
            return FIRST_EVER
        return current.expiry.at or LAST

    def _situation(self, credential: Credential, now: datetime) -> Situation:
        name, current, record = (
            credential.name,
            self._ledger.current(credential.name),
            self._ledger.record(credential.name),
        )
        return Situation(
            now=now,
            strategy=credential.provider.strategy,
            rule=rule_of(credential, self._ledger, now),
            current=current,
            revision=self._revisions.get(name),
            is_unwatched=name in self._revisions and self._revisions[name] is None,
            looked_at=record.looked_at,
            failures=record.failures,
            unfinished=self._ledger.unfinished(name),
            withdrawn=self._ledger.newest_withdrawn(name),
            fence=self._fence(name),
            is_reconfigured=current is not None and not current.is_by(credential.maker),
        )

    def _is_mended(self, name: str) -> bool:
        """Return whether the source holds a revision that is neither in use nor was tried: worth a try at once."""
        revision, current = self._revisions.get(name), self._ledger.current(name)
        in_use = current.revision if current is not None else None
        return revision is not None and revision not in {in_use, self._tried.get(name)}

    def _remembered_due_at(self, credential: Credential, now: datetime) -> datetime | None:
        """Return `next_due_at`, remembered as long as nothing that it depends on changes: thousands are asked often.

        Not remembered is what depends on the present: that it is due, and a recheck after a clock that was set back.
        """
        name = credential.name
        is_asked = name in self._revisions
        placed = (self._fence(name), self._ledger.newest_withdrawn(name), self._ledger.unfinished(name))
        known_of_it = (
            self._ledger.current(name),
            is_asked,
            self._revisions.get(name),
            self._ledger.record(name).failures,
        )
        basis = (*known_of_it, *placed, len(unended(credential, self._ledger, now)))
        known, at = self._due_from.get(name, (None, None))
        if known == basis and (at is None or at > now):
            return at
        situation = self._situation(credential, now)
        at = next_due_at(situation)
        if not situation.is_unwatched and at != now:
            self._due_from[name] = (basis, at)
        return at
