"""The installation's own key, and what is sealed kept under the newest seal key.

Fingerprints and the audit's chain must stay comparable for years, and the seal key must be replaceable: so they are
keyed with a key of their own, which lies in the state and is sealed like everything else there.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rotator.errors import PermanentError
from rotator.secret import Secret
from rotator.store import tables
from rotator.store.seal import Sealer, label_of


async def take_own_keys(connection: AsyncConnection, sealer: Sealer, first: bytes) -> list[bytes]:
    """Return the installation's own keys, newest first; those that no seal key opens are left alone, and left out.

    Args:
        connection: In a transaction.
        sealer: Opens them.
        first: Becomes the own key where there is none, or none opens: the seal key that it was made with, so that
            whoever empties the table gains nothing by it.
    """
    table = tables.own_keys
    rows = (await connection.execute(select(table).order_by(table.c.number.desc()))).all()
    opened = [key for row in rows if (key := _opened(sealer, row)) is not None]
    if opened:
        return opened
    number = rows[0].number + 1 if rows else 1
    sealed = sealer.seal(Secret(base64.b64encode(first).decode()), _label(number))
    await connection.execute(insert(table).values(number=number, sealed=sealed))
    return [first]


async def reseal(connection: AsyncConnection, sealer: Sealer) -> int:
    """Seal with the newest key what an older one sealed; return how many that were. Safe to repeat.

    What no key opens is left as it is: its key may be put back.
    """
    versions, keys = tables.versions, tables.own_keys
    secrets = await _stale(connection, sealer, versions, lambda row: label_of(row.credential, row.generation))
    for row, sealed in secrets:
        place = (versions.c.credential == row.credential, versions.c.generation == row.generation)
        await connection.execute(update(versions).where(*place).values(sealed=sealed))
    own = await _stale(connection, sealer, keys, lambda row: _label(row.number))
    for row, sealed in own:
        await connection.execute(update(keys).where(keys.c.number == row.number).values(sealed=sealed))
    return len(secrets) + len(own)


async def _stale(
    connection: AsyncConnection, sealer: Sealer, table: Table, label: Any
) -> Sequence[tuple[Row[Any], bytes]]:
    """Return each row that an older key sealed, and its secret sealed with the newest."""
    rows = (await connection.execute(select(table).where(table.c.sealed.is_not(None)))).all()
    found = ((row, sealer.resealed(row.sealed, label(row))) for row in rows)
    return [(row, sealed) for row, sealed in found if sealed is not None]


def _opened(sealer: Sealer, row: Row[Any]) -> bytes | None:
    try:
        return base64.b64decode(sealer.open(row.sealed, _label(row.number)).reveal())
    except PermanentError:
        return None


def _label(number: int) -> str:
    """Return what an own key is sealed for; no credential has a space in its name."""
    return f"own key:{number}"
