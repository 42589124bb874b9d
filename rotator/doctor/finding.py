"""What a check found: one line, and how to mend it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rotator.errors import ConfigError, PermanentError, RotatorError


class Level(StrEnum):
    """How it stands, in one word."""

    OK = "ok"
    WARN = "warn"
    """It works, and it should be otherwise."""
    FAIL = "fail"
    UNKNOWN = "unknown"
    """Nobody could tell; the text says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer. No secret.

    Args:
        family: What kind of thing was looked at, such as ``vault``.
        about: The thing itself: a path, a host, a target.
        level: How it stands.
        text: What was seen, in one sentence without a full stop.
        mend: What to do, in one sentence; empty where nothing is to be done.
    """

    family: str
    about: str
    level: Level
    text: str
    mend: str = ""


def of_error(family: str, about: str, error: RotatorError, mend: str = "") -> Finding:
    """Return what an error means: what only a person mends is a failure, what may pass by itself is unknown.

    Args:
        family: As of the finding.
        about: As of the finding.
        error: What was raised.
        mend: What to do where the error itself does not say it.
    """
    is_lasting = isinstance(error, (ConfigError, PermanentError))
    text = "; ".join(error.mistakes) if isinstance(error, ConfigError) else error.message
    waits = "" if is_lasting else "Look again in a minute; if it stays, look at the network between here and there"
    return Finding(family, about, Level.FAIL if is_lasting else Level.UNKNOWN, text, error.hint or mend or waits)
