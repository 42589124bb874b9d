"""What a large page of metrics costs, against the library rendering as many series that it counted itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from rotator.domain.model import Expiry, Record, Stage, Version
from rotator.domain.status import CredentialStatus, Health, TargetStatus
from rotator.metrics import Build, Facts, Metrics
from rotator.sandbox.clock import ManualClock

CREDENTIALS, TARGETS, ROUNDS = 100, 32, 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def status(name: str) -> CredentialStatus:
    """Return a credential that is well at every target."""
    version = Version(name, 3, Stage.CURRENT, "f1", "user", NOW, Expiry(NOW + timedelta(hours=12)), verified_at=NOW)
    targets = tuple(
        TargetStatus(
            target=f"t{number}",
            kind="kubernetes",
            required=True,
            confirmed=2,
            placements=2,
            behind=(),
            expires_at=NOW + timedelta(hours=12),
            confirmed_at=NOW,
        )
        for number in range(TARGETS)
    )
    return CredentialStatus(
        name=name,
        provider="ghcr",
        registry="ghcr.io",
        strategy="read",
        health=Health.OK,
        message="in use",
        record=Record(name, generation=3, last_success_at=NOW),
        current=version,
        pending=None,
        renewal_at=NOW + timedelta(hours=6),
        running=None,
        last=None,
        targets=targets,
    )


def counted(series: int) -> CollectorRegistry:
    """Return a registry of the library's own with ``series`` gauges of three labels."""
    registry = CollectorRegistry()
    gauge = Gauge("reference_in_sync", "As many series.", ("target", "kind", "credential"), registry=registry)
    for number in range(series):
        gauge.labels(f"t{number % TARGETS}", "kubernetes", f"c{number // TARGETS}").set(1)
    return registry


def seconds(action: Callable[[], object]) -> float:
    """Return the median processor time of ``action``."""
    taken = []
    for _ in range(ROUNDS):
        started = time.thread_time()
        action()
        taken.append(time.thread_time() - started)
    return median(taken)


@pytest.mark.benchmark
@pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["text", "openmetrics"])
def test_page_of_ten_thousand_series(accept: str, clock: ManualClock, report: Callable[[str], None]) -> None:
    """A page of 10,000 series costs a small multiple of what the library needs for as many of its own."""
    statuses = [status(f"c{number}") for number in range(CREDENTIALS)]
    facts = Facts(statuses=lambda: statuses, clock=clock, provider_of=lambda _: "ghcr")
    metrics = Metrics(facts, build=Build("0.1.0", "abc", "3"), kinds=["kubernetes"], max_series=10_000)
    page = metrics.render(accept)[0]
    series = sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
    reference = counted(series)
    generate = openmetrics.generate_latest if accept else generate_latest

    ours, theirs = seconds(lambda: metrics.render(accept)), seconds(lambda: generate(reference))

    report(
        f"{'openmetrics' if accept else 'text'}: {series} series in {ours * 1000:.0f} ms of processor time; "
        f"prometheus_client alone {theirs * 1000:.0f} ms; ratio {ours / theirs:.2f}"
    )
    assert series > 10_000
