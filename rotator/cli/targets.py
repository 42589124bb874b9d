"""``rotator targets``: how the places stand that hold credentials, and a person's part in it."""

from __future__ import annotations

from typing import Annotated

import typer

from rotator.cli import complete
from rotator.cli.manual import ASKS_DAEMON, ASKS_SOCKET_ALONE, READS_NOTHING, manual
from rotator.cli.options import DEFAULT_SOCKET, AsJson, Socket, TokenFile, Url

EXAMPLES = (
    "Examples:\n\nrotator targets\n\nrotator targets test prod\n\nrotator targets add docker_config\n\n"
    "rotator targets reveal tago\n\nrotator targets ack tago --generation 7"
)
app = typer.Typer(
    help="Show how the targets stand, test them, and do a person's part of a delivery.",
    epilog=manual(EXAMPLES, ASKS_DAEMON),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Name = Annotated[
    str, typer.Argument(help="The target, as it is called in the configuration.", autocompletion=complete.targets)
]


@app.callback()
def targets(
    context: typer.Context,
    *,
    as_json: AsJson = False,
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Show how the targets stand: what they hold, until when, how that is known, and what is next."""
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from rotator.cli import targets_show as shown
    from rotator.cli.client import Door

    door = Door(socket, url, token_file)
    asyncio.run(shown.print_json(door) if as_json else shown.show(door))


@app.command(
    "test",
    epilog=manual(
        "Examples:\n\nrotator targets test prod\n\n"
        "Exit codes: 0 all can be read, 1 something cannot, 2 wrong usage or no such name, "
        "3 the daemon cannot be reached, 130 ended by Ctrl-C.",
        ASKS_DAEMON,
    ),
)
def try_out(name: Name, *, socket: Socket = DEFAULT_SOCKET, url: Url = None, token_file: TokenFile = None) -> None:
    """Read what a target holds, without writing: whether it can be reached and read, and what is found there."""
    import asyncio

    from rotator.cli import targets_show as shown
    from rotator.cli.client import Door

    raise typer.Exit(asyncio.run(shown.try_out(Door(socket, url, token_file), name)))


@app.command(
    "add",
    epilog=manual(
        "Examples:\n\nrotator targets add kubernetes\n\nrotator targets add docker_config > docker.yaml", READS_NOTHING
    ),
)
def add(kind: Annotated[str, typer.Argument(help="Kind of target, such as kubernetes.")]) -> None:
    """Print a commented piece of configuration for a kind of target, to be filled in. Asks no daemon."""
    from rotator.cli.failure import UsageError
    from rotator.cli.targets_stanza import stanza
    from rotator.config.keys import unknown_name
    from rotator.kinds import kinds

    known = kinds().targets
    if kind not in known:
        raise UsageError(f"{kind}: {unknown_name(kind, sorted(known), what='kind')}")
    typer.echo(stanza(kind, known[kind]), nl=False)


@app.command(
    "ack",
    epilog=manual("Examples:\n\nrotator targets ack tago\n\nrotator targets ack tago --generation 7", ASKS_DAEMON),
)
def ack(
    name: Name,
    *,
    generation: Annotated[
        int | None, typer.Option(help="Which one was entered; without it you are asked.", min=1)
    ] = None,
    socket: Socket = DEFAULT_SOCKET,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Say that the login which a person was to enter at a target is in place there."""
    import asyncio

    from rotator.cli import targets_hand_over as hand_over
    from rotator.cli.client import Door

    door = Door(socket, url, token_file)
    chosen = generation or asyncio.run(hand_over.ask(door, name))
    asyncio.run(hand_over.acknowledge(door, name, chosen))


@app.command("reveal", epilog=manual("Examples:\n\nrotator targets reveal tago", ASKS_SOCKET_ALONE))
def reveal(name: Name, *, socket: Socket = DEFAULT_SOCKET) -> None:
    """Show the login that a person is to enter at a target. Once: have your other window ready."""
    import asyncio

    from rotator.cli import targets_hand_over as hand_over
    from rotator.cli.client import Door

    asyncio.run(hand_over.reveal(Door(socket), name))
