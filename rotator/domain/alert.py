"""What an alert does: whether it rotates a credential, and which. Pure; who sent it was decided before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.domain.rotation import Rotation


class Outcome(StrEnum):
    """What an alert came to."""

    STARTED = "started"
    """A rotation was started."""
    RUNNING = "running"
    """A rotation of the credential runs already."""
    COOLING = "cooling"
    """The credential was rotated a short while ago."""
    DUPLICATE = "duplicate"
    """This very alert was acted on before."""
    RESOLVED = "resolved"
    """It does not fire any more, which rotates nothing."""
    UNKNOWN_ALERT = "unknown_alert"
    """No configuration says what it rotates."""
    UNKNOWN_CREDENTIAL = "unknown_credential"
    """It names no credential, or one that it may not rotate."""
    TRUNCATED = "truncated"
    """It was left out of the message by Alertmanager, so that nobody knows what it said."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, as far as anything is decided by it.

    Args:
        name: ``alertname``; empty when it has none.
        is_firing: Whether it does; False for a resolved one.
        labels: Its labels. Whatever they say is looked up, and goes nowhere else.
    """

    name: str
    is_firing: bool
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlertRule:
    """What one alert may rotate.

    Args:
        credential: The credential; None when ``label`` says it.
        label: The label that names the credential; empty when ``credential`` says it.
        only: The credentials that it may rotate.
    """

    credential: str | None
    label: str
    only: Collection[str]


def subject(alert: Alert, rules: Mapping[str, AlertRule]) -> str | Outcome:
    """Return the name of the credential that ``alert`` rotates, or why it rotates none."""
    if not alert.is_firing:
        return Outcome.RESOLVED
    rule = rules.get(alert.name)
    if rule is None:
        return Outcome.UNKNOWN_ALERT
    named = alert.labels.get(rule.label, "") if rule.credential is None else rule.credential
    return named if named in rule.only else Outcome.UNKNOWN_CREDENTIAL


def holds_back(newest: Rotation | None, now: datetime, cooldown: timedelta) -> Outcome | None:
    """Return why a credential is not rotated again now; None when it may be.

    Args:
        newest: Its newest rotation, for whatever reason; None when there was none.
        now: The present.
        cooldown: How long a rotation is news.
    """
    if newest is None:
        return None
    if newest.is_running:
        return Outcome.RUNNING
    return Outcome.COOLING if now - newest.started_at < cooldown else None
