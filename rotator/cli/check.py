"""``rotator check``: says whether images pull, and why not. Needs no daemon and no configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.options import AsJson

EXAMPLES = (
    "Examples:\n\nrotator check ghcr.io/acme/app:1.4.2\n\n"
    "rotator check acme/app:1 --docker-config ~/.docker/config.json\n\n"
    "rotator check --all --config /etc/rotator/rotator.yaml --socket /run/rotator/admin.sock\n\n"
    "rotator check registry.local:5000/app:1 --insecure registry.local:5000\n\n"
    "rotator check acme/app:1 --json | jq -r '.[] | select(.pulls | not) | .advice'"
)

Images = Annotated[list[str], typer.Argument(help="Images, as docker pull takes them.", metavar="[IMAGE]...")]
All = Annotated[bool, typer.Option("--all", help="Every image that the configuration lists.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="rotator's configuration: how registries are reached, and the logins of credentials whose strategy is "
        "read. With --all alone: /etc/rotator/rotator.yaml.",
    ),
]
DockerConfig = Annotated[
    Path | None,
    typer.Option(help="docker's config.json or podman's auth.json with the logins to try, before --config's."),
]
Socket = Annotated[
    Path | None,
    typer.Option(help="UNIX socket of the daemon, to ask how credentials stand whose login only it has."),
]
Insecure = Annotated[list[str], typer.Option(help="Registry, host[:port], that speaks plain HTTP. May be repeated.")]
RealmHost = Annotated[
    list[str],
    typer.Option(help="Token server, host[:port], that may be shown a login besides the registry. May be repeated."),
]
SpendPulls = Annotated[
    bool, typer.Option("--spend-pulls", help="Read sizes at Docker Hub too, where that counts as up to two pulls.")
]


def check(  # noqa: PLR0913 (one parameter per option)
    images: Images = [],  # noqa: B006 (Typer reads it once, nobody writes to it)
    *,
    all_images: All = False,
    config: ConfigFile = None,
    docker_config: DockerConfig = None,
    socket: Socket = None,
    insecure: Insecure = [],  # noqa: B006 (as above)
    realm_host: RealmHost = [],  # noqa: B006 (as above)
    spend_pulls: SpendPulls = False,
    as_json: AsJson = False,
) -> None:
    """Say whether images pull, with which login, what they are, and if not, why not and what to do.

    Exit codes: 0 all pull, 1 one was not shown to pull, 2 wrong usage.
    """
    import asyncio

    from rotator.cli import check_given as given
    from rotator.cli import check_show as shown

    asked = given.Asked(images, all_images, config, docker_config, socket, insecure, realm_host, spend_pulls)
    reports = asyncio.run(given.check(asked, shown.unseen if as_json else shown.counted))
    (shown.print_json if as_json else shown.print_reports)(reports)
    raise typer.Exit(shown.exit_code_of(reports))
