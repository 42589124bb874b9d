"""What a daemon that was closed leaves in memory: a reload makes a new one in the same process."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import aiohttp

from rotator.app import Application
from rotator.clock import SystemClock
from rotator.config.root import AdminConfig, Config, MetricsConfig, StoreConfig
from rotator.page.serve import serve


async def _live(config: Config) -> tuple[weakref.ref[object], ...]:
    """Run a daemon with all its listeners, ask each of its doors once, close it, and return what must be gone."""
    addresses: dict[str, str] = {}
    started = asyncio.Event()

    def note(found: Mapping[str, str]) -> None:
        addresses.update(found)
        started.set()

    async with Application.open(config, SystemClock()) as application:
        running = asyncio.create_task(application.run(partial(serve, application, note)))
        await started.wait()
        for door in (None, config.admin.socket):
            connector = aiohttp.UnixConnector(door) if door else None
            base = "http://localhost" if door else addresses["metrics.listen"]
            async with aiohttp.ClientSession(base, connector=connector) as session:
                for path in ("/metrics", "/healthz", "/readyz", "/", "/api/v1/status"):
                    async with session.get(path) as answer:
                        await answer.read()
        application.stop()
        await running
        return weakref.ref(application), weakref.ref(application.metrics)


async def test_a_closed_daemon_is_let_go_of(tmp_path: Path) -> None:
    """Of daemons that were closed, as every reload closes one, neither the ledger's world nor the metrics stay."""
    config = Config(
        store=StoreConfig(url=f"sqlite:///{tmp_path}/rotator.db"),
        admin=AdminConfig(socket=f"{tmp_path}/admin.sock", page=True),
        metrics=MetricsConfig(listen="127.0.0.1:0"),
    )
    gone = [one for _ in range(2) for one in await _live(config)]
    gc.collect()
    assert [one() for one in gone] == [None] * len(gone)
