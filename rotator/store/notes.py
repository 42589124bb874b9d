"""What destinations of notifications were told, kept over a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rotator.domain.note import Note
from rotator.store import tables


async def read_notes(connection: AsyncConnection) -> Sequence[Note]:
    """Return every note that is kept."""
    found = await connection.execute(select(tables.notes))
    return [Note(**cast("dict[str, Any]", dict(row._mapping))) for row in found]  # noqa: SLF001 (SQLAlchemy's public name)


async def replace_notes(connection: AsyncConnection, destination: str, notes: Sequence[Note]) -> None:
    """Write ``notes`` in the place of those that are kept for ``destination``."""
    await connection.execute(delete(tables.notes).where(tables.notes.c.destination == destination))
    if notes:
        await connection.execute(insert(tables.notes), [asdict(note) for note in notes])
