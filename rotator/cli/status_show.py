"""Reads how things stand and draws it: once, again and again, or as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from rotator.admin.models import CredentialDetail, CredentialPage, DaemonStatus, LimitList
from rotator.cli.client import Client, Door, open_client, parse, segment
from rotator.cli.failure import ExitCode, UnreachableError, plain
from rotator.cli.status_draw import Standing, draw_all, draw_limits, draw_one
from rotator.clock import SystemClock

WATCH_SECONDS = 2.0
"""Between two looks, from the end of one to the beginning of the next: a slow daemon is asked less often."""


def make_console() -> Console:
    """Return a console for standard output that takes no text for markup.

    What is redrawn in place needs a terminal, whatever FORCE_COLOR says.
    """
    redraws = None if sys.stdout.isatty() else False
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=False, force_interactive=redraws)


async def show(door: Door, name: str | None) -> ExitCode:
    """Print how all credentials stand, or one in detail; FAILED where a person is needed. Errors as `Client.get`."""
    console = make_console()
    async with open_client(door) as client:
        standing = await _read(client, name)
    console.print(_drawn(standing, name, console))
    return _code(standing, name)


async def print_json(door: Door, name: str | None) -> ExitCode:
    """Print the same as JSON: a list of all, or one object. Ends as `show`. Errors as `Client.get`."""
    async with open_client(door) as client:
        standing = await _read(client, name)
    values = [view.model_dump(mode="json") for view in standing.credentials]
    print(json.dumps(values if name is None else values[0], indent=2))
    return _code(standing, name)


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
    """Draw it again and again until Ctrl-C; once begun, a daemon out of reach is said and waited for.

    Errors as `Client.get`, at the first look only.
    """
    try:
        asyncio.run(_watch(door, name))
    except KeyboardInterrupt:
        return


async def _watch(door: Door, name: str | None) -> None:
    console, clock = make_console(), SystemClock()
    async with open_client(door) as client:
        standing, lost = await _read(client, name), ""
        with _redrawn(console) as draw:
            while True:
                draw(Group(*_silence(lost, standing), _drawn(standing, name, console)))
                await clock.sleep(WATCH_SECONDS)
                try:
                    standing, lost = await _read(client, name), ""
                except UnreachableError as error:
                    lost = str(error)


def _silence(lost: str, standing: Standing) -> Iterator[Text]:
    """Yield that the daemon does not answer, and of when what is shown is; nothing while it answers."""
    if lost:
        text = f"NO CONTACT: {lost}. Below is how it stood at {standing.now:%Y-%m-%d %H:%M:%S} UTC."
        yield Text(plain(text), style="bold red")


@contextmanager
def _redrawn(console: Console) -> Iterator[Callable[[RenderableType], None]]:
    """Yield what draws in place on a terminal, and one below the other elsewhere."""
    if not console.is_interactive:
        yield console.print
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield lambda drawing: live.update(drawing, refresh=True)


def _drawn(standing: Standing, name: str | None, console: Console) -> RenderableType:
    return draw_all(standing, console) if name is None else draw_one(standing.credentials[0], standing, console)


def _code(standing: Standing, name: str | None) -> ExitCode:
    """Return FAILED where something needs a person, or the daemon has not looked at everything; else DONE."""
    needs = [need for need in standing.daemon.needs if name in {None, need.credential}]
    is_known = standing.daemon.ready and standing.daemon.alive
    return ExitCode.DONE if is_known and not needs else ExitCode.FAILED


async def _read(client: Client, name: str | None) -> Standing:
    if name is not None:
        detail = parse(CredentialDetail, await client.get(f"/credentials/{segment(name)}"))
        return Standing(parse(DaemonStatus, await client.get("/status")), detail.now, [detail.credential])
    daemon = parse(DaemonStatus, await client.get("/status"))
    page = parse(CredentialPage, await client.get("/credentials"))
    views = list(page.credentials)
    while page.after is not None:
        page = parse(CredentialPage, await client.get("/credentials", {"after": page.after}))
        views.extend(page.credentials)
    return Standing(daemon, page.now, views)
