"""``rotator audit``: who did what, why, and what came of it."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli.manual import ASKS_DAEMON, manual
from rotator.cli.options import DEFAULT_SOCKET, AsJson, Socket, TokenFile, Url

EXAMPLES = (
    "Examples:\n\nrotator audit -n 50\n\nrotator audit --credential ghcr\n\nrotator audit verify\n\n"
    "rotator audit export > audit.jsonl"
)
app = typer.Typer(
    help="Show the audit, check that it is as it was written, or print all of it.",
    epilog=manual(EXAMPLES, ASKS_DAEMON),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def audit(  # noqa: PLR0913 (one parameter per option)
    context: typer.Context,
    *,
    credential: Annotated[str | None, typer.Option(help="Only what concerns this credential.")] = None,
    number: Annotated[int, typer.Option("-n", help="How many of the newest records.", min=1, max=500)] = 20,
    as_json: AsJson = False,
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Show the newest records, newest last: when, who, what, of which credential, and what came of it."""
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from rotator.cli import audit_show as shown
    from rotator.cli.client import Door

    door = Door(socket, url, token_file)
    asyncio.run((shown.print_json if as_json else shown.show)(door, number, credential))


@app.command(
    "verify",
    epilog=manual(
        "Examples:\n\nrotator audit verify\n\nrotator audit verify || rotator audit export > evidence.jsonl\n\n"
        "Exit codes: 0 each record is as it was written, 1 one is not or it failed, 2 wrong usage, "
        "3 the daemon cannot be reached, 130 ended by Ctrl-C.",
        ASKS_DAEMON,
    ),
)
def verify(*, socket: Socket = DEFAULT_SOCKET, url: Url = None, token_file: TokenFile = None) -> None:
    """Check that no record was changed, dropped or moved; else ends with 1 and the first broken number."""
    import asyncio

    from rotator.cli import audit_show as shown
    from rotator.cli.client import Door

    raise typer.Exit(asyncio.run(shown.verify(Door(socket, url, token_file))))


@app.command(
    "export",
    epilog=manual(
        "Examples:\n\nrotator audit export > audit.jsonl\n\nrotator audit export --after 412 >> audit.jsonl",
        ASKS_DAEMON,
    ),
)
def export(
    *,
    after: Annotated[int, typer.Option(help="Only what comes after the record of this number.", min=0)] = 0,
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Print all records, oldest first, as one JSON object a line, each with its number and digest."""
    import asyncio

    from rotator.cli import audit_show as shown
    from rotator.cli.client import Door

    asyncio.run(shown.export(Door(socket, url, token_file), after))
