"""Reads a credential's versions and draws them, as a table or as JSON."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rotator.admin.version_models import VersionList, VersionView
from rotator.cli.client import Door, open_client, parse, segment
from rotator.cli.failure import plain
from rotator.cli.status_show import make_console
from rotator.domain.model import Stage
from rotator.domain.words import span


async def show(door: Door, name: str) -> None:
    """Print the versions of a credential. Errors as `Client.get`."""
    make_console().print(draw(await _read(door, name)))


async def print_json(door: Door, name: str) -> None:
    """Print the same as JSON. Errors as `Client.get`."""
    print(json.dumps((await _read(door, name)).model_dump(mode="json"), indent=2))


async def _read(door: Door, name: str) -> VersionList:
    async with open_client(door) as client:
        return parse(VersionList, await client.get(f"/credentials/{segment(name)}/versions"))


def draw(listed: VersionList) -> RenderableType:
    """Return a table of versions, newest first, and below it what becomes of each."""
    if not listed.versions:
        return Text(f"{plain(listed.credential)} has no version yet.")
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for title in ("gen", "stage", "age", "expires", "fingerprint", "held by"):
        table.add_column(title, overflow="fold", justify="right" if title == "gen" else "left")
    for one in listed.versions:
        style = "bold" if one.stage is Stage.CURRENT else ""
        table.add_row(*(Text(plain(cell)) for cell in _cells(one, listed.now)), style=style)
    return Group(table, Text(), *(Text(plain(sentence(one, listed.now))) for one in listed.versions))


def sentence(version: VersionView, now: datetime) -> str:
    """Return what becomes of one version, and what was said of it."""
    told = [
        f"{word} {span(now - at)} ago"
        for word, at in (
            ("reported as leaked", version.leaked_at),
            ("taken back", version.withdrawn_at),
            ("ended at the vendor", version.ended_at),
        )
        if at is not None
    ]
    if version.restores:
        told.append(f"carries the secret of generation {version.restores}")
    return f"{version.generation}: {'; '.join([version.fate, *told])}"


def _cells(version: VersionView, now: datetime) -> tuple[str, ...]:
    held = ", ".join(f"{one.target} ({one.placements})" for one in version.held) or "-"
    age = span(timedelta(seconds=version.age_seconds))
    return str(version.generation), version.stage, age, _expires(version, now), version.fingerprint, held


def _expires(version: VersionView, now: datetime) -> str:
    if version.expiry.at is None:
        return version.expiry.kind
    left = version.expiry.at - now
    return f"in {span(left)}" if left > timedelta() else f"{span(-left)} ago"
