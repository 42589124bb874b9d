"""SR-18: who may ask what: every path, with no token and with each role, from one table."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rotator.admin.access import Role
from rotator.admin.api import blank_api
from rotator.admin.openapi import describe

VIEWER, OPERATOR, ADMIN, HOOK = Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.HOOK
REASON = {"reason": "a test"}
GROUP = {"version": "4", "groupKey": "k", "alerts": []}

TABLE: dict[tuple[str, str], tuple[Role, Any]] = {
    ("get", "/api/v1/audit"): (VIEWER, None),
    ("get", "/api/v1/audit/records"): (VIEWER, None),
    ("get", "/api/v1/audit/verdict"): (VIEWER, None),
    ("get", "/api/v1/configuration"): (VIEWER, None),
    ("get", "/api/v1/credentials"): (VIEWER, None),
    ("get", "/api/v1/credentials/{name}"): (VIEWER, None),
    ("get", "/api/v1/credentials/{name}/leak"): (VIEWER, None),
    ("get", "/api/v1/credentials/{name}/usage"): (VIEWER, None),
    ("get", "/api/v1/credentials/{name}/versions"): (VIEWER, None),
    ("get", "/api/v1/events"): (VIEWER, None),
    ("get", "/api/v1/images"): (VIEWER, None),
    ("get", "/api/v1/leaks"): (VIEWER, None),
    ("get", "/api/v1/limits"): (VIEWER, None),
    ("get", "/api/v1/plan"): (VIEWER, None),
    ("get", "/api/v1/rotations"): (VIEWER, None),
    ("get", "/api/v1/rotations/{rotation_id}"): (VIEWER, None),
    ("get", "/api/v1/rotations/{rotation_id}/events"): (VIEWER, None),
    ("get", "/api/v1/status"): (VIEWER, None),
    ("get", "/api/v1/targets"): (VIEWER, None),
    ("post", "/api/v1/credentials/{name}/leaks"): (ADMIN, REASON),
    ("post", "/api/v1/credentials/{name}/rollbacks"): (OPERATOR, REASON),
    ("post", "/api/v1/credentials/{name}/rotations"): (OPERATOR, REASON),
    ("post", "/api/v1/hooks/alertmanager"): (HOOK, GROUP),
    ("post", "/api/v1/plan/applications"): (OPERATOR, {"digest": "0" * 64}),
    ("post", "/api/v1/targets/{name}/acknowledgements"): (OPERATOR, {"generation": 2}),
    ("post", "/api/v1/targets/{name}/revelations"): (ADMIN, {}),
    ("post", "/api/v1/targets/{name}/trials"): (OPERATOR, {}),
}
"""What each operation needs at least, and a body for it."""


def _may(role: str, needed: Role, path: str) -> bool:
    """Return what the answer must be: the rule in one line, beside the table."""
    if needed is HOOK:
        return role != "viewer"
    is_local = path.endswith("/revelations")
    return role != "hook" and Role[role.upper()] >= needed and not is_local


def test_no_path_is_missing_in_the_table() -> None:
    """SR-18: an operation that is new has to say here who may ask for it."""
    paths = describe(blank_api())["paths"]
    assert set(TABLE) == {(method, path) for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize(("method", "path"), TABLE, ids=lambda part: part)
async def test_each_role_may_what_it_may(served: Any, method: str, path: str) -> None:
    """SR-18: no token gets 401; a role gets 403 exactly where it may not; nothing is begun for who may not."""
    needed, body = TABLE[method, path]
    name = "tago" if "/targets/" in path else "ghcr"
    url = re.sub(r"\{\w+\}", name, path)
    daemon = served.daemon
    async with served.tcp(None) as session, session.request(method, url, json=body) as answer:
        assert answer.status == 401
    for role in ("hook", "viewer", "operator", "admin"):
        before = (len(daemon.requests), len(daemon.acts), len(daemon.planner.applied))
        async with served.as_role(role) as session, session.request(method, url, json=body) as answer:
            status = answer.status
        assert (status == 403) == (not _may(role, needed, path)), (role, status)
        assert status != 401
        if status == 403:
            assert before == (len(daemon.requests), len(daemon.acts), len(daemon.planner.applied))


async def test_the_description_needs_a_token_of_a_person(served: Any) -> None:
    """SR-18: even the description of the paths is shown to who may look, and to nobody else."""
    for session_of, status in ((served.tcp(None), 401), (served.as_role("hook"), 403), (served.as_role("viewer"), 200)):
        async with session_of as session, session.get("/api/v1/openapi.json") as answer:
            assert answer.status == status
