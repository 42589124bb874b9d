"""Every metric family by name: its type, its labels and what it says. Nothing else is exported under ``rotator_``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family.

    Args:
        type: ``counter``, ``gauge`` or ``histogram``.
        labels: Label names, in the order in which the code gives their values.
        help: One sentence for people.
        buckets: Upper bounds in seconds; empty for all but histograms.
    """

    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


_ROTATION_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
_CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TARGET = ("target", "kind", "credential")
_LIMIT = ("registry", "credential")


def _gauge(help: str, *labels: str) -> Family:  # noqa: A002 (Prometheus' own word)
    return Family("gauge", labels, help)


def _counter(help: str, *labels: str) -> Family:  # noqa: A002 (as above)
    return Family("counter", labels, help)


CATALOGUE: Mapping[str, Family] = {
    "rotator_credential_info": _gauge(
        "Facts about a credential that do not change; always 1.", "credential", "provider", "registry", "method"
    ),
    "rotator_credential_expiry_timestamp_seconds": _gauge(
        "When the version in use expires; +Inf for never, absent when unknown.", "credential"
    ),
    "rotator_credential_issued_timestamp_seconds": _gauge("When the version in use was issued.", "credential"),
    "rotator_credential_renewal_timestamp_seconds": _gauge(
        "When the version in use is planned to be replaced; moved only by success.", "credential"
    ),
    "rotator_credential_next_attempt_timestamp_seconds": _gauge(
        "When a rotation is tried next, after back-off and Retry-After.", "credential"
    ),
    "rotator_credential_outage_deadline_timestamp_seconds": _gauge(
        "When a required target is first without a valid login if nothing new comes; absent when unknown or never.",
        "credential",
    ),
    "rotator_credential_last_success_timestamp_seconds": _gauge(
        "When a version was last obtained, verified and confirmed by every required target.", "credential"
    ),
    "rotator_credential_verified_timestamp_seconds": _gauge(
        "When the registry last accepted the version in use.", "credential"
    ),
    "rotator_credential_valid": _gauge(
        "1 if the registry accepted the version in use when it last could tell, 0 if it refused it.", "credential"
    ),
    "rotator_credential_overprivileged": _gauge(
        "1 if the version in use may push, delete or administer, 0 if only read; absent when unknown.", "credential"
    ),
    "rotator_credential_consecutive_failures": _gauge(
        "Attempts that failed since the last that succeeded.", "credential"
    ),
    "rotator_credential_generation": _gauge(
        "Generation of the version in use, 0 for none; only increases.", "credential"
    ),
    "rotator_credential_previous_alive": _gauge(
        "1 while a version that is not in use any more may still work, else 0.", "credential"
    ),
    "rotator_rotations_total": _counter(
        "Rotations that ended, whatever the outcome, by what made them due.", "credential", "trigger"
    ),
    "rotator_rotation_failures_total": _counter(
        "Rotations that did not reach every required target.", "credential", "step", "reason"
    ),
    "rotator_rotations_missed_total": _counter(
        "Alarms that were dropped; the reconciliation pass makes up for them.", "reason"
    ),
    "rotator_rotations_in_progress": _gauge("Rotations that run now."),
    "rotator_rotation_duration_seconds": Family(
        "histogram", ("provider",), "Duration of a whole rotation.", _ROTATION_BUCKETS
    ),
    "rotator_rotation_step_duration_seconds": Family(
        "histogram", ("step",), "Duration of one step of a rotation that ended well.", _ROTATION_BUCKETS
    ),
    "rotator_client_requests_total": _counter("Outgoing requests by their answer.", "peer", "operation", "code"),
    "rotator_client_request_duration_seconds": Family(
        "histogram", ("peer", "operation"), "Duration of outgoing requests.", _CALL_BUCKETS
    ),
    "rotator_client_circuit_open": _gauge(
        "1 while some login is not shown to the registry, so that it does not lock us out, else 0.", "registry"
    ),
    "rotator_vault_token_expiry_timestamp_seconds": _gauge(
        "When the daemon's own Vault token expires; +Inf for never, absent when unknown."
    ),
    "rotator_target_pushes_total": _counter("Deliveries that were tried, one per placement and credential.", "kind"),
    "rotator_target_push_failures_total": _counter("Deliveries that were not confirmed.", "kind", "reason"),
    "rotator_target_push_duration_seconds": Family(
        "histogram", ("kind",), "Duration of a delivery with its read-back.", _CALL_BUCKETS
    ),
    "rotator_target_last_success_timestamp_seconds": _gauge(
        "When a placement of the target last confirmed the version in use.", *_TARGET
    ),
    "rotator_target_in_sync": _gauge(
        "1 if every placement of the target confirmed the version in use, else 0.", *_TARGET
    ),
    "rotator_target_expiry_timestamp_seconds": _gauge(
        "When the first of what its placements hold ends, or was refused; +Inf for never, absent when unknown.",
        *_TARGET,
    ),
    "rotator_targets": _gauge("Targets by the worst state among their credentials.", "kind", "state"),
    "rotator_target_drift_repairs_total": _counter(
        "Placements that held something else than was confirmed there and were repaired.", "kind"
    ),
    "rotator_drift_contested_deliveries": _gauge(
        "Logins at placements that are left alone, since something else writes there and repairs did not last.", "kind"
    ),
    "rotator_fenced_writes_total": _counter("Deliveries refused because something newer was found.", "kind"),
    "rotator_image_pullable": _gauge(
        "1 if the image pulled with the version in use when the registry last could tell, else 0.",
        "image_id",
        "credential",
    ),
    "rotator_image_reason": _gauge(
        "What the latest look at the image found; always 1.", "image_id", "credential", "reason"
    ),
    "rotator_image_told_timestamp_seconds": _gauge(
        "When the registry last could tell whether the image pulls.", "image_id", "credential"
    ),
    "rotator_registry_throttled_total": _counter("Answers 429 of the registry and its token server.", "registry"),
    "rotator_registry_ratelimit_limit": _gauge(
        "Pulls that the registry grants per window; +Inf for no limit, absent when unknown.", *_LIMIT
    ),
    "rotator_registry_ratelimit_remaining": _gauge(
        "Pulls that were left when the registry last told; +Inf for no limit, absent when unknown.", *_LIMIT
    ),
    "rotator_registry_ratelimit_window_seconds": _gauge("Length of the window that the limit is for.", *_LIMIT),
    "rotator_registry_ratelimit_reset_timestamp_seconds": _gauge(
        "Not before this instant there is more; absent where not told, as for a rolling window.", *_LIMIT
    ),
    "rotator_registry_ratelimit_exhaustion_timestamp_seconds": _gauge(
        "When nothing will be left at the rate of late; +Inf for no limit, absent when not within this window.", *_LIMIT
    ),
    "rotator_registry_ratelimit_probe_timestamp_seconds": _gauge("When the registry last told what is left.", *_LIMIT),
    "rotator_registry_ratelimit_probe_failures_total": _counter(
        "Questions about what is left that the registry did not answer.", "registry", "reason"
    ),
    "rotator_build_info": _gauge("What runs; always 1.", "version", "revision", "python_version"),
    "rotator_config_last_reload_successful": _gauge(
        "1 if the configuration that was read last is in use, 0 if it was refused and the one before runs on."
    ),
    "rotator_config_last_reload_success_timestamp_seconds": _gauge("When a configuration was last taken over."),
    "rotator_scheduler_heartbeat_timestamp_seconds": _gauge("When the scheduler last looked at everything."),
    "rotator_scheduler_lag_seconds": _gauge("How long the most overdue rotation has been waiting to be started."),
    "rotator_clock_jumps_total": _counter("How often the wall clock was set.", "direction"),
    "rotator_clock_skew_seconds": _gauge("Our clock minus the peer's Date header, which counts whole seconds.", "peer"),
    "rotator_state_store_errors_total": _counter("The state could not be read or written.", "operation", "reason"),
    "rotator_admin_refusals_total": _counter("Requests that the admin API did not let in.", "code"),
    "rotator_alert_triggers_total": _counter("Alerts that Alertmanager told of, by what they came to.", "outcome"),
    "rotator_audit_events_total": _counter("Records added to the audit.", "action"),
    "rotator_audit_write_failures_total": _counter(
        "Records of the audit that could not be written, to the state or to the file."
    ),
    "rotator_log_redactions_total": _counter(
        "Secrets that the last filter found in log lines; more than 0 is a defect."
    ),
    "rotator_notifications_total": _counter(
        "Messages about what needs a person, by destination and by what became of them: sent, or the error.",
        "destination",
        "outcome",
    ),
    "rotator_metrics_dropped_series_total": _counter(
        "Series left out of a scrape because the budget was reached.", "metric"
    ),
}

TARGET_FAMILIES = (
    "rotator_target_last_success_timestamp_seconds",
    "rotator_target_in_sync",
    "rotator_target_expiry_timestamp_seconds",
)
"""The families that have one series per target and credential, and share a budget."""
