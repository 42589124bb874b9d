"""A person's part: shows the login once, and tells the daemon that it is in place."""

from __future__ import annotations

import secrets
import sys

import typer
from rich.text import Text

from rotator.admin.target_models import Acknowledged, PlaceView, RevealedLogin
from rotator.cli.client import Door, open_client, parse, segment
from rotator.cli.failure import UsageError, plain
from rotator.cli.status_show import make_console
from rotator.cli.targets_show import read


async def reveal(door: Door, name: str) -> None:
    """Print the login that waits at a target: the user name, then the password alone on the last line.

    Raises:
        UsageError: No such target, or nothing waits there. RotatorError: It was shown already.
    """
    async with open_client(door) as client:
        body = await client.post(f"/targets/{segment(name)}/revelations", {}, secrets.token_hex(16))
    shown = parse(RevealedLogin, body)
    about = f"generation {shown.generation} of {shown.credential} for {shown.placement}; it is not shown again"
    typer.echo(plain(about), err=True)
    typer.echo(f"Username: {shown.username}")
    typer.echo("Registry Access Password, on the next line:")
    typer.echo(shown.password)
    typer.echo(f"Once it is in place: rotator targets ack {name} --generation {shown.generation}", err=True)


async def ask(door: Door, name: str) -> int:
    """Return the generation that waits at a target, once the person at the terminal said that they entered it.

    Raises:
        UsageError: Nothing waits there, they said no, or nobody is at a terminal.
    """
    place = next((one for one in (await read(door)).targets if one.target == name), None)
    if place is None:
        raise UsageError(f"no target that holds a credential is named {name}", hint="See: rotator targets")
    generation = _waiting(place)
    if not sys.stdin.isatty():
        raise UsageError(
            "without a terminal nobody can be asked which login was entered",
            hint=f"If it was generation {generation}: rotator targets ack {name} --generation {generation}",
        )
    if not typer.confirm(f"Did you enter generation {generation} at {name}, and is it deployed?"):
        raise UsageError("nothing was acknowledged")
    return generation


async def acknowledge(door: Door, name: str, generation: int) -> None:
    """Tell the daemon that ``generation`` is in place.

    Raises:
        UsageError: No such target, or nothing waits there. RotatorError: Another generation waits by now.
    """
    async with open_client(door) as client:
        path = f"/targets/{segment(name)}/acknowledgements"
        body = await client.post(path, {"generation": generation}, secrets.token_hex(16))
    done = parse(Acknowledged, body)
    console = make_console()
    console.print(Text(plain(f"{done.placement} holds generation {done.generation} of {done.credential}, as you say.")))
    if done.left_behind:
        console.print(Text(plain(f"What was handed over is still there; remove it yourself: {done.left_behind}")))
        return
    console.print(Text("Nothing is left to do there. How all targets stand: rotator targets"))


def _waiting(place: PlaceView) -> int:
    found = [one.generation for holding in place.holdings for one in holding.behind if one.state == "awaiting"]
    if not found:
        raise UsageError(f"nothing waits for a person at target {place.target}", hint="See: rotator targets")
    return max(found)
