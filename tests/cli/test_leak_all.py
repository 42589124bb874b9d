"""``rotator leak --all``, against an API that has trouble with some credentials, told as docs/admin-api.md says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rotator.admin.leak_models import LeakList, LeakView, StepView
from rotator.domain.leak import Waits

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
SINCE = ("leak", "--all", "--since", "2026-11-28T09:00:00Z")


class Api:
    """The paths that the command asks, on a UNIX socket.

    Args:
        socket: Its path.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.older = ["first", "second", "third"]
        self.reported: list[str] = []
        self.before: list[str] = []
        self.broken: set[tuple[str, str]] = set()
        """Method and path that are answered with an error."""
        self.is_listed_once = False
        """Whether what is older can be asked for only until a leak was reported."""

    async def handle(self, request: web.Request) -> web.Response:
        """Answer as the API does."""
        path = request.path.removeprefix("/api/v1")
        if (request.method, path) in self.broken:
            body = {
                "error": {"code": "internal", "message": "the state is full", "hint": "", "correlation_id": "c0ffee"}
            }
            return web.json_response(body, status=500)
        match [request.method, *path.strip("/").split("/")]:
            case ["POST", "credentials", name, "leaks"]:
                self.before.append((await request.json()).get("issued_before", ""))
                self.reported.append(name)
                self.broken |= {("GET", "/leaks")} if self.is_listed_once else set()
                return _json(_view(name, is_over=False))
            case ["POST", "credentials", _, "rotations"]:
                return web.json_response({"rotation": "r1", "joined": False}, status=202)
            case ["GET", "credentials", name, "leak"]:
                self.older.remove(name)
                return _json(_view(name, is_over=True))
            case ["GET", "credentials", name]:
                return web.json_response({"now": NOW.isoformat(), "credential": _credential(name)})
        return _json(LeakList(now=NOW, credentials=4, older=tuple(self.older), open=()))


NEWER = "credentials have a version from after 2026-11-28 09:00:00Z, and none from before that may work."


def _json(model: Any) -> web.Response:
    return web.Response(text=model.model_dump_json(), content_type="application/json")


def _view(name: str, *, is_over: bool) -> LeakView:
    message = "every leaked version was seen refused"
    step = StepView(name="dead", is_done=is_over, message=message, waits_for=Waits.DAEMON)
    return LeakView(credential=name, reported_at=NOW, is_over=is_over, steps=(step,))


def _credential(name: str) -> dict[str, Any]:
    at = (NOW - timedelta(hours=1)).isoformat()
    known = {"name": name, "provider": "custom", "registry": "r.example", "strategy": "read", "generation": 1}
    state = {"health": "ok", "message": "in use", "pending_generation": 0, "failures": 0, "targets": []}
    times = {"issued_at": at, "verified_at": at, "last_success_at": at, "renewal_at": None, "next_attempt_at": None}
    return {**known, **state, **times, "expiry": {"kind": "unknown", "at": None}, "running": None, "last": None}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """Return an API with three credentials that are older, and one that is not."""
    served = Api(tmp_path / "admin.sock")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(served.socket)).start()
    yield served
    await runner.cleanup()


async def ask(run: Any, api: Api, *more: str) -> tuple[int, list[str]]:
    """Run the command; return its exit code and the lines of what it printed on both streams."""
    ended = await run(*SINCE, *more, "--socket", str(api.socket), COLUMNS="200")
    return ended.code, [*ended.out.splitlines(), *ended.err.splitlines()]


async def test_all_is_well(run: Any, api: Api) -> None:
    """Where all is replaced it ends with 0, and says that it is complete."""
    code, lines = await ask(run, api, "--reason", "x")
    assert (code, lines[-1]) == (0, "Complete: nothing is left to do.")
    assert api.reported == ["first", "second", "third"]
    assert all(one.startswith("2026-11-28T09:00:00") for one in api.before)
    assert f"4 of 4 {NEWER}" in lines


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(("POST", "/credentials/first/leaks"), id="reporting it"),
        pytest.param(("GET", "/credentials/first"), id="asking what is in use"),
    ],
)
async def test_an_error_in_one_keeps_no_other_from_it(run: Any, api: Api, broken: tuple[str, str]) -> None:
    """All others are reported and followed; the one is named with why, it ends with 1 and with what to do."""
    api.broken.add(broken)
    code, lines = await ask(run, api, "--reason", "x")
    assert (code, api.reported) == (1, ["second", "third"])
    assert "third: over: every required target has the new one; every leaked version was seen refused." in lines
    assert f"3 of 4 {NEWER}" in lines
    assert "  older, or without any: first" in lines
    assert any(line.startswith("  NOT reported: first: the daemon says: the state is full") for line in lines)
    assert lines[-1] == "NOT complete. Report what is not, once mended, with: rotator leak NAME --reason ..."


async def test_what_cannot_be_followed_keeps_no_other_from_it(run: Any, api: Api) -> None:
    """A response that cannot be asked about is named with why; the others are followed to their end."""
    api.broken.add(("GET", "/credentials/second/leak"))
    code, lines = await ask(run, api, "--reason", "x")
    assert (code, api.older) == (1, ["second"])
    assert "third: over: every required target has the new one; every leaked version was seen refused." in lines
    assert any(line.startswith("  not followed to its end: second: the daemon says") for line in lines)
    assert lines[-1].startswith("NOT complete. When the above is done, or to look again: rotator leak --all --since 20")


async def test_without_a_reason_it_says_how_to_report(run: Any, api: Api) -> None:
    """Without a reason nothing is reported, and the last line says how it would be; the instant's zone is kept."""
    ended = await run(*SINCE[:-1], "2026-11-28T11:00:00+02:00", "--socket", str(api.socket), COLUMNS="200")
    last = "NOT complete. Report what is older with: rotator leak --all --since 2026-11-28T09:00:00Z --reason ..."
    assert (ended.code, ended.out.splitlines()[-1], api.reported) == (1, last, [])


async def test_where_the_list_cannot_be_had_at_the_end(run: Any, api: Api) -> None:
    """What failed before is said nevertheless, and the error's advice is how to look again."""
    api.broken.add(("POST", "/credentials/first/leaks"))
    api.is_listed_once = True
    code, lines = await ask(run, api, "--reason", "x")
    assert (code, api.reported) == (1, ["second", "third"])
    assert any(line.startswith("  NOT reported: first: ") for line in lines)
    assert lines[-2] == "rotator: the daemon says: the state is full"
    assert lines[-1].endswith("look again with: rotator leak --all --since 2026-11-28T09:00:00Z")


async def test_one_that_cannot_be_followed_says_how_to_look_again(run: Any, api: Api) -> None:
    """Once something was begun, the advice of whatever goes wrong is that it goes on, and how to see it."""
    api.broken |= {("GET", "/credentials/first/leak"), ("GET", "/rotations/r1/events")}
    at = ("--reason", "x", "--socket", str(api.socket))
    leak, rotate = await run("leak", "first", *at), await run("rotate", "first", *at)
    went_wrong = "rotator: the daemon says: the state is full\n  "
    on = "goes on in the daemon"
    assert (leak.code, leak.err) == (1, f"{went_wrong}The response {on}; follow it again with: rotator leak first\n")
    assert (rotate.code, rotate.err) == (1, f"{went_wrong}Rotation r1 {on}; see it with: rotator status first\n")
