"""The API's paths: what they answer, what they refuse, and that reading changes nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from rotator.admin.failure import SECURITY_HEADERS
from rotator.errors import ConfigError, RotatorError, StoreError

READS = [
    "/api/v1/status",
    "/api/v1/credentials",
    "/api/v1/credentials/ecr-prod",
    "/api/v1/credentials/ecr-prod/versions",
    "/api/v1/credentials/ecr-prod/leak",
    "/api/v1/leaks?since=2026-11-28T09:00:00Z",
    "/api/v1/credentials/ecr-prod/usage",
    "/api/v1/audit",
    "/api/v1/audit/records",
    "/api/v1/audit/verdict",
    "/api/v1/plan",
    "/api/v1/images",
    "/api/v1/configuration",
    "/api/v1/rotations",
    "/api/v1/limits",
    "/api/v1/targets",
    "/api/v1/openapi.json",
]


async def _post(session: aiohttp.ClientSession, name: str = "ecr-prod", **options: Any) -> tuple[int, dict[str, Any]]:
    body = options.pop("body", {"reason": "a test"})
    async with session.post(f"/api/v1/credentials/{name}/rotations", json=body, **options) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("path", READS)
async def test_reading_changes_nothing_and_is_marked(served: Any, path: str) -> None:
    """Every GET is answered with the security headers, and the daemon is asked for nothing."""
    async with served.unix() as session, session.get(path) as answer:
        assert answer.status == 200
        assert SECURITY_HEADERS.items() <= dict(answer.headers).items()
        assert served.daemon.requests == []


async def test_credentials_are_listed_by_name_and_in_pages(served: Any) -> None:
    """A page ends where it was asked to, and says where to go on."""
    async with served.unix() as session:
        first = await (await session.get("/api/v1/credentials?limit=1")).json()
        rest = await (await session.get(f"/api/v1/credentials?after={first['after']}")).json()
    assert [one["name"] for one in first["credentials"]] == ["ecr-prod"]
    assert [one["name"] for one in rest["credentials"]] == ["ghcr"]
    assert rest["after"] is None


async def test_detail_names_what_is_behind(served: Any) -> None:
    """One credential comes with the placements that have not confirmed it; the list leaves them out."""
    async with served.unix() as session:
        detail = await (await session.get("/api/v1/credentials/ecr-prod")).json()
        listed = await (await session.get("/api/v1/credentials")).json()
    assert detail["credential"]["targets"][0]["behind"][0]["placement"] == "web/regcred"
    assert listed["credentials"][0]["targets"][0]["behind"] == []


@pytest.mark.parametrize("path", ["/api/v1/credentials/ecr-prod", "/api/v1/credentials"], ids=["one", "list"])
async def test_rights_are_told(served: Any, path: str) -> None:
    """Scopes, whose it is, whether that is too much, and what to request instead, for one and in the list."""
    async with served.unix() as session:
        answer = await (await session.get(path)).json()
    view = answer["credential"] if "credential" in answer else answer["credentials"][0]
    assert (view["scopes"], view["principal"], view["is_overprivileged"]) == (["read", "write"], "acme", True)
    assert view["lints"] == [{"code": "over_privileged", "text": "it may push; make a smaller one"}]


async def test_versions_show_fingerprints_and_nothing_secret(served: Any) -> None:
    """A version is stage, age and fingerprint; but for plans nothing else shows a fingerprint, nothing a user name."""
    async with served.unix() as session:
        versions = await (await session.get("/api/v1/credentials/ecr-prod/versions")).json()
        others = "".join(
            [await (await session.get(path)).text() for path in READS if not path.endswith(("versions", "plan"))]
        )
    assert [one["stage"] for one in versions["versions"]] == ["current", "previous"]
    assert versions["versions"][0]["fingerprint"] == "00112233aabbccdd"
    assert "00112233aabbccdd" not in others
    assert "robot-user-name" not in others + json.dumps(versions)


async def test_images_are_told(served: Any) -> None:
    """Each image comes with its credential and what the registry last said; of one credential where one is named."""
    async with served.unix() as session:
        listed = (await (await session.get("/api/v1/images")).json())["images"]
        one = (await (await session.get("/api/v1/images?credential=ghcr")).json())["images"]
        async with session.get("/api/v1/images?credential=nope") as unknown:
            assert unknown.status == 404
    assert [(image["credential"], image["id"], image["is_pullable"]) for image in listed] == [
        ("ecr-prod", "app", True),
        ("ghcr", "app", True),
    ]
    assert [image["credential"] for image in one] == ["ghcr"]


async def test_the_configuration_is_named_and_not_shown(served: Any) -> None:
    """Which files, since when, a digest, and why a newer one was refused; no value of it."""
    async with served.unix() as session:
        told = await (await session.get("/api/v1/configuration")).json()
    told.pop("now")
    assert told == {
        "path": "/etc/rotator",
        "files": ["00-policy.yaml", "team.yaml"],
        "loaded_at": "2026-11-23T12:00:00Z",
        "digest": "ab" * 32,
        "failed_at": "2026-11-23T13:00:00Z",
        "error": "team.yaml:3: is missing",
        "credentials": 2,
        "targets": 0,
        "registries": 0,
    }


async def test_limits_are_told_and_foretold(served: Any) -> None:
    """Each limit comes with its numbers, when they were told, and when nothing will be left."""
    async with served.unix() as session:
        (limit,) = (await (await session.get("/api/v1/limits")).json())["limits"]
    assert limit == {
        "registry": "docker.io",
        "credential": "hub",
        "state": "limited",
        "limit": 200,
        "remaining": 50,
        "window_seconds": 21_600,
        "reset_at": None,
        "source": "account",
        "told_at": "2026-11-23T12:00:00Z",
        "exhausted_at": "2026-11-23T13:00:00Z",
    }


async def test_status_counts_health(served: Any) -> None:
    """The daemon's status says how many credentials there are of each health, and why it is not ready."""
    served.daemon.ready = "starting"
    async with served.unix() as session:
        status = await (await session.get("/api/v1/status")).json()
    assert status["by_health"] == {"ok": 2}
    assert (status["ready"], status["alive"], status["message"]) == (False, True, "starting")


