"""One way into both databases: engines, transactions, and the tables brought up to date."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from rotator.errors import ConfigError, StoreError
from rotator.store.reason import hint_for, reason_of
from rotator.store.tenure import Tenure

BUSY_TIMEOUT_SECONDS = 5
CONNECT_TIMEOUT_SECONDS = 10
TRANSACTION_SECONDS = 30.0
"""A transaction that takes longer is given up: the server is behind a broken network."""

CLOSE_SECONDS = 5.0
NEWER = "the state was made by a newer rotator than this one"
NEWER_HINT = "Run that version or newer, or restore a state from before the upgrade"
T = TypeVar("T")

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
_REFUSALS = (SQLAlchemyError, ValueError, OverflowError)
"""All that drivers raise: their own errors, and what they say of a value that is no text or no 64-bit number."""


class Database:
    """Transactions on one database. Make one with `open_database`.

    Args:
        engine: Its connections.
        tenure: Holds a PostgreSQL state, and writes; None for SQLite, whose lock is a file's.
    """

    def __init__(self, engine: AsyncEngine, tenure: Tenure | None) -> None:
        self._engine = engine
        self._tenure = tenure
        # SQLite's transactions see one moment by themselves.
        one_moment = {"isolation_level": "REPEATABLE READ"} if tenure is not None else {}
        self._readers = engine.execution_options(**one_moment)
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    async def read(self, action: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Return what ``action`` reads, in a transaction of its own: its queries see one moment.

        Raises:
            StoreError: The database does not serve.
        """
        if isinstance(self._engine.pool, StaticPool):  # one connection for all: readers take turns with the writer
            return await self.write(action)
        with self._told():
            async with asyncio.timeout(TRANSACTION_SECONDS), self._readers.begin() as connection:
                if self._tenure is None:
                    await connection.exec_driver_sql("BEGIN")  # the driver itself begins at the first change only
                return await action(connection)

    async def read_settled(self, action: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Return what ``action`` reads once no transaction of ours is under way, not even one that was given up.

        It has the turn of a writer: SQLite gives its lock to one writer at a time, and a PostgreSQL session that was
        lost has ended before the state is taken again.

        Raises:
            StoreError: The database does not serve.
        """

        async def settled(connection: AsyncConnection) -> T:
            if self._tenure is None:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            return await action(connection)

        return await self.write(settled)

    async def write(self, action: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Have ``action`` write in a transaction, one at a time. Cancelling the caller does not interrupt it half-way.

        Raises:
            StoreError: The database does not serve. Nothing was changed, unless only the answer to the commit was lost.
        """
        task = asyncio.ensure_future(self._write(action))
        self._running.add(task)
        task.add_done_callback(self._end)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Let go of the database, for good; what is being written is waited for, shortly. Safe to repeat."""
        self._is_closed = True
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_SECONDS)
        if self._tenure is not None:
            await self._tenure.close()
        await self._engine.dispose()

    async def _write(self, action: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        with self._told():
            async with self._turn, asyncio.timeout(TRANSACTION_SECONDS), self._way() as connection:
                return await action(connection)

    def _way(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._tenure.writing() if self._tenure is not None else self._engine.begin()

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # the caller raises it; one who was cancelled does not, and nobody else misses it

    @contextmanager
    def _told(self) -> Iterator[None]:
        if self._is_closed:
            raise StoreError("the state: it is closed; the daemon is stopping")
        try:
            yield
        except TimeoutError as error:
            raise StoreError(f"the state: no answer within {TRANSACTION_SECONDS:g} s", hint=hint_for("")) from error
        except _REFUSALS as error:
            reason = reason_of(error)
            # PostgreSQL quotes the whole row when a value is refused; that stays out of the chain.
            behind = error if isinstance(error, OperationalError) else None
            raise StoreError(f"the state: {reason}", hint=hint_for(reason)) from behind


async def open_database(url: str, holder: str) -> Database:
    """Open the database at ``url``, take it if it is PostgreSQL, and bring its tables up to date.

    Args:
        url: ``sqlite:////path``, ``sqlite://`` (memory) or ``postgresql://...``.
        holder: Who we are, for others who find the state taken.

    Raises:
        ConfigError: It cannot be opened, is not a database, is damaged, was made by a newer rotator, or is in use.
    """
    parsed = parse_url(url)
    shown = parsed.set(query={}).render_as_string()
    if parsed.drivername == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        _make_file(Path(str(parsed.database)), shown)
    engine = _engine(parsed, holder)
    tenure = Tenure(engine, holder) if parsed.drivername == "postgresql" else None
    database = Database(engine, tenure)
    try:
        await (tenure.take(_migrate) if tenure is not None else _check_and_migrate(engine))
    except (SQLAlchemyError, OSError) as error:
        await database.close()
        reason = reason_of(error) if isinstance(error, SQLAlchemyError) else str(error.strerror or "no answer")
        hint = hint_for(reason).replace("FILE", str(parsed.database))
        raise ConfigError([f"state {shown}: {reason}"], hint=hint) from error
    except ConfigError:
        await database.close()
        raise
    return database


def parse_url(url: str) -> URL:
    """Return ``url`` taken apart; ConfigError where it is none of a database that we know, without its text."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None:  # raised here, so that the text of the URL is in no chain
        raise ConfigError(["store.url: not a database URL"])
    if parsed.drivername not in _DRIVERS:
        raise ConfigError([f"store.url: {parsed.drivername} is not supported; use {' or '.join(_DRIVERS)}"])
    return parsed


def _make_file(path: Path, shown: str) -> None:
    """Make the file with mode 0600 where there is none; SQLite would ask the umask, and say less of what is wrong."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            [f"state {shown}: {error.strerror}"],
            hint="The directory must exist, and the daemon's user must be able to write in it",
        ) from error
    is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
    os.close(descriptor)
    if not is_file:
        raise ConfigError([f"state {shown}: not a regular file"], hint="Give store.url a path of its own")


def _engine(url: URL, holder: str) -> AsyncEngine:
    driver = url.set(drivername=_DRIVERS[url.drivername])
    if url.drivername == "postgresql":
        who: dict[str, Any] = {"application_name": holder, "connect_timeout": CONNECT_TIMEOUT_SECONDS}
        return create_async_engine(driver, pool_size=4, pool_pre_ping=True, hide_parameters=True, connect_args=who)
    how = {"timeout": BUSY_TIMEOUT_SECONDS}
    # Every transaction here ends by itself; a rollback more, on return to the pool, is a thread switch for nothing.
    engine = create_async_engine(driver, hide_parameters=True, connect_args=how, pool_reset_on_return=None)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def _check_and_migrate(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        found = (await connection.exec_driver_sql("PRAGMA quick_check(1)")).scalar_one()
    if found != "ok":
        raise DatabaseError(None, None, ValueError("quick_check: the file is malformed"))
    async with engine.begin() as connection:
        # The driver's own transactions leave out DDL: a crash amid a migration would leave half of it.
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        await connection.run_sync(_migrate)


def migrations() -> AlembicConfig:
    """Return where the steps are that lead to our tables."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _migrate(connection: Connection) -> None:
    config = migrations()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigError([NEWER], hint=NEWER_HINT) from error
