"""Gathers what needs a person. Reads memory, and the store where a secret has leaked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rotator.domain.attention import Need, needs_of
from rotator.domain.headroom import LimitStatus
from rotator.domain.status import CredentialStatus
from rotator.engine.leak import Leaks
from rotator.ports import Clock


@dataclass(frozen=True, slots=True)
class Attention:
    """Says what needs a person.

    Args:
        statuses: Tells how every credential stands.
        leaks: Tells how far responses to leaks have come.
        limits: Tells the last known pull limits.
        clock: Time.
    """

    statuses: Callable[[], Sequence[CredentialStatus]]
    leaks: Leaks
    limits: Callable[[], Sequence[LimitStatus]]
    clock: Clock

    async def needs(self) -> Sequence[Need]:
        """Return what needs a person now, worst first.

        Raises:
            StoreError: What is known of a leak could not be read.
        """
        return needs_of(self.statuses(), self.clock.now(), await self.leaks.open(), self.limits())
