"""Sends a test message to one destination of a configuration."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path

from rotator.build import open_sources
from rotator.cli.failure import UsageError
from rotator.clock import SystemClock
from rotator.config.keys import unknown_name
from rotator.config.load import load
from rotator.kinds import kinds
from rotator.notify import Means, open_sender
from rotator.secret import Fingerprinter
from rotator.transport import Transport

_KEY_BYTES = 32


async def send_test(name: str, path: Path) -> None:
    """Send a test message to the destination ``name``.

    Raises:
        ConfigError: The configuration cannot be used. UsageError: It has no such destination. Others as
            `rotator.notify.Sender`.
    """
    config, clock = load(path, kinds()), SystemClock()
    options = config.notifications.get(name)
    if options is None:
        known = sorted(config.notifications)
        raise UsageError(f"{name}: {unknown_name(name, known, what='destination')}" if known else _none(path))
    async with AsyncExitStack() as stack:
        transport = Transport(clock=clock)
        stack.push_async_callback(transport.close)
        sources = open_sources(config, clock, Fingerprinter(os.urandom(_KEY_BYTES)), stack)
        await open_sender(name, options, Means(transport, clock, sources.by_name)).test()


def _none(path: Path) -> str:
    return f"{path} has no destinations; add a section notifications"
