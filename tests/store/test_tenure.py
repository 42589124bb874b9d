"""One daemon per PostgreSQL state, also when the server drops the session of the one that has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import LiteralString

import psycopg
import pytest
from sqlalchemy import make_url

from rotator.domain.model import Record
from rotator.errors import ConfigError, StoreError
from rotator.ports import Changes, Store

Open = Callable[..., Awaitable[Store]]
ONE = Changes(records=[Record("one")])


def administer(url: str, statement: LiteralString, *values: str) -> None:
    """Do as the server's administrator does, from another database."""
    server = str(make_url(url).query["host"])
    with psycopg.connect(host=server, user="rotator", dbname="postgres", autocommit=True) as admin:
        admin.execute(statement, values)


def end_sessions(url: str, holder: str) -> None:
    """Have the server drop every session of ``holder``, as an administrator or a failover does."""
    database = str(make_url(url).database)
    administer(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND application_name = %s",
        database,
        holder,
    )


async def test_outage_of_the_server_is_survived(postgresql_url: str, open_state: Open) -> None:
    """While the server lets nobody in every commit fails; afterwards the next one succeeds without a restart."""
    store = await open_state(postgresql_url, holder="first")
    name = make_url(postgresql_url).database
    allow = "UPDATE pg_database SET datallowconn = %s::boolean WHERE datname = %s"
    administer(postgresql_url, allow, "false", str(name))
    end_sessions(postgresql_url, "first")
    for _ in range(3):
        with pytest.raises(StoreError):
            await store.commit(ONE)
        with pytest.raises(StoreError):
            await store.load()
    administer(postgresql_url, allow, "true", str(name))
    await store.commit(ONE)

    assert (await store.load()).records == [Record("one")]


async def test_second_daemon_is_told_who_is_first(postgresql_url: str, open_state: Open) -> None:
    """Who comes second is refused and told the first one's process; the first one goes on."""
    first = await open_state(postgresql_url, holder="rotator, process 7 on alpha")
    with pytest.raises(ConfigError) as raised:
        await open_state(postgresql_url, holder="rotator, process 8 on beta")

    assert "is in use by rotator, process 7 on alpha (server process " in raised.value.mistakes[0]
    assert "from this machine, since 20" in raised.value.mistakes[0]
    assert raised.value.hint.startswith("Only one daemon may run on one state")
    await first.commit(ONE)


async def test_closing_lets_the_next_one_in(postgresql_url: str, open_state: Open) -> None:
    """A state that was closed is free at once."""
    for number in range(3):
        store = await open_state(postgresql_url, holder=f"process {number}")
        await store.commit(ONE)
        await store.close()


async def test_two_states_on_one_server_are_two(postgresql_url: str, postgresql_server: str, open_state: Open) -> None:
    """Another database, and another schema of the same database, is another state."""
    await open_state(postgresql_url)
    name = make_url(postgresql_url).database
    with psycopg.connect(host=postgresql_server, user="rotator", dbname=name, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA other")
    second = await open_state(f"{postgresql_url}&options=-csearch_path%3Dother")
    await second.commit(ONE)


async def test_dropped_session_is_taken_again(postgresql_url: str, open_state: Open) -> None:
    """A session that the server dropped costs at most one commit, when nobody else was there in between."""
    store = await open_state(postgresql_url, holder="first")
    end_sessions(postgresql_url, "first")
    with pytest.raises(StoreError):
        await store.commit(ONE)
    await store.commit(ONE)

    assert (await store.load()).records == [Record("one")]


async def test_who_lost_the_state_writes_nothing_more(postgresql_url: str, open_state: Open) -> None:
    """Once another daemon has the state, or had it, the first one cannot write, and is told why."""
    first = await open_state(postgresql_url, holder="first")
    end_sessions(postgresql_url, "first")
    second = await open_state(postgresql_url, holder="second")
    with pytest.raises(StoreError):
        await first.commit(ONE)
    with pytest.raises(StoreError, match=r"the session was lost, and the state is in use by second \(server process"):
        await first.commit(ONE)
    await second.commit(Changes(records=[Record("two")]))
    await second.close()
    with pytest.raises(StoreError, match="the session was lost, and second changed the state since") as raised:
        await first.commit(ONE)

    assert "restart this one" in raised.value.hint
    with pytest.raises(StoreError, match="the session was lost, and second changed the state since"):
        await first.load()
    await first.close()
    third = await open_state(postgresql_url, holder="third")
    assert (await third.load()).records == [Record("two")]


async def test_reader_whose_session_was_dropped_reads_on(postgresql_url: str, open_state: Open) -> None:
    """Reading recovers by itself, and what is live is read again once the state is held again."""
    store = await open_state(postgresql_url, holder="first")
    await store.commit(ONE)
    assert await store.rotations(None, 1) == []
    end_sessions(postgresql_url, "first")

    assert await store.rotations(None, 1) == []
    with pytest.raises(StoreError, match="terminating connection"):
        await store.load()
    assert (await store.load()).records == [Record("one")]
