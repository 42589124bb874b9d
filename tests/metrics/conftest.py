"""Metrics over statuses that a test sets, and what Prometheus would read from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from rotator.domain.headroom import Headroom, HeadroomState, LimitStatus, Sample
from rotator.domain.model import Delivery, DeliveryState, Expiry, Record, Stage, Version
from rotator.domain.status import CredentialStatus, Health, TargetStatus
from rotator.metrics import Build, Facts, Metrics
from rotator.sandbox.clock import ManualClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BUILD = Build("0.1.0", "abc123", "3.11.7")
Series = Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]


def version(name: str = "ghcr", *, expiry: Expiry | None = None, generation: int = 3) -> Version:
    """Return a version in use that expires in 12 hours, or as told."""
    expires = expiry or Expiry(NOW + timedelta(hours=12))
    return Version(name, generation, Stage.CURRENT, "f1", "user", NOW - timedelta(hours=1), expires, verified_at=NOW)


def target(name: str = "prod", **changes: object) -> TargetStatus:
    """Return a target that is in sync, changed as told."""
    facts = {"kind": "kubernetes", "required": True, "confirmed": 2, "placements": 2, "behind": ()}
    times = {"expires_at": NOW + timedelta(hours=12), "confirmed_at": NOW - timedelta(minutes=5)}
    return TargetStatus(**{"target": name, **facts, **times, **changes})  # type: ignore[arg-type]


def status(name: str = "ghcr", **changes: object) -> CredentialStatus:
    """Return a credential that is well, changed as told."""
    facts: dict[str, object] = {
        "name": name,
        "provider": "ghcr",
        "registry": "ghcr.io",
        "strategy": "read",
        "health": Health.OK,
        "message": "in use",
        "record": Record(name, generation=3, last_success_at=NOW - timedelta(minutes=4)),
        "current": version(name),
        "pending": None,
        "renewal_at": NOW + timedelta(hours=6),
        "running": None,
        "last": None,
        "targets": (target(),),
    }
    return CredentialStatus(**{**facts, **changes})  # type: ignore[arg-type]


def delivery(placement: str = "web/regcred", error: str = "") -> Delivery:
    """Return a delivery that waits, or failed with ``error``."""
    state = DeliveryState.FAILED if error else DeliveryState.INTENDED
    return Delivery("prod", placement, "ghcr", 3, state, NOW, error)


def limit(credential: str = "hub", exhausted_at: datetime | None = None, **changes: object) -> LimitStatus:
    """Return a limit of which half is left, changed as told."""
    told = {"state": HeadroomState.LIMITED, "limit": 100, "remaining": 50, "window_seconds": 21_600, **changes}
    return LimitStatus(Sample("docker.io", credential, NOW, Headroom(**told)), exhausted_at)  # type: ignore[arg-type]


class Scraped:
    """Metrics, the statuses they read, and what a scrape of them says."""

    version = staticmethod(version)
    target = staticmethod(target)
    status = staticmethod(status)
    delivery = staticmethod(delivery)
    limit = staticmethod(limit)

    def __init__(self, clock: ManualClock, max_series: int = 3000) -> None:
        self.statuses: list[CredentialStatus] = [status()]
        self.providers = {"ghcr": "ghcr"}
        self.clock = clock
        self.token = Expiry()
        self.heartbeat: datetime | None = None
        self.redactions = 0
        self.limits: list[LimitStatus] = []
        self.closed: frozenset[str] = frozenset()
        facts = Facts(
            statuses=lambda: self.statuses,
            clock=clock,
            provider_of=lambda name: self.providers.get(name, ""),
            vault_token_expiry=lambda: self.token,
            heartbeat=lambda: self.heartbeat,
            redactions=lambda: self.redactions,
            closed_hosts=lambda: self.closed,
            limits=lambda: self.limits,
        )
        self.metrics = Metrics(facts, build=BUILD, kinds=["kubernetes", "docker_config"], max_series=max_series)

    def text(self, accept: str = "") -> str:
        """Return one page."""
        return self.metrics.render(accept)[0].decode()

    def series(self) -> Series:
        """Return every sample of one page: name, then labels, then value."""
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in parse_text(self.text()):
            for sample in family.samples:
                labels = tuple(sorted(sample.labels.items()))
                assert labels not in found.setdefault(sample.name, {}), sample
                found[sample.name][labels] = sample.value
        return found

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of one series; None when it is absent."""
        return self.series().get(name, {}).get(tuple(sorted(labels.items())))

    def exemplars(self) -> dict[str, dict[str, str]]:
        """Return the exemplars of one OpenMetrics page by sample name."""
        page = self.text("application/openmetrics-text; version=1.0.0")
        families = parse_openmetrics(page)  # type: ignore[no-untyped-call]
        samples = [sample for family in families for sample in family.samples]
        return {sample.name: dict(sample.exemplar.labels) for sample in samples if sample.exemplar}


@pytest.fixture
def scraped_with(clock: ManualClock) -> Callable[[int], Scraped]:
    """Return what makes metrics with a budget for series."""
    return lambda max_series: Scraped(clock, max_series)


@pytest.fixture
def scraped(clock: ManualClock) -> Scraped:
    """Return metrics over one credential that is well."""
    return Scraped(clock)
