"""What a person gets who starts the daemon on something unusable: what is wrong, what to do, and a non-zero exit."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

NOTHING_TO_DO = "credentials: {}\ntargets: {}\n"


def start_and_fail(daemon: Any) -> tuple[int, str]:
    """Run the daemon until it gives up; return its exit code and what it printed."""
    command = [sys.executable, "-m", "rotator", "run", "--config", str(daemon.config)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def assert_readable(output: str) -> None:
    """Check that ``output`` is for people: no stack trace."""
    assert "Traceback" not in output


def test_missing_configuration(daemon: Any) -> None:
    """A configuration that is not there is named, and the exit code is 2."""
    code, output = start_and_fail(daemon)

    assert code == 2
    assert str(daemon.config) in output.replace("\n", "")
    assert_readable(output)


def test_every_mistake_is_named_at_once(daemon: Any) -> None:
    """An invalid configuration names every mistake with its line, and the exit code is 2."""
    daemon.configure(
        "credentials:\n  hub: {provider: dokcerhub, registry: docker.io, username: me, token: {env: T}}\n"
        "  ghcr: {provider: ghcr, username: me, tokken: {env: T}}\n"
        "  own: {provider: custom, registry: r.example.com, username: me, password: {env: T}, deliver_to: [nowhere]}\n"
        "targets:\n  edge: {type: docker_config, path: relative/config.json}\n"
    )

    code, output = start_and_fail(daemon)

    assert code == 2
    flat = " ".join(output.split())
    for said in (
        "did you mean dockerhub",
        "did you mean token",
        "unknown target",
        "relative",
        "rotator.yaml:7",
        "5 mistakes",
    ):
        assert said in flat
    assert_readable(output)


async def test_second_daemon_is_told_who_holds_the_state(daemon: Any) -> None:
    """A second daemon on the same state does not start, and is told which process holds it."""
    daemon.configure(NOTHING_TO_DO)
    daemon.start()
    await daemon.until("the first is ready", lambda: daemon.scrape("/readyz"))

    code, output = start_and_fail(daemon)

    assert code == 2
    assert f"process {daemon.process.pid} on " in output.replace("\n", " ")
    assert_readable(output)


def test_unusable_state_is_kept_and_named(daemon: Any) -> None:
    """A state file that is no database is named and left as it is; the exit code is 2."""
    content = b"this is no database, whatever its name says" * 100
    daemon.configure(NOTHING_TO_DO)
    state = daemon.directory / "rotator.db"
    state.write_bytes(content)

    code, output = start_and_fail(daemon)

    assert code == 2
    flat = " ".join(output.split())
    assert "not a database" in flat
    assert "Move it" in flat
    assert state.read_bytes() == content
    assert_readable(output)


def test_damaged_state_is_kept_and_named(daemon: Any) -> None:
    """A state whose pages are damaged is named and left as it is; the exit code is 2."""
    daemon.configure(NOTHING_TO_DO)
    state = daemon.directory / "rotator.db"
    with sqlite3.connect(state) as connection:
        connection.executescript("CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE x (y)")
        connection.executemany("INSERT INTO x VALUES (?)", [("z" * 500,)] * 100)
    connection.close()
    damaged = state.read_bytes()[:4096] + b"\xff" * 8192
    state.write_bytes(damaged)

    code, output = start_and_fail(daemon)

    assert code == 2
    assert "malformed" in output
    assert state.read_bytes() == damaged
    assert_readable(output)


def test_locked_state_is_named(daemon: Any) -> None:
    """A state that another program has locked is named after a bounded wait; the exit code is 2."""
    daemon.configure(NOTHING_TO_DO)
    connection = sqlite3.connect(daemon.directory / "rotator.db", isolation_level=None)
    connection.execute("CREATE TABLE held (x)")
    connection.execute("BEGIN EXCLUSIVE")

    code, output = start_and_fail(daemon)
    connection.close()

    assert code == 2
    assert "locked" in output
    assert_readable(output)


def test_state_below_something_that_is_no_directory(daemon: Any, tmp_path: Path) -> None:
    """A state that cannot be made is named with the system's reason; the exit code is 2."""
    (tmp_path / "file").write_text("")
    daemon.configure(NOTHING_TO_DO)
    text = daemon.config.read_text().replace(f"{daemon.directory}/rotator.db", f"{tmp_path}/file/rotator.db")
    daemon.config.write_text(text)

    code, output = start_and_fail(daemon)

    assert code == 2
    assert f"{tmp_path}/file/rotator.db" in output.replace("\n", "")
    assert_readable(output)
