"""What became of showing a login to a registry, as far as a lock-out is concerned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Outcome(StrEnum):
    """How one showing of a login ended."""

    UNTOLD = "untold"
    """No answer, or one that says nothing about the login: counts neither way."""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    """A failed login: the registry counts it."""
    LOCKED_OUT = "locked_out"
    """The account is locked after failed logins: not even the right password works for a while."""
    BANNED = "banned"
    """Our address is banned after failed logins, whoever's they were."""
    SLOWED = "slowed"
    """Our address asks too often."""


@dataclass(slots=True)
class Attempt:
    """One showing of a login; whoever shows it writes down how it ended.

    Args:
        outcome: How it ended.
        wait: How long the registry asked to be left alone; None when it did not.
    """

    outcome: Outcome = Outcome.UNTOLD
    wait: timedelta | None = None
