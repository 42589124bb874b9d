"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("/etc/rotator/rotator.yaml")
DEFAULT_SOCKET = Path("/run/rotator/admin.sock")

Socket = Annotated[
    Path,
    typer.Option(
        help="UNIX socket of the daemon (admin.socket in its configuration).",
        envvar="ROTATOR_SOCKET",
        show_envvar=True,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(help="Reach the daemon over TCP instead, such as http://127.0.0.1:9181.", envvar="ROTATOR_URL"),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(help="File with the bearer token for --url; only its owner may read it.", envvar="ROTATOR_TOKEN_FILE"),
]
ConfigPath = Annotated[
    Path,
    typer.Argument(help="Configuration file, or directory of *.yaml files.", envvar="ROTATOR_CONFIG"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
