"""``rotator status``: how the credentials stand."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli import complete
from rotator.cli.options import DEFAULT_SOCKET, AsJson, Socket, TokenFile, Url

EXAMPLES = """\
Exit codes: 0 nothing needs a person; 1 something does, or the daemon has not looked at everything yet; 2 wrong usage;
3 the daemon cannot be reached, so that nothing is known.

What is left of a life, in the column `left`, is of the whole life of the version in use. A narrow terminal shows fewer
columns; `placed` counts the places that are confirmed to hold it. --watch asks again 2 seconds after each answer.

Examples:

rotator status

rotator status ecr-prod

rotator status --watch

rotator status --limits

rotator status --json | jq -r '.[] | select(.health != "ok") | .name'
"""


def status(  # noqa: PLR0913 (one parameter per option)
    name: Annotated[
        str | None,
        typer.Argument(help="Credential to show in detail (default: all).", autocompletion=complete.credentials),
    ] = None,
    *,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Draw it again every 2 seconds until Ctrl-C.")] = False,
    limits: Annotated[bool, typer.Option("--limits", help="Show how many pulls registries still grant.")] = False,
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Show what needs a person, then how the credentials stand and how long they live."""
    import asyncio

    from rotator.cli import status_show as shown
    from rotator.cli.client import Door
    from rotator.cli.failure import UsageError

    if limits and (name is not None or watch):
        raise UsageError("--limits shows every registry once: leave NAME and --watch out")
    door = Door(socket, url, token_file)
    if limits:
        asyncio.run(shown.print_limits_json(door) if as_json else shown.show_limits(door))
    elif as_json:
        raise typer.Exit(asyncio.run(shown.print_json(door, name)))
    elif watch:
        shown.watch(door, name)
    else:
        raise typer.Exit(asyncio.run(shown.show(door, name)))
