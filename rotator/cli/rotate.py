"""``rotator rotate``: asks for a rotation now, and follows it."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli import complete
from rotator.cli.options import DEFAULT_SOCKET, Socket, TokenFile, Url

EXAMPLES = (
    'Examples:\n\nrotator rotate ecr-prod --reason "the role was changed"\n\n'
    'rotator rotate ghcr --reason "new token in Vault" --no-wait'
)


def rotate(  # noqa: PLR0913 (one parameter per option)
    name: Annotated[str, typer.Argument(help="Credential to rotate.", autocompletion=complete.credentials)],
    *,
    reason: Annotated[str, typer.Option(help="Why, in one line of at most 500 characters; kept with the rotation.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or only ask for it.")] = True,
    timeout: Annotated[str, typer.Option(help="How long to follow it: 30s, 10m, 1h.")] = "10m",
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Rotate one credential now, whatever its schedule, or join the rotation of it that runs."""
    from rotator.cli import rotate_follow as follow
    from rotator.cli.client import Door

    door = Door(socket, url, token_file)
    asking = follow.Asking(name, reason, follow.patience(timeout))
    raise typer.Exit(follow.ask_and_follow(door, asking) if wait else follow.ask(door, asking))
