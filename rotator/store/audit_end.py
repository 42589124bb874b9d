"""Where the audit's chain ends: kept beside it under the same key, so that records cut off at its end are missed.

One row as a rule, which moves with the newest record. Where it was not right any more when the next record was written,
it is left as it was found and a further one is begun, so that what had happened is still found afterwards. Each row's
MAC covers the row's number, so that none can be taken away unseen but all of them; and a record says by its own digest
that there must be one.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rotator.store import tables


@dataclass(frozen=True, slots=True)
class End:
    """An end that the chain had.

    Args:
        id: From 1, without gaps.
        number: Of the last record then.
        digest: Of that record.
        mac: Keyed digest over the three.
    """

    id: int
    number: int
    digest: bytes
    mac: bytes


class Ends:
    """Makes and checks ends.

    Args:
        keys: The installation's own keys, newest first. Secret.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = [hmac.digest(key, b"rotator audit end v1", "sha256") for key in keys]

    def make(self, end_id: int, number: int, digest: bytes) -> End:
        """Return the end at record ``number``."""
        return End(end_id, number, digest, _mac(self._keys[0], end_id, number, digest))

    def fits(self, end: End) -> bool:
        """Return whether one of the keys made ``end``."""
        return any(hmac.compare_digest(_mac(key, end.id, end.number, end.digest), end.mac) for key in self._keys)


def why_wrong(ends: Ends, kept: Sequence[End], number: int, digests: dict[int, bytes]) -> tuple[int, str] | None:
    """Return at which record the end is wrong, and why; None when it is right. Pure.

    Args:
        ends: Checks them.
        kept: Those that are kept, in their order; at least one.
        number: Of the last record there is.
        digests: Of the records that ``kept`` are about, as far as there are such.
    """
    for expected, end in enumerate(kept, start=1):
        if end.id != expected or not ends.fits(end):
            return number + 1, "what is kept of where the audit ends is not as it was written"
        if end.number > number:
            return number + 1, f"the newest are missing: the audit ended with record {end.number} once"
        if digests.get(end.number) != end.digest:
            return end.number, "it is not the one that was written there: the newest were cut off, and others followed"
    return None


async def read_ends(connection: AsyncConnection) -> list[End]:
    """Return the ends that are kept, in their order."""
    rows = await connection.execute(select(tables.audit_ends).order_by(tables.audit_ends.c.id))
    return [End(row.id, row.number, row.digest, row.mac) for row in rows]


async def move_end(
    connection: AsyncConnection, ends: Ends, kept: Sequence[End], last: Row[Any] | None, new: tuple[int, bytes]
) -> None:
    """Keep where the chain ends now, in the transaction that makes it longer.

    Args:
        connection: In that transaction.
        ends: Makes them.
        kept: Those that are kept.
        last: The last record before; None for none.
        new: Number and digest of the last record now.
    """
    table, newest = tables.audit_ends, kept[-1] if kept else None
    if newest is not None and last is not None and ends.fits(newest) and _is_at(newest, last):
        end = ends.make(newest.id, *new)
        await connection.execute(update(table).where(table.c.id == end.id).values(_columns(end)))
        return
    await connection.execute(insert(table).values(_columns(ends.make(newest.id + 1 if newest else 1, *new))))


async def keep_that_it_was_lost(connection: AsyncConnection) -> End:
    """Keep that there should have been an end and was none: one that nothing fits. Return it."""
    lost = End(1, 0, b"", b"")
    await connection.execute(insert(tables.audit_ends).values(_columns(lost)))
    return lost


def _is_at(end: End, last: Row[Any]) -> bool:
    return bool((end.number, end.digest) == (last.number, last.digest))


def _columns(end: End) -> dict[str, Any]:
    return {"id": end.id, "number": end.number, "digest": end.digest, "mac": end.mac}


def _mac(key: bytes, end_id: int, number: int, digest: bytes) -> bytes:
    return hmac.digest(key, f"{end_id} {number} ".encode() + digest, "sha256")
