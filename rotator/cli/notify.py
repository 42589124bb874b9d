"""``rotator notify``: tries whether messages about what needs a person arrive."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli.manual import ASKS_NO_DAEMON, manual
from rotator.cli.options import DEFAULT_CONFIG, ConfigPath

EXAMPLES = "Examples:\n\nrotator notify test ops\n\nrotator notify test chat ./rotator.yaml"
app = typer.Typer(
    help="Tell people what needs them: try whether messages arrive.",
    no_args_is_help=True,
    epilog=manual(EXAMPLES, ASKS_NO_DAEMON),
)


@app.callback()
def begin() -> None:
    """Tell people what needs them: try whether messages arrive."""


@app.command("test", epilog=manual(EXAMPLES, ASKS_NO_DAEMON))
def try_out(
    name: Annotated[str, typer.Argument(help="Destination, as in the section notifications.")],
    path: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Send a message that says that it is a test, with the configuration at PATH. Asks no daemon."""
    import asyncio

    from rotator.cli.notify_send import send_test

    asyncio.run(send_test(name, path))
    typer.echo(f"{name}: took the message; look whether it is where people read it")
