"""Says which placements may be written now: what has to wait for its turn, and what need not."""

from __future__ import annotations

from rotator.config.root import EngineConfig
from rotator.domain.model import Delivery, DeliveryState, Version
from rotator.domain.schedule import delivery_pause, left_of_pause
from rotator.engine.ledger import Ledger
from rotator.ports import Clock

UNDONE = frozenset({DeliveryState.FAILED, DeliveryState.AWAITING})
"""States of a try that brought no confirmation."""


class Turns:
    """Knows what holds a placement back: a pause after a failure, or somebody else who keeps writing there.

    Args:
        ledger: Knows what was tried at each placement.
        clock: Time.
        config: The longest pause between two tries.
    """

    def __init__(self, ledger: Ledger, clock: Clock, config: EngineConfig) -> None:
        self._ledger = ledger
        self._clock = clock
        self._longest_pause = config.delivery_retry
        self._contested: set[tuple[str, str]] = set()

    def leave_alone(self, target: str, placement: str) -> None:
        """Have no version that was tried at ``placement`` tried there again by itself, until `release`."""
        self._contested.add((target, placement))

    def release(self, target: str, placement: str) -> None:
        """End what `leave_alone` began. Safe to repeat."""
        self._contested.discard((target, placement))

    def may_retry(self, target: str, placement: str, version: Version) -> bool:
        """Return whether ``version``, which ``placement`` was not seen to hold, may be tried there by ourselves now."""
        last = self._ledger.held_at(target, placement).get(version.credential)
        if last is None or last.generation != version.generation:
            return True
        return (target, placement) not in self._contested and self._pause_is_over(last)

    def _pause_is_over(self, last: Delivery) -> bool:
        if last.state not in UNDONE:
            return True
        return not left_of_pause(last.at, delivery_pause(last.attempts, self._longest_pause), self._clock.now())
