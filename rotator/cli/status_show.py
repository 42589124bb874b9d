"""Reads how things stand and draws it: once, again and again, or as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live

from rotator.admin.models import CredentialDetail, CredentialPage, CredentialView, DaemonStatus, LimitList
from rotator.cli.client import Client, Door, open_client, parse, segment
from rotator.cli.status_draw import draw_all, draw_limits, draw_one
from rotator.clock import SystemClock

WATCH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What was read.

    Args:
        now: The daemon's time.
        credentials: In the order of their names.
    """

    now: datetime
    credentials: Sequence[CredentialView]


def make_console() -> Console:
    """Return a console for standard output that takes no text for markup."""
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=False)


async def show(door: Door, name: str | None) -> None:
    """Print how all credentials stand, or one in detail. Errors as `Client.get`."""
    console = make_console()
    async with open_client(door) as client:
        console.print(await _drawn(client, name, console))


async def print_json(door: Door, name: str | None) -> None:
    """Print the same as JSON: a list of all, or one object. Errors as `Client.get`."""
    async with open_client(door) as client:
        if name is not None:
            value: object = parse(CredentialDetail, await _one(client, name)).credential.model_dump(mode="json")
        else:
            value = [view.model_dump(mode="json") for view in (await _all(client)).credentials]
    print(json.dumps(value, indent=2))


async def show_limits(door: Door) -> None:
    """Print what is left of the registries' pull limits. Errors as `Client.get`."""
    listed = await _limits(door)
    make_console().print(draw_limits(listed.limits, listed.now))


async def print_limits_json(door: Door) -> None:
    """Print the same as a JSON list. Errors as `Client.get`."""
    listed = await _limits(door)
    print(json.dumps([view.model_dump(mode="json") for view in listed.limits], indent=2))


async def _limits(door: Door) -> LimitList:
    async with open_client(door) as client:
        return parse(LimitList, await client.get("/limits"))


def watch(door: Door, name: str | None) -> None:
    """Draw it again every two seconds until Ctrl-C. Errors as `Client.get`."""
    try:
        asyncio.run(_watch(door, name))
    except KeyboardInterrupt:
        return


async def _watch(door: Door, name: str | None) -> None:
    console, clock = make_console(), SystemClock()
    async with open_client(door) as client:
        with _redrawn(console) as draw:
            while True:
                draw(await _drawn(client, name, console))
                await clock.sleep(WATCH_SECONDS)


@contextmanager
def _redrawn(console: Console) -> Iterator[Callable[[RenderableType], None]]:
    """Yield what draws in place on a terminal, and one below the other elsewhere."""
    if not console.is_terminal:
        yield console.print
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield lambda drawing: live.update(drawing, refresh=True)


async def _drawn(client: Client, name: str | None, console: Console) -> RenderableType:
    if name is not None:
        detail = parse(CredentialDetail, await _one(client, name))
        return draw_one(detail.credential, detail.now, console)
    daemon = parse(DaemonStatus, await client.get("/status"))
    standing = await _all(client)
    warning = [] if daemon.ready and daemon.alive else [f"The daemon is not ready: {daemon.message}"]
    return Group(*warning, draw_all(standing.credentials, standing.now, console))


async def _one(client: Client, name: str) -> bytes:
    return await client.get(f"/credentials/{segment(name)}")


async def _all(client: Client) -> Standing:
    page = parse(CredentialPage, await client.get("/credentials"))
    views = list(page.credentials)
    while page.after is not None:
        page = parse(CredentialPage, await client.get("/credentials", {"after": page.after}))
        views.extend(page.credentials)
    return Standing(page.now, views)
