"""What a delivery came to, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.domain.words import counted
from rotator.errors import RotatorError


@dataclass(frozen=True, slots=True)
class Report:
    """What a delivery came to.

    Args:
        confirmed: Placements that were read back and found to hold the version.
        failed: Placements that were not.
        waiting: Required targets of which something is not confirmed.
        error: The first error met; None when there was none.
        awaiting: Placements that wait for a person, who has what they need; they are counted as failed, too.
        deferred: Placements that wait for their turn, since what they hold is still good; counted as failed, too.
    """

    confirmed: int = 0
    failed: int = 0
    waiting: frozenset[str] = frozenset()
    error: RotatorError | None = None
    awaiting: int = 0
    deferred: int = 0

    def __str__(self) -> str:
        """Return a sentence with the counts."""
        waits = f", {self.deferred} wait for their turn" if self.deferred else ""
        return f"{self.confirmed} of {counted(self.confirmed + self.failed, 'placement')} confirmed{waits}"
