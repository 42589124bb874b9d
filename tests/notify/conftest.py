"""Receivers on loopback, a notifier that tells them, and a hand on what needs a person."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import TypeAdapter

from rotator.config.notify import Destination
from rotator.domain.attention import Kind, Need, Severity
from rotator.domain.events import Event, Notified
from rotator.domain.note import Note, Notebook
from rotator.errors import StoreError
from rotator.notify import Bucket, Means, Notifier, Outlet, open_sender
from rotator.notify.notifier import SETTLE_SECONDS
from rotator.sandbox.clock import ManualClock
from rotator.sandbox.slack import SandboxSlack
from rotator.sandbox.webhook_receiver import SandboxReceiver
from rotator.secret import Fingerprinter
from rotator.sources.env import EnvSource
from rotator.transport import Transport

CANARY = "canary-5f1e0c77d2b9"
KEY = "whsec_" + base64.b64encode(f"{CANARY}-signing-key".encode()).decode()
LONG_SECONDS = 60


class Book:
    """Notes as the store keeps them, in memory; the store's own test shows that it keeps them in databases."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Note, ...]] = {}
        self.is_full = False

    async def notes(self) -> Sequence[Note]:
        """Return every note."""
        return [note for notes in self.kept.values() for note in notes]

    async def keep_notes(self, destination: str, notes: Sequence[Note]) -> None:
        """Keep the notes of a destination."""
        if self.is_full:
            raise StoreError("the disk is full")
        self.kept[destination] = tuple(notes)


class Scene:
    """All that a test moves and looks at.

    Args:
        clock: Time.
        folder: Where the certificate's authority is.
    """

    def __init__(self, clock: ManualClock, folder: Path) -> None:
        authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.clock = clock
        self.receiver = SandboxReceiver(KEY, clock, tls=tls)
        self.slack = SandboxSlack(CANARY, tls=tls)
        self.environment = {"KEY": KEY}
        self.book = Book()
        self.needs: list[Need] = []
        self.looks = 0
        self.events: list[Event] = []
        self._news: asyncio.Queue[Notified] = asyncio.Queue()
        self._folder = folder

    def emit(self, event: Event) -> None:
        """Remember an event."""
        self.events.append(event)
        if isinstance(event, Notified):
            self._news.put_nowait(event)

    async def told(self) -> Notified:
        """Return what became of the next message."""
        return await asyncio.wait_for(self._news.get(), LONG_SECONDS)

    @property
    def is_quiet(self) -> bool:
        """Whether every message that was tried has been looked at."""
        return self._news.empty()

    def options(self, name: str, **changes: Any) -> Any:
        """Return the options of the destination ``ops`` (a webhook) or ``chat`` (Slack)."""
        usual: dict[str, Any] = {"allow_addresses": ["127.0.0.0/8"], "ca_file": str(self._folder / "ca.pem")}
        if name == "ops":
            usual |= {"type": "webhook", "url": f"{self.receiver.url}/in", "signing_keys": [{"env": "KEY"}]}
        else:
            usual |= {"type": "slack", "url": {"env": "URL"}}
        return TypeAdapter(Destination).validate_python({**usual, **changes})

    @asynccontextmanager
    async def running(self, *names: str, **changes: Any) -> AsyncIterator[Notifier]:
        """Run a notifier of these destinations for a block, as a daemon does after its start."""
        async with AsyncExitStack() as stack:
            transport = Transport(clock=self.clock)
            stack.push_async_callback(transport.close)
            self.environment.setdefault("URL", self.slack.webhook)
            source = EnvSource(self.environment, fingerprint=Fingerprinter(b"k" * 32))
            means = Means(transport, self.clock, {"env": source})
            outlets = []
            for name in names:
                options = self.options(name, **changes)
                notes = [note for note in await self.book.notes() if note.destination == name]
                book = Notebook(name, Severity(options.severity), notes)
                bucket = Bucket(options.interval.total_seconds(), self.clock.monotonic())
                outlets.append(Outlet(name, open_sender(name, options, means), book, bucket))
            notifier = Notifier(outlets, self._needs, self.book, self.clock, lambda: 1.0, self.emit)
            task = asyncio.create_task(notifier.run())
            try:
                await self.until_slept(SETTLE_SECONDS)
                yield notifier
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def until_slept(self, seconds: float) -> None:
        """Wait until somebody has begun to wait for so many seconds."""
        async with asyncio.timeout(LONG_SECONDS):
            while seconds not in self.clock.sleeps:
                await asyncio.sleep(0)

    async def _needs(self) -> Sequence[Need]:
        self.looks += 1
        return list(self.needs)


@pytest.fixture
async def scene(clock: ManualClock, tmp_path: Path) -> AsyncIterator[Scene]:
    """Return a scene whose receivers listen."""
    made = Scene(clock, tmp_path)
    async with made.receiver, made.slack:
        yield made


@pytest.fixture
def need() -> Any:
    """Return what makes a need."""

    def make(credential: str = "ecr", severity: Severity = Severity.CRITICAL, **changes: Any) -> Need:
        usual: dict[str, Any] = {"what": f"{credential}: expired", "next_step": f"look at {credential}"}
        return Need(changes.pop("kind", Kind.EXPIRED), severity, credential, **{**usual, **changes})

    return make
