"""Everything that happens, as a stream: what it says, to whom, and that nobody can slow the daemon down by it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, get_args

import aiohttp
import pytest

from rotator.admin.changes import Change, Kind, changes_of
from rotator.admin.event_routes import MAX_WATCHERS
from rotator.admin.watching import MAX_WAITING, Watcher
from rotator.domain.events import (
    ConfigReloaded,
    Crashed,
    DeliveryFinished,
    DriftFound,
    Event,
    RotationStarted,
    VersionProbed,
)
from rotator.domain.verdict import Verdict

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
PATH = "/api/v1/events"


def _delivery(number: int, target: str = "prod") -> DeliveryFinished:
    return DeliveryFinished(
        target=target,
        kind="kubernetes",
        placement=f"ns{number}/regcred",
        credential="ecr-prod",
        generation=2,
        error="",
        message="canary-in-a-message",
        changed=True,
        seconds=0.1,
    )


async def _block(answer: aiohttp.ClientResponse) -> list[tuple[str, dict[str, Any]]]:
    """Return the next events, up to a chunk's end."""
    text = (await answer.content.readany()).decode()
    blocks = [block.split("\n") for block in text.split("\n\n") if block.startswith("event: ")]
    return [(name.removeprefix("event: "), json.loads(value.removeprefix("data: "))) for name, value in blocks]


async def _next_change(answer: aiohttp.ClientResponse) -> list[tuple[str, dict[str, Any]]]:
    """Return the next events that are there, however long it takes."""
    while not (events := await _block(answer)):
        assert not answer.content.at_eof()
    return events


@pytest.mark.parametrize("event", get_args(Event), ids=lambda event: event.__name__)
def test_every_event_is_some_kind_of_change(event: type[Event]) -> None:
    """No event of the daemon is unknown to the stream, so that what looks new is never shown as old."""
    fields = dict.fromkeys(event.__dataclass_fields__, "x")
    fields.update({name: ("a", "b") for name in fields if name == "credentials"})  # type: ignore[misc]
    changes = changes_of(event(**fields))  # type: ignore[arg-type]
    assert {type(change.kind) for change in changes} == {Kind}


def test_a_change_is_names_and_nothing_else() -> None:
    """A change says what, of whom and where; nothing that was written about it, so that no text needs an escape."""
    assert changes_of(_delivery(1)) == (Change(Kind.DELIVERY, "ecr-prod", "prod"),)
    assert changes_of(DriftFound("prod", "kubernetes", "a/b", ("one", "two"), "odd", is_contested=False)) == (
        Change(Kind.DELIVERY, "one", "prod"),
        Change(Kind.DELIVERY, "two", "prod"),
    )
    assert changes_of(RotationStarted("r1", "ghcr", "Leaked", "x")) == (Change(Kind.ROTATION, "ghcr", "", "r1"),)
    assert changes_of(Crashed("here", ValueError("canary"))) == (Change(Kind.DAEMON),)


async def test_a_reader_is_told_what_changes(served: Any) -> None:
    """First comes that the reader is up to date from now on, then each change, and none of what was said about it."""
    async with served.as_role("viewer") as session, session.get(PATH) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        ((first, about),) = await _next_change(answer)
        served.daemon.emit(_delivery(1), ConfigReloaded("", AT))
        told = await _next_change(answer)
    assert (first, set(about)) == ("ready", {"version", "now"})
    assert told == [
        ("change", {"kind": "delivery", "credential": "ecr-prod", "target": "prod", "rotation": ""}),
        ("change", {"kind": "daemon", "credential": "", "target": "", "rotation": ""}),
    ]


async def test_ten_thousand_deliveries_are_a_line(served: Any) -> None:
    """What happens to one target many times within a moment is told once."""
    async with served.unix() as session, session.get(PATH) as answer:
        await _next_change(answer)
        served.daemon.emit(*(_delivery(number) for number in range(10_000)))
        told = await _next_change(answer)
    assert [name for name, _ in told] == ["change"]


async def test_who_is_too_slow_is_cut_off(served: Any) -> None:
    """SR-21: a reader that does not read holds bounded memory, loses the stream, and nothing waits for it."""
    watcher = Watcher(served.daemon, asyncio.Event())
    stream = watcher.events()
    await anext(stream)
    for number in range(3 * MAX_WAITING):
        served.daemon.emit(_delivery(number, f"target-{number}"))
        assert len(watcher._waiting) <= MAX_WAITING
    assert [line async for line in stream] == [b"event: lost\ndata: {}\n\n"]
    assert served.daemon.hooks == []


async def test_what_comes_again_costs_no_room(served: Any) -> None:
    """A reader who is behind by as many changes as may be is not cut off by one of them that happens once more."""
    watcher = Watcher(served.daemon, asyncio.Event())
    stream = watcher.events()
    await anext(stream)
    for _ in range(2):
        served.daemon.emit(*(_delivery(1, f"target-{number}") for number in range(MAX_WAITING)))
    assert (await anext(stream)).count(b"event: change") == MAX_WAITING
    await stream.aclose()


async def test_who_leaves_is_forgotten(served: Any) -> None:
    """When a reader goes away, the daemon tells them nothing more, and there is room for another."""
    async with served.unix() as session:
        readers = [await session.get(PATH) for _ in range(MAX_WATCHERS)]
        async with session.get(PATH) as refused:
            assert refused.status == 503
        for reader in readers:
            reader.close()
        while served.daemon.hooks:
            served.daemon.emit(VersionProbed("ghcr", 1, Verdict.ACCEPTED, "", AT))
            await asyncio.to_thread(lambda: None)
        async with session.get(PATH) as welcome:
            assert welcome.status == 200


async def test_closing_waits_for_no_reader(served: Any) -> None:
    """The servers close though somebody reads, and the reader's stream ends in order."""
    async with served.unix() as session, session.get(PATH) as answer:
        await _next_change(answer)
        served.task.cancel()
        assert await answer.content.read() == b""
