"""The audit in every database: appended with what it tells of, and chained so that nothing can be changed unseen."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from rotator.domain.audit import AuditRecord, canonical, render
from rotator.domain.model import Record, Stage, Version
from rotator.errors import RotatorError
from rotator.ports import Changes
from rotator.secret import Secret
from rotator.store.audit import newest
from rotator.store.store import SqlStore

NOW = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
Open = Callable[..., Awaitable[SqlStore]]


def record(number: int, **facts: Any) -> AuditRecord:
    """Return a record."""
    return AuditRecord(NOW, "maria", "rotate", "ecr", "intent", f"number {number}", **facts)


async def fill(store: SqlStore, count: int = 5) -> None:
    """Append ``count`` records, in several transactions."""
    for number in range(1, count + 1):
        await store.commit(Changes(audit=[record(number)]))


def tamper(url: str, statement: str, **values: Any) -> Sequence[Any]:
    """Change or read the database behind the daemon's back; return the rows there are."""
    driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[make_url(url).drivername]
    engine = create_engine(make_url(url).set(drivername=driver))
    with engine.begin() as connection:
        done = connection.execute(text(statement), values)
        rows = done.all() if done.returns_rows else []
    engine.dispose()
    return rows


async def test_records_come_back_in_their_order(store: SqlStore) -> None:
    """Records are numbered from 1 without gaps, over transactions, and read from either end."""
    await store.commit(Changes(audit=[record(1), record(2)]))
    await store.commit(Changes(audit=[record(3)]))

    assert [(one.number, one.record.message) for one in await store.audit(1, 10)] == [(2, "number 2"), (3, "number 3")]
    assert [one.number for one in await store.newest_audit(2)] == [3, 2]
    assert (await store.audit(0, 1))[0].record == record(1)
    verdict = await store.verify_audit()
    assert (verdict.records, verdict.broken_at) == (3, 0)


async def test_an_empty_audit_is_whole(store: SqlStore) -> None:
    """Before anything happened there is nothing wrong."""
    assert (await store.verify_audit()).records == 0


async def test_a_record_is_written_with_what_it_tells_of_or_not_at_all(store: SqlStore) -> None:
    """I10: a change and its record are one transaction: where the change fails, no record claims it."""
    orphan = {("ecr", 9): Secret("a-secret-without-its-version")}
    with pytest.raises(RotatorError):
        await store.commit(Changes(records=[Record("ecr", 1)], secrets=orphan, audit=[record(1)]))

    assert await store.audit(0, 10) == []
    assert (await store.load()).records == []


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        pytest.param("UPDATE audit SET message = 'nothing happened' WHERE number = 3", 3, id="a word changed"),
        pytest.param("UPDATE audit SET actor = 'eve' WHERE number = 1", 1, id="the first one"),
        pytest.param("UPDATE audit SET at = at + 1 WHERE number = 5", 5, id="a microsecond"),
        pytest.param("DELETE FROM audit WHERE number = 2", 2, id="dropped"),
        pytest.param("DELETE FROM audit WHERE number = 1", 1, id="dropped at the front"),
        pytest.param(
            "UPDATE audit SET digest = (SELECT digest FROM audit WHERE number = 2) WHERE number = 3",
            3,
            id="a digest copied",
        ),
    ],
)
async def test_tampering_is_found(lasting_url: str, open_state: Open, statement: str, broken_at: int) -> None:
    """I10: whatever was changed, dropped or moved is found, and where."""
    store = await open_state(lasting_url)
    await fill(store)
    await store.close()
    tamper(lasting_url, statement)

    verdict = await (await open_state(lasting_url)).verify_audit()

    assert verdict.broken_at == broken_at
    assert verdict.why


