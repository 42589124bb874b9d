"""A state seen without being taken: for whoever wants to know whether a daemon could use it. Writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from rotator.errors import PermanentError, StoreError
from rotator.store import tables
from rotator.store.database import BUSY_TIMEOUT_SECONDS, CONNECT_TIMEOUT_SECONDS, migrations, parse_url
from rotator.store.reason import hint_for, reason_of
from rotator.store.seal import Sealer, label_of
from rotator.store.tenure import holder_of


class Age(StrEnum):
    """Which rotator made the tables."""

    NONE = "none"
    """Nothing is there; the daemon makes them at its first start."""
    FOREIGN = "foreign"
    """Tables are there, and they are not ours."""
    OLDER = "older"
    """They are brought up to date at the next start."""
    CURRENT = "current"
    NEWER = "newer"
    """The daemon will not start on them."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen.

    Args:
        age: Which rotator made the tables.
        sealed: How many secrets are kept.
        opened: How many of them the keys open; 0 without keys.
        holder: Who has taken a PostgreSQL state; empty when nobody, and for SQLite, where a file's lock says so.
        kept: By credential, when each version expires whose secret is kept; None for one that never does, or of which
            nobody knows it.
    """

    age: Age
    sealed: int = 0
    opened: int = 0
    holder: str = ""
    kept: Mapping[str, Sequence[datetime | None]] = field(default_factory=dict)


async def look(url: str, sealer: Sealer | None) -> Sight:
    """Return what the state at ``url`` holds. Safe beside a daemon that runs on it: it is neither taken nor changed.

    Args:
        url: As `open_database`; an SQLite file must be there.
        sealer: Opens the secrets, which go nowhere; None when there is no key.

    Raises:
        ConfigError: The URL is none. StoreError: The database cannot be read.
    """
    parsed = parse_url(url)
    try:
        return await asyncio.to_thread(_look, parsed, sealer)
    except SQLAlchemyError as error:
        reason = reason_of(error)
        raise StoreError(f"the state: {reason}", hint=hint_for(reason).replace("FILE", str(parsed.database))) from None


def _look(url: URL, sealer: Sealer | None) -> Sight:
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            age = _age(connection)
            if age in {Age.NONE, Age.FOREIGN}:
                return Sight(age)
            holder = holder_of(connection) if url.drivername == "postgresql" else ""
            return Sight(age, *_secrets(connection, sealer), holder, _expiries(connection))
    finally:
        engine.dispose()


def _engine(url: URL) -> Engine:
    if url.drivername == "postgresql":
        how = {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "options": "-c default_transaction_read_only=on"}
        return create_engine(url.set(drivername="postgresql+psycopg"), hide_parameters=True, connect_args=how)
    path = Path(str(url.database)).resolve()
    access = {"mode": "ro", "uri": "true"}
    if not path.with_name(f"{path.name}-wal").exists():
        access["immutable"] = "1"  # nobody has it open, and a reader would make that file and leave it behind
    read_only = url.set(database=f"file:{quote(str(path))}", query=access)
    return create_engine(read_only, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})


def _age(connection: Connection) -> Age:
    names = set(inspect(connection).get_table_names())
    if not {"alembic_version", tables.versions.name} <= names:
        return Age.FOREIGN if names else Age.NONE
    script = ScriptDirectory.from_config(migrations())
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found == script.get_current_head():
        return Age.CURRENT
    return Age.OLDER if found in {one.revision for one in script.walk_revisions()} else Age.NEWER


def _secrets(connection: Connection, sealer: Sealer | None) -> tuple[int, int]:
    """Return how many secrets are kept, and how many of them open."""
    kept = tables.versions.c
    query = select(kept.credential, kept.generation, kept.sealed).where(kept.sealed.is_not(None))
    rows = connection.execute(query).all()
    opened = [row for row in rows if sealer is not None and _opens(sealer, row.sealed, row.credential, row.generation)]
    return len(rows), len(opened)


def _expiries(connection: Connection) -> dict[str, list[datetime | None]]:
    """Return when each version expires whose secret is kept, by credential."""
    kept = tables.versions.c
    query = select(kept.credential, kept.expires_at).where(kept.sealed.is_not(None)).order_by(kept.credential)
    found: dict[str, list[datetime | None]] = {}
    for row in connection.execute(query):
        found.setdefault(row.credential, []).append(row.expires_at)
    return found


def _opens(sealer: Sealer, sealed: bytes, credential: str, generation: int) -> bool:
    try:
        sealer.open(sealed, label_of(credential, generation))
    except PermanentError:
        return False
    return True
