"""Names for shell completion: from the running daemon, else from the configuration; silent when neither tells.

What is imported is imported when somebody presses the tab key, so that no other command waits for it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from rotator.cli.options import DEFAULT_CONFIG, DEFAULT_SOCKET

DEADLINE_SECONDS = 1.5


def credentials(context: typer.Context, incomplete: str) -> list[str]:
    """Return the credentials whose names begin with ``incomplete``; none when nobody tells."""
    return _matching(_names(context, "credentials", "name"), incomplete)


def targets(context: typer.Context, incomplete: str) -> list[str]:
    """Return the targets whose names begin with ``incomplete``; none when nobody tells."""
    return _matching(_names(context, "targets", "target"), incomplete)


def _matching(names: list[str], incomplete: str) -> list[str]:
    return sorted(name for name in set(names) if name.startswith(incomplete))


def _names(context: typer.Context, section: str, key: str) -> list[str]:
    socket = Path(context.params.get("socket") or os.environ.get("ROTATOR_SOCKET") or DEFAULT_SOCKET)
    try:
        return _asked(socket, section, key)
    except Exception:  # noqa: BLE001 (a person is typing: whatever is wrong, it is not said now)
        return _configured(section)


def _asked(socket: Path, section: str, key: str) -> list[str]:
    import asyncio
    import json

    from rotator.cli.client import Door, open_client

    async def ask() -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_SECONDS), open_client(Door(socket)) as client:
            answer: dict[str, Any] = json.loads(await client.get(f"/{section}"))
            return answer

    return [str(one[key]) for one in asyncio.run(ask())[section]]


def _configured(section: str) -> list[str]:
    import yaml

    path = Path(os.environ.get("ROTATOR_CONFIG") or DEFAULT_CONFIG)
    try:
        files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        documents = [yaml.safe_load(file.read_bytes()) for file in files]
        return [str(name) for document in documents for name in document.get(section) or {}]
    except (OSError, AttributeError, yaml.YAMLError):
        return []
