"""`Metrics`: the hook that counts, and the page that Prometheus reads."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from email.utils import parsedate_to_datetime
from functools import cache
from typing import assert_never

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, Exemplar, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics

from rotator.domain.events import (
    AccessRefused,
    AlarmMissed,
    AlertHandled,
    Audited,
    AuditFailed,
    ClockStepped,
    ConfigReloaded,
    Crashed,
    DeliveryFinished,
    DeliveryRefused,
    DriftFound,
    DriftRepaired,
    Event,
    HeadroomAsked,
    ImageLookedAt,
    Notified,
    OperatorActed,
    OrphansSwept,
    RotationFinished,
    RotationStarted,
    SourceFailed,
    StepFinished,
    StoreFailed,
    TargetFailed,
    VersionEnded,
    VersionInspected,
    VersionProbed,
    VersionPromoted,
    WaveFinished,
)
from rotator.domain.status import CredentialStatus
from rotator.metrics import labels, mirror
from rotator.metrics.catalogue import CATALOGUE
from rotator.metrics.counters import Counters
from rotator.metrics.facts import Build, Facts
from rotator.metrics.labels import OTHER, Admitted, closed
from rotator.transport import Call

MAX_SERIES = 3000
"""Series per scrape that have both a target and a credential for labels."""

MAX_PEERS = 500
MAX_OPERATIONS = 50
_DONE = frozenset({"succeeded", "unchanged"})
_ROTATION_ID_CHARS = 64
"""OpenMetrics allows 128 characters for an exemplar's names and values together."""


