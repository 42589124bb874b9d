"""SR-16: no GET changes anything: the real daemon's state, before and after all of them."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import yaml

from rotator.admin.api import blank_api
from rotator.admin.openapi import describe
from rotator.admin.serve import serve
from rotator.app import Application
from rotator.config.load import load
from rotator.kinds import kinds

NAMES = {"name": "internal", "rotation_id": "20261123T120000.000000Z-0001"}


def _state(path: Path) -> str:
    """Return all that is in a database."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as state:
        return "\n".join(state.iterdump())


def _written(directory: Path) -> Path:
    """Return a configuration of one credential that goes to one file."""
    (directory / "login").write_text("user:pass")
    (directory / "login").chmod(0o600)
    path = directory / "rotator.yaml"
    document = {
        "store": {"url": f"sqlite:///{directory}/state.db"},
        "admin": {"socket": str(directory / "s")},
        "metrics": {"listen": None},
        "credentials": {
            "internal": {
                "provider": "custom",
                "registry": "127.0.0.1:1",
                "username": "robot",
                "password": {"file": str(directory / "login")},
                "images": ["127.0.0.1:1/app:1"],
                "deliver_to": ["host"],
            }
        },
        "targets": {"host": {"type": "docker_config", "path": str(directory / "config.json")}},
    }
    path.write_text(yaml.safe_dump(document))
    return path


async def test_no_get_changes_the_state(tmp_path: Path) -> None:
    """SR-16: every GET of the description is sent, alone and with parameters, and the state stays as it was."""
    config = load(_written(tmp_path), kinds())
    paths = [path for path, methods in describe(blank_api())["paths"].items() if "get" in methods]
    async with Application.open(config) as application:
        listening: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve(application, listening.set_result))
        await listening
        before = _state(tmp_path / "state.db")
        connector = aiohttp.UnixConnector(config.admin.socket)
        statuses = {}
        async with aiohttp.ClientSession("http://localhost", connector=connector) as session:
            for path in paths:
                url = re.sub(r"\{(\w+)\}", lambda found: NAMES[found[1]], path)
                for query in ("", "?credential=internal&rotate=internal&limit=1"):
                    async with session.get(url + query) as answer:
                        statuses[path] = answer.status
                        if answer.headers["Content-Type"].startswith("text/event-stream"):
                            await answer.content.readline()
                        else:
                            await answer.read()
        after = _state(tmp_path / "state.db")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert after == before
    assert {path for path, status in statuses.items() if status != 200} == {
        "/api/v1/rotations/{rotation_id}",
        "/api/v1/rotations/{rotation_id}/events",
    }
    assert not (tmp_path / "config.json").exists()
