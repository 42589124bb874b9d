"""A real OpenSSH server on loopback, and targets that know the way."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.model import Entry, Login
from rotator.sandbox.clock import ManualClock
from rotator.secret import Secret
from rotator.sources.file import FileRules, FileSource
from rotator.targets.context import TargetContext
from rotator.targets.docker_config_ssh import DockerConfigSshConfig, DockerConfigSshTarget
from rotator.transport import Transport

CANARY = "canary-e81d60f3a947"


@pytest.fixture
async def server(start_sshd: Callable[..., Any]) -> Any:
    """Return a server as Debian's is, with SFTP."""
    return await start_sshd()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder that shall hold the file."""
    path = tmp_path / "home" / ".docker"
    path.parent.mkdir()
    return path


@pytest.fixture
async def target(server: Any, folder: Path, clock: ManualClock) -> AsyncIterator[Callable[..., DockerConfigSshTarget]]:
    """Return what makes a target with some options."""
    transport = Transport(clock=clock)
    draws = iter(range(1, 1000))
    sources = {"file": FileSource(FileRules())}
    context = TargetContext(transport, clock, lambda: next(draws) / 1000, sources)

    def make(**options: Any) -> DockerConfigSshTarget:
        usual = {
            "type": "docker_config_ssh",
            "hosts": [server.host],
            "user": getpass.getuser(),
            "key": {"file": str(server.keys / "user")},
            "known_hosts": str(server.keys / "known_hosts"),
            "path": str(folder / "config.json"),
        }
        return DockerConfigSshTarget("edge", DockerConfigSshConfig.model_validate({**usual, **options}), context)

    yield make
    await transport.close()


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Return what makes an entry; its password tells its generation."""

    def make(credential: str = "ghcr", registry: str = "ghcr.io", generation: int = 1) -> Entry:
        login = Login("robot", Secret(f"{CANARY}-{generation}"))
        return Entry(credential, registry, login, generation, f"print-{generation}")

    return make
