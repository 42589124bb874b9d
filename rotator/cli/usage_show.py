"""Reads what depends on a credential and draws it, as lines or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.text import Text

from rotator.admin.usage_routes import HolderView, UsageView
from rotator.cli.client import Door, open_client, parse, segment
from rotator.cli.failure import plain
from rotator.cli.status_show import make_console
from rotator.cli.words import pullable
from rotator.domain.words import counted, span

SHOWN = 10
"""Placements named per target; --json has them all."""


async def show(door: Door, name: str) -> None:
    """Print what depends on a credential. Errors as `Client.get`."""
    usage = await _read(door, name)
    console = make_console()
    for line in lines(usage):
        console.print(Text(plain(line)))


async def print_json(door: Door, name: str) -> None:
    """Print the same as JSON. Errors as `Client.get`."""
    print(json.dumps((await _read(door, name)).model_dump(mode="json"), indent=2))


async def _read(door: Door, name: str) -> UsageView:
    async with open_client(door) as client:
        return parse(UsageView, await client.get(f"/credentials/{segment(name)}/usage"))


def lines(usage: UsageView) -> Iterator[str]:
    """Yield what is printed, line by line."""
    yield f"{usage.credential} at {usage.registry}, generation {usage.generation or 'none'} in use"
    for image in usage.images:
        yield f"  image   {image.id}: {image.image}: {pullable(image, usage.now)}"
    for holder in usage.targets:
        yield from _target(holder, usage)
    yield ""
    yield from usage.consequences


def _target(holder: HolderView, usage: UsageView) -> Iterator[str]:
    ago = span(usage.now - holder.confirmed_at) if holder.confirmed_at is not None else ""
    confirmed = f"last confirmed {ago} ago" if ago else "the latest version confirmed at none"
    missing = f", {holder.unconfirmed} hold none" if holder.unconfirmed else ""
    yield f"  target  {holder.target} ({holder.kind}): {counted(holder.count, 'placement')}{missing}, {confirmed}"
    others = set(holder.others)
    for placement in sorted(holder.placements, key=lambda one: one not in others)[:SHOWN]:
        yield f"            {placement}{', holds another login than the one in use' if placement in others else ''}"
    if holder.count > SHOWN:
        yield f"            and {holder.count - SHOWN} more (--json names them)"
