"""The migrations lead to the tables that the code reads and writes, and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, make_url, text

from rotator.domain.model import Record
from rotator.errors import ConfigError
from rotator.ports import Changes, Store
from rotator.store.tables import metadata

Open = Callable[..., Awaitable[Store]]


def run(url: str, action: Callable[[Connection], Any]) -> Any:
    """Do ``action`` on the database, synchronously, by a connection of the test's own."""
    driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[make_url(url).drivername]
    engine = create_engine(make_url(url).set(drivername=driver))
    try:
        with engine.begin() as connection:
            return action(connection)
    finally:
        engine.dispose()


def config_on(connection: Connection) -> Config:
    """Return Alembic's configuration as the store makes it."""
    config = Config()
    config.set_main_option("script_location", str(files("rotator.store") / "migrations"))
    config.attributes["connection"] = connection
    return config


def differences(connection: Connection) -> list[Any]:
    """Return what the database lacks or has too much, compared with the tables of the code."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, metadata))


def tables_in(connection: Connection) -> set[str]:
    """Return the tables there are."""
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


async def test_migrated_tables_are_those_of_the_code(lasting_url: str, open_state: Open) -> None:
    """After all migrations nothing differs from the code's own description: tables, columns, types, keys, indexes."""
    await (await open_state(lasting_url)).close()

    assert run(lasting_url, differences) == []
    assert run(lasting_url, tables_in) == set(metadata.tables)


def test_comparison_notices_a_difference(lasting_url: str) -> None:
    """The comparison above is worth something: an empty database and a missing index are noticed."""
    assert len(run(lasting_url, differences)) >= len(metadata.tables)


def test_every_step_goes_down_and_up_again(lasting_url: str) -> None:
    """Each migration can be undone and applied again; at the bottom nothing is left."""

    def walk(connection: Connection) -> None:
        config = config_on(connection)
        command.upgrade(config, "head")
        command.downgrade(config, "base")
        assert tables_in(connection) == set()
        command.upgrade(config, "head")
        assert differences(connection) == []

    run(lasting_url, walk)


async def test_opening_again_keeps_what_is_there(lasting_url: str, open_state: Open) -> None:
    """A state of this version is left as it is."""
    for generation in (1, 2):
        store = await open_state(lasting_url)
        await store.commit(Changes(records=[Record(f"c{generation}", generation)]))
        await store.close()

    assert len((await (await open_state(lasting_url)).load()).records) == 2


async def test_state_of_a_newer_version_is_refused(lasting_url: str, open_state: Open) -> None:
    """A state that a newer version has migrated is refused and stays as it is."""
    await (await open_state(lasting_url)).close()
    run(lasting_url, lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(ConfigError) as raised:
        await open_state(lasting_url)

    assert str(raised.value) == (
        "the state was made by a newer rotator than this one\n"
        "Run that version or newer, or restore a state from before the upgrade"
    )
    assert (
        run(lasting_url, lambda connection: connection.scalar(text("SELECT version_num FROM alembic_version")))
        == "9999"
    )


async def test_migration_that_breaks_off_leaves_nothing(tmp_path: Path, open_state: Open) -> None:
    """A migration is whole or not at all: what was in the way is still there alone, and without it opening works."""
    url = f"sqlite:///{tmp_path}/state.db"
    run(url, lambda connection: connection.execute(text("CREATE TABLE rotations (id INTEGER)")))
    with pytest.raises(ConfigError, match="table rotations already exists"):
        await open_state(url)

    assert run(url, tables_in) == {"rotations"}
    run(url, lambda connection: connection.execute(text("DROP TABLE rotations")))
    await open_state(url)
