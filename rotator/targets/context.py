"""What every target is handed besides its own configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rotator.ports import Clock
from rotator.transport import Transport


@dataclass(frozen=True, slots=True)
class TargetContext:
    """The world, as far as a target needs it.

    Args:
        transport: The outbound HTTP client; owned and closed by whoever made it.
        clock: Time.
        random: Draws from [0, 1), for jitter.
    """

    transport: Transport
    clock: Clock
    random: Callable[[], float]
