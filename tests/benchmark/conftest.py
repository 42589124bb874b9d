"""What the benchmarks share: the machine's figures, and the Kubernetes stub as a process of its own."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from rotator.log import configure
from rotator.secret import Redactor


@pytest.fixture(autouse=True)
def production_log(tmp_path: Path) -> Iterator[None]:
    """Log as a daemon in production does: at the level info, as JSON, into a file."""
    with (tmp_path / "daemon.log").open("w") as stream:
        handler = configure("info", "json", stream, Redactor())
        yield
        logging.getLogger().removeHandler(handler)
        handler.close()
        structlog.reset_defaults()


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return what prints a line of figures, with the machine they were measured on."""

    def say(line: str) -> None:
        load = os.getloadavg()[0]
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}"
        with capsys.disabled():
            print(f"\n{line}\n  [{machine}]")

    return say


@pytest.fixture
def kubernetes_stub() -> Iterator[str]:
    """Serve the stub from another process; return its URL."""
    program = Path(__file__).parent / "kubernetes_stub.py"
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()
