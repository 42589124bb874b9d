"""What every store promises, shown on every database."""

from __future__ import annotations

import asyncio
import sqlite3
import traceback
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.headroom import Counted, Headroom, HeadroomState, Sample
from rotator.domain.model import NEVER, UNKNOWN, Delivery, DeliveryState, Expiry, Record, Stage, Version
from rotator.domain.note import Note
from rotator.domain.rotation import Rotation, State, Step
from rotator.errors import NotFoundError, PermanentError, StoreError
from rotator.ports import Changes, Store
from rotator.secret import Secret
from rotator.store.store import KEPT_DEAD_VERSIONS, KEPT_ROTATIONS, KEPT_SAMPLES

Open = Callable[..., Awaitable[Store]]
NOW = datetime(2026, 11, 23, 12, 34, 56, 789_012, tzinfo=UTC)
CANARY = "canary-3f81c2"


def version(generation: int = 1, stage: Stage = Stage.CURRENT, **how: Any) -> Version:
    """Return a version of the credential ``ecr``."""
    return replace(Version("ecr", generation, stage, "0123456789abcdef", "AWS", NOW), **how)


def rotation(number: int, state: State = State.SUCCEEDED, credential: str = "ecr") -> Rotation:
    """Return a rotation whose id sorts by its number."""
    return Rotation(f"r{number:05d}", credential, "RenewalPointReached", "due", Step.PROMOTE, state, NOW)


def delivery(placement: str = "team/regcred", generation: int = 1) -> Delivery:
    """Return a delivery to the target ``prod``."""
    return Delivery("prod", placement, "ecr", generation, DeliveryState.CONFIRMED, NOW, "", "", 2, generation)


def sample(number: int = 0, registry: str = "docker.io", credential: str = "hub") -> Sample:
    """Return a measured limit; those with a higher number came later."""
    told = Headroom(HeadroomState.LIMITED, 100, number, 21_600, NOW, Counted.ACCOUNT)
    return Sample(registry, credential, NOW + timedelta(microseconds=number), told)


WHOLE = Changes(
    records=[Record("ecr", 2, 3, NOW, NOW + timedelta(microseconds=1), None), Record("ghcr")],
    versions=[
        version(1, Stage.PREVIOUS, expiry=NEVER, revision="7", verified_at=NOW),
        version(2, expiry=Expiry(NOW), rejected_at=NOW),
        version(3, Stage.PENDING, expiry=UNKNOWN, username="käßé 用户 🐳"),
    ],
    secrets={("ecr", 1): Secret(f"{CANARY}-1"), ("ecr", 2): Secret(f"{CANARY}-2 \x00\ud800é")},
    rotations=[replace(rotation(1, State.RUNNING), finished_at=NOW, generation=3, error="shape", by="ana")],
    deliveries=[
        replace(delivery(), repairs=(NOW, NOW + timedelta(microseconds=1)), left_until=NOW + timedelta(hours=1)),
        delivery("a b/'\"; --", 2),
    ],
    samples=[
        sample(10**12),
        Sample("r.example:5000", "anonymous", NOW + timedelta(days=99), Headroom(HeadroomState.UNLIMITED)),
    ],
)


async def contents(store: Store) -> tuple[object, ...]:
    """Return all that is live, sorted."""
    snapshot = await store.load()
    return (
        sorted(snapshot.records, key=lambda record: record.name),
        sorted(snapshot.versions, key=lambda item: (item.credential, item.generation)),
        list(snapshot.rotations),
        sorted(snapshot.deliveries, key=lambda item: item.placement),
        list(snapshot.samples),
    )


async def test_new_store_is_empty(store: Store) -> None:
    """A new store holds nothing, and says so."""
    assert await contents(store) == ([], [], [], [], [])
    assert await store.rotations(None, 10) == []
    assert await store.versions("ecr") == []


