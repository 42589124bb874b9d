"""The real daemon as a process, with a small registry beside it, and the command line as its users run it.

Starting a process costs seconds. So commands run in this one, from `main` on, with what they print caught; only the
daemon and what is ended by a signal are processes of their own. A test that leaves a daemon's files and process alone
works with the session's one, `shared`, with a credential there that no other test touches.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rotator.cli.main import main
from rotator.clock import SystemClock
from rotator.sandbox.registry import SandboxRegistry

T = TypeVar("T")

SECRET = "canary-3f9c1b7d5e2a4860"
SHARED = ("broken", "leaked", "mine", "planned", "refused", "rolled", "turned", "unseen", "unwatched", "wrong")
"""Credentials of the shared daemon: one that a test changes is that test's alone, and nobody changes ``mine``."""
PATIENCE = 120
"""Seconds. A machine that does much else starts a daemon slowly; each wait is ended by an event."""
HEAD = """\
version: 1
store: {{url: "sqlite:///{directory}/state.db"}}
admin: {{socket: {directory}/admin.sock}}
metrics: {{listen: null}}
registries:
  "{registry}": {{insecure: true}}
"""
CREDENTIAL = """\
  {name}:
    provider: custom
    registry: "{registry}"
    username: {name}-robot
    password: {{file: {directory}/{name}.secret}}
    images: ["{registry}/team/app:1"]
    deliver_to: [at-{name}]
"""
TARGET = """\
  at-{name}: {{type: docker_config, path: {directory}/docker/{name}/config.json}}
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
        async with asyncio.timeout(PATIENCE):
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
    """Run ``rotator`` with ``arguments`` in a thread and, beside the own environment, ``environment``."""
    return await asyncio.to_thread(_run_here, arguments, environment)


def _run_here(arguments: Sequence[str], environment: dict[str, str]) -> Ran:
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in os.environ.keys() - _environment({}).keys():
            patch.delenv(name)
        for name, value in _environment(environment).items():
            patch.setenv(name, value)
        try:
            main(arguments)
        except SystemExit as ended:
            code = int(ended.code is not None) if not isinstance(ended.code, int) else ended.code
    return Ran(code, out.getvalue(), err.getvalue())


async def run_process(*arguments: str) -> Ran:
    """Run ``python -m rotator`` with ``arguments`` as a process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rotator", *arguments, stdout=PIPE, stderr=PIPE, env=_environment({})
    )
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())


def _environment(more: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROTATOR_")}
    return {**kept, "COLUMNS": "80", "NO_COLOR": "1", **more}


@asynccontextmanager
async def _registry(names: Iterable[str]) -> AsyncIterator[SandboxRegistry]:
    server = SandboxRegistry(SystemClock(), auth="basic")
    server.add_image("team/app:1")
    for name in names:
        server.add_login(f"{name}-robot", f"{SECRET}-{name}")
    async with server:
        yield server


def _write(directory: Path, registry: SandboxRegistry, names: Iterable[str]) -> Path:
    """Write a configuration: a credential of each name, its secret, a place of its own. Return ``directory``."""
    known = {"directory": directory, "registry": registry.host}
    credentials = "".join(CREDENTIAL.format(name=name, **known) for name in names)
    targets = "".join(TARGET.format(name=name, **known) for name in names)
    (directory / "rotator.yaml").write_text(f"{HEAD.format(**known)}credentials:\n{credentials}targets:\n{targets}")
    for name in names:
        secret = directory / f"{name}.secret"
        secret.touch(mode=0o600)
        secret.write_text(f"{SECRET}-{name}")
        (directory / "docker" / name).mkdir(mode=0o700, parents=True)
    return directory


@pytest.fixture
async def registry() -> AsyncIterator[SandboxRegistry]:
    """Return a registry with one image that the secret may pull."""
    async with _registry(["mine"]) as server:
        yield server


@pytest.fixture
def directory(tmp_path: Path, registry: SandboxRegistry) -> Path:
    """Return a directory with a configuration and its secret."""
    return _write(tmp_path, registry, ["mine"])


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


class Shared:
    """A daemon for many tests, which only ask it, or change what no other test looks at.

    Args:
        daemon: The process.
        registry: Where all its credentials log in; it is served in another thread.
    """

    def __init__(self, daemon: Daemon, registry: SandboxRegistry) -> None:
        self.directory = daemon.directory
        self.socket = daemon.socket
        self.registry = registry
        self.ask = daemon.ask

    async def second_version(self, name: str) -> Ran:
        """Put a second value at a credential's source, have it rotated, and return how that ended."""
        self.registry.add_login(f"{name}-robot", "canary-second-value")
        (self.directory / f"{name}.secret").write_text("canary-second-value")
        return await self.ask("rotate", name, "--reason", "a new value")


@contextmanager
def _loop_in_a_thread() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """Yield what runs a coroutine in a loop that is always running, whatever the tests' own loops do."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@asynccontextmanager
async def _shared(directory: Path) -> AsyncIterator[Shared]:
    async with _registry(SHARED) as registry, _daemon(_write(directory, registry, SHARED)) as daemon:
        for _ in SHARED:
            await daemon.until("rotation_succeeded")
        assert daemon.process.stderr is not None
        draining = asyncio.create_task(daemon.process.stderr.read())
        try:
            yield Shared(daemon, registry)
        finally:
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Return a daemon that has rotated the `SHARED` credentials, for all tests of this process."""
    with _loop_in_a_thread() as wait_for:
        opened = _shared(tmp_path_factory.mktemp("shared"))
        yield wait_for(opened.__aenter__())
        wait_for(opened.__aexit__(None, None, None))


@pytest.fixture
def names() -> tuple[str, ...]:
    """Return the names of the shared daemon's credentials, in alphabetical order."""
    return SHARED


@pytest.fixture
def secret() -> str:
    """Return what every secret begins with, which must be seen nowhere; ``-`` and the credential's name follow."""
    return SECRET


@pytest.fixture(name="run")
def _run() -> object:
    """Return what runs a command."""
    return run


@pytest.fixture(name="run_process")
def _run_process() -> object:
    """Return what runs a command as a process."""
    return run_process


@pytest.fixture(name="start")
def _start() -> object:
    """Return what runs a daemon for as long as a block lasts: an async context manager."""
    return _daemon
