"""Each event of the domain is one line whose level says whether a person should care."""

from __future__ import annotations

import typing
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from rotator.domain import events
from rotator.domain.headroom import Headroom, HeadroomState
from rotator.domain.model import NEVER, UNKNOWN, Expiry
from rotator.domain.verdict import Verdict
from rotator.log import LogHook
from rotator.secret import Redactor

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Written(Protocol):
    """A log and what it wrote; see `conftest.Log`."""

    redactor: Redactor
    text: str
    lines: list[dict[str, Any]]


def _rotation(outcome: str, error: str = "") -> events.RotationFinished:
    return events.RotationFinished("r1", "ghcr", "SourceChanged", outcome, "promote", error, "so it went", 1.23456)


def _delivery(error: str = "") -> events.DeliveryFinished:
    return events.DeliveryFinished("prod", "kubernetes", "web/regcred", "ghcr", 3, error, "why", True, 0.5)  # noqa: FBT003


def _probe(verdict: Verdict) -> events.VersionProbed:
    return events.VersionProbed("ghcr", 3, verdict, "HTTP 401", AT)


def _looked(verdict: Verdict, *, is_news: bool = True) -> events.ImageLookedAt:
    return events.ImageLookedAt("ghcr", "acme-api-1", verdict, "unclear", "HTTP 200", is_news)


def _inspected(message: str, *, is_news: bool = True) -> events.VersionInspected:
    return events.VersionInspected("ghcr", 3, UNKNOWN, message, is_news)


CASES: list[tuple[events.Event, str, str]] = [
    (events.RotationStarted("r1", "ghcr", "NeverIssued", "no version"), "info", "rotation_started"),
    (events.RotationStarted("r1", "ghcr", "NeverIssued", "no version", resumed=True), "info", "rotation_resumed"),
    (events.StepFinished("r1", "ghcr", "issue", 0.2, "issued"), "debug", "step_finished"),
    (_rotation("succeeded"), "info", "rotation_succeeded"),
    (_rotation("unchanged"), "info", "rotation_unchanged"),
    (_rotation("delivering", "unavailable"), "warning", "rotation_partially_delivered"),
    (_rotation("partial", "unavailable"), "warning", "rotation_partially_delivered"),
    (_rotation("failed", "unavailable"), "warning", "rotation_failed"),
    (_rotation("abandoned"), "warning", "rotation_abandoned"),
    (_rotation("a new word"), "warning", "rotation_finished"),
    (_delivery(), "debug", "delivery_confirmed"),
    (_delivery("unavailable"), "warning", "delivery_failed"),
    (_probe(Verdict.ACCEPTED), "debug", "version_probed"),
    (_probe(Verdict.CANNOT_TELL), "info", "version_probed"),
    (_probe(Verdict.REJECTED), "warning", "version_probed"),
    (_probe(Verdict.NO_ACCESS), "warning", "version_probed"),
    (events.VersionPromoted("ghcr", 3, AT, UNKNOWN), "info", "version_promoted"),
    (events.ClockStepped(-3600.0), "warning", "clock_stepped"),
    (events.StoreFailed("journal", "store", "locked"), "error", "store_failed"),
    (events.TargetFailed("prod", "kubernetes", "permission_denied", "may not list"), "warning", "target_unlisted"),
    (events.DriftFound("prod", "fake", "web", ("ghcr",), "web holds", is_contested=False), "info", "drift_found"),
    (events.DriftFound("prod", "fake", "web", ("ghcr",), "left", is_contested=True), "warning", "drift_contested"),
    (events.DriftRepaired("prod", "fake", "web", ("ghcr",)), "info", "drift_repaired"),
    (events.AlarmMissed("late"), "warning", "alarm_missed"),
    (events.HeadroomAsked("docker.io", "hub", Headroom(HeadroomState.UNLIMITED)), "debug", "headroom_told"),
    (events.OperatorActed("revealed", "tago", "acme", "ghcr", 7, "uid 0"), "info", "login_revealed"),
    (events.OperatorActed("acknowledged", "tago", "acme", "ghcr", 7, "uid 0"), "info", "delivery_acknowledged"),
    (_delivery("awaiting_operator"), "warning", "delivery_awaits_person"),
    (events.OrphansSwept("gitlab", 2), "info", "orphans_swept"),
    (events.DeliveryRefused("prod", "kubernetes", "evil/pull", "ecr", "policy"), "warning", "delivery_refused"),
    (events.AccessRefused("token_unknown"), "debug", "access_refused"),
    (events.AlertHandled("started", "LoginFails", "ghcr", "r1"), "info", "alert_handled"),
    (events.Audited("rotate"), "debug", "audited"),
    (events.AuditFailed("file", 1, "no room"), "error", "audit_failed"),
    (events.WaveFinished("ecr", 2, "canaries", 1, 0), "debug", "wave_finished"),
    (events.WaveFinished("ecr", 2, "wave 2 of 3 of prod", 9, 1), "warning", "wave_finished"),
    (events.VersionEnded("gitlab", 1, "dead", "the registry refuses it"), "info", "version_dead"),
    (events.VersionEnded("gitlab", 1, "alive", "it still works"), "warning", "version_alive"),
    (events.VersionEnded("gitlab", 1, "failed", "503", "unavailable"), "warning", "version_failed"),
    (events.VersionEnded("gitlab", 1, "unclaimed", "nobody ends it"), "warning", "version_unclaimed"),
    (events.OrphansSwept("gitlab", 0, "unavailable", "down"), "warning", "orphans_swept"),
    (
        events.HeadroomAsked("docker.io", "hub", Headroom(HeadroomState.UNKNOWN), "unavailable", "down"),
        "info",
        "headroom_not_told",
    ),
    (_looked(Verdict.ACCEPTED), "info", "image_looked_at"),
    (_looked(Verdict.MISSING), "warning", "image_looked_at"),
    (_looked(Verdict.CANNOT_TELL), "info", "image_looked_at"),
    (_looked(Verdict.MISSING, is_news=False), "debug", "image_looked_at"),
    (_inspected("may push"), "warning", "version_inspected"),
    (_inspected(""), "info", "version_inspected"),
    (_inspected("may push", is_news=False), "debug", "version_inspected"),
    (events.SourceFailed("ghcr", "unavailable", "sealed"), "warning", "source_failed"),
    (events.Notified("ops", 1, 0, "", "", is_news=False), "info", "notified"),
    (events.Notified("ops", 1, 0, "unavailable", "down", is_news=True), "warning", "notification_failed"),
    (events.Notified("ops", 1, 0, "unavailable", "down", is_news=False), "debug", "notification_failed"),
    (events.Crashed("rotation of ghcr", KeyError("x")), "error", "defect_found"),
    (events.ConfigReloaded("", AT), "info", "config_reloaded"),
    (events.ConfigReloaded("rotator.yaml:3: unknown key", AT), "error", "config_refused"),
]


