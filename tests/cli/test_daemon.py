"""The daemon as a process, and the commands that talk to it."""

from __future__ import annotations

import asyncio
import json
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rotator.clock import SystemClock
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import Fault


async def test_status_at_eighty_columns_and_narrow(daemon: Any, secret: str) -> None:
    """A table fits 80 columns, blocks fit 40; both say the same in words, and neither shows a secret."""
    wide = await daemon.ask("status")
    narrow = await daemon.ask("status", COLUMNS="40")
    for shown, columns in ((wide, 80), (narrow, 40)):
        assert shown.code == 0
        assert all(len(line.rstrip()) <= columns for line in shown.out.splitlines())
        assert "1/1" in shown.out
        assert "ok" in shown.out
        assert "Nothing needs you." in shown.out
        assert secret not in shown.out
    assert wide.out.splitlines()[0].split() == ["credential", "health", "life", "gen", "placed", "next"]


async def test_status_in_detail_and_as_json(daemon: Any, run: Any) -> None:
    """One credential names its target and last rotation; JSON has the same facts, and a list has all."""
    detail = await daemon.ask("status", "mine")
    assert "here (docker_config): 1 of 1" in detail.out
    one = json.loads((await daemon.ask("status", "mine", "--json")).out)
    everything = json.loads((await daemon.ask("status", "--json")).out)
    assert (one["health"], one["generation"], [each["name"] for each in everything]) == ("ok", 1, ["mine"])
    unknown = await run("status", "nope", "--socket", daemon.socket)
    assert (unknown.code, "Configured are: mine" in unknown.err, "Traceback" in unknown.err) == (2, True, False)


async def test_watching_ends_with_a_signal(daemon: Any) -> None:
    """Status that is drawn again and again ends on Ctrl-C without a traceback."""
    watching = await _start(daemon, "status", "--watch")
    assert watching.stdout is not None
    await watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, err = await watching.communicate()
    assert (watching.returncode, err) == (0, b"")


async def test_rotating_an_unchanged_source(daemon: Any) -> None:
    """Where the source still holds the value in use, the rotation ends as unchanged, which is no failure."""
    ended = await daemon.ask("rotate", "mine", "--reason", "a test")
    assert ended.code == 0
    assert "mine: unchanged" in ended.out
    assert "change it at its source" in ended.out


async def test_rotating_a_new_value(daemon: Any, registry: SandboxRegistry) -> None:
    """A new value at the source is taken over, delivered, and told step by step."""
    registry.add_login("robot", "canary-second-value")
    (daemon.directory / "secret").write_text("canary-second-value")
    ended = await daemon.ask("rotate", "mine", "--reason", "a new value")
    assert ended.code == 0
    steps = [word for word in ("issue:", "verify:", "deliver:", "promote:") if word in ended.out]
    assert steps == ["issue:", "verify:", "deliver:", "promote:"]
    assert "mine: succeeded (generation 2)" in ended.out
    assert "canary" not in ended.out + ended.err


async def test_rotating_to_a_value_that_does_not_work(daemon: Any) -> None:
    """A value that the registry refuses is a failure with exit code 1, and what was in use stays."""
    (daemon.directory / "secret").write_text("canary-that-nobody-knows")
    ended = await daemon.ask("rotate", "mine", "--reason", "a wrong value")
    assert ended.code == 1
    assert "mine: failed" in ended.out
    assert "canary" not in ended.out + ended.err
    still = json.loads((await daemon.ask("status", "mine", "--json")).out)
    assert (still["generation"], still["last"]["state"]) == (1, "failed")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("nope", "--reason", "x"), 2, "Configured are: mine", id="unknown credential"),
        pytest.param(("mine", "--reason", "a\nb"), 2, "reason", id="reason of two lines"),
        pytest.param(("mine", "--reason", "x", "--timeout", "soon"), 2, "--timeout", id="timeout without a unit"),
        pytest.param(("mine",), 2, "--reason", id="no reason"),
        pytest.param(("../status", "--reason", "x"), 2, "is not a name", id="a path for a name"),
    ],
)
async def test_a_wrong_request_is_a_usage_error(daemon: Any, arguments: tuple[str, ...], code: int, words: str) -> None:
    """What cannot be asked for ends with exit code 2 and a sentence, not a traceback."""
    ended = await daemon.ask("rotate", *arguments)
    assert ended.code == code
    assert words in ended.err
    assert "Traceback" not in ended.err


async def test_asking_without_waiting(daemon: Any) -> None:
    """With --no-wait the command ends at once and says how to follow it."""
    ended = await daemon.ask("rotate", "mine", "--reason", "x", "--no-wait")
    assert (ended.code, "rotator status mine" in ended.out) == (0, True)


