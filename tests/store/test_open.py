"""A state that cannot be used is refused in words that help, and stays as it was."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import event

from rotator.domain.model import Delivery, DeliveryState, Record
from rotator.errors import ConfigError, StoreError
from rotator.ports import Changes
from rotator.sandbox.clock import ManualClock
from rotator.store.store import SqlStore, open_store

Open = Callable[..., Awaitable[SqlStore]]
DAMAGED = (
    "The file is damaged. Move it (and its -wal and -shm) aside, or restore a backup; with a new state every "
    "credential is issued anew and no target is touched before the new version was verified"
)
FOLDER = "The directory must exist, and the daemon's user must be able to write in it"
NOBODY = 65534


@pytest.fixture
def large(clock: ManualClock) -> Changes:
    """Return changes that fill many pages."""
    at = clock.now()
    placements = (f"namespace-{number}/regcred" for number in range(3000))
    state = DeliveryState.CONFIRMED
    return Changes([Record("ecr")], deliveries=[Delivery("prod", name, "ecr", 1, state, at) for name in placements])


@pytest.fixture
async def path(tmp_path: Path, open_state: Open, large: Changes) -> Path:
    """Return the file of a state that holds a lot and is closed."""
    path = tmp_path / "state.db"
    store = await open_state(f"sqlite:///{path}")
    await store.commit(large)
    await store.close()
    return path


async def refusal(path: Path, open_state: Open) -> ConfigError:
    """Return why the state cannot be opened."""
    with pytest.raises(ConfigError) as raised:
        await open_state(f"sqlite:///{path}")
    return raised.value


def overwrite_middle(content: bytes) -> bytes:
    """Return ``content`` with garbage in the pages of a table."""
    return content[:20_000] + b"\xa5" * 20_000 + content[40_000:]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda _: b"not a database at all, but text" * 100, "file is not a database"),
        (lambda _: b"\x00" * 8192, "file is not a database"),
        (lambda content: b"SQLite format 3\x01" + content[16:], "file is not a database"),
        (lambda content: content[: len(content) // 2], "database disk image is malformed"),
        (overwrite_middle, "quick_check: the file is malformed"),
    ],
    ids=["text", "zeros", "header", "truncated", "garbage inside"],
)
async def test_damaged_file_is_refused_and_left_alone(
    path: Path, open_state: Open, damage: Callable[[bytes], bytes], reason: str
) -> None:
    """A file that is damaged or no database is told as such, with the way out, and not one byte of it changes."""
    content = damage(path.read_bytes())
    path.write_bytes(content)
    error = await refusal(path, open_state)

    assert error.mistakes[0].startswith(f"state sqlite:///{path}: ")
    assert reason in error.mistakes[0] or "malformed" in error.mistakes[0]
    assert error.hint == DAMAGED
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("make", "reason"),
    [(Path.mkdir, "Is a directory"), (os.mkfifo, "not a regular file")],
    ids=["directory", "fifo"],
)
async def test_path_that_is_no_file_is_refused(
    tmp_path: Path, open_state: Open, make: Callable[[Path], None], reason: str
) -> None:
    """A directory or a pipe where the state should be is named as what it is."""
    make(tmp_path / "state.db")
    error = await refusal(tmp_path / "state.db", open_state)

    assert error.mistakes == [f"state sqlite:///{tmp_path}/state.db: {reason}"]


async def test_missing_folder_is_refused(tmp_path: Path, open_state: Open) -> None:
    """A folder that is not there is not made."""
    error = await refusal(tmp_path / "none" / "state.db", open_state)

    assert error.mistakes == [f"state sqlite:///{tmp_path}/none/state.db: No such file or directory"]
    assert error.hint == FOLDER
    assert not (tmp_path / "none").exists()


@contextmanager
def as_nobody(folder: str) -> Iterator[None]:
    """Give up root for a while; without root there is nothing to give up."""
    is_root = os.geteuid() == 0
    Path(folder).chmod(0o555)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        Path(folder).chmod(0o755)


async def test_folder_that_is_not_ours_is_refused(open_state: Open) -> None:
    """A folder that may not be written in is told, with the system's reason."""
    with TemporaryDirectory() as folder, as_nobody(folder):
        error = await refusal(Path(folder) / "state.db", open_state)

    assert error.mistakes == [f"state sqlite:///{folder}/state.db: Permission denied"]
    assert error.hint == FOLDER


