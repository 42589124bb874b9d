"""``rotator demo``: the real daemon against a small world of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli.failure import ExitCode, plain

EXAMPLES = "Examples:\n\nrotator demo --once\n\nrotator demo"


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Stop after one full cycle (default: go on until Ctrl-C).")
    ] = False,
) -> None:
    """Show the daemon at work on this machine alone: a registry, a Vault and a cluster that exist only for it."""
    import asyncio

    from rotator.demo.story import run

    try:
        proven = asyncio.run(run(once=once, write=lambda line: typer.echo(plain(line))))
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.DONE) from None
    raise typer.Exit(ExitCode.DONE if proven else ExitCode.FAILED)
