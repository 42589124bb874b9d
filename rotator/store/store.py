"""The store over SQLAlchemy: one code for SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError
from sqlalchemy import Connection, Row, Select, Table, delete, event, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from rotator.domain.model import NEVER, Delivery, DeliveryState, Expiry, Record, Stage, Version
from rotator.domain.rotation import Rotation, State, Step
from rotator.errors import ConfigError, NotFoundError, StoreError
from rotator.ports import Changes, Snapshot
from rotator.secret import Secret
from rotator.store import tables
from rotator.store.seal import Sealer

BUSY_TIMEOUT_SECONDS = 5
ROWS_PER_STATEMENT = 500
KEPT_ROTATIONS = 200
LIVE_STAGES = (Stage.PENDING, Stage.CURRENT, Stage.PREVIOUS)
LIVE_STATES = (State.RUNNING, State.DELIVERING)
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


class SqlStore:
    """A `rotator.ports.Store` in a relational database. Make one with `open_store`."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer) -> None:
        self._engine = engine
        self._sealer = sealer
        self._writing = asyncio.Lock()
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = cast("Callable[[Table], Any]", dialect.insert)

    async def load(self) -> Snapshot:
        """Return all that is live."""
        versions = select(tables.versions).where(tables.versions.c.stage.in_(LIVE_STAGES))
        newest = select(func.max(tables.rotations.c.id)).group_by(tables.rotations.c.credential)
        rotations = select(tables.rotations).where(
            tables.rotations.c.state.in_(LIVE_STATES) | tables.rotations.c.id.in_(newest)
        )
        return Snapshot(
            records=[_record(row) for row in await self._rows(select(tables.credentials))],
            versions=[_version(row) for row in await self._rows(versions)],
            rotations=[_rotation(row) for row in await self._rows(rotations.order_by(tables.rotations.c.id))],
            deliveries=[_delivery(row) for row in await self._rows(select(tables.deliveries))],
        )

    async def commit(self, changes: Changes) -> None:
        """Write ``changes`` in one transaction."""
        async with self._writing, self._transaction() as connection:
            await self._upsert(connection, tables.credentials, [_plain(record) for record in changes.records])
            await self._upsert(connection, tables.versions, [_version_row(version) for version in changes.versions])
            await self._seal(connection, changes)
            await self._upsert(connection, tables.rotations, [_rotation_row(item) for item in changes.rotations])
            await self._upsert(connection, tables.deliveries, [_plain(delivery) for delivery in changes.deliveries])
            for target, placement, credential in changes.removed:
                await connection.execute(
                    delete(tables.deliveries).where(
                        tables.deliveries.c.target == target,
                        tables.deliveries.c.placement == placement,
                        tables.deliveries.c.credential == credential,
                    )
                )

    async def secret(self, credential: str, generation: int) -> Secret:
        """Return the secret of a version."""
        rows = await self._rows(select(tables.versions.c.sealed).where(*_key(credential, generation)))
        if not rows or rows[0].sealed is None:
            raise NotFoundError(f"{credential}: the secret of generation {generation} is not kept any more")
        return self._sealer.open(rows[0].sealed, _label(credential, generation))

    async def versions(self, credential: str) -> Sequence[Version]:
        """Return every version of ``credential``, newest first."""
        table = tables.versions
        query = select(table).where(table.c.credential == credential).order_by(table.c.generation.desc()).limit(100)
        return [_version(row) for row in await self._rows(query)]

    async def rotation(self, rotation_id: str) -> Rotation:
        """Return one rotation."""
        rows = await self._rows(select(tables.rotations).where(tables.rotations.c.id == rotation_id))
        if not rows:
            raise NotFoundError(f"no rotation has the id {rotation_id}")
        return _rotation(rows[0])

    async def rotations(self, credential: str | None, limit: int) -> Sequence[Rotation]:
        """Return the newest rotations, newest first."""
        query = select(tables.rotations).order_by(tables.rotations.c.id.desc()).limit(limit)
        if credential is not None:
            query = query.where(tables.rotations.c.credential == credential)
        return [_rotation(row) for row in await self._rows(query)]

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()

    async def prune(self, credential: str) -> None:
        """Forget all but the newest rotations of ``credential``."""
        table = tables.rotations
        newest = select(table.c.id).where(table.c.credential == credential).order_by(table.c.id.desc())
        async with self._writing, self._transaction() as connection:
            await connection.execute(
                delete(table).where(table.c.credential == credential, table.c.id.not_in(newest.limit(KEPT_ROTATIONS)))
            )

    async def _seal(self, connection: AsyncConnection, changes: Changes) -> None:
        for (credential, generation), secret in changes.secrets.items():
            sealed = self._sealer.seal(secret, _label(credential, generation))
            await connection.execute(update(tables.versions).where(*_key(credential, generation)).values(sealed=sealed))
        for version in changes.versions:
            if version.stage not in LIVE_STAGES:
                key = _key(version.credential, version.generation)
                await connection.execute(update(tables.versions).where(*key).values(sealed=None))

    async def _upsert(self, connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
        for first in range(0, len(rows), ROWS_PER_STATEMENT):
            statement = self._insert(table)
            key = [column.name for column in table.primary_key]
            changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
            await connection.execute(
                statement.on_conflict_do_update(index_elements=key, set_=changed),
                rows[first : first + ROWS_PER_STATEMENT],
            )

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        async with self._transaction() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"the state: {reason_of(error)}", hint=_MEND) from error


