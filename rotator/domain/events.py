"""What happened, as frozen values. Hooks turn them into metrics and log lines; the engine knows neither."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rotator.domain.headroom import Headroom
from rotator.domain.model import Expiry
from rotator.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class RotationStarted:
    """A rotation was journalled and begins, or is resumed after a restart."""

    rotation: str
    credential: str
    reason: str
    message: str
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class StepFinished:
    """One step of a rotation ended well.

    Args:
        rotation: The rotation's id.
        credential: The credential's name.
        step: ``issue``, ``verify``, ``deliver`` or ``promote``.
        seconds: Duration.
        message: What it came to, in a sentence.
    """

    rotation: str
    credential: str
    step: str
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class RotationFinished:
    """A rotation ended or paused.

    Args:
        rotation: The rotation's id.
        credential: The credential's name.
        reason: The reason it was due.
        outcome: ``succeeded``, ``unchanged``, ``delivering`` (in use, but some placements still wait), ``failed``.
        step: The step it ended in.
        error: ``code`` of the error; empty when there was none.
        message: What it came to, in a sentence.
        seconds: Duration of this run.
    """

    rotation: str
    credential: str
    reason: str
    outcome: str
    step: str
    error: str
    message: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DeliveryFinished:
    """One placement was written, or could not be.

    Args:
        target: The target's name.
        kind: The target's kind.
        placement: The spot inside it.
        credential: The credential this delivery was for.
        generation: The generation that was to be placed.
        error: ``code`` of the error; empty when it was confirmed.
        message: Why it failed; empty when it was confirmed.
        changed: Whether the placement had to be written.
        seconds: Duration of the write and its read-back.
    """

    target: str
    kind: str
    placement: str
    credential: str
    generation: int
    error: str
    message: str
    changed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class WaveFinished:
    """A group of placements was written.

    Args:
        credential: The credential's name.
        generation: Of the version that is rolled out.
        wave: ``canaries``, or ``wave 2 of 3 of prod``.
        confirmed: Placements that hold it.
        failed: Placements that do not.
    """

    credential: str
    generation: int
    wave: str
    confirmed: int
    failed: int


@dataclass(frozen=True, slots=True)
class VersionEnded:
    """An old version came nearer to its end, or did not.

    Args:
        credential: The credential's name.
        generation: The old version's.
        outcome: ``ended`` (the vendor ended it), ``dead`` (the registry refuses it), ``forgotten`` (it dies by itself,
            or its secret is in use under a newer generation), ``alive`` (it still works), ``failed``.
        message: What was found, in a sentence.
        error: ``code`` of the error; empty when there was none.
    """

    credential: str
    generation: int
    outcome: str
    message: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class VersionProbed:
    """The current version was shown to the registry between rotations."""

    credential: str
    generation: int
    verdict: Verdict
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class VersionPromoted:
    """A version became current."""

    credential: str
    generation: int
    issued_at: datetime
    expiry: Expiry


@dataclass(frozen=True, slots=True)
class ClockStepped:
    """The wall clock moved against the monotonic one.

    Args:
        seconds: How far; negative when it went back.
    """

    seconds: float


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
class TargetFailed:
    """A target could not say which placements it has."""

    target: str
    kind: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class DeliveryRefused:
    """Policy keeps a credential from a placement that its target has. Told once per placement and run."""

    target: str
    kind: str
    placement: str
    credential: str
    message: str


@dataclass(frozen=True, slots=True)
class DriftFound:
    """A placement holds something else than was confirmed there.

    Args:
        target: The target's name.
        kind: The target's kind.
        placement: The spot inside it.
        credentials: Those of which it holds something else.
        message: What was found, in a sentence.
        is_contested: Whether it is left alone because repairs do not last; else it is repaired now.
    """

    target: str
    kind: str
    placement: str
    credentials: tuple[str, ...]
    message: str
    is_contested: bool


@dataclass(frozen=True, slots=True)
class DriftRepaired:
    """A placement that had drifted was written again, and read back.

    Args:
        target: The target's name.
        kind: The target's kind.
        placement: The spot inside it.
        credentials: Those that were put back.
    """

    target: str
    kind: str
    placement: str
    credentials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlarmMissed:
    """The alarm clock dropped a call; the reconciliation pass makes up for it.

    Args:
        reason: ``late`` or ``busy``.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """A source could not be asked for its revision."""

    credential: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class OrphansSwept:
    """What interrupted rotations had left at a vendor was looked for.

    Args:
        credential: The credential's name.
        ended: How many were ended.
        error: ``code`` of the error; empty when there was none.
        message: Why it could not be done; empty when it could.
    """

    credential: str
    ended: int
    error: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class OperatorActed:
    """A person did their part of a delivery.

    Args:
        action: ``revealed``: the login was shown to them. ``acknowledged``: they said that it is in place.
        target: The target's name.
        placement: The spot inside it.
        credential: The credential's name.
        generation: The generation that this was about.
        by: Who, as the admin API knows them.
    """

    action: str
    target: str
    placement: str
    credential: str
    generation: int
    by: str


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
class VersionInspected:
    """The vendor was asked about the version in use.

    Args:
        credential: The credential's name.
        generation: The version's generation.
        expiry: When it stops working, as far as is known now.
        message: What is better changed about the login; empty when nothing is known to be.
        is_news: Whether the expiry changed, or what is better changed did.
    """

    credential: str
    generation: int
    expiry: Expiry
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
class Crashed:
    """Something broke that nobody foresaw: a defect. The daemon goes on.

    Args:
        where: What was being done.
        error: The exception, for a traceback without local variables.
    """

    where: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """The configuration was read again; ``error`` is empty when it was taken over."""

    error: str
    at: datetime


Event = (
    AccessRefused
    | AlertHandled
    | RotationStarted
    | StepFinished
    | RotationFinished
    | DeliveryFinished
    | WaveFinished
    | VersionEnded
    | VersionProbed
    | VersionPromoted
    | ClockStepped
    | StoreFailed
    | Audited
    | AuditFailed
    | TargetFailed
    | DeliveryRefused
    | DriftFound
    | DriftRepaired
    | AlarmMissed
    | SourceFailed
    | HeadroomAsked
    | ImageLookedAt
    | VersionInspected
    | OperatorActed
    | OrphansSwept
    | Notified
    | Crashed
    | ConfigReloaded
)