async def test_a_request_reaches_the_daemon_with_its_author(served: Any) -> None:
    """A rotation is asked for with the reason that was sent, by the user that the kernel names."""
    async with served.unix() as session:
        status, body = await _post(session, body={"reason": "  leaked  "})
    assert (status, body["joined"]) == (202, False)
    assert [(name, reason) for name, reason, _ in served.daemon.requests] == [("ecr-prod", "leaked")]
    assert served.daemon.requests[0][2].startswith("uid ")


async def test_one_key_gets_one_rotation(served: Any) -> None:
    """SR-18: a hundred concurrent requests with one idempotency key are one request, and get one answer."""
    async with served.unix() as session:
        answers = await asyncio.gather(*(_post(session, headers={"Idempotency-Key": "k1"}) for _ in range(100)))
    assert len(served.daemon.requests) == 1
    assert len({json.dumps(answer) for answer in answers}) == 1


async def test_a_key_is_for_one_request(served: Any) -> None:
    """A key that comes with another request is refused, and nothing is started."""
    async with served.unix() as session:
        await _post(session, headers={"Idempotency-Key": "k1"})
        status, body = await _post(session, headers={"Idempotency-Key": "k1"}, body={"reason": "another"})
    assert (status, body["error"]["code"]) == (422, "idempotency_key_reused")
    assert len(served.daemon.requests) == 1


async def test_a_failure_is_not_remembered(served: Any) -> None:
    """A request that failed can be repeated with its key."""
    served.daemon.broken = StoreError("the state is locked")
    async with served.unix() as session:
        failed = await _post(session, headers={"Idempotency-Key": "k1"})
        served.daemon.broken = None
        repeated = await _post(session, headers={"Idempotency-Key": "k1"})
    assert (failed[0], failed[1]["error"]["code"], repeated[0]) == (503, "store", 202)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no reason"),
        pytest.param({"reason": ""}, id="empty"),
        pytest.param({"reason": " "}, id="blank"),
        pytest.param({"reason": "x" * 501}, id="too long"),
        pytest.param({"reason": "a\nb"}, id="two lines"),
        pytest.param({"reason": "\x1b[31m"}, id="escape sequence"),
        pytest.param({"reason": "fine", "force": True}, id="unknown key"),
        pytest.param(["reason"], id="a list"),
        pytest.param({"reason": 5}, id="a number"),
    ],
)
async def test_a_bad_request_is_refused_without_an_echo(served: Any, body: object) -> None:
    """What is not a reason is refused with the place of the mistake, and starts nothing."""
    async with served.unix() as session:
        status, answer = await _post(session, body=body)
    assert (status, answer["error"]["code"]) == (422, "invalid_request")
    assert "xxxx" not in answer["error"]["message"]
    assert served.daemon.requests == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        pytest.param(b"x" * (65 << 10), {"Content-Type": "application/json"}, 413, id="too large"),
        pytest.param(b"[" * 60_000, {"Content-Type": "application/json"}, 422, id="too deep"),
        pytest.param(b"{", {"Content-Type": "application/json"}, 422, id="cut off"),
        pytest.param(b"reason=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415, id="a form"),
        pytest.param(b'{"reason": "x"}', {"Content-Type": "text/plain"}, 415, id="plain text"),
    ],
)
async def test_a_body_must_be_small_json(served: Any, content: bytes, headers: dict[str, str], status: int) -> None:
    """A body that is no JSON, or too large, is refused in the envelope."""
    url = "/api/v1/credentials/ecr-prod/rotations"
    async with served.unix() as session, session.post(url, data=content, headers=headers) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["code"]
    assert served.daemon.requests == []