async def test_state_of_another_process_is_refused(path: Path, open_state: Open) -> None:
    """A file that another process has locked is waited for, and then told with what finds that process."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        error = await refusal(path, open_state)

    assert error.mistakes == [f"state sqlite:///{path}: database is locked"]
    assert error.hint == f"Another process has it open; find it with: fuser -v {path}"


async def test_short_lock_is_waited_out(path: Path, open_state: Open) -> None:
    """While another process writes, a commit waits off the event loop, and then is written."""
    store = await open_state(f"sqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(store.commit(Changes(records=[Record("late")])))
        waiting, _ = await asyncio.wait([task], timeout=0.3)
        other.execute("ROLLBACK")
    await task

    assert not waiting
    assert Record("late") in (await store.load()).records


async def test_full_disk_changes_nothing_and_heals(path: Path, open_state: Open, large: Changes) -> None:
    """A commit that finds no room fails whole; once there is room, the same commit succeeds without a restart."""
    store = await open_state(f"sqlite:///{path}")
    engine = store._database._engine  # SQLite's own limit stands in for the disk's
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=1"))
    more = Changes([Record("more")], deliveries=[replace(item, target="edge") for item in large.deliveries])
    with pytest.raises(StoreError) as raised:
        await store.commit(more)

    assert str(raised.value) == (
        "the state: database or disk is full. "
        "The disk is full. Make room; nothing was changed, and what failed is tried again by itself"
    )
    assert [record.name for record in (await store.load()).records] == ["ecr"]
    event.listen(
        engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=0x7fffffff")
    )
    await store.commit(more)
    assert len((await store.load()).deliveries) == 6000


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_disk_that_refuses_writes_changes_nothing_and_heals(path: Path, open_state: Open) -> None:
    """A write that the system refuses fails whole, and the next one is tried on its own merits."""
    store = await open_state(f"sqlite:///{path}")
    with (
        file_size_limit(4096),
        pytest.raises(StoreError, match=r"the state: (disk I/O error|database or disk is full)"),
    ):
        await store.commit(Changes(records=[Record(f"c{number}") for number in range(1000)]))

    assert len((await store.load()).records) == 1
    await store.commit(Changes(records=[Record("after")]))
    assert len((await store.load()).records) == 2


async def test_folder_with_a_percent_sign_works(tmp_path: Path, open_state: Open) -> None:
    """A path may hold what other formats take for a placeholder."""
    (tmp_path / "100%s here").mkdir()
    await open_state(f"sqlite:///{tmp_path}/100%s here/state.db")

    assert (tmp_path / "100%s here" / "state.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "not a database URL"),
        ("nonsense canary", "not a database URL"),
        ("postgresql://user:canary@host:port/x", "not a database URL"),
        ("mysql://user:canary@host/x", "mysql is not supported; use sqlite or postgresql"),
        ("sqlite+pysqlite:////x", r"sqlite\+pysqlite is not supported"),
    ],
)
async def test_url_of_nothing_we_know_is_refused(url: str, words: str) -> None:
    """A URL that is none of ours is refused without repeating it: it may hold a password."""
    with pytest.raises(ConfigError, match=words) as raised:
        await open_store(url, [bytes(32)])

    assert "canary" not in f"{raised.value} {raised.value.__cause__} {raised.value.__context__}"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("@/none?host={server}&password=canary", 'database "none" does not exist'),
        (":canary@/none?host={server}", 'database "none" does not exist'),
        (":canary@/x?host=/nowhere", "No such file or directory"),
        (":canary@/x?host={server}&canary=1", "canary"),
    ],
    ids=["password in the query", "no database", "no server", "unknown option"],
)
async def test_postgresql_that_is_not_there_is_refused_without_the_password(
    postgresql_server: str, location: str, reason: str
) -> None:
    """What the server or libpq says is told; the password, wherever it stood in the URL, is not."""
    with pytest.raises(ConfigError) as raised:
        await open_store("postgresql://rotator" + location.format(server=postgresql_server), [bytes(32)])
    text = str(raised.value)

    assert text.startswith("state postgresql://rotator")
    assert reason in text
    assert ":canary" not in text
    assert "password=canary" not in f"{text} {raised.value.__cause__}"
