"""The sandbox manager answers as moby does."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from rotator.sandbox.docker_engine import DIGEST, SandboxDockerEngine, Service

LOGIN = {"username": "robot", "password": "p?>~", "serveraddress": "ghcr.io"}


def encoded(login: object) -> str:
    """Return the header for a login."""
    return base64.urlsafe_b64encode(json.dumps(login).encode()).decode()


@pytest.fixture
async def engine() -> AsyncIterator[SandboxDockerEngine]:
    """Return a running manager."""
    async with SandboxDockerEngine() as sandbox:
        yield sandbox


async def update(
    http: aiohttp.ClientSession, engine: SandboxDockerEngine, service: Service, *, prefix: str = "", **changes: Any
) -> tuple[int, dict[str, Any]]:
    """Update a service with what is there, but for the changes."""
    version, header = changes.pop("version", service.version), changes.pop("header", encoded(LOGIN))
    spec = {**service.shown()["Spec"], **changes}
    headers = {"X-Registry-Auth": header} if header else {}
    url = f"{engine.url}{prefix}/services/{service.id}/update?version={version}"
    async with http.post(url, json=spec, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_an_unchanged_specification_leaves_tasks_alone(
    http: aiohttp.ClientSession, engine: SandboxDockerEngine
) -> None:
    """A new login alone replaces no running task; the version advances, and no answer shows the login."""
    service = engine.add("web", "ghcr.io/acme/api:1")
    tasks, version = list(service.tasks), service.version

    assert await update(http, engine, service) == (200, {"Warnings": None})

    assert (service.login, service.tasks) == (LOGIN, tasks)
    assert service.version > version
    async with http.get(f"{engine.url}/services/{service.id}") as answer:
        assert LOGIN["password"] not in await answer.text()


async def test_a_changed_specification_replaces_tasks(http: aiohttp.ClientSession, engine: SandboxDockerEngine) -> None:
    """Anything else that changes replaces the tasks, and a missing header keeps the login."""
    service = engine.add("web", "ghcr.io/acme/api:1")
    await update(http, engine, service)
    tasks = list(service.tasks)
    template = {**service.spec["TaskTemplate"], "ForceUpdate": 1}

    await update(http, engine, service, TaskTemplate=template, header="")

    assert service.tasks != tasks
    assert service.login == LOGIN


async def test_tasks_that_wait_for_their_image_are_replaced(
    http: aiohttp.ClientSession, engine: SandboxDockerEngine
) -> None:
    """A task that could not pull yet is started anew with the new login."""
    service = engine.add("web", "ghcr.io/acme/api:1")
    service.is_pulled = False
    tasks = list(service.tasks)
    await update(http, engine, service)
    assert service.tasks != tasks


async def test_a_job_runs_again(http: aiohttp.ClientSession, engine: SandboxDockerEngine) -> None:
    """Updating a job runs it once more, even with nothing changed."""
    job = engine.add("migrate", "ghcr.io/acme/api:1", mode="ReplicatedJob")
    await update(http, engine, job)
    assert job.runs == 2


async def test_another_version_is_out_of_sequence(http: aiohttp.ClientSession, engine: SandboxDockerEngine) -> None:
    """An update that is based on another version changes nothing and is a 500 in moby's words."""
    service = engine.add("web", "ghcr.io/acme/api:1")
    status, body = await update(http, engine, service, version=service.version - 1)
    assert (status, body["message"]) == (500, "rpc error: code = Unknown desc = update out of sequence")
    assert service.login is None


@pytest.mark.parametrize(
    ("prefix", "image"),
    [
        pytest.param("", "ghcr.io/acme/api:1", id="newest"),
        pytest.param("/v1.30", "ghcr.io/acme/api:1", id="1.30"),
        pytest.param("/v1.29", f"ghcr.io/acme/api:1@{DIGEST}", id="1.29"),
    ],
)
async def test_old_versions_resolve_tags(
    http: aiohttp.ClientSession, engine: SandboxDockerEngine, prefix: str, image: str
) -> None:
    """Before API 1.30 an update pins the image, and so replaces the tasks; since then it does not."""
    service = engine.add("web", "ghcr.io/acme/api:1")
    await update(http, engine, service, prefix=prefix)
    assert service.spec["TaskTemplate"]["ContainerSpec"]["Image"] == image


async def test_what_is_no_login_is_of_no_use(http: aiohttp.ClientSession, engine: SandboxDockerEngine) -> None:
    """A header that is not base64url of an object is taken and leaves no login that works."""
    service = engine.add("web", "ghcr.io/acme/api:1")
    for header in ("e30+/===", base64.b64encode(b'{"password": "?>?>?>~~~~~~"}').decode()):
        assert (await update(http, engine, service, header=header))[0] == 200
        assert service.login is None


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        pytest.param({}, ["web_api", "web_db", "x"], id="none"),
        pytest.param({"name": ["web_"]}, ["web_api", "web_db"], id="a name is a prefix"),
        pytest.param({"name": ["x", "web_a"]}, ["web_api", "x"], id="any of several names"),
        pytest.param({"label": ["team=a"]}, ["web_api"], id="a label"),
        pytest.param({"label": ["team=a", "other"]}, [], id="all labels"),
    ],
)
async def test_filters(
    http: aiohttp.ClientSession, engine: SandboxDockerEngine, filters: dict[str, list[str]], names: list[str]
) -> None:
    """Services are selected by prefix of their name and by all labels."""
    engine.add("web_api", "ghcr.io/acme/api:1", labels={"team": "a"})
    engine.add("web_db", "postgres:17", labels={"team": "b"})
    engine.add("x", "ghcr.io/acme/x:1")
    async with http.get(f"{engine.url}/services", params={"filters": json.dumps(filters)}) as answer:
        assert [one["Spec"]["Name"] for one in await answer.json()] == names


async def test_a_worker_knows_no_services(http: aiohttp.ClientSession, engine: SandboxDockerEngine) -> None:
    """A node that is no manager answers 503 and says so."""
    engine.is_manager = False
    async with http.get(f"{engine.url}/services") as answer:
        assert (answer.status, "not a swarm manager" in await answer.text()) == (503, True)
