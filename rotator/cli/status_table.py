"""The table of credentials: one line each, with as many columns as there is room for, the least important left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from rotator.admin.models import CredentialView
from rotator.cli.failure import plain
from rotator.cli.words import LOOKS, Life, life, placed, upcoming
from rotator.domain.status import Health

BAR_CHARS = 8
SHORTEST_NAME = 12
"""Before a name is cut shorter than this, a column is left out."""
GAP = 2

_HEALTHS = tuple(Health)
_DROPPED_FIRST = ("gen", "placed", "bar", "next", "life")
_TITLES = {"credential": "credential", "health": "health", "bar": "life", "life": "left", "next": "next"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """How characters may look.

    Args:
        full: A full cell of a bar.
        empty: An empty one.
        cut: Ends a text that was cut.
        has_unicode: Whether symbols beyond ASCII can be written.
    """

    full: str
    empty: str
    cut: str
    has_unicode: bool


def drawn_for(console: Console) -> Drawn:
    """Return what the terminal's encoding can show."""
    if console.encoding.lower().startswith("utf"):
        return Drawn("\N{FULL BLOCK}", "\N{LIGHT SHADE}", "\N{HORIZONTAL ELLIPSIS}", has_unicode=True)
    return Drawn("#", ".", "~", has_unicode=False)


def table(credentials: Sequence[CredentialView], now: datetime, console: Console) -> Table:
    """Return a table of ``credentials``, worst first, that is no wider than the console."""
    marks = drawn_for(console)
    ordered = sorted(credentials, key=lambda one: (_HEALTHS.index(one.health), one.name))
    cells = {title: [cell(one, now, marks) for one in ordered] for title, cell in _CELLS.items()}
    widths = {title: max(len(_title(title)), *(text.cell_len for text in column)) for title, column in cells.items()}
    shown = fitting(widths, console.width)
    room = console.width - sum(widths[title] + GAP for title in shown if title != "credential")
    drawing = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for title in shown:
        justify: JustifyMethod = "right" if title == "gen" else "left"
        drawing.add_column(_title(title), no_wrap=True, justify=justify, overflow="crop")
    for number in range(len(ordered)):
        drawing.add_row(
            *(_cut(cells[t][number], room, marks) if t == "credential" else cells[t][number] for t in shown)
        )
    return drawing


def fitting(widths: Mapping[str, int], room: int) -> tuple[str, ...]:
    """Return the columns that fit into ``room``, in their order; the name and the health always stay."""
    shown = list(widths)
    for dropped in (None, *_DROPPED_FIRST):
        if dropped is not None:
            shown.remove(dropped)
        rest = sum(widths[title] + GAP for title in shown if title != "credential")
        if min(widths["credential"], SHORTEST_NAME) + rest <= room:
            break
    return tuple(shown)


def health_text(credential: CredentialView, marks: Drawn) -> Text:
    """Return a health as a symbol and a word."""
    look = LOOKS[credential.health]
    return Text(f"{look.symbol if marks.has_unicode else look.plain_symbol} {credential.health}", style=look.style)


def bar(left: Life, marks: Drawn) -> Text:
    """Return what is left of a life as a bar; empty space where nobody knows or it never ends."""
    if left.left is None:
        return Text(" " * BAR_CHARS)
    filled = round(left.left * BAR_CHARS)
    return Text.assemble((marks.full * filled, "red" if filled <= 1 else "green"), marks.empty * (BAR_CHARS - filled))


def _title(column: str) -> str:
    return _TITLES.get(column, column)


def _cut(text: Text, room: int, marks: Drawn) -> Text:
    if text.cell_len <= room:
        return text
    return Text(text.plain[: max(0, room - 1)] + marks.cut, style=text.style)


_CELLS: dict[str, Callable[[CredentialView, datetime, Drawn], Text]] = {
    "credential": lambda one, _now, _marks: Text(plain(one.name)),
    "health": lambda one, _now, marks: health_text(one, marks),
    "bar": lambda one, now, marks: bar(life(one, now), marks),
    "life": lambda one, now, _marks: Text(life(one, now).text),
    "next": lambda one, now, _marks: Text(upcoming(one, now)),
    "placed": lambda one, _now, _marks: Text(placed(one)),
    "gen": lambda one, _now, _marks: Text(str(one.generation or "-")),
}
