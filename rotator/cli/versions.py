"""``rotator versions``: what there is of a credential, where each version is held, and what becomes of it."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli import complete
from rotator.cli.options import DEFAULT_SOCKET, AsJson, Socket, TokenFile, Url

EXAMPLES = "Examples:\n\nrotator versions ghcr\n\nrotator versions ghcr --json | jq '.versions[0].fingerprint'"


def versions(
    name: Annotated[str, typer.Argument(help="Credential to show.", autocompletion=complete.credentials)],
    *,
    as_json: AsJson = False,
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Show the versions of a credential: stage, age, fingerprint, expiry, where each is held, what becomes of it."""
    import asyncio

    from rotator.cli import versions_show as shown
    from rotator.cli.client import Door

    door = Door(socket, url, token_file)
    asyncio.run(shown.print_json(door, name) if as_json else shown.show(door, name))
