"""Prints the reports of ``rotator check``."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rotator.check.report import Report
from rotator.cli.check_draw import draw
from rotator.cli.failure import ExitCode
from rotator.cli.status_show import make_console


def print_json(reports: Sequence[Report]) -> None:
    """Print a list of the reports for scripts."""
    print(json.dumps([report.as_json() for report in reports], indent=2))


def print_reports(reports: Sequence[Report]) -> None:
    """Print the reports for people, and of several how many pull."""
    console = make_console()
    for report in reports:
        console.print(draw(report, console), soft_wrap=True)
    if len(reports) > 1:
        console.print(f"{sum(report.pulls for report in reports)} of {len(reports)} pull")


def exit_code_of(reports: Sequence[Report]) -> ExitCode:
    """Return whether every image was shown to pull."""
    return ExitCode.DONE if all(report.pulls for report in reports) else ExitCode.FAILED
