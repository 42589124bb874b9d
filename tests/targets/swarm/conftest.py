"""A swarm in a sandbox and targets that know the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from rotator.clock import SystemClock
from rotator.domain.model import Entry, Login
from rotator.sandbox.docker_engine import SandboxDockerEngine
from rotator.secret import Secret
from rotator.targets.context import TargetContext
from rotator.targets.swarm import SwarmConfig, SwarmTarget
from rotator.transport import Transport

CANARY = "canary-7be20f41c8d3"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[SandboxDockerEngine]:
    """Return a manager on a UNIX socket."""
    sandbox = SandboxDockerEngine()
    await sandbox.start_at(str(tmp_path / "docker.sock"))
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def context() -> AsyncIterator[TargetContext]:
    """Return the world with a transport that is closed afterwards."""
    clock = SystemClock()
    transport = Transport(clock=clock)
    yield TargetContext(transport, clock, lambda: 0.5)
    await transport.close()


@pytest.fixture
def target(context: TargetContext, tmp_path: Path) -> Callable[..., SwarmTarget]:
    """Return what makes a target with some options."""

    def make(**options: Any) -> SwarmTarget:
        way = {} if "url" in options else {"socket": str(tmp_path / "docker.sock")}
        return SwarmTarget("prod", SwarmConfig.model_validate({"type": "swarm", **way, **options}), context)

    return make


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Return what makes an entry; its password tells its generation."""

    def make(credential: str = "ghcr", registry: str = "ghcr.io", generation: int = 1) -> Entry:
        login = Login("robot", Secret(f"{CANARY}-{generation}"))
        return Entry(credential, registry, login, generation, f"print-{generation}")

    return make
