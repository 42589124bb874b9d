"""``rotator sandbox``: a registry that answers as a vendor's does, to try things out. In no list of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli.failure import ExitCode

EXAMPLES = "Examples:\n\nrotator sandbox --flavour ghcr\n\nrotator sandbox --flavour dockerhub --rate-limit 3"


def sandbox(
    *,
    flavour: Annotated[str, typer.Option(help="Whose registry to play: acr, dockerhub, ecr, ghcr, ...")],
    port: Annotated[int, typer.Option(help="Port on loopback (default: a free one).", min=0, max=65_535)] = 0,
    rate_limit: Annotated[int | None, typer.Option(help="Pulls per window (default: no limit).", min=0)] = None,
) -> None:
    """Play one vendor's registry on this machine until Ctrl-C: its refusals, bans and limits, with made-up images."""
    import asyncio

    from rotator.cli.sandbox_show import find, serve

    try:
        asyncio.run(serve(find(flavour), port=port, rate_limit=rate_limit))
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.DONE) from None
