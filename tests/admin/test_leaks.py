"""The API's paths about leaks: the report of one, and what is left."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from rotator.errors import NotFoundError

PATH = "/api/v1/credentials/ecr-prod/leaks"


async def post(session: aiohttp.ClientSession, body: Any, **options: Any) -> tuple[int, Any]:
    """Report a leak and return status and answer."""
    async with session.post(PATH, json=body, **options) as answer:
        return answer.status, await answer.json()


async def test_a_report_reaches_the_daemon_and_says_what_is_left(served: Any) -> None:
    """The reason and the author are kept, and the answer names each step and whom it waits for."""
    async with served.unix() as session:
        status, answer = await post(session, {"reason": "on a forum"})
        again = await (await session.get("/api/v1/credentials/ecr-prod/leak")).json()
    assert (status, answer) == (202, again)
    assert (answer["is_over"], answer["steps"][0]["waits_for"]) == (False, "person")
    assert [(act, name) for act, name, _ in served.daemon.acts] == [("leak: on a forum", "ecr-prod")]
    assert served.daemon.acts[0][2].startswith("uid ")


async def test_one_key_is_one_report(served: Any) -> None:
    """A repeated key reports nothing more: what came in place of the leaked secret has not leaked."""
    async with served.unix() as session:
        answers = [await post(session, {"reason": "x"}, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(served.daemon.acts) == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no reason"),
        pytest.param({"reason": "two\nlines"}, id="two lines"),
        pytest.param({"reason": "x", "budget": "10m"}, id="an unknown field"),
    ],
)
async def test_a_wrong_report_begins_nothing(served: Any, body: Any) -> None:
    """What is no report is refused, and nothing is replaced."""
    async with served.unix() as session:
        status, answer = await post(session, body)
    assert (status, answer["error"]["code"], served.daemon.acts) == (422, "invalid_request", [])


async def test_a_leak_of_nothing_is_not_found(served: Any) -> None:
    """Where nothing was ever in use the daemon's own sentence comes through."""
    served.daemon.broken = NotFoundError("ecr-prod: no version was ever in use, so none can have leaked")
    async with served.unix() as session:
        status, answer = await post(session, {"reason": "x"})
    assert (status, "ever in use" in answer["error"]["message"]) == (404, True)


@pytest.mark.parametrize(
    ("query", "status", "older"),
    [
        pytest.param("", 200, [], id="no instant"),
        pytest.param("?since=2026-11-23T13:30:00%2B01:00", 200, ["ecr-prod", "ghcr"], id="with another zone"),
        pytest.param("?since=2026-11-23T11:00:00Z", 200, [], id="before they were issued"),
        pytest.param("?since=2026-11-23T13:00:00", 422, None, id="without a zone"),
        pytest.param("?since=yesterday", 422, None, id="a word"),
        pytest.param("?since=0001-01-01T00:00:00%2B23:59", 422, None, id="before the first year"),
        pytest.param("?since=9999-12-31T23:59:59-23:59", 422, None, id="after the last year"),
    ],
)
async def test_what_is_older_is_listed(served: Any, query: str, status: int, older: list[str] | None) -> None:
    """An instant with its zone says what is older; without a zone it is refused, since nobody knows when it is."""
    async with served.unix() as session, session.get(f"/api/v1/leaks{query}") as answer:
        assert (answer.status, (await answer.json()).get("older")) == (status, older)


async def test_open_responses_are_listed(served: Any) -> None:
    """Only what is not over is listed as open."""
    async with served.unix() as session:
        await post(session, {"reason": "x"})
        listed = await (await session.get("/api/v1/leaks")).json()
    assert [one["credential"] for one in listed["open"]] == ["ecr-prod"]
    assert listed["credentials"] == 2
