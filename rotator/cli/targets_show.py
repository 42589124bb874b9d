"""Reads how the targets stand and draws it, as a table or as JSON."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rotator.admin.target_models import HoldingView, PlaceList, PlaceView, TrialList
from rotator.cli.client import Door, open_client, parse, segment
from rotator.cli.failure import ExitCode, plain
from rotator.cli.progress import watched
from rotator.cli.status_show import make_console
from rotator.domain.place import PlaceState
from rotator.domain.words import span

_STYLES = {PlaceState.IN_SYNC: "green", PlaceState.UNREACHABLE: "red", PlaceState.FAILING: "red"}


async def show(door: Door) -> None:
    """Print how every target stands. Errors as `Client.get`."""
    listed = await read(door)
    make_console().print(draw(listed))


async def print_json(door: Door) -> None:
    """Print the same as a JSON list. Errors as `Client.get`."""
    listed = await read(door)
    print(json.dumps([one.model_dump(mode="json") for one in listed.targets], indent=2))


async def read(door: Door) -> PlaceList:
    """Return how every target stands. Errors as `Client.get`."""
    async with open_client(door) as client:
        return parse(PlaceList, await client.get("/targets"))


async def try_out(door: Door, name: str) -> ExitCode:
    """Have one target's placements read, and print what came of it. Errors as `Client.get`."""
    console = make_console()
    async with open_client(door) as client:
        with watched(console, "reading the target"):
            body = await client.post(f"/targets/{segment(name)}/trials", {}, secrets.token_hex(16))
    trials = parse(TrialList, body).trials
    for one in trials:
        word = f"failed [{one.error}]" if one.error else "ok"
        subject = f"{one.placement}: " if one.placement else ""
        console.print(Text(plain(f"{word:<6} {subject}{one.message}")))
    if failed := sum(bool(one.error) for one in trials):
        again = f"Nothing was written. Mend that, then try again: rotator targets test {name}"
        console.print(Text(plain(f"{failed} of {len(trials)} failed. {again}")))
        return ExitCode.FAILED
    console.print(Text("Nothing was written. Whether writing is allowed shows at the next delivery."))
    return ExitCode.DONE


def draw(listed: PlaceList) -> RenderableType:
    """Return a table of targets, and below it what is next at each that is not in sync."""
    if not listed.targets:
        return Text("No target holds a credential.")
    return Group(_table(listed), Text(), *_next_steps(listed))


def _table(listed: PlaceList) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for title in ("target", "kind", "state", "holds", "expires", "confirmed"):
        table.add_column(title, overflow="fold")
    for place in listed.targets:
        for number, holding in enumerate(place.holdings):
            head = ("", "", "") if number else (place.target, place.kind, place.state.value)
            cells = (*head, _holds(holding), _expires(holding, listed.now), _confirmed(holding, listed.now))
            table.add_row(*(Text(plain(cell)) for cell in cells), style=_STYLES.get(place.state, "yellow"))
    return table


def _holds(holding: HoldingView) -> str:
    if not holding.wanted:
        return f"{holding.credential}: none in use yet"
    behind = f" ({holding.confirmed} of {holding.placements})" if holding.confirmed < holding.placements else ""
    held = f"gen {holding.held}" if holding.held else "none confirmed"
    wanted = f", wants {holding.wanted}" if holding.held < holding.wanted else ""
    return f"{holding.credential}: {held}{wanted}{behind}"


def _expires(holding: HoldingView, now: datetime) -> str:
    if holding.expires_at is None:
        return "unknown" if holding.held else "-"
    left = holding.expires_at - now
    return f"in {span(left)}" if left.total_seconds() > 0 else f"{span(-left)} ago"


def _confirmed(holding: HoldingView, now: datetime) -> str:
    if holding.confirmed_at is None or holding.proof is None:
        return "never"
    return f"{span(now - holding.confirmed_at)} ago, by {holding.proof}"


def _next_steps(listed: PlaceList) -> Iterator[Text]:
    waiting = [place for place in listed.targets if place.state is not PlaceState.IN_SYNC]
    if not waiting:
        yield Text("Nothing needs you.")
    for place in waiting:
        yield Text.assemble((plain(place.target), "bold"), ": ", plain(_sentence(place, listed.now)))


def _sentence(place: PlaceView, now: datetime) -> str:
    """Return what is next; where a person is awaited also until when what is held works."""
    until = [one.expires_at for one in place.holdings if one.expires_at is not None and one.held < one.wanted]
    if place.state is not PlaceState.AWAITING or not until:
        return place.next_step
    left = min(until) - now
    deadline = f"works for {span(left)} still" if left.total_seconds() > 0 else "does not work any more"
    return f"{place.next_step}. What is there now {deadline}"
