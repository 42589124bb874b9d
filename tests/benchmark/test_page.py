"""What the first page costs a daemon with a thousand credentials at ten targets each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import pytest

from rotator.admin.models import CredentialView
from rotator.app import Application
from rotator.build import open_state
from rotator.clock import SystemClock
from rotator.config.load import load
from rotator.config.root import Config
from rotator.domain.model import Delivery, DeliveryState, Expiry, Record, Stage, Version
from rotator.kinds import kinds
from rotator.page.serve import serve
from rotator.ports.store import Changes
from rotator.secret import Secret

CREDENTIALS, TARGETS, ROUNDS = 1000, 10, 7
PATHS = ("/", "/credentials", "/credentials/credential-0000")
ODD_EVERY = 12
"""One credential of so many lacks its latest version at one target."""
BUDGET_SECONDS, BUDGET_BYTES = 0.3, 1_000_000


def write_config(directory: Path) -> Path:
    """Write a configuration with as many credentials, each at every target; none is ever asked."""
    targets = "".join(
        f"  target-{one}: {{type: docker_config, path: {directory}/t{one}.json}}\n" for one in range(TARGETS)
    )
    names = [f"target-{one}" for one in range(TARGETS)]
    option = (
        f"provider: custom, username: robot, password: {{file: {directory}/secret}}, deliver_to: [{', '.join(names)}]}}"
    )
    credentials = "".join(
        f"  credential-{one:04}: {{registry: registry-{one}.example, {option}\n" for one in range(CREDENTIALS)
    )
    (directory / "secret").touch(mode=0o600)
    path = directory / "rotator.yaml"
    path.write_text(
        f'version: 1\nstore: {{url: "sqlite:///{directory}/r.db"}}\n'
        f"admin: {{socket: {directory}/s, page: true}}\nmetrics: {{listen: null}}\n"
        f"targets:\n{targets}credentials:\n{credentials}"
    )
    return path


async def fill(config: Config, now: datetime) -> None:
    """Have the state say that everything was delivered, but for one delivery of some."""
    async with AsyncExitStack() as stack:
        store, _ = await open_state(config.store, stack)
        for number, name in enumerate(config.credentials):
            changes = Changes(
                records=[Record(name, 7, last_success_at=now)],
                versions=[in_use(name, now)],
                secrets={(name, 7): Secret("not-a-real-secret")},
                deliveries=[delivery(name, number, target, now) for target in range(TARGETS)],
            )
            await store.commit(changes)


def in_use(name: str, now: datetime) -> Version:
    """Return a version that was issued three hours ago and lives for twelve."""
    expiry = Expiry(now + timedelta(hours=9))
    return Version(name, 7, Stage.CURRENT, "f", "robot", now - timedelta(hours=3), expiry, verified_at=now)


def delivery(name: str, number: int, target: int, now: datetime) -> Delivery:
    """Return how one credential came to one target."""
    one = Delivery(f"target-{target}", f"t{target}.json", name, 7, DeliveryState.CONFIRMED, now, confirmed_generation=7)
    if number % ODD_EVERY or target != number % TARGETS:
        return one
    return replace(one, state=DeliveryState.FAILED, error="unavailable", message="no answer", confirmed_generation=6)


@pytest.mark.benchmark
async def test_page_of_a_thousand_credentials(tmp_path: Path, report: Callable[[str], None]) -> None:
    """A page of 1,000 credentials x 10 targets has less than 1 MB; its processor time is printed beside its budget."""
    clock = SystemClock()
    config = load(write_config(tmp_path), kinds())
    await fill(config, clock.now())
    async with Application.open(config, clock) as application:
        addresses: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(application, addresses.set_result))
        connector = aiohttp.UnixConnector((await addresses)["admin.socket"])
        async with aiohttp.ClientSession("http://localhost", connector=connector) as client:
            pages = {path: await measured(client, path) for path in PATHS}
        reference = median(seconds(lambda: as_json(application)) for _ in range(ROUNDS))
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    for path, (taken, size) in pages.items():
        report(
            f"{path}: {taken * 1000:.0f} ms of processor time, {size / 1000:.0f} kB; the same statuses as JSON "
            f"{reference * 1000:.0f} ms; ratio {taken / reference:.2f} (budget: {BUDGET_SECONDS * 1000:.0f} ms, 1 MB)"
        )
    assert all(size < BUDGET_BYTES for _, size in pages.values())


async def measured(client: aiohttp.ClientSession, path: str) -> tuple[float, int]:
    """Return the median processor time of an answer, the client's share included, and its size."""
    taken, size = [], 0
    for _ in range(ROUNDS):
        started = time.process_time()
        async with client.get(path) as answer:
            assert answer.status == 200
            size = len(await answer.read())
        taken.append(time.process_time() - started)
    return median(taken), size


def seconds(action: Callable[[], Any]) -> float:
    """Return the processor time of ``action``."""
    started = time.thread_time()
    action()
    return time.thread_time() - started


def as_json(application: Application) -> int:
    """Return how long the JSON of every status is: what the API does for the same question."""
    return sum(len(CredentialView.of(one).model_dump_json()) for one in application.statuses())
