"""A program, not a test: the daemon's process, started as often as wanted at the price of a fork.

Usage: python rotate_once.py CONFIG, then a line on standard input for each start: ``held`` for one that stops itself
before it does anything, so that a tracer can come, ``free`` for one that runs at once. Told are its process id and,
once it is gone, how it ended: 0 when it had rotated once, -9 when it was killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import signal
import sys
from pathlib import Path

import structlog

from rotator.app import Application
from rotator.config.load import load
from rotator.config.root import Config
from rotator.engine.recover import recover
from rotator.kinds import kinds

PR_SET_PTRACER = 0x59616D61
ANYBODY = ctypes.c_ulong(-1)


async def rotate(config: Config) -> None:
    """Start as the daemon does, go on with what is open, rotate once, bring the targets up to date, stop."""
    async with Application.open(config) as application:
        parts = application._parts
        await recover(parts.credentials, parts.ledger, parts.dispatcher, application.clock)
        ticket = await application.request_rotation("registry", "the sweep asks", "test")
        await ticket.finished
        for target in parts.targets.values():
            await parts.watch.keep(target)


def start(config: Config, how: str) -> int:
    """Start one; return how it ended."""
    child = os.fork()
    if not child:
        random.seed()
        if how == "held":
            ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)  # where only ancestors may trace
            os.kill(os.getpid(), signal.SIGSTOP)
        asyncio.run(rotate(config))
        os._exit(0)
    if how == "held":
        os.waitpid(child, os.WUNTRACED)  # it has stopped: woken before that, it would then stop for good
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def main() -> None:
    """Start one for each line."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the log is no part of the state
    config = load(Path(sys.argv[1]), kinds())
    asyncio.run(rotate(config))  # imports what is imported late, and makes the first version
    print("ready", flush=True)
    for line in sys.stdin:
        print(start(config, line.strip()), flush=True)


if __name__ == "__main__":
    main()
