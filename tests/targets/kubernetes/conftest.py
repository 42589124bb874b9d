"""A cluster in a sandbox, a clock that does not wait, and targets that know the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.model import Entry, Login
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.secret import Secret
from rotator.targets.context import TargetContext
from rotator.targets.kubernetes import KubernetesConfig, KubernetesTarget
from rotator.transport import Transport

CANARY = "canary-5d1f0c77ab93"
TOKEN = "rotator-token-5d1f"  # also a canary: it must be in no message


class HeldClock:
    """Shows one instant until it is told to advance; to sleep is to advance."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the instant."""
        return self._now

    def monotonic(self) -> float:
        """Return the instant as seconds."""
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Advance instead of waiting."""
        self.slept.append(seconds)
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self._now += by


@pytest.fixture
def clock() -> HeldClock:
    """Return the clock of the test's world."""
    return HeldClock()


@pytest.fixture
async def cluster() -> AsyncIterator[SandboxKubernetes]:
    """Return a cluster with the namespaces ``web`` and ``db``, in which `TOKEN` may do everything."""
    async with SandboxKubernetes() as sandbox:
        sandbox.add_token(TOKEN)
        sandbox.add_namespace("web", {"team": "web"})
        sandbox.add_namespace("db")
        yield sandbox


@pytest.fixture
async def context(clock: HeldClock) -> AsyncIterator[TargetContext]:
    """Return the world of a target."""
    transport = Transport(clock=clock)
    yield TargetContext(transport, clock, lambda: 0.5)
    await transport.close()


@pytest.fixture
def kubeconfig(cluster: SandboxKubernetes, tmp_path: Path) -> Path:
    """Return a kubeconfig for the cluster, with `TOKEN`."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        f"""
apiVersion: v1
kind: Config
current-context: sandbox
contexts: [{{name: sandbox, context: {{cluster: sandbox, user: rotator}}}}]
clusters: [{{name: sandbox, cluster: {{server: "{cluster.url}"}}}}]
users: [{{name: rotator, user: {{token: {TOKEN}}}}}]
"""
    )
    return path


MakeTarget = Callable[..., KubernetesTarget]


@pytest.fixture
async def make_target(kubeconfig: Path, context: TargetContext) -> AsyncIterator[MakeTarget]:
    """Return a function that makes a target for the cluster; it takes the options of the configuration."""
    made: list[KubernetesTarget] = []

    def make(**options: Any) -> KubernetesTarget:
        given = {"namespaces": ["web", "db"], "secret": "regcred", "insecure": True, "kubeconfig": str(kubeconfig)}
        config = KubernetesConfig.model_validate({"type": "kubernetes", **given, **options})
        made.append(KubernetesTarget("prod", config, context))
        return made[-1]

    yield make
    for target in made:
        await target.close()


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Return a function that makes an entry."""

    def make(
        credential: str = "ghcr", *, registry: str = "ghcr.io", password: str = CANARY, generation: int = 1
    ) -> Entry:
        login = Login("robot", Secret(password))
        return Entry(credential, registry, login, generation, f"print-{password[-4:]}-{generation}")

    return make


@pytest.fixture
def one(entry: Callable[..., Entry]) -> Sequence[Entry]:
    """Return one entry."""
    return (entry(),)
