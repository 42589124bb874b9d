"""What the tests of the sources share: a clock to move by hand, and a Vault source in front of a sandbox Vault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.config.ref import SecretRef
from rotator.config.vault import VaultConfig
from rotator.errors import RotatorError
from rotator.sandbox.vault import SandboxVault
from rotator.secret import Fingerprinter, Secret
from rotator.sources.vault import VaultSource, VaultTools

START = datetime(2026, 11, 23, 12, tzinfo=UTC)


class FakeClock:
    """A clock that a test moves by hand; both its hands move together."""

    def __init__(self) -> None:
        self.at = START
        self.sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the time it was moved to."""
        return self.at

    def monotonic(self) -> float:
        """Return the seconds it was moved by."""
        return (self.at - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Wait until it was moved far enough."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.at + timedelta(seconds=seconds), future))
        await future

    def advance(self, **duration: float) -> None:
        """Move it on and wake whoever has slept long enough."""
        self.at += timedelta(**duration)
        for until, future in self.sleepers:
            if until <= self.at and not future.done():
                future.set_result(None)
        self.sleepers = [(until, future) for until, future in self.sleepers if not future.done()]


@pytest.fixture
def fake_clock() -> FakeClock:
    """Return a clock that stands still until it is moved."""
    return FakeClock()


@pytest.fixture
def fingerprint() -> Fingerprinter:
    """Return a fingerprinter with a key of its own."""
    return Fingerprinter(b"0123456789abcdef")


@pytest.fixture
async def vault(fake_clock: FakeClock) -> AsyncIterator[SandboxVault]:
    """Serve an empty Vault that lets ``role-1`` in."""
    async with SandboxVault(clock=fake_clock) as server:
        server.add_approle("role-1", "secret-1")
        yield server


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """Return four threads; at the end they must be free again."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


MakeSource = Callable[..., Awaitable[VaultSource]]


@pytest.fixture
async def make_source(
    vault: SandboxVault, executor: ThreadPoolExecutor, fake_clock: FakeClock, fingerprint: Fingerprinter
) -> AsyncIterator[MakeSource]:
    """Make Vault sources; ``bootstrap`` maps locations to start-up secrets, the rest goes to the configuration."""
    async with AsyncExitStack() as stack:

        async def make(*, bootstrap: dict[str, str | RotatorError] | None = None, **settings: Any) -> VaultSource:
            known: dict[str, str | RotatorError] = {"ROLE_ID": "role-1", "SECRET_ID": "secret-1"}
            secrets = known if bootstrap is None else bootstrap

            async def read_bootstrap(ref: SecretRef) -> Secret:
                value = secrets[ref.location]
                if isinstance(value, RotatorError):
                    raise value
                return Secret(value)

            approle = {"method": "approle", "role_id": {"env": "ROLE_ID"}, "secret_id": {"env": "SECRET_ID"}}
            defaults = {"address": vault.url, "insecure": True, "auth": approle}
            config = VaultConfig.model_validate({**defaults, **settings})
            tools = VaultTools(executor, fake_clock, fingerprint, read_bootstrap, jitter=lambda: 0.0)
            source = VaultSource(config, tools)
            stack.push_async_callback(source.close)
            return source

        yield make
