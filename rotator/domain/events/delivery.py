"""What became of places that hold credentials, and of what they hold."""

from __future__ import annotations

from dataclasses import dataclass


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
class DeliveryRefused:
    """Policy keeps a credential from a placement that its target has. Told once per placement and run."""

    target: str
    kind: str
    placement: str
    credential: str
    message: str


@dataclass(frozen=True, slots=True)
class TargetFailed:
    """A target could not say which placements it has."""

    target: str
    kind: str
    error: str
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
