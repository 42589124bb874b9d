"""A state is seen as a daemon would find it, and neither taken nor changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from rotator.domain.model import NEVER, Record, Stage, Version
from rotator.errors import ConfigError, StoreError
from rotator.ports import Changes
from rotator.secret import Secret
from rotator.store.look import Age, Sight, look
from rotator.store.seal import Sealer

OTHER = bytes(reversed(range(32)))


@pytest.fixture
async def kept(lasting_url: str, open_state: Callable[..., Any]) -> str:
    """Return the URL of a state with two secrets; its store is open."""
    store = await open_state(lasting_url)
    for name in ("ecr", "ghcr"):
        version = Version(name, 1, Stage.CURRENT, "f", "robot", datetime(2026, 1, 1, tzinfo=UTC), NEVER)
        secrets = {(name, 1): Secret("canary-in-the-state")}
        await store.commit(Changes(records=[Record(name)], versions=[version], secrets=secrets))
    return lasting_url


async def test_a_state_in_use_is_seen_beside_its_daemon(kept: str, sealer: Sealer) -> None:
    """The tables are ours, both secrets open, and PostgreSQL says who has the state; the store goes on."""
    seen = await look(kept, sealer)
    assert replace(seen, holder="") == Sight(Age.CURRENT, sealed=2, opened=2, kept={"ecr": [None], "ghcr": [None]})
    assert seen.holder.startswith("rotator, process 1 on here") == kept.startswith("postgresql")
    assert "canary" not in repr(seen)


@pytest.mark.parametrize(
    ("keys", "opened"),
    [([OTHER], 0), ([OTHER, bytes(range(32))], 2), ([], 0)],
    ids=["another key", "old key kept", "no key"],
)
async def test_whether_the_keys_fit_is_seen(kept: str, keys: list[bytes], opened: int) -> None:
    """Only a key that secrets were sealed with opens them, wherever it stands in the file."""
    assert (await look(kept, Sealer(keys) if keys else None)).opened == opened


async def test_one_secret_that_was_changed_is_counted(kept: str, sealer: Sealer, execute: Any) -> None:
    """A secret that was moved to another credential does not open there."""
    execute(kept, "UPDATE versions SET sealed = (SELECT sealed FROM versions WHERE credential = 'ecr')")
    seen = await look(kept, sealer)
    assert (seen.sealed, seen.opened) == (2, 1)


@pytest.mark.parametrize(
    ("revision", "age"), [("0001", Age.OLDER), ("9999", Age.NEWER)], ids=["an older rotator", "a newer rotator"]
)
async def test_whose_tables_they_are_is_seen(kept: str, sealer: Sealer, execute: Any, revision: str, age: Age) -> None:
    """Tables that an older rotator made are told from those of one that is newer than this."""
    execute(kept, f"UPDATE alembic_version SET version_num = '{revision}'")
    assert (await look(kept, sealer)).age is age


async def test_a_database_that_is_not_ours(lasting_url: str, execute: Any) -> None:
    """An empty database is told from one with somebody else's tables."""
    execute(lasting_url, "SELECT 1")
    if lasting_url.startswith("sqlite"):
        Path(str(make_url(lasting_url).database)).touch()
    assert await look(lasting_url, None) == Sight(Age.NONE)
    execute(lasting_url, "CREATE TABLE theirs (a INTEGER)")
    assert await look(lasting_url, None) == Sight(Age.FOREIGN)


async def test_looking_leaves_no_trace(tmp_path: Path, open_state: Callable[..., Any], sealer: Sealer) -> None:
    """Beside a SQLite file that nobody has open, no file is made, whatever characters its path has."""
    folder = tmp_path / "a b#c?d%20"
    folder.mkdir()
    url = make_url("sqlite://").set(database=str(folder / "state.db")).render_as_string()
    store = await open_state(url)
    await store.close()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert (await look(url, sealer)).age is Age.CURRENT
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


async def test_a_server_is_asked_for_reading_only(postgresql_url: str, sealer: Sealer) -> None:
    """An empty PostgreSQL database stays empty: no table is made by looking."""
    for _ in range(2):
        assert await look(postgresql_url, sealer) == Sight(Age.NONE)


async def test_what_cannot_be_seen_is_said(tmp_path: Path) -> None:
    """What is no database, a server that is not there, and an address that is none are errors with a next step."""
    (tmp_path / "text").write_text("no database, whatever its name is" * 100)
    for url, error, words in (
        (f"sqlite:///{tmp_path}/text", StoreError, "not a database"),
        (f"postgresql://rotator:canary@/x?host={tmp_path}", StoreError, "failed"),
        ("mysql://u:canary@h/d", ConfigError, "mysql is not supported"),
        ("canary", ConfigError, "not a database URL"),
    ):
        with pytest.raises(error) as caught:
            await look(url, None)
        told = f"{caught.value} {caught.value.hint} {getattr(caught.value, 'mistakes', '')}"
        assert words in told, told
        assert "canary" not in told
