"""What all tests share: a clock that is moved by hand, and the rule about missing real servers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest
from hypothesis import settings

from rotator.sandbox.clock import ManualClock

# The same examples each time, so that a failure is of the change under test; `make soak` draws new ones.
settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile("soak", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

CORPUS = "test_documented_answers_are_diagnosed"
"""The test over every documented answer, in tests/registry/test_diagnose.py."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many of the documented answers of registries were diagnosed as documented, where that was tested."""
    rows = {
        outcome: sum(CORPUS in report.nodeid for report in terminalreporter.getreports(outcome))
        for outcome in ("passed", "failed")
    }
    if total := sum(rows.values()):
        terminalreporter.write_line(f"diagnosis: {rows['passed']} of {total} documented answers right")


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still until the test moves it."""
    return ManualClock()


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return what finds a real server's program: its path, or a skip; a failure where all services are required."""

    def find(name: str) -> str:
        path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if path is None and os.environ.get("ROTATOR_REQUIRE_SERVICES") == "1":
            pytest.fail(f"{name} is not installed; `make packages` installs it")
        if path is None:
            pytest.skip(f"{name} is not installed; `make packages` installs it")
        return path

    return find
