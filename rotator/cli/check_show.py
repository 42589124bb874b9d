"""Reads what ``rotator check`` is given, has the images checked, and prints the reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rotator.check.pointer import first_bad
from rotator.check.probe import Checker, Options
from rotator.check.report import Report
from rotator.cli.check_draw import draw
from rotator.cli.failure import ExitCode, UsageError
from rotator.cli.status_show import make_console
from rotator.clock import SystemClock
from rotator.domain.pull_secret import parse_document
from rotator.domain.reference import Reference, parse, registry_host
from rotator.errors import ShapeError
from rotator.transport import Transport

MAX_DOCUMENT_BYTES = 1 << 20


def read_references(images: Sequence[str]) -> list[tuple[str, Reference]]:
    """Return every image with what it means.

    Raises:
        UsageError: One is no image reference; the message says which character is wrong, and why.
    """
    return [(image, _read_reference(image)) for image in images]


def _read_reference(image: str) -> Reference:
    try:
        reference = parse(image)
        registry_host(reference.domain)
    except ValueError as error:
        raise UsageError(f"{error}{_pointer(image)}") from None
    return reference


def _pointer(image: str) -> str:
    """Return where ``image`` goes wrong, below a copy; empty where no one spot is wrong or it could show a password."""
    position = None if "://" in image else first_bad(image)
    if position is None or not image:
        return ""
    what = f"character {position + 1}" if position < len(image) else "something is missing at the end"
    return f"\n  {image}\n  {' ' * position}^ {what}"


def read_options(
    docker_config: Path | None, insecure: Sequence[str], realm_hosts: Sequence[str], *, spends_pulls: bool
) -> Options:
    """Return how images are asked for.

    Raises:
        UsageError: The file cannot be read or is no such document, or a registry is none.
    """
    try:
        hosts = frozenset(registry_host(host) for host in insecure)
    except ValueError as error:
        raise UsageError(f"--insecure: {error}") from None
    document = {} if docker_config is None else _read_document(docker_config)
    return Options(document, hosts, tuple(realm_hosts), spends_pulls)


def _read_document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > MAX_DOCUMENT_BYTES:
        raise UsageError(f"{path}: larger than {MAX_DOCUMENT_BYTES} bytes, which no such file is")
    try:
        return parse_document(content.decode())
    except UnicodeDecodeError:
        problem = "not UTF-8"
    except ShapeError as error:
        problem = error.message
    raise UsageError(f"{path}: {problem}")


async def check_all(references: Sequence[tuple[str, Reference]], options: Options) -> list[Report]:
    """Return a report per image, in their order."""
    clock = SystemClock()
    transport = Transport(clock=clock)
    try:
        checker = Checker(transport, clock, options)
        return [await checker.check(image, reference) for image, reference in references]
    finally:
        await transport.close()


def print_json(reports: Sequence[Report]) -> None:
    """Print a list of the reports for scripts."""
    print(json.dumps([report.as_json() for report in reports], indent=2))


def print_reports(reports: Sequence[Report]) -> None:
    """Print the reports for people."""
    console = make_console()
    for report in reports:
        console.print(draw(report, console))


def exit_code_of(reports: Sequence[Report]) -> ExitCode:
    """Return whether every image was shown to pull."""
    return ExitCode.DONE if all(report.pulls for report in reports) else ExitCode.FAILED
