"""Serves a flavour of the sandbox registry and says how to ask it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import typer

from rotator.cli.failure import UsageError
from rotator.clock import SystemClock
from rotator.sandbox.flavour import Flavour
from rotator.sandbox.flavours import FLAVOURS
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.scene import IMAGE, MISSING_REPOSITORY, MISSING_TAG, PUBLIC_IMAGE, Shown, arrange, docker_config


def find(name: str) -> Flavour:
    """Return the flavour called ``name``.

    Raises:
        UsageError: There is none.
    """
    if name not in FLAVOURS:
        raise UsageError(f"--flavour: {name!r} is none of {', '.join(sorted(FLAVOURS))}")
    return FLAVOURS[name]


async def serve(flavour: Flavour, *, port: int, rate_limit: int | None) -> None:
    """Serve until cancelled.

    Raises:
        UsageError: The port is taken.
    """
    registry = arrange(flavour, SystemClock(), rate_limit=rate_limit)
    with tempfile.TemporaryDirectory(prefix="rotator-sandbox-") as directory:
        try:
            await registry.start(port)
        except OSError as error:
            raise UsageError(f"--port: {port} cannot be listened on ({error.strerror})") from error
        try:
            for line in _introduce(registry, Path(directory)):
                typer.echo(line)
            await asyncio.Event().wait()
        finally:
            await registry.stop()


def _introduce(registry: SandboxRegistry, directory: Path) -> Iterator[str]:
    host = registry.host
    yield f"{registry.flavour.name} answers at {host} until Ctrl-C. It has {IMAGE}, and {PUBLIC_IMAGE} for anybody."
    yield "Ask with a login that is good, wrong, expired, or for other repositories:"
    for shown in Shown:
        path = directory / f"{shown.value}.json"
        path.write_text(docker_config(host, shown), encoding="utf-8")
        yield f"  rotator check {host}/{IMAGE} --insecure {host} --docker-config {path}"
    yield "Ask for what is not there:"
    for image in (MISSING_TAG, MISSING_REPOSITORY):
        yield f"  rotator check {host}/{image} --insecure {host} --docker-config {directory}/{Shown.GOOD.value}.json"
    module = registry.flavour.name.replace("-", "_")
    yield f"Each refusal stands in rotator/sandbox/flavours/{module}.py, with where it was documented or seen."