async def test_stopping_is_clean(daemon: Any, secret: str) -> None:
    """SIGTERM ends it with exit code 0; its socket is gone, its log has no secret."""
    assert await daemon.stop() == 0
    assert not Path(daemon.socket).exists()
    assert "daemon_stopped" in daemon.log[-1]
    assert secret not in "".join(daemon.log)


async def test_the_second_signal_ends_it_at_once(directory: Path, registry: SandboxRegistry, start: Any) -> None:
    """While a rotation hangs, the first signal grants it time; the second one ends the process at once."""
    asked = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(60)
        return web.Response()

    registry.faults.append(Fault(matches=lambda _: True, answer=hang))
    async with start(directory) as daemon:
        await asked.wait()
        daemon.process.send_signal(signal.SIGINT)
        await daemon.until("daemon_stopping")
        assert await daemon.stop(signal.SIGTERM) == 1
        assert "daemon_cut_off" in daemon.log[-1]


async def test_the_process_is_private(daemon: Any) -> None:
    """Its socket and its state are for its user alone."""
    for name in ("admin.sock", "state.db"):
        assert stat.S_IMODE((daemon.directory / name).stat().st_mode) & 0o077 == 0


async def test_an_invalid_file_leaves_the_old_one_running(daemon: Any) -> None:
    """After SIGHUP with an invalid file the mistakes are in the log, and the daemon answers as before."""
    path = daemon.directory / "rotator.yaml"
    path.write_text(path.read_text().replace("deliver_to", "delivr_to"))
    daemon.process.send_signal(signal.SIGHUP)
    assert "delivr_to" in await daemon.until("config_refused")
    assert (await daemon.ask("status")).code == 0


async def test_a_valid_file_is_taken_over(daemon: Any) -> None:
    """After SIGHUP with a valid file the same process goes on with the new configuration and its state."""
    path = daemon.directory / "rotator.yaml"
    path.write_text(path.read_text().replace("  mine:", "  yours:"))
    daemon.process.send_signal(signal.SIGHUP)
    await daemon.until("daemon_started")
    listed = json.loads((await daemon.ask("status", "--json")).out)
    assert [one["name"] for one in listed] == ["yours"]
    assert daemon.process.returncode is None


async def test_a_changed_file_is_noticed(daemon: Any) -> None:
    """Without any signal, a changed file is taken over once it is quiet."""
    path = daemon.directory / "rotator.yaml"
    path.write_text(path.read_text().replace("  mine:", "  yours:"))
    await daemon.until("config_reloaded")
    await daemon.until("daemon_started")
    assert "yours" in (await daemon.ask("status")).out


async def test_a_file_that_cannot_be_served_falls_back(daemon: Any) -> None:
    """A valid file whose listener cannot be had is given up, and the old configuration serves again."""
    path = daemon.directory / "rotator.yaml"
    blocked = daemon.directory / "blocked"
    blocked.write_text("a file")
    path.write_text(path.read_text().replace("/admin.sock}", "/blocked}"))
    daemon.process.send_signal(signal.SIGHUP)
    assert "admin.socket" in await daemon.until("config_not_taken_over")
    await daemon.until("daemon_started")
    assert (await daemon.ask("status")).code == 0


async def test_a_second_daemon_is_refused(daemon: Any, run: Any) -> None:
    """A second daemon with the same state ends with exit code 2 and says who is there; the first goes on."""
    second = await run("run", "--config", str(daemon.directory / "rotator.yaml"))
    assert (second.code, "Traceback" in second.err) == (2, False)
    assert (await daemon.ask("status")).code == 0


async def _start(daemon: Any, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rotator", *arguments, "--socket", daemon.socket),
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
    username: robot
    token: {{file: {directory}/secret}}
    deliver_to: [here]
targets:
  here: {{type: docker_config, path: {directory}/docker/config.json}}
"""


async def test_limits_are_measured_and_shown(directory: Path, start: Any, secret: str) -> None:
    """What a registry like Docker Hub grants, to the login and to the address, is shown with its forecast."""
    async with SandboxRegistry(SystemClock(), rate_limit=100) as hub:
        hub.add_image("ratelimitpreview/test:latest", public=True)
        hub.add_login("robot", secret)
        (directory / "rotator.yaml").write_text(HUB.format(directory=directory, registry=hub.host))
        async with start(directory) as daemon:
            async with asyncio.timeout(30):
                while len(limits := json.loads((await daemon.ask("status", "--limits", "--json")).out)) < 2:
                    await asyncio.sleep(0.2)
            drawn = await daemon.ask("status", "--limits")
    assert {(one["credential"], one["source"], one["remaining"]) for one in limits} == {
        ("hub", "account", 100),
        ("anonymous", "address", 100),
    }
    assert drawn.code == 0
    assert "100 of 100" in drawn.out
    assert secret not in drawn.out + drawn.err


async def test_without_limits_there_is_a_sentence(daemon: Any) -> None:
    """Where no registry tells a limit, the command says so."""
    assert "No limit was told" in (await daemon.ask("status", "--limits")).out
