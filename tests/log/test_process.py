"""A process that holds secrets leaves no core dump and cannot be traced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")

PROGRAM = """
import ctypes, os, resource, signal, sys
from rotator.log import harden_process
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
harden_process()
harden_process()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
print(len(os.listdir("/proc/self/fd")) > 0, flush=True)
if sys.argv[1] == "abort":
    os.kill(os.getpid(), signal.SIGABRT)
"""


def test_the_process_is_not_dumpable() -> None:
    """PR_GET_DUMPABLE and RLIMIT_CORE are 0 afterwards, and the process still sees its own files."""
    result = subprocess.run([sys.executable, "-c", PROGRAM, "end"], capture_output=True, text=True, check=True)

    assert result.stdout.splitlines() == ["0 0 0", "True"]
    assert result.stderr == ""


def test_an_abort_leaves_no_core(tmp_path: Path) -> None:
    """The kernel reports that no core was dumped, and there is no file."""
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, "abort"], stdout=subprocess.DEVNULL, cwd=tmp_path)
    _, status = os.waitpid(child.pid, 0)
    child.returncode = status

    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status)
    assert list(tmp_path.iterdir()) == []
