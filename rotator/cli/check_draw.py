"""Draws the report about an image: readable at 80 columns and without colour, and ready to copy from.

Lines are broken between words only: a digest that was cut in two could not be copied, nor found by a script.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import timedelta

from rich.console import Console
from rich.text import Text

from rotator.check.report import Base, Report
from rotator.cli.failure import plain
from rotator.domain.headroom import Counted, Headroom
from rotator.domain.words import span

_WORD_COLUMNS = 12
_LEAST_COLUMNS = 40
_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000


def draw(report: Report, console: Console) -> Text:
    """Return ``report`` as a headline and lines of facts; whatever came from a registry is made harmless."""
    lines = [_headline(report, console)]
    width = max(console.width - _WORD_COLUMNS, _LEAST_COLUMNS)
    for word, value in _facts(report):
        parts = textwrap.wrap(plain(value), width, break_long_words=False, break_on_hyphens=False) or [""]
        lines.append(Text.assemble((word.ljust(_WORD_COLUMNS), "dim"), parts[0]))
        lines.extend(Text(f"{'':{_WORD_COLUMNS}}{part}") for part in parts[1:])
    return Text("\n").join([*lines, Text()])


def size(count: int) -> str:
    """Return a number of bytes in the largest unit that leaves at least one: ``31.2 MB``."""
    value, unit = float(count), 0
    while value >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def _headline(report: Report, console: Console) -> Text:
    is_unicode = console.encoding.lower().startswith("utf")
    good, bad = ("\N{CHECK MARK}", "\N{MULTIPLICATION X}") if is_unicode else ("+", "x")
    word, style = (f"{good} pulls", "bold green") if report.pulls else (f"{bad} no pull", "bold red")
    return Text.assemble((word.ljust(_WORD_COLUMNS), style), (plain(report.image), "bold"))


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    diagnosis = report.diagnosis
    detail = f" ({diagnosis.detail})" if diagnosis.detail else ""
    yield "verdict", f"{diagnosis.ailment}{detail}: {diagnosis.evidence}, in {report.latency_seconds * 1000:.0f} ms"
    if report.said:
        yield "registry", f'says "{report.said}"'
    if diagnosis.advice:
        yield "do", diagnosis.advice
    yield "reference", report.reference
    yield "login", _login(report)
    for client, shown in report.clients.items():
        yield "", f"{client}: {shown}"
    yield "public", {True: "yes", False: "no", None: "cannot tell"}[report.is_public]
    yield from _contents(report)
    if report.headroom is not None:
        yield "limit", _limit(report.headroom)
    for lint in report.lints:
        yield "note", lint.text


def _login(report: Report) -> str:
    if not report.key:
        return f"none: {report.key_why}"
    proof = {True: "; accepted", False: "; refused", None: ""}[report.is_login_accepted]
    return f'"{report.key}": {report.key_why}{proof}'


def _contents(report: Report) -> Iterator[tuple[str, str]]:
    contents = report.contents
    if report.digest:
        yield "digest", report.digest
    if report.media_type:
        yield "type", report.media_type
    if contents.platforms:
        yield "platforms", ", ".join(contents.platforms)
    if contents.layers is not None and contents.size_bytes is not None:
        count = f"{contents.layers} layer{'' if contents.layers == 1 else 's'}"
        yield "size", f"{size(contents.size_bytes)} in {count}{f', {contents.sized}' if contents.sized else ''}"
    elif contents.unread:
        yield "size", f"not read: {contents.unread}"
    if contents.base is not None:
        yield "base", _base(contents.base)


def _base(base: Base) -> str:
    if base.size_bytes is not None:
        return f"{base.name}, {size(base.size_bytes)}"
    return f"{base.name}, size not read: {base.unread}"


def _limit(headroom: Headroom) -> str:
    of = "" if headroom.limit is None else f" of {headroom.limit}"
    window = "" if headroom.window_seconds is None else f" in {span(timedelta(seconds=headroom.window_seconds))}"
    counted = {Counted.ADDRESS: ", counted by address", Counted.ACCOUNT: ", counted by account", Counted.UNKNOWN: ""}
    return f"{headroom.remaining}{of} pulls left{window}{counted[headroom.source]}"
