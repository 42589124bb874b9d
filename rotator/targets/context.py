"""What every target is handed besides its own configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from rotator.ports import Clock, Source, Vault
from rotator.transport import Transport


@dataclass(frozen=True, slots=True)
class TargetContext:
    """The world, as far as a target needs it.

    Args:
        transport: The outbound HTTP client; owned and closed by whoever made it.
        clock: Time.
        random: Draws from [0, 1), for jitter.
        sources: Where the secrets are read that a target itself needs, by name: ``file``, ``env``, and ``vault`` when
            it is configured.
        vault: The daemon's session with Vault; None where it is not configured.
        executor: The bounded pool in which blocking SDKs run; None for the event loop's own.
    """

    transport: Transport
    clock: Clock
    random: Callable[[], float]
    sources: Mapping[str, Source] = field(default_factory=dict)
    vault: Vault | None = None
    executor: Executor | None = None