async def test_two_records_that_changed_places_are_found(lasting_url: str, open_state: Open) -> None:
    """I10: records in another order than they were written in are found."""
    store = await open_state(lasting_url)
    await fill(store)
    await store.close()
    for statement in ("number = 104 WHERE number = 5", "number = 5 WHERE number = 4", "number = 4 WHERE number = 104"):
        tamper(lasting_url, f"UPDATE audit SET {statement}")

    assert (await (await open_state(lasting_url)).verify_audit()).broken_at == 4


async def test_a_chain_made_without_the_key_does_not_pass(lasting_url: str, open_state: Open) -> None:
    """Whoever can write the database but not read the key cannot make a changed chain right again."""
    store = await open_state(lasting_url, keys=[b"2" * 32])
    await fill(store)
    await store.close()

    assert (await (await open_state(lasting_url)).verify_audit()).broken_at == 1


CUT = "DELETE FROM audit WHERE number > 3"
NO_ENDS = "DELETE FROM audit_ends"
FORGED = "UPDATE audit_ends SET number = 3, digest = (SELECT digest FROM audit WHERE number = 3)"


@pytest.mark.parametrize(
    ("statements", "broken_at"),
    [
        pytest.param([CUT], 4, id="the newest two dropped"),
        pytest.param(["DELETE FROM audit"], 1, id="all dropped"),
        pytest.param([CUT, FORGED], 4, id="and the end changed"),
        pytest.param([CUT, NO_ENDS], 4, id="and the end dropped"),
        pytest.param([NO_ENDS], 6, id="only the end dropped"),
        pytest.param(["UPDATE audit_ends SET mac = digest"], 6, id="only the end changed"),
    ],
)
async def test_what_is_cut_off_at_the_end_is_missed(
    lasting_url: str, open_state: Open, statements: list[str], broken_at: int
) -> None:
    """I10: the newest records cannot be dropped unseen by whoever can write the database and not read the key."""
    store = await open_state(lasting_url)
    await fill(store)
    await store.close()
    for statement in statements:
        tamper(lasting_url, statement)

    verdict = await (await open_state(lasting_url)).verify_audit()

    assert (verdict.records, verdict.broken_at) == (broken_at - 1, broken_at)
    assert verdict.why


@pytest.mark.parametrize(
    ("statements", "afterwards"),
    [
        pytest.param([CUT], [], id="the newest dropped"),
        pytest.param([CUT, FORGED], [], id="and the end changed"),
        pytest.param([CUT, NO_ENDS], [], id="and the end dropped"),
        pytest.param([CUT], ["DELETE FROM audit_ends WHERE id = 1"], id="and the old end afterwards"),
        pytest.param(
            [CUT],
            ["DELETE FROM audit_ends WHERE id = 1", "UPDATE audit_ends SET id = 1"],
            id="and the new one moved to its place",
        ),
        pytest.param([CUT, NO_ENDS], [NO_ENDS], id="and all ends afterwards"),
    ],
)
@pytest.mark.parametrize("more", [pytest.param(1, id="shorter"), pytest.param(4, id="longer than it was")])
async def test_what_was_cut_off_is_missed_after_more_was_written(
    lasting_url: str, open_state: Open, statements: list[str], afterwards: list[str], more: int
) -> None:
    """I10: records that the daemon itself adds after a cut do not heal it."""
    store = await open_state(lasting_url)
    await fill(store)
    for statement in statements:
        tamper(lasting_url, statement)
    await fill(store, more)
    for statement in afterwards:
        tamper(lasting_url, statement)

    assert (await store.verify_audit()).broken_at


async def test_an_audit_from_before_its_end_was_kept_is_whole(lasting_url: str, open_state: Open) -> None:
    """What an older rotator wrote has no end, which is not missed; with the next record it gets one."""
    store = await open_state(lasting_url)
    await fill(store, 2)
    old, before = hmac.digest(store.own_key, b"rotator audit v1", "sha256"), b""
    for number in (1, 2):
        before = hmac.digest(old, before + canonical(number, record(number)), "sha256")
        tamper(lasting_url, "UPDATE audit SET digest = :digest WHERE number = :number", digest=before, number=number)
    tamper(lasting_url, NO_ENDS)
    assert (await store.verify_audit()).broken_at == 0

    await fill(store, 2)
    verdict = await store.verify_audit()
    assert (verdict.records, verdict.broken_at) == (4, 0)
    tamper(lasting_url, "DELETE FROM audit WHERE number = 4")
    assert (await store.verify_audit()).broken_at == 4


