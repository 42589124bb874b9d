"""``rotator run``: the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.options import DEFAULT_CONFIG

EXAMPLES = (
    "Examples:\n\nrotator run\n\nrotator run --config /etc/rotator/rotator.yaml\n\n"
    "SIGTERM stops it within 10 seconds; SIGHUP, or a changed file, has it read its configuration again."
)


def run(
    config: Annotated[
        Path,
        typer.Option(
            help="Configuration file, or directory of *.yaml files.", envvar="ROTATOR_CONFIG", show_envvar=True
        ),
    ] = DEFAULT_CONFIG,
) -> None:
    """Run the daemon in the foreground until it is told to stop."""
    from rotator.cli.daemon import run_daemon

    run_daemon(config)
