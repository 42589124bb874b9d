"""Logs: one line per event, without secrets, never in the way of a rotation.

Law of this layer: it knows secrets, errors and the domain's events, and nothing above them. Whoever wants a line calls
``structlog.get_logger(__name__)``; the application calls `configure` and `install_hooks` once, at its start.
"""

from __future__ import annotations

from rotator.log.hook import LogHook
from rotator.log.output import LineHandler
from rotator.log.process import harden_process
from rotator.log.setup import LogFormat, configure
from rotator.log.uncaught import install_hooks, log_loop_exception

__all__ = [
    "LineHandler",
    "LogFormat",
    "LogHook",
    "configure",
    "harden_process",
    "install_hooks",
    "log_loop_exception",
]
