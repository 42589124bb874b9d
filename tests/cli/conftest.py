"""The real daemon as a process, with a small registry beside it, and the command line as its users run it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rotator.clock import SystemClock
from rotator.sandbox.registry import SandboxRegistry

SECRET = "canary-3f9c1b7d5e2a4860"
CONFIG = """\
version: 1
store: {{url: "sqlite:///{directory}/state.db"}}
admin: {{socket: {directory}/admin.sock}}
metrics: {{listen: null}}
registries:
  "{registry}": {{insecure: true}}
credentials:
  mine:
    provider: custom
    registry: "{registry}"
    username: robot
    password: {{file: {directory}/secret}}
    images: ["{registry}/team/app:1"]
    deliver_to: [here]
targets:
  here: {{type: docker_config, path: {directory}/docker/config.json}}
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Daemon:
    """A running daemon.

    Args:
        directory: Where everything of it is.
        process: The process.
        log: Its lines so far.
    """

    directory: Path
    process: Process
    log: list[str] = field(default_factory=list)

    @property
    def socket(self) -> str:
        """The path of its socket."""
        return str(self.directory / "admin.sock")

    async def until(self, text: str) -> str:
        """Return the next line of its log that contains ``text``."""
        assert self.process.stderr is not None
        async with asyncio.timeout(20):
            while line := (await self.process.stderr.readline()).decode():
                self.log.append(line)
                if text in line:
                    return line
        raise AssertionError(f"the daemon ended without {text}:\n{''.join(self.log)}")

    async def ask(self, *arguments: str, **environment: str) -> Ran:
        """Run a command against it."""
        return await run(*arguments, "--socket", self.socket, **environment)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it and return its exit code."""
        assert self.process.stderr is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        rest, code = await asyncio.gather(self.process.stderr.read(), self.process.wait())
        self.log.append(rest.decode())
        return code


async def run(*arguments: str, **environment: str) -> Ran:
    """Run ``python -m rotator`` with ``arguments`` and, beside the own environment, ``environment``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rotator", *arguments, stdout=PIPE, stderr=PIPE, env=_environment(environment)
    )
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())


def _environment(more: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROTATOR_")}
    return {**kept, "COLUMNS": "80", "NO_COLOR": "1", **more}


@pytest.fixture
async def registry() -> AsyncIterator[SandboxRegistry]:
    """Return a registry with one image that the secret may pull."""
    server = SandboxRegistry(SystemClock(), auth="basic")
    server.add_image("team/app:1")
    server.add_login("robot", SECRET)
    async with server:
        yield server


@pytest.fixture
def directory(tmp_path: Path, registry: SandboxRegistry) -> Path:
    """Return a directory with a configuration and its secret."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET)
    (tmp_path / "docker").mkdir(mode=0o700)
    (tmp_path / "rotator.yaml").write_text(CONFIG.format(directory=tmp_path, registry=registry.host))
    return tmp_path


@asynccontextmanager
async def _daemon(directory: Path) -> AsyncIterator[Daemon]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rotator", "run", "--config", str(directory / "rotator.yaml")),
        stderr=PIPE,
        env=_environment({}),
    )
    daemon = Daemon(directory, process)
    try:
        await daemon.until("daemon_started")
        yield daemon
    finally:
        await daemon.stop(signal.SIGKILL)


@pytest.fixture
async def daemon(directory: Path) -> AsyncIterator[Daemon]:
    """Return a daemon that has rotated its one credential."""
    async with _daemon(directory) as started:
        await started.until("rotation_succeeded")
        yield started


@pytest.fixture
def secret() -> str:
    """Return the secret that must be seen nowhere."""
    return SECRET


@pytest.fixture(name="run")
def _run() -> object:
    """Return what runs a command."""
    return run


@pytest.fixture(name="start")
def _start() -> object:
    """Return what runs a daemon for as long as a block lasts: an async context manager."""
    return _daemon
