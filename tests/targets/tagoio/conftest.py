"""A TagoIO in a sandbox, a clock that does not wait, and the world of a target there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.model import Entry, Login
from rotator.sandbox.clock import ManualClock
from rotator.sandbox.tagoio import SandboxTagoio
from rotator.secret import Secret
from rotator.sources.file import FileRules, FileSource
from rotator.targets.context import TargetContext
from rotator.transport import Transport

TOKEN = "p-canary-token-7be1"
PASSWORD = "canary-password-5d1f"


class QuickClock(ManualClock):
    """A clock for which to sleep is to advance."""

    async def sleep(self, seconds: float) -> None:
        """Advance instead of waiting."""
        self.advance(timedelta(seconds=seconds))


@pytest.fixture
def clock() -> QuickClock:
    """Return the clock of the test's world."""
    return QuickClock()


@pytest.fixture
async def tagoio(clock: ManualClock) -> AsyncIterator[SandboxTagoio]:
    """Return a TagoIO with the project ``acme-prod``, whose container runs ``ghcr.io/acme/service:v1``."""
    async with SandboxTagoio(clock, token=TOKEN) as server:
        server.add_project("acme-prod", image="ghcr.io/acme/service", image_tag="v1", username="old", password="old")
        clock.advance(timedelta(hours=1))
        yield server


@pytest.fixture
async def context(clock: ManualClock) -> AsyncIterator[TargetContext]:
    """Return the world of a target that reads its secrets from files."""
    transport = Transport(clock=clock)
    yield TargetContext(transport, clock, lambda: 0.5, {"file": FileSource(FileRules())})
    await transport.close()


@pytest.fixture
def api(tagoio: SandboxTagoio, tmp_path: Path) -> dict[str, Any]:
    """Return how the sandbox is reached, as a configuration says it."""
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text(TOKEN)
    return {"url": tagoio.url, "token": {"file": str(path)}, "insecure": True}


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Return a function that makes an entry; each generation has its own password and fingerprint."""

    def make(credential: str = "ghcr", *, registry: str = "ghcr.io", generation: int = 1, **changes: Any) -> Entry:
        login = Login(changes.pop("username", "robot"), Secret(changes.pop("password", f"{PASSWORD}-{generation}")))
        return Entry(
            credential, registry, login, generation, changes.pop("fingerprint", f"print-{generation}"), **changes
        )

    return make
