"""Has everything checked, and shows each finding as it comes, or all as JSON."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rotator.cli.failure import ExitCode, plain
from rotator.cli.status_show import make_console
from rotator.clock import SystemClock
from rotator.doctor.examine import examine
from rotator.doctor.finding import Finding, Level

_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red", Level.UNKNOWN: "magenta"}
_INDENT = 8


def show(path: Path) -> ExitCode:
    """Print every finding as it comes, and a last line that counts them; FAILED where one fails."""
    console = make_console()
    found = asyncio.run(examine(path, SystemClock(), lambda finding: draw(finding, console)))
    console.print()
    console.print(verdict(found))
    return code_of(found)


def print_json(path: Path) -> ExitCode:
    """Print all findings as a JSON list; FAILED where one fails."""
    found = asyncio.run(examine(path, SystemClock(), lambda _: None))
    print(json.dumps([asdict(finding) for finding in found], indent=2))
    return code_of(found)


def draw(finding: Finding, console: Console) -> None:
    """Print one finding: its level as a word, what was seen, and below it how to mend it."""
    line = Table.grid(padding=(0, 1))
    line.add_column(no_wrap=True, width=_INDENT - 1)
    line.add_column(overflow="fold")
    head = Text(finding.level.value, _STYLES[finding.level])
    line.add_row(head, Text(plain(f"{finding.family}: {finding.about}: {finding.text}")))
    if finding.mend:
        line.add_row("", Text(plain(f"mend: {finding.mend}")))
    console.print(line)


def verdict(found: Sequence[Finding]) -> Text:
    """Return the last line: how many of each, and what to do next."""
    counts = Counter(finding.level for finding in found)
    told = ", ".join(f"{counts[level]} {level}" for level in Level if counts[level])
    if counts[Level.FAIL]:
        return Text(f"{told}. Mend what fails from the top: later checks may only follow from it.", style="bold red")
    if counts[Level.WARN] or counts[Level.UNKNOWN]:
        return Text(f"{told}. Nothing fails; what is unknown was not checked.", style="yellow")
    return Text(f"{told}. Nothing is left to do.", style="green")


def code_of(found: Sequence[Finding]) -> ExitCode:
    """Return FAILED where something fails; else DONE."""
    return ExitCode.FAILED if any(finding.level is Level.FAIL for finding in found) else ExitCode.DONE