class Metrics:
    """Counts events and calls, and renders them together with how things stand.

    Events and calls come in the event loop; `render` may run in another thread at the same time, and several times at
    once: single counters are locked by their library, the set of credentials that have counters by this class.

    Args:
        facts: What a scrape asks.
        build: What runs.
        kinds: Every kind of target there is, configured or not.
        max_series: Budget for series with both a target and a credential for labels, per scrape; see `mirror`.
    """

    def __init__(self, facts: Facts, *, build: Build, kinds: Collection[str], max_series: int = MAX_SERIES) -> None:
        self._facts = facts
        self._build = build
        self._kinds = tuple(sorted({*kinds, OTHER}))
        self._max_series = max_series
        self._peers, self._operations = Admitted(MAX_PEERS, labels.PEER), Admitted(MAX_OPERATIONS)
        self._dates: dict[str, str] = {}
        self._registry = CollectorRegistry()
        self._counters = Counters(self._registry, self._kinds)
        # Asked thousands of times a second in a large rotation, and the library looks each one up under a lock.
        self._requests_of = cache(self._counters.requests.labels)
        self._request_seconds_of = cache(self._counters.request_seconds.labels)
        self._pushes_of = cache(self._counters.pushes.labels)
        self._push_seconds_of = cache(self._counters.push_seconds.labels)
        self._counted = _Counted(self._counters)
        self._counters.reload_successful.set(1)
        self._counters.reload_at.set(facts.clock.now().timestamp())
        for stock in (ProcessCollector, PlatformCollector, GCCollector):
            stock(registry=self._registry)

    def __call__(self, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915 (one case per event: a table that mypy proves complete)
        """Count ``event``."""
        match event:
            case RotationFinished():
                self._rotation_finished(event)
            case StepFinished():
                self._counters.step_seconds.labels(closed(event.step, labels.STEPS)).observe(event.seconds)
            case DeliveryFinished():
                self._delivery_finished(event)
            case DriftRepaired():
                self._counters.drift_repairs.labels(closed(event.kind, self._kinds)).inc()
            case ClockStepped():
                self._counters.clock_jumps.labels("backward" if event.seconds < 0 else "forward").inc()
            case StoreFailed():
                operation = closed(event.operation, labels.STORE_OPERATIONS)
                self._counters.store_errors.labels(operation, closed(event.error, labels.ERRORS)).inc()
            case AccessRefused():
                self._counters.refused.labels(closed(event.code, labels.REFUSALS)).inc()
            case AlertHandled():
                self._counters.alerts.labels(closed(event.outcome, labels.ALERT_OUTCOMES)).inc()
            case Audited():
                self._counters.audit_events.labels(closed(event.action, labels.ACTIONS)).inc()
            case AuditFailed():
                self._counters.audit_failures.inc(event.records)
            case AlarmMissed():
                self._counters.missed.labels(closed(event.reason, labels.MISSED)).inc()
            case HeadroomAsked():
                self._headroom_asked(event)
            case Notified():
                self._notified(event)
            case ConfigReloaded():
                self._config_reloaded(event)
            case (
                RotationStarted()
                | VersionProbed()
                | VersionPromoted()
                | TargetFailed()
                | DriftFound()
                | DeliveryRefused()
                | SourceFailed()
                | ImageLookedAt()
                | Crashed()
                | OperatorActed()
                | OrphansSwept()
                | WaveFinished()
                | VersionEnded()
                | VersionInspected()
            ):
                return  # how things stand afterwards is in the statuses
            case _:
                assert_never(event)

    def observe_call(self, call: Call) -> None:
        """Count one outgoing request. Neither raises nor blocks; parses at most one Date header per peer and second."""
        peer, operation = self._peers(call.peer), self._operations(call.operation)
        self._requests_of(peer, operation, closed(call.code, labels.CODES)).inc()
        self._request_seconds_of(peer, operation).observe(call.seconds)
        if call.date and self._dates.get(peer) != call.date:
            self._dates[peer] = call.date
            self._compare_clocks(peer, call.date)

    def observe_throttling(self, registry: str) -> None:
        """Count one answer 429 of ``registry``, a configured host. Neither raises nor blocks."""
        self._counters.throttled.labels(registry).inc()

    def render(self, accept: str = "", *, statuses: Sequence[CredentialStatus] | None = None) -> tuple[bytes, str]:
        """Return the page and its content type. May take a while with many series: call it in a worker thread.

        Args:
            accept: The scraper's Accept header; OpenMetrics, which alone carries exemplars, if it names it.
            statuses: How every credential stands, gathered before; None has them asked for in this thread.
                Where that reads what the event loop changes, gather in the event loop and hand it over.
        """
        gathered = self._facts.statuses() if statuses is None else statuses
        scrape = _Scrape(list(self._collect(gathered)))
        if _wants_openmetrics(accept):
            page: bytes = openmetrics.generate_latest(scrape)  # type: ignore[no-untyped-call]
            return page, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(scrape), CONTENT_TYPE_PLAIN_0_0_4

    def _rotation_finished(self, event: RotationFinished) -> None:
        exemplar = {"rotation_id": event.rotation[:_ROTATION_ID_CHARS]}
        at = Exemplar(exemplar, 1.0, self._facts.clock.now().timestamp())
        self._counted.rotation(event.credential, closed(event.reason, labels.TRIGGERS), at)
        provider = self._facts.provider_of(event.credential) or OTHER
        self._counters.rotation_seconds.labels(provider).observe(event.seconds, exemplar)
        if event.outcome not in _DONE:
            step, reason = closed(event.step, labels.STEPS), closed(event.error, labels.ERRORS)
            self._counted.failure(event.credential, step, reason)

    def _delivery_finished(self, event: DeliveryFinished) -> None:
        kind = closed(event.kind, self._kinds)
        self._pushes_of(kind).inc()
        self._push_seconds_of(kind).observe(event.seconds)
        if event.error:
            self._counters.push_failures.labels(kind, closed(event.error, labels.ERRORS)).inc()
        if event.error == "fenced":
            self._counters.fenced.labels(kind).inc()

    def _notified(self, event: Notified) -> None:
        outcome = closed(event.error, labels.ERRORS) if event.error else labels.SENT
        self._counters.notifications.labels(event.destination, outcome).inc()

    def _headroom_asked(self, event: HeadroomAsked) -> None:
        if event.error:
            self._counters.limit_failures.labels(event.registry, closed(event.error, labels.ERRORS)).inc()

    def _config_reloaded(self, event: ConfigReloaded) -> None:
        self._counters.reload_successful.set(0 if event.error else 1)
        if not event.error:
            self._counters.reload_at.set(event.at.timestamp())

    def _compare_clocks(self, peer: str, date: str) -> None:
        try:
            theirs = parsedate_to_datetime(date)
        except (ValueError, TypeError, IndexError, OverflowError):
            return
        if theirs.tzinfo is not None:
            skew = self._facts.clock.now() - theirs
            self._counters.clock_skew.labels(peer).set(skew.total_seconds())

    def _collect(self, statuses: Sequence[CredentialStatus]) -> Iterator[Metric]:
        yield self._counted.collect(statuses)
        yield from mirror.credential_gauges(statuses)
        yield from mirror.work_gauges(statuses, self._facts.clock.now())
        targets, dropped = mirror.target_gauges(statuses, self._kinds, self._max_series)
        for family, missing in dropped.items():
            self._counters.dropped.labels(family).inc(missing)
        yield from targets
        yield mirror.target_states(statuses, self._kinds)
        yield mirror.contested_deliveries(statuses, self._kinds)
        yield from mirror.image_gauges(statuses)
        yield from mirror.limit_gauges(self._facts.limits())
        yield from self._registry_gauges({one.registry for one in statuses})
        yield from self._process_gauges()
        yield from self._registry.collect()

    def _registry_gauges(self, registries: set[str]) -> Iterator[Metric]:
        closed = self._facts.closed_hosts()
        for registry in registries:
            self._counters.throttled.labels(registry)  # at 0 from its first scrape on
        yield mirror.gauge(
            "rotator_client_circuit_open", [((one,), float(one in closed)) for one in sorted(registries)]
        )

    def _process_gauges(self) -> Iterator[Metric]:
        facts, build = self._facts, self._build
        turned_at = facts.heartbeat()
        yield mirror.info("rotator_build_info", [(build.version, build.revision, build.python_version)])
        yield mirror.gauge(
            "rotator_vault_token_expiry_timestamp_seconds", [((), mirror.instant(facts.vault_token_expiry()))]
        )
        yield mirror.gauge(
            "rotator_scheduler_heartbeat_timestamp_seconds", [((), turned_at.timestamp() if turned_at else None)]
        )
        family = CATALOGUE["rotator_log_redactions_total"]
        yield CounterMetricFamily("rotator_log_redactions", family.help, value=facts.redactions())


class _Counted:
    """The counters that have a credential for a label: they begin at 0 with it and vanish with it.

    Combinations of trigger begin at 0; of step and reason only with their first failure, since hundreds of zeros per
    credential would say nothing. Rotations are plain numbers here and become series at a scrape: as children of a
    library counter, ten thousand credentials would take 70 MB for zeros.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._rotations: dict[tuple[str, str], int] = {}
        self._exemplars: dict[tuple[str, str], Exemplar] = {}
        self._failures: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()

    def rotation(self, credential: str, trigger: str, exemplar: Exemplar) -> None:
        with self._lock:
            self._rotations[credential, trigger] = self._rotations.get((credential, trigger), 0) + 1
            self._exemplars[credential, trigger] = exemplar

    def failure(self, credential: str, step: str, reason: str) -> None:
        with self._lock:
            self._failures.add((credential, step, reason))
            self._counters.rotation_failures.labels(credential, step, reason).inc()

    def collect(self, statuses: Sequence[CredentialStatus]) -> Metric:
        """Return the rotations of every credential in ``statuses``, by trigger; forget those of all others."""
        names = [one.name for one in statuses]
        for provider in {one.provider for one in statuses}:
            self._counters.rotation_seconds.labels(provider)
        known = CATALOGUE["rotator_rotations_total"]
        family = CounterMetricFamily("rotator_rotations", known.help, labels=known.labels)
        with self._lock:
            self._forget_others(set(names))
            for key in ((name, trigger) for name in names for trigger in labels.TRIGGERS):
                family.add_metric(key, self._rotations.get(key, 0), exemplar=self._exemplars.get(key))
        return family

    def _forget_others(self, names: set[str]) -> None:
        for key in [one for one in self._rotations if one[0] not in names]:
            del self._rotations[key], self._exemplars[key]
        for failure in [one for one in self._failures if one[0] not in names]:
            self._failures.discard(failure)
            self._counters.rotation_failures.remove(*failure)


class _Scrape:
    """What one scrape shows, in the shape that the library's renderers ask for."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _wants_openmetrics(accept: str) -> bool:
    """Return whether ``accept`` names OpenMetrics without refusing it."""
    for offer in accept.lower().split(","):
        media, *parameters = (part.strip() for part in offer.split(";"))
        if media == "application/openmetrics-text":
            return not any(one.startswith("q=") and not one[2:].strip("0.") for one in parameters)
    return False
