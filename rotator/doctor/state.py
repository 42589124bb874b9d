"""The daemon's state: whether it can be read as the daemon will, without taking it from a daemon that runs."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import make_url

from rotator.config.root import StoreConfig
from rotator.doctor.finding import Finding, Level, of_error
from rotator.errors import ConfigError
from rotator.store.seal import load_keys

FAMILY = "state"


async def check_state(config: StoreConfig) -> list[Finding]:
    """Return whether the database and the seal key can be read. Opens a SQLite file read-only; no server is asked."""
    if not config.url.startswith("sqlite"):
        text = "a database server holds it, which is not asked here: that would compete with the daemon"
        key = [] if config.seal_key_file is None else [_key(Path(config.seal_key_file))]
        return [Finding(FAMILY, "database", Level.UNKNOWN, text, "See what the daemon says as it starts"), *key]
    path = Path(str(make_url(config.url).database))
    if not await asyncio.to_thread(path.exists):
        text = "there is none yet; the daemon makes it at its first start"
        return [_directory(path), Finding(FAMILY, str(path), Level.OK, text)]
    return [await asyncio.to_thread(_database, path), _key(Path(config.seal_key_file or f"{path}.key"))]


def _directory(path: Path) -> Finding:
    if path.parent.is_dir():
        return Finding(FAMILY, str(path.parent), Level.OK, "the directory for the state is there")
    mend = f"Make it, for the daemon's user alone: install -d -m 0700 {path.parent}"
    return Finding(FAMILY, str(path.parent), Level.FAIL, "the directory for the state is not there", mend)


def _database(path: Path) -> Finding:
    try:
        with sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, timeout=5) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'versions'").fetchone()[0]
        connection.close()
    except sqlite3.Error as error:
        mend = "Restore it from a backup (docs/operations.md), or, if it is of no use to you, move it away"
        return Finding(FAMILY, str(path), Level.FAIL, f"it cannot be read as a database ({error})", mend)
    if not tables:
        mend = "Look whether store.url names the right file"
        return Finding(FAMILY, str(path), Level.WARN, "it is a database, but not the daemon's", mend)
    return Finding(FAMILY, str(path), Level.OK, "the database can be read")


def _key(path: Path) -> Finding:
    try:
        count = len(load_keys(path))
    except ConfigError as error:
        return of_error(FAMILY, str(path), error, "Restore the key that was in use; without it the state is lost")
    return Finding(FAMILY, str(path), Level.OK, f"{count} seal key{'' if count == 1 else 's'} can be read")
