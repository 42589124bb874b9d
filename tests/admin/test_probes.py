"""The probes: what Prometheus and a supervisor see."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from yarl import URL

from rotator.admin.probes import MAX_SCRAPES

ROTATIONS = "/api/v1/credentials/ecr-prod/rotations"


@pytest.mark.parametrize(
    ("path", "field", "complaint", "status"),
    [
        pytest.param("/healthz", "alive", "", 200, id="alive"),
        pytest.param("/healthz", "alive", "the scheduler has not turned", 503, id="stalled"),
        pytest.param("/healthz", "ready", "starting", 200, id="alive though not ready"),
        pytest.param("/readyz", "ready", "", 200, id="ready"),
        pytest.param("/readyz", "ready", "starting", 503, id="starting"),
    ],
)
async def test_a_probe_says_why(served: Any, path: str, field: str, complaint: str, status: int) -> None:
    """A probe is 200 when nothing is wrong, else 503 with the reason."""
    setattr(served.daemon, field, complaint)
    async with served.probes() as session, session.get(path) as answer:
        assert answer.status == status
        assert (await answer.text()) == f"{complaint if status == 503 else 'ok'}\n"


async def test_metrics_are_rendered(served: Any) -> None:
    """A scrape gets what the metrics render, with their content type, and no login is needed."""
    async with served.probes() as session, session.get("/metrics") as answer:
        assert (answer.status, await answer.text()) == (200, "rotator_credentials 2\n")
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_scrapes_are_bounded_and_block_nothing(served: Any) -> None:
    """While renderings hang, a further scrape gets 503, probes and the API are answered, and the rest ends well."""
    metrics = served.daemon.metrics
    metrics.allowed.clear()
    async with served.probes() as session:
        hanging = [asyncio.create_task(session.get("/metrics")) for _ in range(MAX_SCRAPES)]
        for _ in hanging:
            await asyncio.to_thread(metrics.begun.acquire)
        async with session.get("/metrics") as refused, session.get("/healthz") as healthy:
            assert (refused.status, healthy.status) == (503, 200)
        metrics.allowed.set()
        answers = await asyncio.gather(*hanging)
        assert [answer.status for answer in answers] == [200] * MAX_SCRAPES
        for answer in answers:
            answer.release()


async def test_scrapers_that_read_nothing_hold_up_nobody(served: Any) -> None:
    """SR-21, F-57: twenty clients ask for a long page and read none of it; the next scrape and rotations go on."""
    served.daemon.metrics.padding = b"# 0123456789abcdef\n" * 200_000
    address = URL(served.addresses["metrics.listen"])
    idle = [await asyncio.open_connection(address.host, address.port, limit=1024) for _ in range(20)]
    for _, writer in idle:
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.to_thread(served.daemon.metrics.begun.acquire)
    async with served.probes() as session, session.get("/metrics") as answer:
        assert (answer.status, len(await answer.read())) == (200, 22 + len(served.daemon.metrics.padding))
    async with served.unix() as session, session.post(ROTATIONS, json={"reason": "a test"}) as answer:
        assert answer.status == 202
    for _, writer in idle:
        writer.transport.abort()


@pytest.mark.parametrize("path", ["/", "/openapi.json", "/docs", "/api/v1/status"])
async def test_nothing_else_is_there(served: Any, path: str) -> None:
    """The metrics listener, which needs no login, offers the three probes and nothing more."""
    async with served.probes() as session, session.get(path) as answer:
        assert answer.status == 404
