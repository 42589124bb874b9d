"""A store in every database that we support: an SQLite file, SQLite in memory, and a real PostgreSQL."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text

from rotator.store.seal import Sealer
from rotator.store.store import SqlStore, open_store

KEY = bytes(range(32))
DATABASES = ("file", "memory", "postgresql")
Open = Callable[..., Awaitable[SqlStore]]


@pytest.fixture
def sealer() -> Sealer:
    """Return a sealer with a key of the tests."""
    return Sealer([KEY])


def user_for_postgresql() -> list[str]:
    """Return the command that gives up root, which PostgreSQL refuses to run as; nothing for another user."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def run(command: Sequence[str], folder: str) -> None:
    """Run a command of PostgreSQL's; its words are in the failure."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Run a PostgreSQL of the tests' own and return the folder of its socket."""
    tools = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
    if tools is None and os.environ.get("ROTATOR_REQUIRE_SERVICES") == "1":
        pytest.fail("postgresql is not installed; `make packages` installs it")
    if tools is None:
        pytest.skip("postgresql is not installed; `make packages` installs it")
    as_user = user_for_postgresql()
    # Not under pytest's own folder: that is closed to other users, and a socket's path must be short.
    with TemporaryDirectory(prefix="rotator-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777)
        data = f"{folder}/data"
        run([*as_user, f"{tools}/initdb", "-D", data, "-A", "trust", "-U", "rotator", "-E", "UTF8", "-N"], folder)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c full_page_writes=off"
        control = [*as_user, f"{tools}/pg_ctl", "-D", data, "-w"]
        run([*control, "-l", f"{data}/log", "-o", options, "start"], folder)
        yield folder
        run([*control, "-m", "immediate", "stop"], folder)


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    """Return names that were not used yet."""
    return (f"rotator_{number}" for number in range(1 << 30))


@pytest.fixture
def postgresql_url(postgresql_server: str, database_names: Iterator[str]) -> str:
    """Return the URL of an empty PostgreSQL database."""
    name = next(database_names)
    with psycopg.connect(host=postgresql_server, user="rotator", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = make_url(f"postgresql://rotator@/{name}").update_query_dict({"host": postgresql_server})
    return url.render_as_string(hide_password=False)


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty state, in each database in turn."""
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgresql_url")
        return found
    return {"file": f"sqlite:///{tmp_path}/state.db", "memory": "sqlite://"}[request.param]


@pytest.fixture(params=["file", "postgresql"])
def lasting_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty state that outlives its process, in each such database in turn."""
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgresql_url")
        return found
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture
async def open_state() -> AsyncIterator[Open]:
    """Return a function that opens the store at a URL; all are closed afterwards."""
    async with AsyncExitStack() as stack:

        async def start(
            url: str, *, holder: str = "rotator, process 1 on here", keys: Sequence[bytes] = (KEY,)
        ) -> SqlStore:
            store = await open_store(url, keys, holder=holder)
            stack.push_async_callback(store.close)
            return store

        yield start


@pytest.fixture
async def store(url: str, open_state: Open) -> SqlStore:
    """Return an empty store, in each database in turn."""
    return await open_state(url)


@pytest.fixture
def execute() -> Callable[..., None]:
    """Return what changes a database behind the store's back: ``execute(url, *statements)``."""

    def run_all(url: str, *statements: str) -> None:
        driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[make_url(url).drivername]
        engine = create_engine(make_url(url).set(drivername=driver))
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    return run_all
