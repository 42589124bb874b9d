"""``rotator usage``: what depends on a credential, and what stops working when if it dies now."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli import complete
from rotator.cli.options import DEFAULT_SOCKET, AsJson, Socket, TokenFile, Url

EXAMPLES = "Examples:\n\nrotator usage ghcr\n\nrotator usage ghcr --json | jq -r '.targets[].placements[]'"


def usage(
    name: Annotated[str, typer.Argument(help="Credential to look at.", autocompletion=complete.credentials)],
    *,
    as_json: AsJson = False,
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Show the images and the places that depend on a credential, and what stops working when if it dies now."""
    import asyncio

    from rotator.cli import usage_show as shown
    from rotator.cli.client import Door

    door = Door(socket, url, token_file)
    asyncio.run(shown.print_json(door, name) if as_json else shown.show(door, name))