async def test_a_digest_covers_the_record_before(lasting_url: str, open_state: Open) -> None:
    """A record that was written under the same key after other ones does not fit, though it is as it was written."""
    store = await open_state(lasting_url)
    await fill(store)
    ((message, digest),) = tamper(lasting_url, "SELECT message, digest FROM audit WHERE number = 4")
    for statement in ("DELETE FROM audit", NO_ENDS):
        tamper(lasting_url, statement)
    await store.commit(Changes(audit=[record(number + 10) for number in range(1, 6)]))
    assert (await store.verify_audit()).broken_at == 0
    change = "UPDATE audit SET message = :message, digest = :digest WHERE number = 4"
    tamper(lasting_url, change, message=message, digest=digest)

    assert (await store.verify_audit()).broken_at == 4


async def test_leaks_that_are_not_over_are_found(store: SqlStore) -> None:
    """Of each credential counts the newest: a report, or that it is over; other records do not."""
    said = {"a": ["intent"], "b": ["intent", "over"], "c": ["intent", "over", "intent"], "d": ["intent", "intent"]}
    records = [AuditRecord(NOW, "maria", "leak", name, one) for name, outcomes in said.items() for one in outcomes]
    await store.commit(Changes(audit=[record(1), *records, record(2)]))

    assert await store.leaks_not_over() == ["a", "c", "d"]


async def test_a_new_key_leaves_old_records_right(lasting_url: str, open_state: Open) -> None:
    """After the seal key was rotated, and the old one dropped, what was written under either is one chain."""
    old, new = b"1" * 32, b"2" * 32
    for keys in ([old], [new, old], [new]):
        store = await open_state(lasting_url, keys=keys)
        await fill(store, 2)
        await store.close()

    verdict = await (await open_state(lasting_url, keys=[new])).verify_audit()

    assert (verdict.records, verdict.broken_at) == (6, 0)


async def test_more_than_a_page_is_checked(store: SqlStore) -> None:
    """The check reads page by page, to the end."""
    await store.commit(Changes(audit=[record(number) for number in range(1, 2502)]))

    assert (await store.verify_audit()).records == 2501


async def test_no_name_forges_a_line(store: SqlStore) -> None:
    """A line's end in a name or reason is escaped: one record is one line of JSON."""
    evil = record(1, subject='x\n{"number": 2}\r')
    await store.commit(Changes(audit=[evil]))
    line = render((await store.audit(0, 1))[0])

    assert "\n" not in line
    assert "\r" not in line
    assert json.loads(line)["subject"] == evil.subject


async def test_no_secret_is_in_it(store: SqlStore) -> None:
    """What is audited of a version is its generation, never its secret or fingerprint."""
    version = Version("ecr", 1, Stage.PENDING, "f" * 16, "AWS", NOW)
    await store.commit(
        Changes(versions=[version], secrets={("ecr", 1): Secret("canary-secret")}, audit=[record(1, generation=1)])
    )
    line = render((await store.audit(0, 1))[0])

    assert "canary" not in line
    assert "ffff" not in line


async def test_the_audit_of_one_credential_is_found_by_an_index(tmp_path: Path, open_state: Open) -> None:
    """The newest records of one credential cost no look at those of others, however many there are."""
    url = f"sqlite:///{tmp_path}/state.db"
    await open_state(url)
    query = str(newest(20, "ecr").compile(compile_kwargs={"literal_binds": True}))
    engine = create_engine(url)
    with engine.begin() as connection:
        plan = [row[-1] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
    engine.dispose()
    assert plan == ["SEARCH audit USING INDEX audit_by_credential (credential=?)"]
