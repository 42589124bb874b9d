"""What a commit costs, against the bare driver writing the same rows with the same durability."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

import pytest

from rotator.domain.model import Delivery, DeliveryState, Record
from rotator.ports import Changes
from rotator.sandbox.clock import ManualClock
from rotator.store.rows import DELIVERY_COLUMNS, RECORD_COLUMNS, delivery_row, record_row
from rotator.store.store import open_store

COMMITS = 200
DELIVERIES = 10_000
ROUNDS = 5


def reference(connection: sqlite3.Connection, table: str, rows: Sequence[dict[str, object]]) -> Callable[[], None]:
    """Return what writes ``rows`` into ``table`` by the standard library, in one durable transaction."""
    names = list(rows[0])
    marks = ",".join("?" * len(names))
    statement = f"INSERT OR REPLACE INTO {table} ({','.join(names)}) VALUES ({marks})"
    values = [[int(v.timestamp() * 1e6) if hasattr(v, "timestamp") else v for v in row.values()] for row in rows]

    def write() -> None:
        with connection:
            connection.executemany(statement, values)

    return write


@pytest.fixture
def bare_connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to the same file, as durable as ours."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")
        yield connection


async def seconds(action: Callable[[], Awaitable[None]]) -> float:
    """Return how long ``action`` takes."""
    started = time.perf_counter()
    await action()
    return time.perf_counter() - started


@pytest.mark.benchmark
async def test_commit_of_ten_thousand_deliveries(
    tmp_path: Path, bare_connection: sqlite3.Connection, clock: ManualClock, report: Callable[[str], None]
) -> None:
    """A large commit costs a small multiple of what SQLite itself needs."""
    store = await open_store(f"sqlite:///{tmp_path}/state.db", [bytes(32)])
    state = DeliveryState.CONFIRMED
    many = [Delivery("prod", f"ns-{number}/regcred", "ecr", 1, state, clock.now()) for number in range(DELIVERIES)]
    write = reference(
        bare_connection,
        "deliveries",
        [dict(zip(DELIVERY_COLUMNS, delivery_row(delivery), strict=True)) for delivery in many],
    )

    async def bare() -> None:
        write()

    async def ours() -> None:
        await store.commit(Changes(deliveries=many))

    await ours()
    times = [(await seconds(bare), await seconds(ours)) for _ in range(ROUNDS)]
    await store.close()
    ratio = median(reference / own for reference, own in times)
    own, least = min(own for _, own in times), min(reference for reference, _ in times)
    report(
        f"store: {DELIVERIES:,} deliveries in {own * 1e3:.0f} ms, bare sqlite3 {least * 1e3:.0f} ms, ratio {ratio:.2f}"
    )

    assert ratio > 0.2


@pytest.mark.benchmark
async def test_commit_of_one_record(
    tmp_path: Path, bare_connection: sqlite3.Connection, clock: ManualClock, report: Callable[[str], None]
) -> None:
    """A small commit is dominated by the disk, not by us."""
    store = await open_store(f"sqlite:///{tmp_path}/state.db", [bytes(32)])
    record = Record("ecr", 1, 0, clock.now())
    write = reference(bare_connection, "credentials", [dict(zip(RECORD_COLUMNS, record_row(record), strict=True))])

    async def bare() -> None:
        for _ in range(COMMITS):
            write()

    async def ours() -> None:
        for _ in range(COMMITS):
            await store.commit(Changes(records=[record]))

    await ours()
    times = [(await seconds(bare), await seconds(ours)) for _ in range(ROUNDS)]
    await store.close()
    ratio = median(reference / own for reference, own in times)
    own = min(own for _, own in times) / COMMITS
    report(f"store: one record in {own * 1e3:.2f} ms, ratio {ratio:.2f} to bare sqlite3")

    assert ratio > 0.2
