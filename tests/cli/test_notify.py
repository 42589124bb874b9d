"""``rotator notify test``: whether a message arrives, and what is said when it does not."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from rotator.clock import SystemClock
from rotator.sandbox.slack import SandboxSlack
from rotator.sandbox.webhook_receiver import SandboxReceiver

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
TOKEN = "canary-9d27aa10"
CONFIG = """\
notifications:
  ops:
    {{type: webhook, url: "{url}", signing_keys: [{{env: KEY}}], insecure: true, allow_addresses: [127.0.0.0/8]}}
  chat: {{type: slack, url: {{env: URL}}, insecure: true, allow_addresses: [127.0.0.0/8]}}
"""


def written(folder: Path, url: str = "https://ops.example") -> str:
    """Return the path of a configuration whose webhook is at ``url``."""
    (folder / "rotator.yaml").write_text(CONFIG.format(url=url))
    return str(folder / "rotator.yaml")


async def test_a_message_arrives(run: Any, tmp_path: Path) -> None:
    """A test message is signed, says that it is one, and the command says that it was taken."""
    async with SandboxReceiver(KEY, SystemClock()) as receiver:
        ended = await run("notify", "test", "ops", written(tmp_path, receiver.url), KEY=KEY)

    assert (ended.code, ended.out) == (0, "ops: took the message; look whether it is where people read it\n")
    assert [message["type"] for message in receiver.messages] == ["attention.test"]


async def test_slack_gets_it_too(run: Any, tmp_path: Path) -> None:
    """A test message for Slack names the destination."""
    async with SandboxSlack(TOKEN) as slack:
        ended = await run("notify", "test", "chat", written(tmp_path), URL=slack.webhook)

    assert ended.code == 0, ended.err
    assert slack.texts == ["rotator: a test of the destination chat; nothing needs to be done"]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("opps", 2, "did you mean ops"),
        ("chat", 1, "notifications.chat: HTTP 404"),
    ],
    ids=["unknown", "another address"],
)
async def test_what_went_wrong(run: Any, tmp_path: Path, name: str, code: int, words: str) -> None:
    """A wrong name and a refused message are said in a sentence, without the address."""
    async with SandboxSlack("other") as slack:
        url = slack.webhook.replace("other", TOKEN)
        ended = await run("notify", "test", name, written(tmp_path), URL=url)

    assert ended.code == code
    assert words.lower() in ended.err.lower()
    assert TOKEN not in ended.err + ended.out


async def test_no_destination_at_all(run: Any, tmp_path: Path) -> None:
    """Without a section the command says which to add."""
    (tmp_path / "rotator.yaml").write_text("version: 1\n")
    ended = await run("notify", "test", "ops", str(tmp_path / "rotator.yaml"))

    assert ended.code == 2
    assert "add a section notifications" in ended.err
