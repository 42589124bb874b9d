"""What the daemon noticed beside its rotations, and what broke."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rotator.domain.headroom import Headroom
from rotator.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ClockStepped:
    """The wall clock moved against the monotonic one.

    Args:
        seconds: How far; negative when it went back.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class AlarmMissed:
    """The alarm clock dropped a call; the reconciliation pass makes up for it.

    Args:
        reason: ``late`` or ``busy``.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """The state could not be read or written."""

    operation: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Audited:
    """A record was added to the audit.

    Args:
        action: As `rotator.domain.audit.AuditRecord`.
    """

    action: str


@dataclass(frozen=True, slots=True)
class AuditFailed:
    """Records of the audit could not be written.

    Args:
        where: ``state``, or ``file`` for the second copy.
        records: How many.
        message: Why.
    """

    where: str
    records: int
    message: str


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """A source could not be asked for its revision."""

    credential: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class HeadroomAsked:
    """A registry was asked what is left of its pull limit.

    Args:
        registry: The registry's host.
        credential: Name of the credential that asked, or ``anonymous``.
        headroom: What it told; unknown when it told nothing readable, or could not be asked.
        error: ``code`` of the error; empty when it could be asked.
        message: Why it could not be asked; empty when it could.
    """

    registry: str
    credential: str
    headroom: Headroom
    error: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ImageLookedAt:
    """It was looked whether an image pulls with the version in use.

    Args:
        credential: The credential's name.
        image: The image's id.
        verdict: What could be told.
        reason: What was found, in one word.
        message: The same in a sentence.
        is_news: Whether it is something else than what was known.
    """

    credential: str
    image: str
    verdict: Verdict
    reason: str
    message: str
    is_news: bool


@dataclass(frozen=True, slots=True)
class Notified:
    """A destination of notifications was told what needs a person, or could not be.

    Args:
        destination: The destination's name.
        opened: How many needs were new to it.
        resolved: How many were over.
        error: ``code`` of the error; empty when it took the message.
        message: Why it did not; empty when it did.
        is_news: Whether this went otherwise than the last message.
    """

    destination: str
    opened: int
    resolved: int
    error: str
    message: str
    is_news: bool


@dataclass(frozen=True, slots=True)
class AccessRefused:
    """Somebody was not let in by the admin API.

    Args:
        code: Why, in one word of `rotator.admin.failure.STATUS`.
    """

    code: str


@dataclass(frozen=True, slots=True)
class AlertHandled:
    """Alertmanager told of an alert.

    Args:
        outcome: What it came to, in one word of `rotator.domain.alert.Outcome`.
        alert: Its name, where it is a configured one; else empty.
        credential: The credential that it is about; empty when nobody knows.
        rotation: The rotation that was started; empty when none was.
    """

    outcome: str
    alert: str
    credential: str
    rotation: str


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """The configuration was read again; ``error`` is empty when it was taken over."""

    error: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Crashed:
    """Something broke that nobody foresaw: a defect. The daemon goes on.

    Args:
        where: What was being done.
        error: The exception, for a traceback without local variables.
    """

    where: str
    error: BaseException
