"""``rotator rollback``: puts an earlier version back, and follows it."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli import complete
from rotator.cli.options import DEFAULT_SOCKET, Socket, TokenFile, Url

EXAMPLES = (
    'Examples:\n\nrotator rollback ghcr --reason "the new token may not pull acme/app"\n\n'
    'rotator rollback ghcr --to 7 --reason "6 and 8 are both wrong"'
)


def rollback(  # noqa: PLR0913 (one parameter per option)
    name: Annotated[str, typer.Argument(help="Credential to put back.", autocompletion=complete.credentials)],
    *,
    reason: Annotated[str, typer.Option(help="Why, in one line of at most 500 characters; kept with the rotation.")],
    to: Annotated[
        int | None, typer.Option(help="Generation to put back; without it the one before the present one.", min=1)
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or only ask for it.")] = True,
    timeout: Annotated[str, typer.Option(help="How long to follow it: 30s, 10m, 1h.")] = "10m",
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Put an earlier version back, under a new generation, once the registry has accepted it again."""
    from rotator.cli import rotate_follow as follow
    from rotator.cli.client import Door

    door = Door(socket, url, token_file)
    asking = follow.Asking(name, reason, follow.patience(timeout), "rollbacks", {"generation": to})
    raise typer.Exit(follow.ask_and_follow(door, asking) if wait else follow.ask(door, asking))
