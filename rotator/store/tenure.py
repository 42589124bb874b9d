"""One daemon per PostgreSQL state: a lock that lives and dies with the very connection that writes.

Whoever holds the lock writes through the session that holds it, so a server that drops the session (and lets another
daemon in) drops the write with it: there is no moment in which the first believes to hold what it lost. A session that
broke is taken again, but only if nobody held the state in between, since what this process remembers would be stale
then. Source: https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS (read 2026-11-23).
A pooler between us and the server (PgBouncer in transaction mode) voids session locks and is not supported.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rotator.errors import ConfigError, StoreError
from rotator.store import tables

LOCK_CLASS = 0x726F7461
"""The first half of the lock's key, ``rota`` in ASCII; the second is the schema, so that schemas do not collide."""

LOCK_WAIT = "3s"
"""A session whose process was killed takes the server a moment to notice."""

_OBJECT = "hashtext(current_schema())"
_TAKE = text(f"SELECT pg_advisory_lock({LOCK_CLASS}, {_OBJECT})")
_HOLDER = text(
    "SELECT a.application_name, a.pid, coalesce(host(a.client_addr), 'this machine'),"  # noqa: S608 (constants)
    " to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')"
    " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND l.classid = {LOCK_CLASS} AND l.objid = ({_OBJECT}::bigint & 4294967295)::oid"
)


class Tenure:
    """Holds one PostgreSQL state for this process.

    Args:
        engine: Where the state is.
        holder: Who we are, for the next one who asks.
    """

    def __init__(self, engine: AsyncEngine, holder: str) -> None:
        self._engine = engine
        self._holder = holder
        self._connection: AsyncConnection | None = None
        self._epoch = 0

    async def take(self, prepare: Callable[[Connection], None]) -> None:
        """Take the state, and have ``prepare`` bring its tables up to date. Call once.

        Raises:
            ConfigError: Another process holds it, named. SQLAlchemyError: The database does not serve.
        """
        self._connection = await self._engine.connect()
        other = await _lock(self._connection)
        if other:
            await self.close()
            raise ConfigError(
                [f"the state {self._engine.url.set(query={}).render_as_string()} is in use by {other}"],
                hint="Only one daemon may run on one state. Stop that one first, or give this one another store.url",
            )
        async with self._connection.begin():
            await self._connection.run_sync(prepare)
        async with self._connection.begin():
            self._epoch = await _next_epoch(self._connection, self._holder)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Yield the connection that holds the state, in a transaction.

        Raises:
            StoreError: Another process holds the state, or held it while our session was lost.
        """
        connection = self._connection
        if connection is None or connection.invalidated or connection.closed:
            connection = await self._again()
        async with connection.begin():
            yield connection

    async def close(self) -> None:
        """Let go of the state. Safe to repeat."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await _end(connection)

    async def _again(self) -> AsyncConnection:
        """Take the lock on a new session and see that we were the last who held it."""
        await self.close()
        connection = await self._engine.connect()
        try:
            await self._succeed_ourselves(connection)
        except BaseException:
            await _end(connection)
            raise
        self._connection = connection  # only now: whatever writes through it holds the lock
        return connection

    async def _succeed_ourselves(self, connection: AsyncConnection) -> None:
        other = await _lock(connection)
        if other:
            raise StoreError(f"the state: the session was lost, and the state is in use by {other}", hint=_RESTART)
        async with connection.begin():
            found = (await connection.execute(select(tables.tenures.c.epoch, tables.tenures.c.holder))).one_or_none()
        if found is None or found.epoch != self._epoch:
            holder = found.holder if found is not None else "an unknown process"
            raise StoreError(f"the state: the session was lost, and {holder} changed the state since", hint=_RESTART)


_RESTART = "Only one daemon may run on one state. Stop the other one, then restart this one"


async def _end(connection: AsyncConnection) -> None:
    """End the session itself, and its lock with it, instead of handing it back for somebody else's use."""
    await connection.invalidate()
    await connection.close()


async def _lock(connection: AsyncConnection) -> str:
    """Take the lock for the session; return who has it instead, empty when it was taken."""
    try:
        async with connection.begin():
            await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
            await connection.execute(_TAKE)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != "55P03":  # lock_not_available
            raise
    else:
        return ""
    async with connection.begin():
        return await connection.run_sync(holder_of) or "another process"


def holder_of(connection: Connection) -> str:
    """Return who holds the state of a PostgreSQL database; empty when nobody does, or it does not say who it is."""
    found = connection.execute(_HOLDER).first()
    if found is None or not found[0]:
        return ""
    name, pid, address, since = found
    return f"{name} (server process {pid}, from {address}, since {since} UTC)"


async def _next_epoch(connection: AsyncConnection, holder: str) -> int:
    table = tables.tenures
    statement = insert(table).values(id=1, epoch=1, holder=holder)
    changed = {"epoch": table.c.epoch + 1, "holder": holder}
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))
    epoch: int = (await connection.execute(select(table.c.epoch))).scalar_one()
    return epoch
