"""The hidden command that plays a vendor's registry: what it prints can be run."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rotator.cli.failure import UsageError
from rotator.cli.main import app
from rotator.sandbox.flavours import FLAVOURS

PROGRAM = [sys.executable, "-m", "rotator"]


def test_what_it_prints_can_be_run() -> None:
    """The command for an expired login at a played ECR runs and finds it expired; Ctrl-C ends it, files and all."""
    command = [*PROGRAM, "sandbox", "--flavour", "ecr"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONUNBUFFERED": "1"}) as played:
        assert played.stdout is not None
        try:
            printed = [played.stdout.readline() for _ in range(9)]
            line = next(line for line in printed if "expired.json" in line)
            check = [*PROGRAM, *shlex.split(line)[1:], "--json"]
            checked = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
            played.send_signal(signal.SIGINT)
            assert played.wait(30) == 0
        finally:
            played.kill()
    assert checked.returncode == 1, checked.stderr
    assert json.loads(checked.stdout)[0]["verdict"] == "auth_expired"
    assert not Path(check[-2]).exists()


def test_unknown_flavour_names_the_known_ones() -> None:
    """A vendor that is not played is a usage error that lists those which are."""
    result = CliRunner().invoke(app, ["sandbox", "--flavour", "nope"])
    assert isinstance(result.exception, UsageError)
    assert all(name in result.exception.message for name in FLAVOURS)


def test_taken_port_is_said() -> None:
    """A port that somebody listens on is a usage error that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, ["sandbox", "--flavour", "ghcr", "--port", port])
    assert isinstance(result.exception, UsageError)
    assert f"--port: {port} cannot be listened on" in result.exception.message


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--rate-limit", "-1"]], ids=["port", "limit"])
def test_impossible_numbers_are_usage_errors(arguments: list[str]) -> None:
    """A port or a limit out of range ends with exit code 2."""
    assert CliRunner().invoke(app, ["sandbox", "--flavour", "ghcr", *arguments]).exit_code == 2
