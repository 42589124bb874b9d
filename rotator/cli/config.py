"""``rotator config``: looks at a configuration without a daemon."""

from __future__ import annotations

import typer

from rotator.cli.failure import plain
from rotator.cli.manual import ASKS_NO_DAEMON, READS_NOTHING, manual
from rotator.cli.options import DEFAULT_CONFIG, ConfigPath
from rotator.domain.words import counted

EXAMPLES = "Examples:\n\nrotator config check\n\nrotator config show ./rotator.yaml"
app = typer.Typer(
    help="Check, show and describe the configuration.",
    no_args_is_help=True,
    epilog=manual(EXAMPLES, ASKS_NO_DAEMON),
)


@app.command(epilog=manual("Examples:\n\nrotator config check\n\nrotator config check ./rotator.yaml", ASKS_NO_DAEMON))
def check(path: ConfigPath = DEFAULT_CONFIG) -> None:
    """Say whether the daemon would take a configuration, and name every mistake with its line."""
    from rotator.config.load import load
    from rotator.config.warning import warnings
    from rotator.kinds import kinds

    config = load(path, kinds())
    for warning in warnings(config):
        typer.echo(plain(f"warning: {warning}"), err=True)
    typer.echo(f"ok: {counted(len(config.credentials), 'credential')}, {counted(len(config.targets), 'target')}")


@app.command(epilog=manual("Examples:\n\nrotator config schema > rotator.schema.json", READS_NOTHING))
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    import json

    from rotator.config.schema import json_schema
    from rotator.kinds import kinds

    typer.echo(json.dumps(json_schema(kinds()), indent=2))


@app.command("reference", epilog=manual("Examples:\n\nrotator config reference > configuration.md", READS_NOTHING))
def print_reference() -> None:
    """Print every option with its default and its meaning, as Markdown."""
    from rotator.config.reference import reference
    from rotator.config.schema import json_schema
    from rotator.kinds import kinds

    typer.echo(reference(json_schema(kinds())), nl=False)


@app.command(epilog=manual("Examples:\n\nrotator config show\n\nrotator config show ./rotator.yaml", ASKS_NO_DAEMON))
def show(path: ConfigPath = DEFAULT_CONFIG) -> None:
    """Print a configuration as it takes effect, with all defaults; it holds references, never secrets."""
    from rotator.config.load import load
    from rotator.config.show import show as render
    from rotator.kinds import kinds

    typer.echo(render(load(path, kinds())), nl=False)
