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
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or only start it.")] = True,
    timeout: Annotated[str, typer.Option(help="How long to follow it: 30s, 10m, 1h.")] = "10m",
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Rotate exactly what a plan says. Refused, with what is different, when anything that it depends on changed."""
    from rotator.cli import plan_apply
    from rotator.cli.client import Door
    from rotator.cli.rotate_follow import patience

    door, until = Door(socket, url, token_file), patience(timeout)
    raise typer.Exit(plan_apply.apply_and_follow(door, file, until) if wait else plan_apply.apply(door, file))
