"""The API's paths about versions: where each is held, and how an earlier one comes back."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from rotator.errors import PermanentError

PATH = "/api/v1/credentials/ecr-prod/rollbacks"


async def post(session: aiohttp.ClientSession, body: Any, **options: Any) -> tuple[int, Any]:
    """Ask for a rollback and return status and answer."""
    async with session.post(PATH, json=body, **options) as answer:
        return answer.status, await answer.json()


async def test_a_version_says_where_it_is_held_and_what_becomes_of_it(served: Any) -> None:
    """Each version comes with the placements that confirmed it last, by target, and with its fate."""
    async with served.unix() as session:
        listed = await (await session.get("/api/v1/credentials/ecr-prod/versions")).json()
    newest, old = listed["versions"]
    assert newest["held"] == [{"target": "prod", "placements": 2}]
    assert (old["held"], old["fate"]) == ([{"target": "prod", "placements": 1}], "not dead yet: in its grace")


async def test_a_rollback_is_asked_for_with_its_author(served: Any) -> None:
    """The generation and the author reach the daemon; without a number it chooses."""
    async with served.unix() as session:
        named = await post(session, {"reason": "bad", "generation": 1})
        newest = await post(session, {"reason": "bad"})
    assert (named[0], newest[0]) == (202, 202)
    assert [(act, by.partition(" ")[0]) for act, _, by in served.daemon.acts] == [
        ("rolled back to 1", "uid"),
        ("rolled back to None", "uid"),
    ]


async def test_one_key_is_one_rollback(served: Any) -> None:
    """The same key gets the same answer and starts nothing more; with another generation it is refused."""
    key = {"Idempotency-Key": "k1"}
    async with served.unix() as session:
        first = await post(session, {"reason": "bad"}, headers=key)
        again = await post(session, {"reason": "bad"}, headers=key)
        other = await post(session, {"reason": "bad", "generation": 1}, headers=key)
    assert first == again
    assert (other[0], other[1]["error"]["code"]) == (422, "idempotency_key_reused")
    assert len(served.daemon.acts) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"generation": 1}, "invalid_request", id="no reason"),
        pytest.param({"reason": "x", "generation": 0}, "invalid_request", id="generation nought"),
        pytest.param({"reason": "x", "to": 1}, "invalid_request", id="an unknown field"),
        pytest.param({"reason": "x", "generation": 7}, "not_found", id="a generation that is not kept"),
    ],
)
async def test_a_wrong_rollback_starts_nothing(served: Any, body: Any, code: str) -> None:
    """What cannot be asked for is refused with its code, and nothing is begun."""
    async with served.unix() as session:
        _, answer = await post(session, body)
    assert answer["error"]["code"] == code
    assert served.daemon.acts == []


async def test_what_is_impossible_is_said(served: Any) -> None:
    """A version that does not work any more is a conflict with a way out, not an internal error."""
    served.daemon.broken = PermanentError("generation 1 has expired", hint="Rotate instead")
    async with served.unix() as session:
        status, answer = await post(session, {"reason": "x"})
    assert (status, answer["error"]["message"], answer["error"]["hint"]) == (
        409,
        "generation 1 has expired",
        "Rotate instead",
    )
