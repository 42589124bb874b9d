"""The store over SQLAlchemy: one code for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Any

from sqlalchemy import Delete, Row, Select, Table, and_, bindparam, delete, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rotator.domain.audit import AuditVerdict, ChainedRecord
from rotator.domain.model import Stage, Version
from rotator.domain.note import Note
from rotator.domain.rotation import ENDED, Rotation, State
from rotator.errors import NotFoundError, PermanentError
from rotator.ports import Changes, Snapshot
from rotator.secret import Secret
from rotator.store import rows, tables
from rotator.store.audit import Chain, Check, append, chained_of, leaks_not_over, newest, page_after
from rotator.store.audit_end import read_ends
from rotator.store.database import Database, open_database
from rotator.store.notes import read_notes, replace_notes
from rotator.store.own_keys import reseal, take_own_keys
from rotator.store.seal import Sealer, label_of
from rotator.store.upsert import Upsert

KEPT_ROTATIONS = 200
"""Of one credential, among those that ended."""
KEPT_DEAD_VERSIONS = 50
"""Of one credential, retired or abandoned."""

KEPT_SAMPLES = 500
"""Of one credential at one registry: 41 hours at the default interval, several windows of any known limit."""

LISTED_VERSIONS = 100
LIVE_STAGES = (Stage.PENDING, Stage.CURRENT, Stage.PREVIOUS)
LIVE_STATES = (State.RUNNING, State.DELIVERING)


class SqlStore:
    """A `rotator.ports.Store` in a relational database. Make one with `open_store`.

    What ended long ago is forgotten in the transaction that ends the next: of each credential the newest
    `KEPT_ROTATIONS` rotations and `KEPT_DEAD_VERSIONS` dead versions stay, those that a placement still holds, and
    `KEPT_SAMPLES` samples of its headroom.

    Args:
        database: Where.
        sealer: Seals and opens the secrets in it.
        own_keys: The installation's own, newest first. ``own_key`` is the one to make fingerprints with. Secret.
        resealed: How many secrets were sealed anew, under a new key, as it was opened.
    """

    def __init__(self, database: Database, sealer: Sealer, own_keys: Sequence[bytes], resealed: int) -> None:
        self._database = database
        self._chain = Chain(own_keys)
        self.own_key = own_keys[0]
        self.resealed = resealed
        self._sealer = sealer
        mark = "%s" if database.dialect == "postgresql" else "?"
        self._records = Upsert(tables.credentials, rows.RECORD_COLUMNS, rows.record_row, mark=mark)
        self._versions = Upsert(tables.versions, rows.VERSION_COLUMNS, rows.version_row, mark=mark)
        self._rotations = Upsert(tables.rotations, rows.ROTATION_COLUMNS, rows.rotation_row, mark=mark)
        self._deliveries = Upsert(tables.deliveries, rows.DELIVERY_COLUMNS, rows.delivery_row, mark=mark)
        self._samples = Upsert(tables.headroom_samples, rows.SAMPLE_COLUMNS, rows.sample_row, mark=mark)

    async def load(self) -> Snapshot:
        """Return all that is live, as of one moment, and after every commit of ours: see `Database.read_settled`."""
        versions = select(tables.versions).where(tables.versions.c.stage.in_(LIVE_STAGES))
        held = select(tables.versions).where(_IS_DEAD, _IS_HELD)
        newest = select(func.max(tables.rotations.c.id)).group_by(tables.rotations.c.credential)
        rotations = select(tables.rotations).where(
            tables.rotations.c.state.in_(LIVE_STATES) | tables.rotations.c.id.in_(newest)
        )

        samples = select(tables.headroom_samples).order_by("at")

        async def read(connection: AsyncConnection) -> Snapshot:
            return Snapshot(
                records=[rows.record_of(row) for row in await connection.execute(select(tables.credentials))],
                versions=[rows.version_of(row) for row in await connection.execute(versions)],
                rotations=[rows.rotation_of(row) for row in await connection.execute(rotations.order_by("id"))],
                deliveries=[rows.delivery_of(row) for row in await connection.execute(select(tables.deliveries))],
                samples=[rows.sample_of(row) for row in await connection.execute(samples)],
                held=[rows.version_of(row) for row in await connection.execute(held)],
            )

        return await self._database.read_settled(read)

    async def commit(self, changes: Changes) -> None:
        """Write ``changes`` in one transaction. Cancelling the caller does not interrupt it half-way.

        Raises:
            PermanentError: A secret is of a version that neither was there nor came along.
        """

        async def write(connection: AsyncConnection) -> None:
            for former, name in changes.renamed.items():
                await self._rename(connection, former, name)
            for text, values in chain(
                self._records.statements(changes.records),
                self._versions.statements(changes.versions),
                self._rotations.statements(changes.rotations),
                self._deliveries.statements(changes.deliveries),
                self._samples.statements(changes.samples),
            ):
                await connection.exec_driver_sql(text, values)
            await self._seal(connection, changes)
            await _forget(connection, changes)
            await append(connection, self._chain, changes.audit)

        await self._database.write(write)

    async def secret(self, credential: str, generation: int) -> Secret:
        """Return the secret of a version."""
        found = await self._rows(select(tables.versions.c.sealed).where(*_key(credential, generation)))
        if not found or found[0].sealed is None:
            raise NotFoundError(f"{credential}: the secret of generation {generation} is not kept any more")
        return self._sealer.open(found[0].sealed, label_of(credential, generation))

    async def versions(self, credential: str) -> Sequence[Version]:
        """Return every version of ``credential``, newest first."""
        table = tables.versions
        query = select(table).where(table.c.credential == credential).order_by(table.c.generation.desc())
        return [rows.version_of(row) for row in await self._rows(query.limit(LISTED_VERSIONS))]

    async def rotation(self, rotation_id: str) -> Rotation:
        """Return one rotation."""
        found = await self._rows(select(tables.rotations).where(tables.rotations.c.id == rotation_id))
        if not found:
            raise NotFoundError(f"no rotation has the id {rotation_id}")
        return rows.rotation_of(found[0])

    async def rotations(self, credential: str | None, limit: int) -> Sequence[Rotation]:
        """Return the newest rotations, newest first."""
        query = select(tables.rotations).order_by(tables.rotations.c.id.desc()).limit(limit)
        if credential is not None:
            query = query.where(tables.rotations.c.credential == credential)
        return [rows.rotation_of(row) for row in await self._rows(query)]

    async def audit(self, after: int, limit: int) -> Sequence[ChainedRecord]:
        """Return records of the audit after number ``after``, oldest first, at most ``limit``."""
        return [chained_of(row) for row in await self._rows(page_after(after, limit))]

    async def newest_audit(self, limit: int, credential: str | None = None) -> Sequence[ChainedRecord]:
        """Return the newest records of the audit, newest first; of all credentials when ``credential`` is None."""
        return [chained_of(row) for row in await self._rows(newest(limit, credential))]

    async def leaks_not_over(self) -> Sequence[str]:
        """Return the credentials whose newest leak is not over. Reads the whole audit: ask once."""
        return [row.credential for row in await self._rows(leaks_not_over())]

    async def verify_audit(self) -> AuditVerdict:
        """Check the whole chain, page by page."""
        check = Check(self._chain, await self._database.read(read_ends))
        while rows := await self._rows(page_after(check.number)):
            check.take(rows)
            if check.verdict is not None:
                break
        return check.end()

    async def notes(self) -> Sequence[Note]:
        """Return what destinations of notifications were told and not told to be over."""
        return await self._database.read(read_notes)

    async def keep_notes(self, destination: str, notes: Sequence[Note]) -> None:
        """Keep ``notes`` in the place of those kept for ``destination``."""
        await self._database.write(partial(replace_notes, destination=destination, notes=notes))

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()

    async def _rename(self, connection: AsyncConnection, former: str, name: str) -> None:
        """Move what is kept of ``former`` to ``name``. A secret opens under the name only for which it is sealed."""
        versions = tables.versions
        query = select(versions.c.generation, versions.c.sealed).where(
            versions.c.credential == former, versions.c.sealed.is_not(None)
        )
        kept = (await connection.execute(query)).all()
        for table in (versions, tables.deliveries, tables.rotations):
            await connection.execute(update(table).where(table.c.credential == former).values(credential=name))
        await connection.execute(delete(tables.credentials).where(tables.credentials.c.name == former))
        for generation, sealed in kept:
            anew = self._sealer.relabelled(sealed, label_of(former, generation), label_of(name, generation))
            if anew is not None:
                await connection.execute(update(versions).where(*_key(name, generation)).values(sealed=anew))

    async def _seal(self, connection: AsyncConnection, changes: Changes) -> None:
        for (credential, generation), secret in changes.secrets.items():
            sealed = self._sealer.seal(secret, label_of(credential, generation))
            statement = update(tables.versions).where(*_key(credential, generation)).values(sealed=sealed)
            if not (await connection.execute(statement)).rowcount:
                raise PermanentError(f"{credential}: a secret came without its version, generation {generation}")

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        async def read(connection: AsyncConnection) -> Sequence[Row[Any]]:
            found: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return found

        return await self._database.read(read)


async def open_store(url: str, keys: Sequence[bytes], *, holder: str = "rotator") -> SqlStore:
    """Open the store at ``url``, bringing its tables up to date, and what is in it under the newest key.

    Args:
        url: ``sqlite:////path``, ``sqlite://`` (memory) or ``postgresql://...``.
        keys: The seal keys, newest first, at least one: the first seals, all open.
        holder: Who we are (process and host), for the daemon that finds a PostgreSQL state taken by us.

    Raises:
        ConfigError: It cannot be opened, is not a database, is damaged, was made by a newer rotator, or is a
            PostgreSQL state that another process holds. StoreError: It cannot be written.
    """
    database, sealer = await open_database(url, holder), Sealer(keys)

    async def prepare(connection: AsyncConnection) -> tuple[list[bytes], int]:
        return await take_own_keys(connection, sealer, keys[-1]), await reseal(connection, sealer)

    try:
        own_keys, resealed = await database.write(prepare)
    except BaseException:
        await database.close()
        raise
    return SqlStore(database, sealer, own_keys, resealed)


async def _forget(connection: AsyncConnection, changes: Changes) -> None:
    """Remove what ``changes`` removes, the secrets of dead versions, and what ended too long ago to be of use."""
    dead = [version for version in changes.versions if version.stage not in LIVE_STAGES]
    ended = [rotation for rotation in changes.rotations if rotation.state in ENDED]
    removed = [dict(zip(_DELIVERY_KEY, key, strict=True)) for key in changes.removed]
    measured = sorted({(sample.registry, sample.credential) for sample in changes.samples})
    keys = [{"of": version.credential, "at_generation": version.generation} for version in dead]
    for statement, parameters in (
        (_UNSEAL, keys),
        (_REMOVE_DELIVERY, removed),
        (_OLD_VERSIONS, _credentials_of(dead)),
        (_OLD_ROTATIONS, _credentials_of(ended)),
        (_OLD_SAMPLES, [{"at_registry": registry, "of": credential} for registry, credential in measured]),
    ):
        if parameters:
            await connection.execute(statement, parameters)


def _credentials_of(things: Iterable[Version | Rotation]) -> list[dict[str, Any]]:
    return [{"of": name} for name in sorted({thing.credential for thing in things})]


def _all_but_newest(table: Table, order: str, which: Any, kept: int) -> Delete:
    """Return what deletes the rows of credential ``of`` that are ``which``, but for the newest ``kept``."""
    mine = (table.c.credential == bindparam("of")) & which
    oldest_kept = select(table.c[order]).where(mine).order_by(table.c[order].desc()).limit(1).offset(kept - 1)
    return delete(table).where(mine, table.c[order] < oldest_kept.scalar_subquery())


_DELIVERY_KEY = ("of_target", "of_placement", "of_credential")
_REMOVE_DELIVERY = delete(tables.deliveries).where(
    tables.deliveries.c.target == bindparam("of_target"),
    tables.deliveries.c.placement == bindparam("of_placement"),
    tables.deliveries.c.credential == bindparam("of_credential"),
)
_UNSEAL = (
    update(tables.versions)
    .where(tables.versions.c.credential == bindparam("of"), tables.versions.c.generation == bindparam("at_generation"))
    .values(sealed=None)
)
_IS_HELD = tuple_(tables.versions.c.credential, tables.versions.c.generation).in_(
    select(tables.deliveries.c.credential, tables.deliveries.c.confirmed_generation)
)
_IS_DEAD = and_(*(tables.versions.c.stage != stage for stage in LIVE_STAGES))
_HAS_ENDED = or_(*(tables.rotations.c.state == state for state in sorted(ENDED)))
_SAME_REGISTRY = tables.headroom_samples.c.registry == bindparam("at_registry")
_OLD_SAMPLES = _all_but_newest(tables.headroom_samples, "at", _SAME_REGISTRY, KEPT_SAMPLES)
_OLD_VERSIONS = _all_but_newest(tables.versions, "generation", _IS_DEAD, KEPT_DEAD_VERSIONS).where(~_IS_HELD)
_OLD_ROTATIONS = _all_but_newest(tables.rotations, "id", _HAS_ENDED, KEPT_ROTATIONS)


def _key(credential: str, generation: int) -> tuple[Any, Any]:
    return (tables.versions.c.credential == credential, tables.versions.c.generation == generation)
