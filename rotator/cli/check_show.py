"""Prints the reports of ``rotator check``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rotator.check.report import Report
from rotator.cli.check_draw import draw
from rotator.cli.failure import ExitCode
from rotator.cli.progress import watched
from rotator.cli.status_show import make_console


@contextmanager
def counted(total: int) -> Iterator[Callable[[Report], object]]:
    """Yield what counts a report, on a terminal."""
    with watched(make_console(), "asking registries", total) as bar:
        yield lambda _: bar.advance()


@contextmanager
def unseen(_total: int) -> Iterator[Callable[[Report], object]]:
    """Yield what shows nothing of a report."""
    yield lambda _: None


def print_json(reports: Sequence[Report]) -> None:
    """Print a list of the reports for scripts."""
    print(json.dumps([report.as_json() for report in reports], indent=2))


def print_reports(reports: Sequence[Report]) -> None:
    """Print the reports for people, then how many pull and what to do next."""
    console = make_console()
    for report in reports:
        console.print(draw(report, console), soft_wrap=True)
    good = sum(report.pulls for report in reports)
    verb = "pulls" if len(reports) == 1 else "pull"
    after = "Nothing is left to do." if good == len(reports) else "What to do stands beside `do`, then check again."
    console.print(f"{good} of {len(reports)} {verb}. {after}")


def exit_code_of(reports: Sequence[Report]) -> ExitCode:
    """Return whether every image was shown to pull."""
    return ExitCode.DONE if all(report.pulls for report in reports) else ExitCode.FAILED
