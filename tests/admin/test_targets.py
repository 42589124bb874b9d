"""The API's paths about targets: what they say, whom they believe, and where a login is shown."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

SHOWN = "canary-shown-once-3b1c"


async def post(session: aiohttp.ClientSession, path: str, body: Any) -> tuple[int, Any]:
    """Send JSON and return status and answer."""
    async with session.post(f"/api/v1/targets/{path}", json=body) as answer:
        return answer.status, await answer.json()


async def test_targets_are_listed(served: Any) -> None:
    """The list says of each target what it declares, what it holds, how that is known and what is next."""
    async with served.unix() as session, session.get("/api/v1/targets") as answer:
        listed = (await answer.json())["targets"]
    assert [(one["target"], one["state"], one["next_step"]) for one in listed] == [
        ("prod", "in sync", "nothing"),
        ("tago", "awaiting", "enter it"),
    ]
    tago = listed[1]
    assert (tago["readback"], tago["effect"], tago["concurrency"], tago["min_interval_seconds"]) == (
        "operator",
        "causes-redeploy",
        "serialised",
        21_600,
    )
    (holding,) = tago["holdings"]
    assert (holding["wanted"], holding["held"], holding["behind"][0]["state"]) == (2, 1, "awaiting")


async def test_a_trial_is_told_placement_by_placement(served: Any) -> None:
    """What could be read and what could not stand side by side."""
    async with served.unix() as session:
        status, body = await post(session, "tago/trials", {})
    assert (status, [one["error"] for one in body["trials"]]) == (200, ["", "permission_denied"])


async def test_a_word_is_taken_with_who_gave_it(served: Any) -> None:
    """An acknowledgement names its generation, and is remembered with the caller, over TCP too."""
    async with served.unix() as session:
        status, body = await post(session, "tago/acknowledgements", {"generation": 2})
    async with served.tcp() as session:
        await post(session, "tago/acknowledgements", {"generation": 2})
    assert (status, body["generation"], body["left_behind"]) == (200, 2, "the file is still there")
    assert [act for act, _, _ in served.daemon.acts] == ["acknowledged"] * 2
    assert [by.partition(" ")[0] for _, _, by in served.daemon.acts] == ["uid", "token"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("tago/acknowledgements", {"generation": 1}, 409, id="another generation"),
        pytest.param("nope/acknowledgements", {"generation": 2}, 404, id="no such target"),
        pytest.param("tago/acknowledgements", {}, 422, id="no generation"),
        pytest.param("tago/acknowledgements", {"generation": 0}, 422, id="generation zero"),
        pytest.param("tago/acknowledgements", {"generation": "x"}, 422, id="not a number"),
        pytest.param("tago/acknowledgements", {"generation": 2, "by": "root"}, 422, id="another key"),
        pytest.param("tago/trials", {"write": True}, 422, id="a trial with options"),
        pytest.param("nope/trials", {}, 404, id="trial of no target"),
        pytest.param("nope/revelations", {}, 404, id="no such target to reveal"),
    ],
)
async def test_what_is_refused(served: Any, path: str, body: Any, status: int) -> None:
    """What is not understood, or does not fit what waits, changes nothing."""
    async with served.unix() as session:
        assert (await post(session, path, body))[0] == status
    assert served.daemon.acts == []


async def test_a_login_is_shown_on_the_socket(served: Any) -> None:
    """On the UNIX socket the login is answered, to be stored by nobody, and is in no log line."""
    with capture_logs() as logs:
        async with served.unix() as session, session.post("/api/v1/targets/tago/revelations", json={}) as answer:
            body = await answer.json()
            assert answer.headers["Cache-Control"] == "no-store"
    assert (body["username"], body["password"]) == ("robot", SHOWN)
    assert SHOWN not in repr(logs)


async def test_a_login_is_never_shown_over_tcp(served: Any) -> None:
    """I6: a token over TCP, however valid, gets no login, and nothing counts as shown."""
    async with served.as_role("admin") as session:
        status, body = await post(session, "tago/revelations", {})
    assert (status, body["error"]["code"], served.daemon.acts) == (403, "local_only", [])
    assert SHOWN not in repr(body)
