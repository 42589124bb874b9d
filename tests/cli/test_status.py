"""``rotator status``, against a real daemon."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from rotator.clock import SystemClock
from rotator.sandbox.registry import SandboxRegistry


async def test_status_fits_every_terminal(daemon: Any, secret: str) -> None:
    """A table fits every terminal, says in words how each credential stands, and shows no secret."""
    for columns in (120, 80, 60, 40):
        shown = await daemon.ask("status", COLUMNS=str(columns))
        assert shown.code == 0
        assert all(len(line.rstrip()) <= columns for line in shown.out.splitlines())
        assert all(word in shown.out for word in ("Nothing needs you.", "mine", "ok", "left")), shown.out
        assert ("1/1" in shown.out) == (columns > 40), "how many have it is left out where there is no room"
        assert secret not in shown.out


async def test_status_in_detail_and_as_json(shared: Any, run: Any, names: tuple[str, ...]) -> None:
    """One credential names its target and last rotation; JSON has the same facts, and a list has all."""
    detail = await shared.ask("status", "mine")
    assert "Nothing needs you." in detail.out
    assert "at-mine (docker_config): 1 of 1" in detail.out
    one = json.loads((await shared.ask("status", "mine", "--json")).out)
    everything = json.loads((await shared.ask("status", "--json")).out)
    assert (one["health"], one["generation"]) == ("ok", 1)
    assert [each["name"] for each in everything] == list(names)
    unknown = await run("status", "nope", "--socket", shared.socket)
    assert (unknown.code, "Configured are: broken, leaked, mine" in unknown.err, "Traceback" in unknown.err) == (
        2,
        True,
        False,
    )


async def test_watching_ends_with_a_signal(shared: Any) -> None:
    """Status that is drawn again and again ends on Ctrl-C without a traceback."""
    watching = await _start(shared, "status", "--watch")
    assert watching.stdout is not None
    await watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, err = await watching.communicate()
    assert (watching.returncode, err) == (0, b"")


async def _start(shared: Any, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rotator", *arguments, "--socket", shared.socket),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


HUB = """\
version: 1
store: {{url: "sqlite:///{directory}/state.db"}}
admin: {{socket: {directory}/admin.sock}}
metrics: {{listen: null}}
engine: {{headroom_interval: 1s}}
registries:
  "{registry}": {{insecure: true}}
credentials:
  hub:
    provider: dockerhub
    registry: "{registry}"
    username: mine-robot
    token: {{file: {directory}/mine.secret}}
    deliver_to: [here]
targets:
  here: {{type: docker_config, path: {directory}/docker/mine/config.json}}
"""


async def test_limits_are_measured_and_shown(directory: Path, start: Any, secret: str) -> None:
    """What a registry like Docker Hub grants, to the login and to the address, is shown with its forecast."""
    async with SandboxRegistry(SystemClock(), rate_limit=100) as hub:
        hub.add_image("ratelimitpreview/test:latest", public=True)
        hub.add_login("mine-robot", f"{secret}-mine")
        (directory / "rotator.yaml").write_text(HUB.format(directory=directory, registry=hub.host))
        async with start(directory) as own:
            async with asyncio.timeout(30):
                while len(limits := json.loads((await own.ask("status", "--limits", "--json")).out)) < 2:
                    await asyncio.sleep(0.2)
            drawn = await own.ask("status", "--limits")
    assert {(one["credential"], one["source"], one["remaining"]) for one in limits} == {
        ("hub", "account", 100),
        ("anonymous", "address", 100),
    }
    assert drawn.code == 0
    assert "100 of 100" in drawn.out
    assert secret not in drawn.out + drawn.err


async def test_without_limits_there_is_a_sentence(shared: Any) -> None:
    """Where no registry tells a limit, the command says so."""
    assert "No limit was told" in (await shared.ask("status", "--limits")).out
