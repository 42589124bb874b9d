"""Writes many rows in few statements.

A driver hands each row of an ``executemany`` to the database on its own, and gives up the interpreter's lock each time;
while a rotation keeps the interpreter busy, that wait is most of the cost. So one statement carries many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import LargeBinary, Table

from rotator.store.tables import EPOCH

BATCHES = (250, 25, 1)
"""Rows a statement: few sizes, so that few texts are prepared. 250 rows of 13 columns are far below both databases'
limits of variables (SQLite 32,766, PostgreSQL 65,535)."""

_MICROSECOND = timedelta(microseconds=1)


class Upsert:
    """Inserts rows into one table, or replaces those whose key is there already.

    Columns of bytes are left alone: what is sealed is written on its own.

    Args:
        table: The table.
        mark: The driver's mark for a value: ``?`` or ``%s``.
    """

    def __init__(self, table: Table, mark: str) -> None:
        self._table = table
        self._names = [column.name for column in table.columns if not isinstance(column.type, LargeBinary)]
        self._marks = f"({', '.join([mark] * len(self._names))})"
        self._text: Callable[[int], str] = cache(self._render)

    def statements(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield the statements that write ``rows``, each with its values.

        Args:
            rows: One mapping a row, of every column's name but those of bytes.
        """
        first = 0
        for size in BATCHES:
            while len(rows) - first >= size:
                values = [value for row in rows[first : first + size] for value in self._values(row)]
                yield self._text(size), tuple(values)
                first += size

    def _values(self, row: Mapping[str, Any]) -> list[Any]:
        return [_plain(row[name]) for name in self._names]

    def _render(self, rows: int) -> str:
        key = [column.name for column in self._table.primary_key]
        changed = ", ".join(f"{name} = excluded.{name}" for name in self._names if name not in key)
        return (  # every name in it is one of our own tables'
            f"INSERT INTO {self._table.name} ({', '.join(self._names)}) "  # noqa: S608
            f"VALUES {', '.join([self._marks] * rows)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
        )


def _plain(value: Any) -> Any:
    """Return ``value`` as the drivers take it: an instant as `Instant` keeps it, a word of an enumeration as text."""
    if isinstance(value, datetime):
        return (value - EPOCH) // _MICROSECOND
    return value.value if isinstance(value, StrEnum) else value
