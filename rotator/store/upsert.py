"""Writes many rows in few statements.

A driver hands each row of an ``executemany`` to the database on its own, and gives up the interpreter's lock each time;
while a rotation keeps the interpreter busy, that wait is most of the cost. So one statement carries many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import cache
from itertools import chain
from typing import Any, Generic, TypeVar

from sqlalchemy import Table

from rotator.store.tables import EPOCH, Instant

Value = TypeVar("Value")

BATCHES = (250, 25, 1)
"""Rows a statement: few sizes, so that few texts are prepared. 250 rows of 13 columns are far below both databases'
limits of variables (SQLite 32,766, PostgreSQL 65,535)."""

_MICROSECOND = timedelta(microseconds=1)


class Upsert(Generic[Value]):
    """Inserts values into one table, or replaces those whose key is there already.

    Columns that are not named are left alone: what is sealed is written on its own.

    Args:
        table: The table.
        columns: The names of the columns that are written.
        row: Returns the columns of a value, in that order.
        mark: The driver's mark for a column of a row: ``?`` or ``%s``.
    """

    def __init__(
        self, table: Table, columns: Sequence[str], row: Callable[[Value], tuple[Any, ...]], *, mark: str
    ) -> None:
        self._table = table
        self._columns = columns
        self._row = row
        self._marks = f"({', '.join([mark] * len(columns))})"
        self._instants = [index for index, name in enumerate(columns) if isinstance(table.c[name].type, Instant)]
        self._text: Callable[[int], str] = cache(self._render)

    def statements(self, values: Sequence[Value]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield the statements that write ``values``, each with its parameters."""
        first = 0
        for size in BATCHES:
            while len(values) - first >= size:
                rows = map(self._plain, values[first : first + size])
                yield self._text(size), tuple(chain.from_iterable(rows))
                first += size

    def _plain(self, value: Value) -> list[Any]:
        """Return the columns of ``value`` as the drivers take them: an instant as `Instant` keeps it."""
        row = list(self._row(value))
        for index in self._instants:
            if row[index] is not None:
                row[index] = (row[index] - EPOCH) // _MICROSECOND
        return row

    def _render(self, rows: int) -> str:
        key = [column.name for column in self._table.primary_key]
        changed = ", ".join(f"{name} = excluded.{name}" for name in self._columns if name not in key)
        return (  # every name in it is one of our own tables'
            f"INSERT INTO {self._table.name} ({', '.join(self._columns)}) "  # noqa: S608
            f"VALUES {', '.join([self._marks] * rows)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
        )
