"""What became of rotations and of the versions that they bring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
class VersionPromoted:
    """A version became current."""

    credential: str
    generation: int
    issued_at: datetime
    expiry: Expiry


@dataclass(frozen=True, slots=True)
class VersionProbed:
    """The current version was shown to the registry between rotations."""

    credential: str
    generation: int
    verdict: Verdict
    message: str
    at: datetime


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
class VersionEnded:
    """An old version came nearer to its end, or did not.

    Args:
        credential: The credential's name.
        generation: The old version's.
        outcome: ``ended`` (the vendor ended it), ``dead`` (the registry refuses it), ``forgotten`` (it dies by itself,
            or its secret is in use under a newer generation), ``alive`` (it still works), ``failed``; ``unclaimed``
            (no credential has that name any more, so that nobody ends what is kept of it; told at the start).
        message: What was found, in a sentence.
        error: ``code`` of the error; empty when there was none.
    """

    credential: str
    generation: int
    outcome: str
    message: str
    error: str = ""


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
