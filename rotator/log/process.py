"""Keeps secrets in memory from reaching a core dump or another process's debugger."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from typing import Any

import structlog

PR_SET_DUMPABLE = 4
"""Linux, ``include/uapi/linux/prctl.h``."""

_log: Any = structlog.get_logger(__name__)


def harden_process() -> None:
    """Allow no core dump, and on Linux no tracing by processes of the same user. Safe to repeat.

    Afterwards ``/proc/<pid>`` belongs to root: an unprivileged process cannot look into it, this one still can
    (``prctl(2)``, PR_SET_DUMPABLE). A kernel that refuses is a warning, not a reason not to start.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        _log.warning("process_not_hardened", error=os.strerror(ctypes.get_errno()))
