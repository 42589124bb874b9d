"""What the engine needs of the world around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rotator.domain.events import Event
from rotator.ports import Clock, Verifier
from rotator.secret import Fingerprinter


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rotation needs of the world.

    Args:
        clock: Time.
        random: Draws from [0, 1).
        verifier: Proves logins against registries.
        fingerprint: Makes keyed fingerprints.
        emit: Told of everything that happened.
    """

    clock: Clock
    random: Callable[[], float]
    verifier: Verifier
    fingerprint: Fingerprinter
    emit: Callable[[Event], None]
