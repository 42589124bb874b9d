"""SR-16: no GET changes anything: the real daemon's state, before and after all of them."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import yaml

from rotator.admin.api import blank_api
from rotator.admin.openapi import describe
from rotator.admin.serve import serve
from rotator.app import Application
from rotator.clock import SystemClock
from rotator.config.load import load
from rotator.config.root import Config
from rotator.kinds import kinds
from rotator.sandbox.registry import SandboxRegistry

QUERIES = ("", "?credential=internal&rotate=internal&limit=1")


def _state(path: Path) -> str:
    """Return all that is in a database."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as state:
        return "\n".join(state.iterdump())


def _written(directory: Path, registry: SandboxRegistry) -> Path:
    """Return a configuration of one credential that goes to one file."""
    (directory / "login").write_text("pass")
    (directory / "login").chmod(0o600)
    path = directory / "rotator.yaml"
    document = {
        "store": {"url": f"sqlite:///{directory}/state.db"},
        "admin": {"socket": str(directory / "s")},
        "metrics": {"listen": None},
        "registries": {registry.host: {"insecure": True}},
        "credentials": {
            "internal": {
                "provider": "custom",
                "registry": registry.host,
                "username": "robot",
                "password": {"file": str(directory / "login")},
                "images": [f"{registry.host}/app:1"],
                "deliver_to": ["host"],
            }
        },
        "targets": {"host": {"type": "docker_config", "path": str(directory / "config.json")}},
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[Config]:
    """Return a configuration whose registry takes the login."""
    registry = SandboxRegistry(SystemClock(), auth="basic")
    registry.add_image("app:1")
    registry.add_login("robot", "pass")
    async with registry:
        yield load(_written(tmp_path, registry), kinds())


def _urls(names: Mapping[str, str]) -> list[str]:
    """Return every path that the description says can be read, with ``names`` filled in, alone and with parameters."""
    paths = [path for path, methods in describe(blank_api())["paths"].items() if "get" in methods]
    filled = [re.sub(r"\{(\w+)\}", lambda found: names[found[1]], path) for path in paths]
    return [path + query for path in filled for query in QUERIES]


async def _lived(application: Application) -> str:
    """Have a version delivered and reported as leaked; return the rotation that could not replace it."""
    delivered = await application.request_rotation("internal", "a test", "test")
    await delivered.finished
    await application.report_leak("internal", "a test", "test")
    joined = await application.request_rotation("internal", "a test", "test")
    await joined.finished
    return joined.rotation


async def test_no_get_changes_the_state(config: Config, tmp_path: Path) -> None:
    """SR-16: every GET of the description is sent, alone and with parameters, and the state stays as it was."""
    async with Application.open(config) as application:
        names = {"name": "internal", "rotation_id": await _lived(application)}
        listening: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve(application, listening.set_result))
        await listening
        before, placed = _state(tmp_path / "state.db"), (tmp_path / "config.json").stat()
        connector = aiohttp.UnixConnector(config.admin.socket)
        refused = {}
        async with aiohttp.ClientSession("http://localhost", connector=connector) as session:
            for url in _urls(names):
                async with session.get(url) as answer:
                    if answer.status != 200:
                        refused[url] = answer.status
                    if answer.headers["Content-Type"].startswith("text/event-stream"):
                        await answer.content.readline()
                    else:
                        await answer.read()
        after = _state(tmp_path / "state.db")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert refused == {}
    assert all(f'INSERT INTO "{table}"' in before for table in ("versions", "deliveries", "rotations", "audit"))
    assert after == before
    assert (tmp_path / "config.json").stat().st_mtime_ns == placed.st_mtime_ns
