"""The counters and histograms: everything that is counted from events and calls, with every known word at 0."""

from __future__ import annotations

from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from rotator.metrics import labels
from rotator.metrics.catalogue import CATALOGUE, TARGET_FAMILIES


class Counters:
    """One attribute per family, in one registry.

    Args:
        registry: Where they are registered.
        kinds: Every kind of target, ``other`` among them.
    """

    def __init__(self, registry: CollectorRegistry, kinds: Collection[str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry
        self.rotation_failures = self._counter("rotator_rotation_failures_total")
        self.missed = self._counter("rotator_rotations_missed_total", *((one,) for one in labels.MISSED))
        self.rotation_seconds = self._histogram("rotator_rotation_duration_seconds")
        self.step_seconds = self._histogram("rotator_rotation_step_duration_seconds", *((s,) for s in labels.STEPS))
        self.requests = self._counter("rotator_client_requests_total")
        self.request_seconds = self._histogram("rotator_client_request_duration_seconds")
        self.pushes = self._counter("rotator_target_pushes_total")
        self.push_failures = self._counter("rotator_target_push_failures_total")
        self.push_seconds = self._histogram("rotator_target_push_duration_seconds")
        self.drift_repairs = self._counter("rotator_target_drift_repairs_total")
        self.fenced = self._counter("rotator_fenced_writes_total")
        self.throttled = self._counter("rotator_registry_throttled_total")
        self.limit_failures = self._counter("rotator_registry_ratelimit_probe_failures_total")
        self.clock_jumps = self._counter("rotator_clock_jumps_total", *((one,) for one in labels.DIRECTIONS))
        self.clock_skew = self._gauge("rotator_clock_skew_seconds")
        self.store_errors = self._counter(
            "rotator_state_store_errors_total", *((one, "store") for one in labels.STORE_OPERATIONS)
        )
        self.refused = self._counter("rotator_admin_refusals_total", *((one,) for one in labels.REFUSALS))
        self.alerts = self._counter("rotator_alert_triggers_total", *((one,) for one in labels.ALERT_OUTCOMES))
        self.audit_events = self._counter("rotator_audit_events_total", *((one,) for one in labels.ACTIONS))
        self.audit_failures = self._counter("rotator_audit_write_failures_total")
        self.reload_successful = self._gauge("rotator_config_last_reload_successful")
        self.reload_at = self._gauge("rotator_config_last_reload_success_timestamp_seconds")
        self.notifications = self._counter("rotator_notifications_total")
        self.dropped = self._counter("rotator_metrics_dropped_series_total", *((one,) for one in TARGET_FAMILIES))
        for kind in kinds:
            self._begin(kind)

    def _begin(self, kind: str) -> None:
        """Have everything that is counted by kind of target at 0 for ``kind``."""
        self.pushes.labels(kind)
        self.push_seconds.labels(kind)
        self.drift_repairs.labels(kind)
        self.fenced.labels(kind)
        for error in labels.ERRORS:
            self.push_failures.labels(kind, error)

    def _counter(self, name: str, *known: tuple[str, ...]) -> Counter:
        family = CATALOGUE[name]
        metric = Counter(name, family.help, family.labels, registry=self._registry)
        for values in known:
            metric.labels(*values)
        return metric

    def _gauge(self, name: str) -> Gauge:
        family = CATALOGUE[name]
        return Gauge(name, family.help, family.labels, registry=self._registry)

    def _histogram(self, name: str, *known: tuple[str, ...]) -> Histogram:
        family = CATALOGUE[name]
        metric = Histogram(name, family.help, family.labels, registry=self._registry, buckets=family.buckets)
        for values in known:
            metric.labels(*values)
        return metric
