"""What systemd is told: ready, reloading, alive, stopping. Without systemd, nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from rotator.ports import Clock


def notify(*lines: str) -> None:
    """Send ``lines`` to the service manager that ``NOTIFY_SOCKET`` names (sd_notify(3)); it may not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        try:
            sender.sendto("\n".join(lines).encode(), address.replace("@", "\0", 1))
        except OSError:
            return  # nobody listens: there is no one to tell


def watchdog_seconds() -> float | None:
    """Return how often systemd wants to hear that we live: half of ``WATCHDOG_USEC``; None when it does not."""
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / 2_000_000 if text.isascii() and text.isdigit() and int(text) > 0 else None


async def report_life(liveness: Callable[[], str], clock: Clock) -> None:
    """Tell the service manager that we live, again and again, as long as ``liveness`` has nothing to say against it.

    Whoever is told nothing for ``WatchdogSec`` ends the process and starts it anew. Returns at once where no watchdog
    waits.
    """
    pause = watchdog_seconds()
    while pause is not None:
        if not liveness():
            notify("WATCHDOG=1")
        await clock.sleep(pause)
