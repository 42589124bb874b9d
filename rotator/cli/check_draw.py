"""Draws the report about an image: readable at 80 columns and without colour."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rotator.check.report import Report
from rotator.cli.failure import plain

_WORD_COLUMNS = 11
_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000


def draw(report: Report, console: Console) -> RenderableType:
    """Return ``report`` as a headline and a grid of facts; whatever came from a registry is made harmless."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=_WORD_COLUMNS, style="dim")
    grid.add_column(overflow="fold", ratio=1)
    grid.add_row(_headline(report, console), Text(plain(report.image), style="bold"))
    for word, value in _facts(report):
        grid.add_row(word, plain(value))
    return Padding(grid, (0, 0, 1, 0))


def size(count: int) -> str:
    """Return a number of bytes in the largest unit that leaves at least one: ``31.2 MB``."""
    value, unit = float(count), 0
    while value >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def _headline(report: Report, console: Console) -> Text:
    is_unicode = console.encoding.lower().startswith("utf")
    good, bad = ("\N{CHECK MARK}", "\N{MULTIPLICATION X}") if is_unicode else ("+", "x")
    return Text(f"{good} pulls", style="green") if report.pulls else Text(f"{bad} no pull", style="bold red")


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    diagnosis = report.diagnosis
    detail = f" ({diagnosis.detail})" if diagnosis.detail else ""
    yield "verdict", f"{diagnosis.ailment}{detail}: {diagnosis.evidence}, in {report.latency_seconds * 1000:.0f} ms"
    if report.said:
        yield "registry", f'says "{report.said}"'
    if diagnosis.advice:
        yield "do", diagnosis.advice
    yield "reference", report.reference
    yield "login", f'"{report.key}": {report.key_why}' if report.key else f"none: {report.key_why}"
    yield "public", {True: "yes", False: "no", None: "cannot tell"}[report.is_public]
    yield from _contents(report)
    for lint in report.lints:
        yield "note", lint.text


def _contents(report: Report) -> Iterator[tuple[str, str]]:
    if report.digest:
        yield "digest", report.digest
    if report.media_type:
        yield "type", report.media_type
    if report.platforms:
        yield "platforms", ", ".join(report.platforms)
    if report.layers is not None and report.size_bytes is not None:
        count = f"{report.layers} layer{'' if report.layers == 1 else 's'}"
        yield "size", f"{size(report.size_bytes)} in {count}{f', {report.sized}' if report.sized else ''}"
    elif report.unread:
        yield "size", f"not read: {report.unread}"
