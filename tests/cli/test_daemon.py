"""The daemon as a process: how it starts, stops, and takes over what changed."""

from __future__ import annotations

import asyncio
import json
import signal
import stat
from pathlib import Path
from typing import Any

from aiohttp import web

from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import Fault


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


async def test_the_process_is_private(shared: Any) -> None:
    """Its socket and its state are for its user alone."""
    for name in ("admin.sock", "state.db"):
        assert stat.S_IMODE((shared.directory / name).stat().st_mode) & 0o077 == 0


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


async def test_a_second_daemon_is_refused(shared: Any, run_process: Any) -> None:
    """A second daemon with the same state ends with exit code 2 and says who is there; the first goes on."""
    second = await run_process("run", "--config", str(shared.directory / "rotator.yaml"))
    assert (second.code, "Traceback" in second.err) == (2, False)
    assert (await shared.ask("status", "mine")).code == 0
