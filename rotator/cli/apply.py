"""``rotator apply``: does what a plan says, when nothing has changed since it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.options import DEFAULT_SOCKET, Socket, TokenFile, Url

EXAMPLES = "Examples:\n\nrotator plan ghcr --rotate --out ghcr.plan\n\nrotator apply ghcr.plan"


def apply(
    file: Annotated[Path, typer.Argument(help="File that `rotator plan --out` wrote.")],
    *,
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Rotate exactly what a plan says. Refused, with what is different, when anything that it depends on changed."""
    import asyncio

    from rotator.cli import plan_apply
    from rotator.cli.client import Door

    raise typer.Exit(asyncio.run(plan_apply.apply(Door(socket, url, token_file), file)))