async def test_what_was_committed_is_loaded(store: Store) -> None:
    """Every field survives to the letter and the microsecond; an expiry stays known, never or unknown."""
    await store.commit(WHOLE)
    records, versions, rotations, deliveries, samples = await contents(store)

    assert (records, versions, rotations) == (list(WHOLE.records), list(WHOLE.versions), list(WHOLE.rotations))
    assert deliveries == sorted(WHOLE.deliveries, key=lambda item: item.placement)
    assert samples == list(WHOLE.samples)


async def test_stages_and_states_are_their_own_types(store: Store) -> None:
    """What is loaded compares and matches as what was written: members, not bare text."""
    await store.commit(WHOLE)
    snapshot = await store.load()

    assert isinstance(snapshot.versions[0].stage, Stage)
    assert isinstance(snapshot.rotations[0].step, Step)
    assert isinstance(snapshot.deliveries[0].state, DeliveryState)
    assert isinstance(snapshot.samples[0].headroom.state, HeadroomState)


async def test_state_outlives_the_process(lasting_url: str, open_state: Open) -> None:
    """What was committed is there for the next process, secrets too."""
    first = await open_state(lasting_url)
    await first.commit(WHOLE)
    before = await contents(first)
    await first.close()
    second = await open_state(lasting_url)

    assert await contents(second) == before
    assert (await second.secret("ecr", 2)).reveal() == f"{CANARY}-2 \x00\ud800é"


async def test_commit_may_be_repeated(store: Store) -> None:
    """Writing the same changes again changes nothing more."""
    await store.commit(WHOLE)
    before = await contents(store)
    await store.commit(WHOLE)

    assert await contents(store) == before


async def test_commit_replaces_by_key(store: Store) -> None:
    """A later value of the same key takes the place of the earlier one; its secret stays."""
    await store.commit(WHOLE)
    later = Changes(
        records=[Record("ecr", 9)], versions=[version(2, Stage.PREVIOUS)], deliveries=[delivery(generation=7)]
    )
    await store.commit(later)
    snapshot = await store.load()

    assert Record("ecr", 9) in snapshot.records
    assert version(2, Stage.PREVIOUS) in snapshot.versions
    assert delivery(generation=7) in snapshot.deliveries
    assert len(snapshot.deliveries) == 2
    assert (await store.secret("ecr", 2)).reveal().startswith(CANARY)


async def test_removed_deliveries_are_forgotten(store: Store) -> None:
    """A removed delivery is gone; removing one that never was does no harm."""
    await store.commit(WHOLE)
    await store.commit(Changes(removed=[("prod", "team/regcred", "ecr"), ("prod", "nowhere", "ecr")]))

    assert [item.placement for item in (await store.load()).deliveries] == ["a b/'\"; --"]


