"""Gauges that say how things stand: made anew at each scrape from the status values, so they cannot grow stale."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from rotator.domain.headroom import HeadroomState, LimitStatus
from rotator.domain.model import Delivery, DeliveryState, Expiry, Strategy
from rotator.domain.status import CredentialStatus, TargetStatus
from rotator.metrics.catalogue import CATALOGUE, TARGET_FAMILIES
from rotator.metrics.labels import IMAGE_REASONS, OTHER, TARGET_STATES, closed


@dataclass(frozen=True, slots=True)
class Pair:
    """One credential at one target."""

    credential: CredentialStatus
    target: TargetStatus


def gauge(name: str, samples: Iterable[tuple[Sequence[str], float | None]]) -> Metric:
    """Return the gauge ``name`` of the catalogue with ``samples``; a value of None is left out."""
    family = CATALOGUE[name]
    metric = GaugeMetricFamily(name, family.help, labels=family.labels)
    for labels, value in samples:
        if value is not None:
            metric.add_metric(labels, value)
    return metric


def info(name: str, samples: Iterable[Sequence[str]]) -> Metric:
    """Return the info metric ``name`` of the catalogue, one series of value 1 per sample."""
    family = CATALOGUE[name]
    metric = InfoMetricFamily(name.removesuffix("_info"), family.help, labels=family.labels)
    for labels in samples:
        metric.add_metric(labels, {})
    return metric


def instant(expiry: Expiry | None) -> float | None:
    """Return an expiry as a timestamp: +Inf for never, None for unknown."""
    if expiry is None:
        return None
    return math.inf if expiry.never else _at(expiry.at)


def credential_gauges(statuses: Sequence[CredentialStatus]) -> Iterator[Metric]:
    """Yield every family with one series per credential."""
    yield info("rotator_credential_info", ((one.name, one.provider, one.registry, one.strategy) for one in statuses))
    values: dict[str, list[float | None]] = {
        "expiry_timestamp_seconds": [instant(one.current.expiry if one.current else None) for one in statuses],
        "issued_timestamp_seconds": [_at(one.current.issued_at if one.current else None) for one in statuses],
        "renewal_timestamp_seconds": [_at(one.renewal_at) for one in statuses],
        "next_attempt_timestamp_seconds": [_at(one.record.next_attempt_at or one.renewal_at) for one in statuses],
        "outage_deadline_timestamp_seconds": [
            _at(one.outage_deadline.at if one.outage_deadline else None) for one in statuses
        ],
        "last_success_timestamp_seconds": [_at(one.record.last_success_at) for one in statuses],
        "verified_timestamp_seconds": [_at(one.current.verified_at if one.current else None) for one in statuses],
        "valid": [_valid(one) for one in statuses],
        "overprivileged": [_flag(one.privilege.is_excessive) for one in statuses],
        "consecutive_failures": [float(one.record.failures) for one in statuses],
        "previous_alive": [float(bool(one.old)) for one in statuses],
        "generation": [float(one.current.generation if one.current else 0) for one in statuses],
    }
    for name, column in values.items():
        samples = (((one.name,), value) for one, value in zip(statuses, column, strict=True))
        yield gauge(f"rotator_credential_{name}", samples)


def limit_gauges(limits: Sequence[LimitStatus]) -> Iterator[Metric]:
    """Yield every family with one series per registry and credential; what has no limit has infinitely much left."""
    told = [one.sample.headroom for one in limits]
    no_limit = [math.inf if one.state is HeadroomState.UNLIMITED else None for one in told]
    values: dict[str, list[float | None]] = {
        "limit": [_first(one.limit, never) for one, never in zip(told, no_limit, strict=True)],
        "remaining": [_first(one.remaining, never) for one, never in zip(told, no_limit, strict=True)],
        "window_seconds": [one.window_seconds for one in told],
        "reset_timestamp_seconds": [_at(one.reset_at) for one in told],
        "probe_timestamp_seconds": [_at(one.sample.at) for one in limits],
        "exhaustion_timestamp_seconds": [
            _first(_at(one.exhausted_at), never) for one, never in zip(limits, no_limit, strict=True)
        ],
    }
    names = [(one.sample.registry, one.sample.credential) for one in limits]
    for name, column in values.items():
        yield gauge(f"rotator_registry_ratelimit_{name}", zip(names, column, strict=True))


def image_gauges(statuses: Sequence[CredentialStatus]) -> Iterator[Metric]:
    """Yield every family with one series per credential and image that was looked at."""
    looked = [((image.id, one.name), image) for one in statuses for image in one.images if image.looked_at]
    pulls = ((names, None if one.is_pullable is None else float(one.is_pullable)) for names, one in looked)
    yield gauge("rotator_image_pullable", pulls)
    yield gauge("rotator_image_told_timestamp_seconds", ((names, _at(one.told_at)) for names, one in looked))
    reasons = (((*names, closed(one.reason, IMAGE_REASONS)), 1.0) for names, one in looked)
    yield gauge("rotator_image_reason", reasons)


def _first(value: float | None, otherwise: float | None) -> float | None:
    return otherwise if value is None else float(value)


def _at(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _flag(value: bool | None) -> float | None:  # noqa: FBT001 (it is what is shown)
    return None if value is None else float(value)


def _valid(status: CredentialStatus) -> float | None:
    """Return what the registry last made of the version in use; None when it never could tell."""
    if status.current is None:
        return None
    if status.current.rejected_at is not None:
        return 0.0
    return None if status.current.verified_at is None else 1.0


def work_gauges(statuses: Sequence[CredentialStatus], now: datetime) -> Iterator[Metric]:
    """Yield how much runs, and how late what does not run is."""
    running = sum(1 for one in statuses if one.running is not None and one.running.is_running)
    yield gauge("rotator_rotations_in_progress", [((), float(running))])
    yield gauge("rotator_scheduler_lag_seconds", [((), lag(statuses, now).total_seconds())])


def lag(statuses: Sequence[CredentialStatus], now: datetime) -> timedelta:
    """Return how long the most overdue rotation has been waiting to be started; zero when none is overdue."""
    starts = (start for one in statuses if (start := _planned_start(one)) is not None)
    return max((now - min(starts, default=now)), timedelta())


def _planned_start(status: CredentialStatus) -> datetime | None:
    """Return when a rotation must have been started by; None while one runs and where only a person can start one."""
    if status.running is not None and status.running.is_running:
        return None
    if status.current is None or status.current.rejected_at is not None:
        return status.record.next_attempt_at
    if status.renewal_at is None or status.strategy == Strategy.READ:
        return None
    return max(status.renewal_at, status.record.next_attempt_at or status.renewal_at)


def target_states(statuses: Sequence[CredentialStatus], kinds: Collection[str]) -> Metric:
    """Return how many targets of each kind are in each state; every combination is there."""
    worst: dict[tuple[str, str], str] = {}
    for pair in pairs_of(statuses):
        key = (pair.target.target, closed(pair.target.kind, kinds))
        worst[key] = max(worst.get(key, TARGET_STATES[0]), state_of(pair), key=TARGET_STATES.index)
    counted = Counter((kind, state) for (_, kind), state in worst.items())
    every = [(kind, state) for kind in sorted({*kinds, OTHER}) for state in TARGET_STATES]
    return gauge("rotator_targets", ((one, float(counted[one])) for one in every))


def contested_deliveries(statuses: Sequence[CredentialStatus], kinds: Collection[str]) -> Metric:
    """Return how many deliveries to targets of each kind are left alone, since something else keeps writing there."""
    counts = dict.fromkeys(sorted({*kinds, OTHER}), 0)
    for pair in pairs_of(statuses):
        counts[closed(pair.target.kind, kinds)] += pair.target.contested
    return gauge("rotator_drift_contested_deliveries", (((kind,), float(count)) for kind, count in counts.items()))


def state_of(pair: Pair) -> str:
    """Return the state of one credential at one target. Never ``in_sync`` while nothing is in use."""
    if pair.target.error or pair.credential.current is None:
        return "unknown"
    if pair.target.in_sync:
        return "in_sync"
    if any(one.error == "fenced" for one in pair.target.behind):
        return "fenced"
    return "failing" if any(_has_failed(one) for one in pair.target.behind) else "stale"


def _has_failed(delivery: Delivery) -> bool:
    return delivery.state is DeliveryState.FAILED


def pairs_of(statuses: Sequence[CredentialStatus]) -> Iterator[Pair]:
    """Yield every credential at every target it goes to."""
    return (Pair(one, target) for one in statuses for target in one.targets)


def target_gauges(
    statuses: Sequence[CredentialStatus], kinds: Collection[str], most: int
) -> tuple[list[Metric], dict[str, int]]:
    """Return the families with one series per target and credential, and how many series of each were left out.

    Args:
        statuses: How every credential stands.
        kinds: Every kind of target.
        most: How many series all of them may have together; kept are what is not in sync, then what expires first.
    """
    pairs = list(pairs_of(statuses))
    room = most // len(TARGET_FAMILIES)
    if len(pairs) > room:
        pairs.sort(key=_by_urgency)
    shown = [_samples(pair, kinds) for pair in pairs[:room]]
    hidden = [_samples(pair, kinds) for pair in pairs[room:]]
    metrics, missing = [], {}
    for place, name in enumerate(TARGET_FAMILIES):
        metrics.append(gauge(name, ((labels, values[place]) for labels, values in shown)))
        missing[name] = sum(values[place] is not None for _, values in hidden)
    return metrics, missing


def _by_urgency(pair: Pair) -> tuple[bool, float, str, str]:
    expiry = _target_expiry(pair)
    return pair.target.in_sync, math.inf if expiry is None else expiry, pair.target.target, pair.credential.name


def _samples(pair: Pair, kinds: Collection[str]) -> tuple[tuple[str, ...], tuple[float | None, ...]]:
    """Return the labels of one pair and its values in the order of `TARGET_FAMILIES`."""
    target = pair.target
    in_sync = None if pair.credential.current is None else float(target.in_sync)
    labels = (target.target, closed(target.kind, kinds), pair.credential.name)
    return labels, (_at(target.confirmed_at), in_sync, _target_expiry(pair))


def _target_expiry(pair: Pair) -> float | None:
    """Return the earliest expiry of what the placements hold: +Inf only when all hold what never expires."""
    if pair.target.expires_at is not None:
        return pair.target.expires_at.timestamp()
    current = pair.credential.current
    holds_current = pair.target.in_sync and pair.target.placements > 0
    return math.inf if current is not None and current.expiry.never and holds_current else None
