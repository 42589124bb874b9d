"""A receiver behind TLS on loopback, and targets that know the way."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from rotator.domain.model import UNKNOWN, Entry, Expiry, Login
from rotator.sandbox.clock import ManualClock
from rotator.sandbox.webhook_receiver import SandboxReceiver
from rotator.secret import Fingerprinter, Secret
from rotator.sources.env import EnvSource
from rotator.targets.context import TargetContext
from rotator.targets.webhook import WebhookConfig, WebhookTarget
from rotator.transport import Transport

CANARY = "canary-31c7f09be6a5"
OLD = "whsec_" + base64.b64encode(b"old-" * 8).decode()
NEW = "whsec_" + base64.b64encode(b"new-" * 8).decode()


@pytest.fixture
async def receiver(clock: ManualClock, tmp_path: Path) -> AsyncIterator[SandboxReceiver]:
    """Return a receiver that knows the old secret."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "receiver.example").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with SandboxReceiver(OLD, clock, tls=context) as server:
        yield server


@pytest.fixture
async def world(clock: ManualClock) -> AsyncIterator[TargetContext]:
    """Return the world: the environment holds the signing secrets."""
    transport = Transport(clock=clock)
    environment = {"OLD": OLD, "NEW": NEW, "BAD": CANARY}
    sources = {"env": EnvSource(environment, fingerprint=Fingerprinter(b"k" * 32))}
    yield TargetContext(transport, clock, lambda: 0.5, sources)
    await transport.close()


@pytest.fixture
def target(receiver: SandboxReceiver, world: TargetContext, tmp_path: Path) -> Callable[..., WebhookTarget]:
    """Return what makes a target with some options."""

    def make(**options: Any) -> WebhookTarget:
        usual = {
            "type": "webhook",
            "url": f"{receiver.url}/hooks/{CANARY}",
            "signing_keys": [{"env": "OLD"}],
            "allow_addresses": ["127.0.0.0/8"],
            "ca_file": str(tmp_path / "ca.pem"),
        }
        return WebhookTarget("hook", WebhookConfig.model_validate({**usual, **options}), world)

    return make


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Return what makes an entry; its password tells its generation."""

    def make(credential: str = "ghcr", generation: int = 1, expiry: Expiry = UNKNOWN) -> Entry:
        login = Login("robot", Secret(f"{CANARY}-{generation}"))
        return Entry(credential, "ghcr.io", login, generation, f"print-{generation}", expiry)

    return make