BROKEN = [
    Changes(records=[Record("ecr", 2)], secrets={("ecr", 99): Secret("of no version")}),
    Changes(records=[Record("ecr", 2)], deliveries=[delivery(), replace(delivery("b"), placement="\udc80")]),
    Changes(records=[Record("ecr", 2)], deliveries=[delivery(), replace(delivery("b"), attempts=1 << 70)]),
    Changes(records=[Record("ecr", 2)], versions=[replace(version(), username=None)]),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("changes", BROKEN, ids=["secret without version", "no text", "huge number", "nothing"])
async def test_commit_that_fails_changes_nothing(store: Store, changes: Changes) -> None:
    """A commit is whole or not at all, and fails as one of our own errors; the store goes on."""
    await store.commit(Changes(records=[Record("ecr", 1)]))
    with pytest.raises((StoreError, PermanentError)) as raised:
        await store.commit(changes)

    assert (await store.load()).records == [Record("ecr", 1)]
    assert (await store.load()).deliveries == []
    assert "INSERT" not in str(raised.value)
    await store.commit(WHOLE)


async def test_commit_that_is_cancelled_is_whole_or_nothing(store: Store) -> None:
    """A commit that is cancelled at any moment leaves all or nothing, and a store that still serves."""
    many = Changes(records=[Record("ecr", 1)], deliveries=[delivery(f"p{number}") for number in range(2000)])
    for steps in (1, 3, 10, 30, 100):
        task = asyncio.create_task(store.commit(many))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        snapshot = await store.load()

        assert (len(snapshot.records), len(snapshot.deliveries)) in {(0, 0), (1, 2000)}
    await store.commit(many)
    assert len((await store.load()).deliveries) == 2000


async def test_reading_that_is_cancelled_does_no_harm(store: Store) -> None:
    """A reader that gives up at any moment leaves a store that still serves, with all that was in it."""
    await store.commit(WHOLE)
    for steps in (1, 3, 10, 30):
        task = asyncio.create_task(store.load())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    assert list((await store.load()).records) == list(WHOLE.records)


async def test_error_does_not_quote_values(store: Store) -> None:
    """Neither the error of a failed commit nor the chain behind it shows the values or the statement's parameters."""
    broken = replace(version(), username=None, revision=CANARY)  # type: ignore[arg-type]
    with pytest.raises(StoreError) as raised:
        await store.commit(Changes(versions=[broken], secrets={("ecr", 1): Secret(CANARY)}))

    assert CANARY not in f"{raised.value!r} {''.join(traceback.format_exception(raised.value))}"


async def test_dead_version_loses_its_secret(store: Store) -> None:
    """Retired and abandoned versions stay listed, without their secret; live ones keep theirs."""
    await store.commit(WHOLE)
    await store.commit(Changes(versions=[version(1, Stage.RETIRED), version(3, Stage.ABANDONED)]))

    assert [item.generation for item in (await store.load()).versions] == [2]
    assert [item.stage for item in await store.versions("ecr")] == [Stage.ABANDONED, Stage.CURRENT, Stage.RETIRED]
    for generation in (1, 3, 4):
        with pytest.raises(NotFoundError, match=f"the secret of generation {generation} is not kept"):
            await store.secret("ecr", generation)
    assert (await store.secret("ecr", 2)).reveal().startswith(CANARY)


async def test_secret_that_comes_with_its_death_is_not_kept(store: Store) -> None:
    """A version that is abandoned in the commit that brings its secret leaves none behind."""
    await store.commit(Changes(versions=[version(1, Stage.ABANDONED)], secrets={("ecr", 1): Secret(CANARY)}))
    with pytest.raises(NotFoundError):
        await store.secret("ecr", 1)


async def test_files_hold_no_secret(tmp_path: Path, open_state: Open) -> None:
    """Neither the database nor its journal holds a secret in the open, and they are closed to other users."""
    store = await open_state(f"sqlite:///{tmp_path}/state.db")
    await store.commit(WHOLE)
    files = {path.name: path for path in tmp_path.iterdir()}

    assert {"state.db", "state.db-wal"} <= set(files)
    assert all(CANARY.encode() not in path.read_bytes() for path in files.values())
    assert all(path.stat().st_mode & 0o077 == 0 for path in files.values())


async def test_sealed_text_of_a_dead_version_is_wiped(tmp_path: Path, open_state: Open) -> None:
    """After the version is retired, the database file does not even hold its sealed secret any more."""
    path = tmp_path / "state.db"
    store = await open_state(f"sqlite:///{path}")
    await store.commit(Changes(versions=[version()], secrets={("ecr", 1): Secret(CANARY)}))
    with closing(sqlite3.connect(path)) as connection:
        sealed: bytes = connection.execute("SELECT sealed FROM versions").fetchone()[0]
    await store.commit(Changes(versions=[version(stage=Stage.RETIRED)]))
    await store.close()

    assert [item.name for item in tmp_path.iterdir()] == ["state.db"]
    assert sealed not in path.read_bytes()


async def test_dead_versions_that_are_held_are_loaded_and_kept(store: Store) -> None:
    """What a placement holds is loaded beside the live versions and outlives its like, until nothing holds it."""
    dead = [version(number, Stage.RETIRED) for number in range(1, 3)]
    await store.commit(Changes(records=[Record("ecr", 2)], versions=dead, deliveries=[delivery(generation=1)]))
    snapshot = await store.load()
    assert (snapshot.versions, snapshot.held) == ([], [dead[0]])

    for number in range(3, 60):
        await store.commit(Changes(versions=[version(number, Stage.RETIRED)]))
    assert (await store.load()).held == [dead[0]]
    assert [one.generation for one in await store.versions("ecr")][-2:] == [10, 1]

    await store.commit(Changes(deliveries=[delivery(generation=59)], versions=[version(60, Stage.RETIRED)]))
    assert [one.generation for one in (await store.load()).held] == [59]
    assert [one.generation for one in await store.versions("ecr")][-1] == 11


async def test_a_renamed_credential_keeps_all_it_had(store: Store) -> None:
    """Versions with their secrets, deliveries and rotations become those of the new name, in one transaction."""
    await store.commit(WHOLE)
    before = await store.load()
    await store.commit(Changes(records=[Record("ecr-prod", 2)], renamed={"ecr": "ecr-prod"}))

    after = await store.load()
    assert list(after.versions) == [replace(one, credential="ecr-prod") for one in before.versions]
    assert list(after.deliveries) == [replace(one, credential="ecr-prod") for one in before.deliveries]
    assert list(after.rotations) == [replace(one, credential="ecr-prod") for one in before.rotations]
    assert sorted(one.name for one in after.records) == ["ecr-prod", "ghcr"]
    assert (await store.secret("ecr-prod", 1)).reveal() == f"{CANARY}-1"
    with pytest.raises(NotFoundError):
        await store.secret("ecr", 1)


async def test_a_rename_onto_what_is_there_changes_nothing(store: Store) -> None:
    """Where the new name has the same generation, the rename fails, and everything stays what it was."""
    await store.commit(WHOLE)
    await store.commit(Changes(versions=[replace(version(), credential="hub")]))
    before = await contents(store)

    with pytest.raises(StoreError):
        await store.commit(Changes(renamed={"ecr": "hub"}))
    assert await contents(store) == before


async def test_load_returns_the_newest_rotation_of_each_credential(store: Store) -> None:
    """Of each credential the running, the delivering and the newest rotation are loaded, oldest first."""
    rotations = [
        rotation(1),
        rotation(2, State.DELIVERING),
        rotation(3, State.FAILED),
        rotation(4, State.RUNNING, "ghcr"),
        rotation(5, State.ABANDONED, "ghcr"),
        rotation(6, State.SUCCEEDED, "hub"),
    ]
    await store.commit(Changes(rotations=list(reversed(rotations))))

    assert list((await store.load()).rotations) == rotations[1:]


async def test_rotations_are_listed_newest_first(store: Store) -> None:
    """The list of rotations is cut to a number, of one credential or of all."""
    await store.commit(Changes(rotations=[rotation(n, credential="ecr" if n % 2 else "hub") for n in range(10)]))

    assert [item.id for item in await store.rotations(None, 3)] == ["r00009", "r00008", "r00007"]
    assert [item.id for item in await store.rotations("hub", 2)] == ["r00008", "r00006"]
    assert await store.rotations("nobody", 2) == []
    assert (await store.rotation("r00004")).credential == "hub"
    with pytest.raises(NotFoundError, match="no rotation has the id r9"):
        await store.rotation("r9")


async def test_old_rotations_are_forgotten(store: Store) -> None:
    """Ended rotations beyond the newest are forgotten when another ends; open ones and others' never are."""
    many = KEPT_ROTATIONS + 50
    kept = [rotation(0, State.DELIVERING), rotation(1, credential="hub")]
    await store.commit(Changes(rotations=[*kept, *(rotation(number) for number in range(2, many))]))
    await store.commit(Changes(rotations=[rotation(many)]))

    assert len(await store.rotations("ecr", 10_000)) == KEPT_ROTATIONS + 1
    assert (await store.rotations("ecr", 1))[0].id == rotation(many).id
    assert await store.rotation("r00000") == kept[0]
    assert await store.rotations("hub", 10) == [kept[1]]


async def test_old_dead_versions_are_forgotten(store: Store) -> None:
    """Dead versions beyond the newest are forgotten when another dies; live ones never are."""
    many = KEPT_DEAD_VERSIONS + 20
    dead = [version(number, Stage.RETIRED) for number in range(2, many)]
    await store.commit(Changes(versions=[version(1), *dead]))
    await store.commit(Changes(versions=[version(many, Stage.ABANDONED), version(many + 1, Stage.PENDING)]))
    found = [item.generation for item in await store.versions("ecr")]

    assert found == [many + 1, *range(many, many - KEPT_DEAD_VERSIONS, -1), 1]


async def test_old_samples_are_forgotten(store: Store) -> None:
    """Of each credential at each registry the newest samples are kept, oldest first; others' stay."""
    kept = [sample(0, "r.example"), sample(1, credential="anonymous")]
    await store.commit(Changes(samples=[*kept, *(sample(number) for number in range(KEPT_SAMPLES + 20))]))
    await store.commit(Changes(samples=[sample(KEPT_SAMPLES + 20)]))
    found = (await store.load()).samples

    assert [one for one in found if one in kept] == kept
    assert [one for one in found if one not in kept] == [sample(number) for number in range(21, KEPT_SAMPLES + 21)]


async def test_ten_thousand_deliveries_are_one_commit(store: Store) -> None:
    """A large commit is written and read back whole."""
    many = [delivery(f"namespace-{number}/regcred") for number in range(10_000)]
    await store.commit(Changes(deliveries=many))

    assert set((await store.load()).deliveries) == set(many)


@pytest.mark.parametrize(
    "at",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
    ids=["epoch", "before", "last"],
)
async def test_instants_are_exact(store: Store, at: datetime) -> None:
    """Any instant that Python can name comes back to the microsecond."""
    await store.commit(Changes(records=[Record("ecr", next_attempt_at=at)]))

    assert (await store.load()).records[0].next_attempt_at == at


async def test_concurrent_commits_and_reads(store: Store) -> None:
    """Commits at once are all written, each whole: a reader never sees one without the other half."""

    async def write(number: int) -> None:
        pair = [delivery(f"{number}-a", number), delivery(f"{number}-b", number)]
        await store.commit(Changes(records=[Record(f"c{number}", number)], deliveries=pair))

    async def read() -> None:
        snapshot = await store.load()

        assert len(snapshot.deliveries) == 2 * len(snapshot.records)

    await asyncio.gather(*(action for number in range(50) for action in (write(number), read())))
    snapshot = await store.load()

    assert (len(snapshot.records), len(snapshot.deliveries)) == (50, 100)


async def test_closed_store_says_so(store: Store) -> None:
    """After close, which may be repeated, every call is refused; no connection is opened behind our back."""
    await store.close()
    await store.close()
    for call in (store.load(), store.commit(WHOLE), store.secret("ecr", 1), store.rotations(None, 1)):
        with pytest.raises(StoreError, match="closed"):
            await call


async def test_notes_are_kept_by_destination(lasting_url: str, open_state: Callable[..., Awaitable[Any]]) -> None:
    """What a destination was told is there after a restart, to the microsecond, and replaced as a whole."""
    told = [
        Note("ops", "expired", "ecr", "", "critical", "it's over; --", NOW),
        Note("ops", "limit", "hub", "r", "c", "w", NOW),
    ]
    other = Note("chat", "expired", "ecr", "", "critical", "expired", NOW)
    state = await open_state(lasting_url)
    await state.keep_notes("ops", told)
    await state.keep_notes("chat", [other])
    await state.keep_notes("ops", told)
    await state.close()

    state = await open_state(lasting_url)
    assert sorted(await state.notes(), key=lambda note: (note.destination, note.kind)) == [other, *told]
    await state.keep_notes("ops", ())
    assert list(await state.notes()) == [other]
