"""One rotation as server-sent events, from its first step to its end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from rotator.admin.routes import MAX_STREAMS
from rotator.domain.events import DeliveryFinished, RotationFinished, StepFinished
from rotator.domain.rotation import Rotation, State, Step, end


async def _begin(served: Any, session: aiohttp.ClientSession) -> Rotation:
    url = "/api/v1/credentials/ecr-prod/rotations"
    async with session.post(url, json={"reason": "a test"}) as answer:
        rotation: Rotation = served.daemon.kept[(await answer.json())["rotation"]]
    return rotation


def _finish(served: Any, rotation: Rotation, state: State, outcome: str) -> None:
    ended = end(replace(rotation, step=Step.PROMOTE), state, "done", at=rotation.started_at + timedelta(seconds=3))
    served.daemon.kept[rotation.id] = ended
    served.daemon.emit(
        RotationFinished(rotation.id, rotation.credential, rotation.reason, outcome, "promote", "", "done", 3.0)
    )


def _delivery(number: int, *, error: str = "", generation: int = 2, credential: str = "ecr-prod") -> DeliveryFinished:
    return DeliveryFinished(
        target="prod",
        kind="kubernetes",
        placement=f"ns{number}/regcred",
        credential=credential,
        generation=generation,
        error=error,
        message=error and "no",
        changed=True,
        seconds=0.1,
    )


async def _events(answer: aiohttp.ClientResponse) -> list[tuple[str, dict[str, Any]]]:
    text = await answer.text()
    blocks = [block.split("\n") for block in text.split("\n\n") if block.startswith("event: ")]
    return [(name.removeprefix("event: "), json.loads(value.removeprefix("data: "))) for name, value in blocks]


async def test_a_rotation_is_told_in_order(served: Any) -> None:
    """State, steps, deliveries, counts and the end come in the order in which they happened; others' do not come."""
    async with served.unix() as session:
        rotation = await _begin(served, session)
        async with session.get(f"/api/v1/rotations/{rotation.id}/events") as answer:
            await served.daemon.subscribed.wait()
            served.daemon.emit(
                StepFinished(rotation.id, "ecr-prod", "issue", 0.5, "issued"),
                StepFinished("another", "ecr-prod", "issue", 0.5, "issued"),
                _delivery(1),
                _delivery(2, error="unavailable"),
                _delivery(3, credential="ghcr"),
                _delivery(4, generation=1),
                StepFinished(rotation.id, "ecr-prod", "deliver", 1.5, "delivered"),
            )
            _finish(served, rotation, State.SUCCEEDED, "succeeded")
            events = await _events(answer)
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            assert answer.headers["Cache-Control"] == "no-store"
    assert [name for name, _ in events] == [
        "state", "step", "delivery", "delivery", "deliveries", "step", "deliveries", "end",
    ]  # fmt: skip
    assert events[0][1]["placements"] == 3
    assert events[4][1] == {"confirmed": 1, "failed": 1}
    assert (events[-1][1]["outcome"], events[-1][1]["lacking"]) == ("succeeded", 1)


async def test_many_deliveries_are_counted(served: Any) -> None:
    """Beyond a hundred, deliveries are told as counts."""
    async with served.unix() as session:
        rotation = await _begin(served, session)
        async with session.get(f"/api/v1/rotations/{rotation.id}/events") as answer:
            await served.daemon.subscribed.wait()
            served.daemon.emit(*(_delivery(number) for number in range(1050)))
            _finish(served, rotation, State.SUCCEEDED, "succeeded")
            events = await _events(answer)
    names = [name for name, _ in events]
    assert names.count("delivery") == 100
    assert names.count("deliveries") == 10
    assert events[-2] == ("deliveries", {"confirmed": 1050, "failed": 0})


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.SUCCEEDED, "succeeded"),
        (State.UNCHANGED, "unchanged"),
        (State.FAILED, "failed"),
        (State.ABANDONED, "abandoned"),
        (State.DELIVERING, "partial"),
    ],
    ids=str,
)
async def test_one_that_ended_is_told_at_once(served: Any, state: State, outcome: str) -> None:
    """Following a rotation that does not run any more gets its state and its end."""
    async with served.unix() as session:
        rotation = await _begin(served, session)
        _finish(served, rotation, state, outcome)
        async with session.get(f"/api/v1/rotations/{rotation.id}/events") as answer:
            events = await _events(answer)
    assert [name for name, _ in events] == ["state", "deliveries", "end"]
    assert (events[-1][1]["outcome"], events[-1][1]["rotation"]["state"]) == (outcome, state)


async def test_an_end_that_was_not_heard_is_noticed(served: Any) -> None:
    """When the event of the end got lost, the stream finds the end by looking, and has kept the line alive."""
    async with served.unix() as session:
        rotation = await _begin(served, session)
        async with session.get(f"/api/v1/rotations/{rotation.id}/events") as answer:
            await served.daemon.subscribed.wait()
            served.daemon.kept[rotation.id] = end(rotation, State.FAILED, "broke", at=rotation.started_at)
            text = await answer.text()
    assert ": still here" in text
    assert '"outcome":"failed"' in text


async def test_followers_are_bounded(served: Any) -> None:
    """A further follower is told that there are too many; when one leaves, there is room again."""
    async with served.unix() as session:
        rotation = await _begin(served, session)
        path = f"/api/v1/rotations/{rotation.id}/events"
        answers = [await session.get(path) for _ in range(MAX_STREAMS)]
        async with session.get(path) as refused:
            assert refused.status == 503
        _finish(served, rotation, State.SUCCEEDED, "succeeded")
        for answer in answers:
            await answer.text()
        async with session.get(path) as welcome:
            assert welcome.status == 200
