"""Writes one placement, confirms it by reading back, and says what became of each credential there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rotator.domain.model import Delivery, DeliveryState, Entry, Held, Version
from rotator.engine.credential import DeliveryTarget
from rotator.engine.ledger import Ledger
from rotator.engine.rendering import Rendering
from rotator.errors import (
    AwaitingOperatorError,
    ConflictError,
    FencedError,
    RotatorError,
    StoreError,
    UnavailableError,
)
from rotator.ports import Clock, WritesWhole


@dataclass(frozen=True, slots=True)
class Work:
    """One placement to be written.

    Args:
        placement: The spot.
        focus: What it was not seen to hold when the work was planned: credential to version.
    """

    placement: str
    focus: Mapping[str, Version]


class Writing:
    """Writes placements; the caller has journalled the intent, and journals what is returned.

    Args:
        ledger: Knows what each placement holds.
        clock: Time.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._fences: dict[str, int] = {}

    def fence(self, credential: str) -> int:
        """Return the highest generation of ``credential`` that a placement held against us; 0 for none.

        It is above our own only when this state is older than what was delivered from it: a restored backup, a lost
        state, a second daemon.
        """
        return self._fences.get(credential, 0)

    async def write(self, target: DeliveryTarget, one: Work, rendering: Rendering) -> list[tuple[Delivery, bool]]:
        """Write one placement and return its deliveries with whether anything had to change.

        What counts is what was written, not what was meant when the work was planned: a newer generation may have
        come in between, and a neighbour that was behind is brought up by the same write.
        """
        entries: Sequence[Entry] = ()
        try:
            entries = await rendering.entries(one.placement)
            held = await self._apply(target, one.placement, entries, rendering.unissued(one.placement, entries))
        except StoreError:
            raise
        except FencedError as error:
            self._note_fence(entries, error)
            return self._failures(target, one, entries, error)
        except RotatorError as error:
            return self._failures(target, one, entries, error)
        return [
            (self._outcome(target, one.placement, entry, held), held.changed)
            for entry in entries
            if entry.credential in one.focus or self._is_behind(target, one.placement, entry)
        ]

    def _failures(
        self, target: DeliveryTarget, one: Work, entries: Sequence[Entry], error: RotatorError
    ) -> list[tuple[Delivery, bool]]:
        """Return the failed deliveries, each of the generation that was tried."""
        tried = {entry.credential: entry.generation for entry in entries}
        outcomes = []
        for name, version in one.focus.items():
            last = self.last(target, one.placement, name)
            last = replace(last, generation=tried.get(name) or last.generation or version.generation)
            outcomes.append((self._failed(last, error), False))
        return outcomes

    def _note_fence(self, entries: Sequence[Entry], error: FencedError) -> None:
        """Note that one of ``entries`` was too old.

        Which one is not told, so each that may have been counts as such: a credential that is rotated once too often
        does no harm, one that is never rotated blocks its neighbours.
        """
        suspects = [entry.credential for entry in entries if entry.generation <= error.generation]
        self._fences.update({name: max(self.fence(name), error.generation) for name in suspects})

    def _is_behind(self, target: DeliveryTarget, placement: str, entry: Entry) -> bool:
        return self.last(target, placement, entry.credential).confirmed_generation < entry.generation

    async def _apply(
        self, target: DeliveryTarget, placement: str, entries: Sequence[Entry], unissued: Mapping[str, str]
    ) -> Held:
        """Write, and when the answer got lost, look whether the write arrived."""
        try:
            if unissued and isinstance(target.port, WritesWhole):
                return await target.port.apply_beside(placement, entries, unissued)
            return await target.port.apply(placement, entries)
        except UnavailableError as error:
            try:
                held = await target.port.read(placement, entries)
            except RotatorError:
                raise error from None
            if all(held.logins.get(entry.credential) == entry.login and self._is_new(entry) for entry in entries):
                return held
            raise

    def _is_new(self, entry: Entry) -> bool:
        """Return whether no older generation had the secret of ``entry``: else its place may hold it from then."""
        live = self._ledger.live_versions(entry.credential)
        own = next((one for one in live if one.generation == entry.generation), None)
        older = (one for one in live if one.generation < entry.generation)
        return own is not None and not own.restores and all(one.fingerprint != own.fingerprint for one in older)

    def _outcome(self, target: DeliveryTarget, placement: str, entry: Entry, held: Held) -> Delivery:
        """Return the delivery of ``entry``: confirmed only when the very login was read back."""
        last = self.last(target, placement, entry.credential)
        attempts = max(last.attempts, 1)
        if held.logins.get(entry.credential) != entry.login:
            tried = replace(last, generation=entry.generation, attempts=attempts)
            return self._failed(tried, _different(placement))
        return Delivery(
            target.name,
            placement,
            entry.credential,
            entry.generation,
            DeliveryState.CONFIRMED,
            self._clock.now(),
            attempts=attempts,
            confirmed_generation=entry.generation,
            proof=held.proof,
            written_at=self._clock.now() if held.changed else last.written_at,
            repairs=last.repairs,
        )

    def _failed(self, intent: Delivery, error: RotatorError) -> Delivery:
        is_awaited = isinstance(error, AwaitingOperatorError)
        state = DeliveryState.AWAITING if is_awaited else DeliveryState.FAILED
        return replace(intent, state=state, at=self._clock.now(), error=error.code, message=str(error))

    def last(self, target: DeliveryTarget, placement: str, credential: str) -> Delivery:
        """Return the latest delivery; one of generation 0 where none is known, or no more."""
        known = self._ledger.held_at(target.name, placement).get(credential)
        if known is not None:
            return known
        return Delivery(target.name, placement, credential, 0, DeliveryState.INTENDED, self._clock.now(), attempts=0)


def _different(placement: str) -> RotatorError:
    return ConflictError(
        f"{placement} was written but reads back differently", hint="Something else writes there at the same time"
    )
