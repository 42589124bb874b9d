"""``rotator status``: how the credentials stand."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli.options import DEFAULT_SOCKET, AsJson, Socket, TokenFile, Url

EXAMPLES = (
    "Examples:\n\nrotator status\n\nrotator status ecr-prod\n\nrotator status --watch\n\nrotator status --limits\n\n"
    "rotator status --json | jq -r '.[] | select(.health != \"ok\") | .name'"
)


def status(  # noqa: PLR0913 (one parameter per option)
    name: Annotated[str | None, typer.Argument(help="Credential to show in detail (default: all).")] = None,
    *,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Draw it again every 2 seconds until Ctrl-C.")] = False,
    limits: Annotated[bool, typer.Option("--limits", help="Show how many pulls registries still grant.")] = False,
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Show how the credentials stand, how long they live, and what needs a person."""
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
        asyncio.run(shown.print_json(door, name))
    elif watch:
        shown.watch(door, name)
    else:
        asyncio.run(shown.show(door, name))
