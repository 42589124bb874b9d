"""The description that is shipped: it is the present one, whole, and true."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks as conformance

from rotator.admin.api import blank_api
from rotator.admin.openapi import describe, text

SHIPPED = Path(__file__).parents[2] / "docs" / "openapi.json"
STREAMS = {"/api/v1/events", "/api/v1/rotations/{rotation_id}/events"}
"""Answers without an end; their tests read them as they come."""
ROLES = ("viewer", "operator", "admin")
TOKEN = "correct-horse-battery-staple-0123456789"
SHARE, LONG = 8, 400

CHECKS: list[Any] = [
    schemathesis.checks.not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
]


def unwrap(result: Any) -> Any:
    """Return the operation that was read."""
    return result.ok()


TOLD: dict[str, Any] = json.loads(SHIPPED.read_text())
SCHEMA = schemathesis.openapi.from_dict(TOLD)
OPERATIONS = {
    found.label: found for result in SCHEMA.get_all_operations() if (found := unwrap(result)).path not in STREAMS
}


def test_what_is_shipped_is_the_present_one() -> None:
    """docs/openapi.json is what the code says now; when this fails, run `make openapi`."""
    assert SHIPPED.read_text() == text(blank_api())


def test_every_operation_is_told_in_full() -> None:
    """Each operation has an id of its own, a summary, and one shape for every failure that the gate can answer."""
    operations = [(path, method, one) for path, methods in TOLD["paths"].items() for method, one in methods.items()]
    ids = [one["operationId"] for _, _, one in operations]
    assert len(set(ids)) == len(ids)
    for path, method, one in operations:
        failures = {status: answer for status, answer in one["responses"].items() if status[0] != "2"}
        wanted = {"401", "403", "421", "429", "500", "503"} | (
            {"409", "413", "415", "422"} if method == "post" else set()
        )
        assert wanted <= set(failures), path
        assert {json.dumps(answer["content"]) for answer in failures.values()} == {
            '{"application/json": {"schema": {"$ref": "#/components/schemas/ProblemEnvelope"}}}'
        }
        assert 10 < len(one["summary"]) < 120
        assert one["operationId"].replace("_", "").isalpha()


def test_what_changes_something_names_its_headers() -> None:
    """SR-16, SR-18: every POST says which header it needs, and those that begin something take an idempotency key."""
    keyed = set()
    for path, methods in TOLD["paths"].items():
        if "post" not in methods:
            continue
        headers = {
            one["name"]: one["required"] for one in methods["post"].get("parameters", ()) if one["in"] == "header"
        }
        assert headers.get("X-Requested-With", False) is (not path.startswith("/api/v1/hooks/"))
        keyed |= {path} if "Idempotency-Key" in headers else set()
    assert keyed == {
        "/api/v1/credentials/{name}/leaks",
        "/api/v1/credentials/{name}/rollbacks",
        "/api/v1/credentials/{name}/rotations",
        "/api/v1/plan/applications",
    }


def test_nothing_secret_is_described_but_what_is_shown_once() -> None:
    """No answer has a field for a password, but the login that a person is to enter."""
    holders = {name for name, one in TOLD["components"]["schemas"].items() if "password" in one.get("properties", {})}
    assert holders == {"RevealedLogin"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, make_running: Any) -> Iterator[str]:
    """Return the address of a daemon that is served by a thread of its own, with a token for each role."""
    directory = tmp_path_factory.mktemp("schema")
    address: list[str] = []
    ready, done = threading.Event(), threading.Event()

    async def run() -> None:
        async with make_running(directory) as served:
            address.append(served.addresses["admin.listen"])
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(60)
    yield address[0]
    done.set()
    thread.join(60)


def _keeps_its_word(label: str, url: str, examples: int) -> None:
    """Send ``examples`` requests that fit the description, and as many that do not, in each role."""
    operation = OPERATIONS[label]
    fitting = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    other = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @given(case=st.one_of(fitting, other))
    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def send(case: Any) -> None:
        for role in ROLES:
            headers = {"Authorization": f"Bearer {TOKEN}-{role}"}
            response = case.call(base_url=url, headers=headers)
            case.validate_response(response, checks=CHECKS)

    send()


@pytest.mark.parametrize("label", OPERATIONS)
def test_it_keeps_its_word(label: str, url: str) -> None:
    """Whatever is sent in whichever role, each answer is one that the description has, and none is a 5xx."""
    _keeps_its_word(label, url, SHARE)


@pytest.mark.soak
@pytest.mark.parametrize("label", OPERATIONS)
def test_it_keeps_its_word_for_long(label: str, url: str) -> None:
    """The same, with many more requests."""
    _keeps_its_word(label, url, LONG)


def test_the_description_of_the_running_one_is_shipped(url: str) -> None:
    """What the daemon answers under /api/v1/openapi.json is the shipped text, too."""
    import urllib.request

    request = urllib.request.Request(f"{url}/api/v1/openapi.json", headers={"Authorization": f"Bearer {TOKEN}-viewer"})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer) == describe(blank_api())
