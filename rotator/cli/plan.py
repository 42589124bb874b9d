"""``rotator plan``: what would happen and why; nothing is written but the file that you name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rotator.cli import complete
from rotator.cli.options import DEFAULT_SOCKET, AsJson, Socket, TokenFile, Url

EXAMPLES = (
    "Examples:\n\nrotator plan\n\nrotator plan ghcr --rotate --out ghcr.plan && rotator apply ghcr.plan\n\n"
    "rotator plan --json | jq '.credentials[] | select(.rotates).name'"
)


def plan(  # noqa: PLR0913 (one parameter per option)
    name: Annotated[
        str | None, typer.Argument(help="Credential to plan for; without it all.", autocompletion=complete.credentials)
    ] = None,
    *,
    rotate: Annotated[bool, typer.Option("--rotate", help="Plan a rotation of NAME though it is not due.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the plan to this file, for rotator apply.")] = None,
    as_json: AsJson = False,
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Show what would happen to credentials at their targets, and why. Reads targets, asks no registry."""
    import asyncio

    from rotator.cli import plan_show as shown
    from rotator.cli.client import Door
    from rotator.cli.failure import UsageError

    if rotate and name is None:
        raise UsageError("--rotate needs the name of a credential")
    wanted = shown.Wanted((name,) if name else (), (name,) if name and rotate else ())
    asyncio.run(shown.show(Door(socket, url, token_file), wanted, out=out, form="json" if as_json else "table"))