_MEND = "Look at the disk (full, read-only, permissions) and at who else has the database open; nothing was changed"


def reason_of(error: SQLAlchemyError) -> str:
    """Return what the database said, in its own first line; statements and their values are left out."""
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(origin).strip().splitlines()[0][:200] if str(origin).strip() else type(origin).__name__


async def open_store(url: str, sealer: Sealer) -> SqlStore:
    """Open the store at ``url``, bringing its tables up to date.

    Args:
        url: ``sqlite:////path``, ``sqlite://`` (memory) or ``postgresql://...``.
        sealer: Seals and opens the secrets in it.

    Raises:
        ConfigError: It cannot be opened, is not a database, is damaged, or was made by a newer rotator.
    """
    engine = _engine(url)
    store = SqlStore(engine, sealer)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
    except (SQLAlchemyError, OSError) as error:
        await engine.dispose()
        reason = reason_of(error) if isinstance(error, SQLAlchemyError) else error.strerror
        raise ConfigError([f"state {make_url(url).render_as_string()}: {reason}"], hint=_hint(str(reason))) from error
    return store


def _engine(url: str) -> AsyncEngine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(["store.url: not a database URL"]) from error
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise ConfigError([f"store.url: {parsed.drivername} is not supported; use {' or '.join(_DRIVERS)}"])
    if parsed.drivername == "postgresql":
        return create_async_engine(parsed.set(drivername=driver), pool_size=4, pool_pre_ping=True)
    engine = create_async_engine(parsed.set(drivername=driver), connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(connection: Connection) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigError(
            ["the state was made by a newer rotator than this one"],
            hint="Run that version or newer, or restore a state from before the upgrade",
        ) from error


def _hint(reason: str) -> str:
    if "not a database" in reason or "malformed" in reason:
        return (
            "The file is damaged. Move it (and its -wal and -shm) aside, or restore a backup; with a new state every "
            "credential is issued anew and no target is touched before the new version was verified"
        )
    if "locked" in reason:
        return "Another process has it open; find it with: fuser -v FILE"
    return _MEND


def _label(credential: str, generation: int) -> str:
    return f"{credential}:{generation}"


def _key(credential: str, generation: int) -> tuple[Any, Any]:
    return (tables.versions.c.credential == credential, tables.versions.c.generation == generation)


def _columns(row: Row[Any]) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", row._mapping))  # noqa: SLF001 (SQLAlchemy's public name for it)


def _plain(value: Record | Version | Rotation | Delivery) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _record(row: Row[Any]) -> Record:
    return Record(**_columns(row))


def _version(row: Row[Any]) -> Version:
    columns = _columns(row)
    del columns["sealed"]
    expires_at, never = columns.pop("expires_at"), columns.pop("never_expires")
    columns["stage"] = Stage(columns["stage"])
    return Version(expiry=NEVER if never else Expiry(expires_at), **columns)


def _version_row(version: Version) -> dict[str, Any]:
    columns = _plain(version)
    del columns["expiry"]
    return {**columns, "expires_at": version.expiry.at, "never_expires": version.expiry.never}


def _rotation(row: Row[Any]) -> Rotation:
    columns = _columns(row)
    columns["step"], columns["state"] = Step(columns["step"]), State(columns["state"])
    return Rotation(by=columns.pop("requested_by"), **columns)


def _rotation_row(rotation: Rotation) -> dict[str, Any]:
    columns = _plain(rotation)
    columns["requested_by"] = columns.pop("by")
    return columns


def _delivery(row: Row[Any]) -> Delivery:
    columns = _columns(row)
    columns["state"] = DeliveryState(columns["state"])
    return Delivery(**columns)