@pytest.mark.parametrize(
    ("event", "level", "name"), CASES, ids=[f"{n}-{name}-{level}" for n, (_, level, name) in enumerate(CASES)]
)
def test_an_event_is_one_line(event: events.Event, level: str, name: str, json_log: Written) -> None:
    """Each kind of event has its constant name and its level, and its text is in no other key than its own."""
    LogHook()(event)

    (line,) = json_log.lines
    assert (line["level"], line["event"], line["logger"]) == (level, name, "rotator.events")


def test_no_kind_of_event_is_forgotten() -> None:
    """The cases above cover every event there is."""
    assert {type(event) for event, _, _ in CASES} == set(typing.get_args(events.Event))


def test_a_line_names_what_it_is_about(json_log: Written) -> None:
    """A rotation's line carries its id, credential, reason, step, error, message and rounded duration."""
    LogHook()(_rotation("failed", "unavailable"))

    (line,) = json_log.lines
    del line["timestamp"]
    assert line == {
        "level": "warning",
        "logger": "rotator.events",
        "event": "rotation_failed",
        "rotation": "r1",
        "credential": "ghcr",
        "reason": "SourceChanged",
        "outcome": "failed",
        "step": "promote",
        "error": "unavailable",
        "message": "so it went",
        "seconds": 1.235,
    }


@pytest.mark.parametrize(
    ("expiry", "shown"),
    [(UNKNOWN, "unknown"), (NEVER, "never"), (Expiry(AT), "2026-11-23T12:00:00+00:00")],
    ids=["unknown", "never", "known"],
)
def test_an_expiry_is_told_as_what_it_is(expiry: Expiry, shown: str, json_log: Written) -> None:
    """Unknown, never and an instant are three different words."""
    LogHook()(events.VersionPromoted("ghcr", 3, AT, expiry))

    assert json_log.lines[0]["expires"] == shown


def test_a_defect_comes_with_its_traceback(json_log: Written) -> None:
    """The line of a defect says in which function it was, without local variables."""
    try:
        _break()
    except ZeroDivisionError as error:
        LogHook()(events.Crashed("rotation of ghcr", error))

    (line,) = json_log.lines
    assert line["where"] == "rotation of ghcr"
    assert line["exception"][0]["frames"][-1]["name"] == "_break"
    assert "locals" not in line["exception"][0]["frames"][-1]


def _break() -> float:
    return 1 / 0