async def test_a_body_of_unknown_length_is_bounded(served: Any) -> None:
    """A body sent in chunks is cut at the same size."""

    async def chunks() -> Any:
        for _ in range(80):
            yield b"x" * 1024

    url = "/api/v1/credentials/ecr-prod/rotations"
    headers = {"Content-Type": "application/json"}
    async with served.unix() as session, session.post(url, data=chunks(), headers=headers) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "/api/v1/credentials/nope", 404, "not_found", id="unknown credential"),
        pytest.param("GET", "/api/v1/rotations/nope", 404, "not_found", id="unknown rotation"),
        pytest.param("GET", "/api/v1/rotations/nope/events", 404, "not_found", id="events of an unknown rotation"),
        pytest.param("GET", "/", 404, "unknown_path", id="root"),
        pytest.param("GET", "/docs", 404, "unknown_path", id="no docs page"),
        pytest.param("GET", "/api/v1/credentials/", 404, "unknown_path", id="slash"),
        pytest.param("DELETE", "/api/v1/credentials/ecr-prod", 405, "method_not_allowed", id="delete"),
        pytest.param("GET", "/api/v1/rotations?limit=0", 422, "invalid_request", id="limit"),
        pytest.param("GET", "/api/v1/credentials/" + "x" * 64, 422, "invalid_request", id="long name"),
    ],
)
async def test_failures_have_one_shape(served: Any, method: str, path: str, status: int, code: str) -> None:
    """Every failure is an envelope with a code and a correlation id, and has the security headers."""
    async with served.unix() as session, session.request(method, path) as answer:
        body = await answer.json()
        assert (answer.status, body["error"]["code"]) == (status, code)
        assert len(body["error"]["correlation_id"]) == 16
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("canary-in-an-exception"), id="a defect"),
        pytest.param(RotatorError("canary-in-an-exception"), id="internal"),
        pytest.param(ConfigError(["canary-in-an-exception"]), id="a code that is not the caller's business"),
    ],
)
async def test_the_unforeseen_shows_nothing_but_where_to_look(served: Any, error: Exception) -> None:
    """SR-43: an error that is not in the table says internal error and an id; the log has both that and the details."""
    served.daemon.broken = error
    with capture_logs() as lines:
        async with served.unix() as session, session.get("/api/v1/credentials/ecr-prod") as answer:
            text = await answer.text()
            assert answer.status == 500
            assert answer.headers["X-Frame-Options"] == "DENY"
    problem = json.loads(text)["error"]
    assert problem["message"] == "internal error"
    assert "canary" not in text
    logged = [line for line in lines if line["event"] == "admin_request_crashed"]
    assert [line["correlation_id"] for line in logged] == [problem["correlation_id"]]


async def test_openapi_describes_every_path(served: Any) -> None:
    """The description names every path, and knows no other method than GET but for the few POSTs."""
    async with served.unix() as session:
        paths = (await (await session.get("/api/v1/openapi.json")).json())["paths"]
    methods = {(method, path) for path, methods in paths.items() for method in methods}
    assert {method for method, _ in methods} == {"get", "post"}
    assert {path for method, path in methods if method == "post"} == {
        "/api/v1/credentials/{name}/leaks",
        "/api/v1/credentials/{name}/rollbacks",
        "/api/v1/credentials/{name}/rotations",
        "/api/v1/hooks/alertmanager",
        "/api/v1/plan/applications",
        "/api/v1/targets/{name}/acknowledgements",
        "/api/v1/targets/{name}/revelations",
        "/api/v1/targets/{name}/trials",
    }
