"""The audit's chain: each record's digest covers the one before, so that none can be changed, dropped or moved.

The digest is keyed with a key that lies sealed in the state: whoever can write the database, but not read the seal
key, cannot make the chain right again. Where it ends is kept beside it, under that key too, so that what is dropped at
its very end is found (`rotator.store.audit_end`). An older end, put back together with the records up to it, is right
in itself; a number that went back, in the metrics or in an exported copy, tells.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Select, case, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rotator.domain.audit import INTENT, OVER, AuditRecord, AuditVerdict, ChainedRecord, canonical
from rotator.store import tables
from rotator.store.audit_end import End, Ends, keep_that_it_was_lost, move_end, read_ends, why_wrong

PAGE = 1000
"""Records read at once while the chain is checked."""

START = b""
"""What the first record's digest covers in place of the one before."""


class Chain:
    """Makes and checks digests.

    Args:
        keys: The installation's own keys, newest first: records are chained with the newest, and checked with
            whichever fits.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = [hmac.digest(key, b"rotator audit v2", "sha256") for key in keys]
        self._first_keys = [hmac.digest(key, b"rotator audit v1", "sha256") for key in keys]
        self.ends = Ends(keys)

    def digest(self, before: bytes, number: int, record: AuditRecord) -> bytes:
        """Return the digest of a new record."""
        return _digest(self._keys[0], before, number, record)

    def fits(self, before: bytes, number: int, record: AuditRecord, digest: bytes) -> bool:
        """Return whether ``digest`` is what one of the keys makes of the record and the one before it."""
        made = (_digest(key, before, number, record) for key in (*self._keys, *self._first_keys))
        return any(hmac.compare_digest(one, digest) for one in made)

    def has_end(self, before: bytes, number: int, record: AuditRecord, digest: bytes) -> bool:
        """Return whether a record is of the time since the chain's end is kept, so that there must be one."""
        made = (_digest(key, before, number, record) for key in self._keys)
        return any(hmac.compare_digest(one, digest) for one in made)


def _digest(key: bytes, before: bytes, number: int, record: AuditRecord) -> bytes:
    return hmac.digest(key, before + canonical(number, record), "sha256")


async def append(connection: AsyncConnection, chain: Chain, records: Sequence[AuditRecord]) -> None:
    """Write ``records`` to the end of the chain, in the transaction that does what they tell of."""
    if not records:
        return
    ends = await read_ends(connection)
    found = (await connection.execute(newest(1 if ends else 2))).all()
    last = found[0] if found else None
    if last is not None and not ends:
        before_it = found[1].digest if len(found) > 1 else START
        if chain.has_end(before_it, last.number, _record(last), last.digest):
            ends = [await keep_that_it_was_lost(connection)]
    number, before = (last.number, last.digest) if last is not None else (0, START)
    rows = []
    for number, record in enumerate(records, start=number + 1):  # noqa: B020 (it goes on from the last one)
        before = chain.digest(before, number, record)
        rows.append({"number": number, **_columns(record), "digest": before})
    await connection.execute(insert(tables.audit), rows)
    await move_end(connection, chain.ends, ends, last, (number, before))


def page_after(number: int, limit: int = PAGE) -> Select[Any]:
    """Return the query for the records after ``number``, oldest first."""
    return select(tables.audit).where(tables.audit.c.number > number).order_by(tables.audit.c.number).limit(limit)


def newest(limit: int, credential: str | None = None) -> Select[Any]:
    """Return the query for the newest records, newest first; of all credentials when ``credential`` is None."""
    query = select(tables.audit).order_by(tables.audit.c.number.desc()).limit(limit)
    return query if credential is None else query.where(tables.audit.c.credential == credential)


def leaks_not_over() -> Select[Any]:
    """Return the query for the credentials that a leak was reported of, and since then not that it is over."""
    audit = tables.audit.c
    reported = func.max(case((audit.outcome == INTENT, audit.number)))
    over = func.coalesce(func.max(case((audit.outcome == OVER, audit.number))), 0)
    of = select(audit.credential).where(audit.action == "leak").group_by(audit.credential)
    return of.having(reported > over).order_by(audit.credential)


def count() -> Select[Any]:
    """Return the query for the number of records."""
    return select(func.count()).select_from(tables.audit)


def chained_of(row: Row[Any]) -> ChainedRecord:
    """Return the record in ``row``."""
    return ChainedRecord(row.number, _record(row), row.digest.hex())


class Check:
    """Checks the chain, page by page.

    Args:
        chain: Checks digests.
        ends: Where it ended, read before the first page: records may be added meanwhile.
    """

    def __init__(self, chain: Chain, ends: Sequence[End]) -> None:
        self._chain = chain
        self._ends = ends
        self._before = START
        self._at_ends: dict[int, bytes] = {}
        self._has_end = False
        self.number = 0
        self.verdict: AuditVerdict | None = None

    def take(self, rows: Sequence[Row[Any]]) -> None:
        """Look at the next records; `verdict` is set as soon as something is wrong."""
        wanted = {end.number for end in self._ends}
        self._at_ends |= {row.number: row.digest for row in rows if row.number in wanted}
        for why in filter(None, self._faults(rows)):
            self.verdict = AuditVerdict(self.number, self.number + 1, why)
            return

    def end(self) -> AuditVerdict:
        """Return what was found."""
        if self.verdict is not None:
            return self.verdict
        if not self._ends:
            why = "what is kept of where the audit ends is missing"
            return AuditVerdict(self.number, self.number + 1, why) if self._has_end else AuditVerdict(self.number)
        wrong = why_wrong(self._chain.ends, self._ends, self.number, self._at_ends)
        return AuditVerdict(self.number) if wrong is None else AuditVerdict(wrong[0] - 1, *wrong)

    def _faults(self, rows: Sequence[Row[Any]]) -> Iterator[str]:
        for row in rows:
            expected = self.number + 1
            if row.number != expected:
                yield f"record {expected} is missing: the next one is {row.number}"
                return
            if not self._chain.fits(self._before, row.number, _record(row), row.digest):
                yield f"record {row.number} is not as it was written, or the one before it is not"
                return
            self._has_end = self._chain.has_end(self._before, row.number, _record(row), row.digest)
            self.number, self._before = row.number, row.digest


_FIELDS = ("at", "actor", "action", "credential", "outcome", "message", "generation", "rotation", "subject")


def _columns(record: AuditRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _FIELDS}


def _record(row: Row[Any]) -> AuditRecord:
    return AuditRecord(**{name: getattr(row, name) for name in _FIELDS})
