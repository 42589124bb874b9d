"""A program of the operator's is told by a signed message, and taken at its word."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rotator.domain.model import Entry
from rotator.errors import AwaitingOperatorError, PermanentError, ShapeError, UnavailableError
from rotator.sandbox.clock import ManualClock
from rotator.sandbox.server import SandboxServer
from rotator.secret import Secret
from rotator.targets.context import TargetContext
from rotator.targets.tagoio_deploy import TagoioDeployConfig, TagoioDeployTarget
from rotator.transport.standard_webhook import is_genuine, parse_key

PROJECT = "acme-prod"
KEY = f"whsec_{base64.b64encode(b'k' * 32).decode()}"
MakeEntry = Callable[..., Entry]
MakeTarget = Callable[..., TagoioDeployTarget]


class Receiver(SandboxServer):
    """The operator's program."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_post("/tago", self._take)
        super().__init__(app)
        self.status = 200
        self.messages: list[tuple[dict[str, str], bytes]] = []

    @property
    def data(self) -> dict[str, Any]:
        """What the last message says."""
        data: dict[str, Any] = json.loads(self.messages[-1][1])["data"]
        return data

    async def _take(self, request: web.Request) -> web.Response:
        self.messages.append(({name.lower(): text for name, text in request.headers.items()}, await request.read()))
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Return a program that listens."""
    async with Receiver() as server:
        yield server


@pytest.fixture
def target(receiver: Receiver, context: TargetContext, tmp_path: Path) -> MakeTarget:
    """Return a function that makes a target; it takes options of its ``delegate`` section."""
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(KEY)

    def make(**options: Any) -> TagoioDeployTarget:
        form = {"type": "tagoio_deploy", "project": PROJECT, "image": "ghcr.io/acme/service", "image_tag": "v1"}
        delegate = {"url": f"{receiver.url}/tago", "signing_key": {"file": str(path)}, "insecure": True, **options}
        config = TagoioDeployConfig.model_validate({**form, "mode": "delegate", "delegate": delegate})
        return TagoioDeployTarget("tago", config, context)

    return make


async def test_a_message_without_the_secret(
    receiver: Receiver, target: MakeTarget, entry: MakeEntry, clock: ManualClock
) -> None:
    """The message is signed, says which generation is wanted where, and holds neither password nor user name."""
    held = await target().apply(PROJECT, [entry(generation=7)])
    headers, body = receiver.messages[0]
    assert is_genuine(parse_key(Secret(KEY), "key"), headers, body, clock.now())
    assert receiver.data == {
        "target": "tago",
        "credential": "ghcr",
        "project": PROJECT,
        "image": "ghcr.io/acme/service",
        "image_tag": "v1",
        "registry": "ghcr.io",
        "generation": 7,
        "fingerprint": "print-7",
    }
    assert list(held.logins) == ["ghcr"]


async def test_a_message_with_the_secret(receiver: Receiver, target: MakeTarget, entry: MakeEntry) -> None:
    """Only where the operator asked for it the login itself is sent."""
    await target(carry_secret=True).apply(PROJECT, [entry()])
    assert (receiver.data["username"], receiver.data["password"]) == ("robot", entry().login.secret.reveal())


async def test_accepted_is_not_done(receiver: Receiver, target: MakeTarget, entry: MakeEntry) -> None:
    """After 202 it waits for the word that it is done, and does not send again."""
    made, receiver.status = target(), 202
    for _ in range(2):
        with pytest.raises(AwaitingOperatorError, match="rotator targets ack tago --generation 1"):
            await made.apply(PROJECT, [entry()])
    assert (len(receiver.messages), dict((await made.read(PROJECT, [entry()])).logins)) == (1, {})


async def test_done_is_done_once(receiver: Receiver, target: MakeTarget, entry: MakeEntry) -> None:
    """After any other success repeating sends nothing."""
    made, receiver.status = target(), 204
    changes = [(await made.apply(PROJECT, [entry()])).changed for _ in range(2)]
    assert (changes, len(receiver.messages)) == ([True, False], 1)
    assert list((await made.read(PROJECT, [entry()])).logins) == ["ghcr"]


async def test_the_id_tells_a_message_again(receiver: Receiver, target: MakeTarget, entry: MakeEntry) -> None:
    """A message has the same id after a failure and after a restart, and another generation's has another."""
    made, receiver.status = target(), 500
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await made.apply(PROJECT, [entry()])
    receiver.status = 200
    await target().apply(PROJECT, [entry()])
    await target().apply(PROJECT, [entry(generation=2)])
    ids = [headers["webhook-id"] for headers, _ in receiver.messages]
    assert (len(set(ids[:3])), len(set(ids))) == (1, 2)


@pytest.mark.parametrize("status", [pytest.param(302, id="redirect"), pytest.param(400, id="refused")])
async def test_what_is_no_success(receiver: Receiver, target: MakeTarget, entry: MakeEntry, status: int) -> None:
    """A redirect is not followed and a refusal is final."""
    receiver.status = status
    with pytest.raises(PermanentError):
        await target(carry_secret=True).apply(PROJECT, [entry()])
    assert len(receiver.messages) == 1


async def test_without_a_key_nothing_is_sent(
    receiver: Receiver, target: MakeTarget, entry: MakeEntry, tmp_path: Path
) -> None:
    """A message that cannot be signed is not sent, and the key's text is in no error."""
    made = target()
    (tmp_path / "key").write_text("canary-key")
    with pytest.raises(ShapeError) as caught:
        await made.apply(PROJECT, [entry()])
    assert ("canary" in str(caught.value), receiver.messages) == (False, [])
