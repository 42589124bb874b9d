"""What every provider is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from rotator.ports import Clock, Source
from rotator.providers.shared import Shared
from rotator.registry.client import RegistryClient
from rotator.transport import Transport


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """The world, as far as a provider may see it.

    Args:
        transport: For the vendor's own HTTP APIs.
        clock: Time.
        sources: Where secrets are read, by name: ``file``, ``env``, and ``vault`` when it is configured.
        executor: The bounded pool in which blocking SDKs run.
        registry: Speaks to this credential's registry.
        shared: Values that credentials of one identity share; the same object for every credential of the process.
        entropy: Returns as many unpredictable bytes as asked, for secrets that a provider chooses itself.
    """

    transport: Transport
    clock: Clock
    sources: Mapping[str, Source]
    executor: Executor
    registry: RegistryClient
    shared: Shared
    entropy: Callable[[int], bytes] = os.urandom
