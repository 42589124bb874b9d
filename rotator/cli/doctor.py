"""``rotator doctor``: whether what the daemon needs is there, whether it has too much, and how to mend both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.options import DEFAULT_CONFIG, AsJson

EXAMPLES = """\
Run it as the daemon's user, where the daemon runs: it looks with that user's rights and over that host's network. It
works beside a running daemon and where none can start, changes nothing, spends no pull and shows no secret. It logs in
to Vault as the daemon does.

Each line says ok, warn (works, and should be otherwise), fail, or unknown (nobody could tell); below it, how to mend.

Exit codes: 0 nothing fails; 1 something does; 2 wrong usage.

Examples:

sudo -u rotator rotator doctor

rotator doctor --config ./rotator.yaml

rotator doctor --json | jq -r '.[] | select(.level == "fail") | .mend'
"""


def doctor(
    *,
    config: Annotated[
        Path,
        typer.Option(
            help="Configuration file, or directory of *.yaml files.", envvar="ROTATOR_CONFIG", show_envvar=True
        ),
    ] = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Check configuration, files, state, peers, clocks and rights, and say how to mend what is wrong."""
    from rotator.cli import doctor_show as shown

    raise typer.Exit(shown.print_json(config) if as_json else shown.show(config))
