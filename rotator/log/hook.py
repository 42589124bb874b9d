"""One log line per event of the domain."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any, assert_never

import structlog

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
from rotator.domain.model import Expiry
from rotator.domain.verdict import Verdict
from rotator.errors import AwaitingOperatorError

_DELIVERED = {"": "delivery_confirmed", AwaitingOperatorError.code: "delivery_awaits_person"}
"""The line's name by the error's code."""

_OUTCOMES = {
    "succeeded": ("info", "rotation_succeeded"),
    "unchanged": ("info", "rotation_unchanged"),
    "delivering": ("warning", "rotation_partially_delivered"),
    "partial": ("warning", "rotation_partially_delivered"),
    "failed": ("warning", "rotation_failed"),
    "abandoned": ("warning", "rotation_abandoned"),
}
_VERDICTS = {Verdict.ACCEPTED: "debug", Verdict.CANNOT_TELL: "info"}


_ENDS = frozenset({"ended", "dead", "forgotten"})
"""What is good news about an old version."""

_ROOM = logging.getLogger("rotator.events")


class LogHook:
    """A `rotator.ports.Hook` that writes each event as one line: what fails is a warning, a defect an error."""

    def __init__(self) -> None:
        self._log: Any = structlog.get_logger("rotator.events")

    def __call__(self, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915 (one case per event: a table that mypy proves complete)
        """Write ``event``. Cheap when its level is not shown."""
        match event:
            case RotationStarted():
                self._rotation_started(event)
            case StepFinished():
                self._step_finished(event)
            case RotationFinished():
                self._rotation_finished(event)
            case DeliveryFinished():
                self._delivery_finished(event)
            case VersionProbed():
                self._version_probed(event)
            case VersionPromoted():
                self._version_promoted(event)
            case ClockStepped():
                self._log.warning("clock_stepped", seconds=event.seconds)
            case StoreFailed():
                self._log.error("store_failed", operation=event.operation, error=event.error, message=event.message)
            case TargetFailed():
                self._target_failed(event)
            case DriftFound():
                level = "warning" if event.is_contested else "info"
                getattr(self._log, level)("drift_contested" if event.is_contested else "drift_found", **_told(event))
            case DriftRepaired():
                self._log.info("drift_repaired", **_told(event))
            case DeliveryRefused():
                self._log.warning("delivery_refused", error="policy", **asdict(event))
            case AlarmMissed():
                self._log.warning("alarm_missed", reason=event.reason)
            case SourceFailed():
                self._source_failed(event)
            case HeadroomAsked():
                self._headroom_asked(event)
            case ImageLookedAt():
                self._image_looked_at(event)
            case VersionInspected():
                self._version_inspected(event)
            case OperatorActed():
                self._operator_acted(event)
            case AccessRefused():
                self._log.debug("access_refused", code=event.code)
            case AlertHandled():
                self._log.info("alert_handled", **asdict(event))
            case Audited():
                self._log.debug("audited", action=event.action)
            case AuditFailed():
                self._log.error("audit_failed", **asdict(event))
            case OrphansSwept():
                self._orphans_swept(event)
            case WaveFinished():
                level = "warning" if event.failed else "debug"
                getattr(self._log, level)("wave_finished", **asdict(event))
            case VersionEnded():
                self._version_ended(event)
            case Notified():
                self._notified(event)
            case Crashed():
                self._log.error("defect_found", where=event.where, exc_info=event.error)
            case ConfigReloaded():
                self._config_reloaded(event)
            case _:
                assert_never(event)

    def _operator_acted(self, event: OperatorActed) -> None:
        self._log.info(
            "login_revealed" if event.action == "revealed" else "delivery_acknowledged",
            target=event.target,
            placement=event.placement,
            credential=event.credential,
            generation=event.generation,
            by=event.by,
        )

    def _orphans_swept(self, event: OrphansSwept) -> None:
        level = "warning" if event.error else "info"
        told = {"error": event.error, "message": event.message} if event.error else {}
        getattr(self._log, level)("orphans_swept", credential=event.credential, ended=event.ended, **told)

    def _notified(self, event: Notified) -> None:
        if not event.error:
            self._log.info("notified", destination=event.destination, opened=event.opened, resolved=event.resolved)
            return
        level = "warning" if event.is_news else "debug"
        getattr(self._log, level)(
            "notification_failed", destination=event.destination, error=event.error, message=event.message
        )

    def _version_ended(self, event: VersionEnded) -> None:
        level = "info" if event.outcome in _ENDS else "warning"
        getattr(self._log, level)(
            f"version_{event.outcome}",
            credential=event.credential,
            generation=event.generation,
            message=event.message,
            **({"error": event.error} if event.error else {}),
        )

    def _rotation_started(self, event: RotationStarted) -> None:
        self._log.info(
            "rotation_resumed" if event.resumed else "rotation_started",
            rotation=event.rotation,
            credential=event.credential,
            reason=event.reason,
            message=event.message,
        )

    def _step_finished(self, event: StepFinished) -> None:
        self._log.debug(
            "step_finished",
            rotation=event.rotation,
            credential=event.credential,
            step=event.step,
            seconds=round(event.seconds, 3),
            message=event.message,
        )

    def _rotation_finished(self, event: RotationFinished) -> None:
        level, name = _OUTCOMES.get(event.outcome, ("warning", "rotation_finished"))
        getattr(self._log, level)(
            name,
            rotation=event.rotation,
            credential=event.credential,
            reason=event.reason,
            outcome=event.outcome,
            step=event.step,
            error=event.error,
            message=event.message,
            seconds=round(event.seconds, 3),
        )

    def _delivery_finished(self, event: DeliveryFinished) -> None:
        if not event.error and not _ROOM.isEnabledFor(logging.DEBUG):
            return  # thousands of these a second in a large rotation
        write = self._log.warning if event.error else self._log.debug
        write(
            _DELIVERED.get(event.error, "delivery_failed"),
            target=event.target,
            placement=event.placement,
            credential=event.credential,
            generation=event.generation,
            error=event.error,
            message=event.message,
            changed=event.changed,
            seconds=round(event.seconds, 3),
        )

    def _version_probed(self, event: VersionProbed) -> None:
        getattr(self._log, _VERDICTS.get(event.verdict, "warning"))(
            "version_probed",
            credential=event.credential,
            generation=event.generation,
            verdict=event.verdict.value,
            message=event.message,
        )

    def _version_promoted(self, event: VersionPromoted) -> None:
        self._log.info(
            "version_promoted",
            credential=event.credential,
            generation=event.generation,
            issued_at=event.issued_at.isoformat(),
            expires=_describe(event.expiry),
        )

    def _target_failed(self, event: TargetFailed) -> None:
        self._log.warning(
            "target_unlisted", target=event.target, kind=event.kind, error=event.error, message=event.message
        )

    def _source_failed(self, event: SourceFailed) -> None:
        self._log.warning("source_failed", credential=event.credential, error=event.error, message=event.message)

    def _headroom_asked(self, event: HeadroomAsked) -> None:
        (self._log.info if event.error else self._log.debug)(
            "headroom_not_told" if event.error else "headroom_told",
            registry=event.registry,
            credential=event.credential,
            state=event.headroom.state.value,
            limit=event.headroom.limit,
            remaining=event.headroom.remaining,
            error=event.error,
            message=event.message,
        )

    def _image_looked_at(self, event: ImageLookedAt) -> None:
        level = _VERDICTS.get(event.verdict, "warning") if event.is_news else "debug"
        getattr(self._log, "info" if event.is_news and event.verdict is Verdict.ACCEPTED else level)(
            "image_looked_at",
            credential=event.credential,
            image=event.image,
            verdict=event.verdict.value,
            reason=event.reason,
            message=event.message,
        )

    def _version_inspected(self, event: VersionInspected) -> None:
        level = ("warning" if event.message else "info") if event.is_news else "debug"
        getattr(self._log, level)(
            "version_inspected",
            credential=event.credential,
            generation=event.generation,
            expires=_describe(event.expiry),
            message=event.message,
        )

    def _config_reloaded(self, event: ConfigReloaded) -> None:
        if event.error:
            self._log.error("config_refused", message=event.error)
        else:
            self._log.info("config_reloaded")


def _told(event: DriftFound | DriftRepaired) -> dict[str, Any]:
    told = {name: value for name, value in asdict(event).items() if name != "is_contested"}
    return {**told, "credentials": list(event.credentials)}


def _describe(expiry: Expiry) -> str:
    if expiry.never:
        return "never"
    return "unknown" if expiry.at is None else expiry.at.isoformat()
