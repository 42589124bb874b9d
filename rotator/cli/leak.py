"""``rotator leak``: a secret is known to others; follows the response until it is over, and says what is left."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli import complete
from rotator.cli.options import DEFAULT_SOCKET, Socket, TokenFile, Url

EXAMPLES = (
    'Examples:\n\nrotator leak ghcr --reason "pushed to a public repository"\n\n'
    "rotator leak ghcr                           (follow a response that was begun)\n\n"
    'rotator leak --all --since 2h --reason "the build host was broken into"\n\n'
    "rotator leak --all --since 2026-11-28T09:00:00Z    (only say what is older)"
)


def leak(  # noqa: PLR0913 (one parameter per option)
    name: Annotated[
        str | None,
        typer.Argument(help="Credential whose secret is known to others.", autocompletion=complete.credentials),
    ] = None,
    *,
    reason: Annotated[
        str | None,
        typer.Option(help="What happened, in one line of at most 500 characters. Without it nothing is begun."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every credential that is older than --since.")] = False,
    since: Annotated[
        str | None, typer.Option(help="With --all: an instant (2026-11-28T09:00:00Z), or how long ago (2h).")
    ] = None,
    budget: Annotated[str, typer.Option(help="How long to follow it: 30s, 10m, 1h.")] = "10m",
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Replace a secret that others know, everywhere at once, end the old one, and see it refused.

    Ends with 0 only when all of that is done; with 1 when something is left, and says who must do what.
    """
    from rotator.cli import leak_all
    from rotator.cli import leak_follow as follow
    from rotator.cli.client import Door
    from rotator.cli.failure import UsageError

    door = Door(socket, url, token_file)
    patience = follow.patience(budget)
    if everything and since is not None and name is None:
        raise typer.Exit(leak_all.every(door, follow.instant(since), reason, patience))
    if name is None or everything or since is not None:
        raise UsageError("give either the NAME of a credential, or --all with --since")
    raise typer.Exit(follow.one(door, name, reason, patience))
