"""Says which placements may be written now: what has to wait for its turn, and what need not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rotator.config.root import EngineConfig
from rotator.domain.drift import is_left_alone
from rotator.domain.model import Delivery, DeliveryState, Version
from rotator.domain.schedule import delivery_pause, left_of_pause
from rotator.domain.window import Step, Wait, wait_for
from rotator.engine.credential import DeliveryTarget
from rotator.engine.ledger import Ledger
from rotator.ports import Clock

UNDONE = frozenset({DeliveryState.FAILED, DeliveryState.AWAITING})
"""States of a try that brought no confirmation."""

_BEGUN = frozenset({DeliveryState.INTENDED, DeliveryState.AWAITING})


class Turns:
    """Knows what holds a placement back: a pause after a failure, its target's hours, somebody else who writes there.

    Args:
        ledger: Knows what was tried at each placement.
        clock: Time.
        config: The longest pause between two tries.
    """

    def __init__(self, ledger: Ledger, clock: Clock, config: EngineConfig) -> None:
        self._ledger = ledger
        self._clock = clock
        self._longest_pause = config.delivery_retry

    def may_retry(self, target: str, placement: str, version: Version) -> bool:
        """Return whether ``version``, which ``placement`` was not seen to hold, may be tried there by ourselves now."""
        held = self._ledger.held_at(target, placement)
        last = held.get(version.credential)
        if last is None or last.generation != version.generation:
            return True
        return not is_left_alone(held.values(), self._clock.now()) and self._pause_is_over(last)

    def wait(self, target: DeliveryTarget, placement: str, version: Version) -> Wait | None:
        """Return why ``placement``, which was not seen to hold ``version``, is not written yet; None when it may be.

        What holds nothing that was confirmed does not wait, nor does a write that was begun.
        """
        known = self._ledger.held_at(target.name, placement)
        last = known.get(version.credential)
        if not target.timing or last is None:
            return None
        if last.generation == version.generation and last.state in _BEGUN:
            return None
        live = self._ledger.live_versions(version.credential)
        step = Step(
            held=next((one for one in live if one.generation == last.confirmed_generation), None),
            wanted=version,
            budget=target.budgets.get(version.credential, timedelta()),
            written_at=max((one.written_at for one in known.values() if one.written_at is not None), default=None),
        )
        return wait_for(step, target.timing, self._clock.now())

    def next_turn(self, target: DeliveryTarget) -> timedelta | None:
        """Return how long the first placement of ``target`` still waits to be written; None when none waits."""
        if not target.timing:
            return None
        current = [version for name in target.credentials if (version := self._ledger.current(name)) is not None]
        waits = (
            self.wait(target, one.placement, version)
            for version in current
            for one in self._ledger.deliveries_of(target.name, version.credential)
            if one.confirmed_generation < version.generation
        )
        now = self._clock.now()
        return min((wait.until - now for wait in waits if wait is not None), default=None)

    def explained(self, target: DeliveryTarget, delivery: Delivery, version: Version | None) -> Delivery:
        """Return ``delivery``, which has not confirmed ``version``, with what it waits for in its message."""
        wait = None if version is None else self.wait(target, delivery.placement, version)
        if wait is None:
            return delivery
        before = f"{delivery.message}; " if delivery.message else ""
        return replace(delivery, message=f"{before}{wait.message}")

    def _pause_is_over(self, last: Delivery) -> bool:
        if last.state not in UNDONE:
            return True
        return not left_of_pause(last.at, delivery_pause(last.attempts, self._longest_pause), self._clock.now())
