"""What all tests share: a clock that is moved by hand, and the rule about missing real servers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml
from hypothesis import settings

from rotator.sandbox.clock import ManualClock

# The same examples each time, so that a failure is of the change under test; `make soak` draws new ones.
settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile("soak", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job, and then in our children, too
    signal.signal(signal.SIGINT, signal.default_int_handler)

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
        if path is None:
            lack(f"{name} is not installed; `make packages` installs it")
        return path

    return find


@pytest.fixture(scope="session")
def root() -> None:
    """Have the test run as root, who alone may mount: a skip where it does not, a failure where all is required."""
    if os.geteuid() != 0:
        lack("this test makes mounts of its own: run it as root")


def lack(what: str) -> NoReturn:
    """Skip the test for what this machine has not; fail it where all services are required."""
    if os.environ.get("ROTATOR_REQUIRE_SERVICES") == "1":
        pytest.fail(what)
    pytest.skip(what)


DEPLOY = Path(__file__).parents[1] / "deploy"


@pytest.fixture(scope="session")
def kustomize(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Any]]:
    """Return what renders a folder of deploy/ as `kubectl apply -k` would, to the objects that it makes."""
    kubectl = program("kubectl")
    deploy = tmp_path_factory.mktemp("kustomize") / "deploy"
    shutil.copytree(DEPLOY, deploy)
    done = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True, check=False)
    if 'Minor:"20"' in done.stdout:
        _speak_the_old_words(deploy)

    def render(folder: str) -> list[Any]:
        command = [kubectl, "kustomize", str(deploy / folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return list(yaml.safe_load_all(done.stdout))

    return render


def _speak_the_old_words(deploy: Path) -> None:
    """Write ``bases`` where Debian's kubectl 1.20 wants that: later ones deprecate it and take folders as resources."""
    for path in deploy.rglob("kustomization.yaml"):
        body = yaml.safe_load(path.read_text())
        resources = body.get("resources", [])
        body["bases"] = [name for name in resources if (path.parent / name).is_dir()]
        body["resources"] = [name for name in resources if (path.parent / name).is_file()]
        path.write_text(yaml.safe_dump(body))
