"""How many pulls a registry still grants, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ANONYMOUS = "anonymous"
"""Stands for the name of a credential where a registry is asked without one."""

OWN_SHARE = 0.01
"""What our own requests may take of any limit."""

ASSUMED_WINDOW = timedelta(days=1)
"""What a limit is taken to be for where nobody told: the longest window is the most careful."""

LONGEST_FAIR_PAUSE = timedelta(days=366)


class HeadroomState(StrEnum):
    """What is known about a limit."""

    LIMITED = "limited"
    """There is one, and how much of it is left was told."""
    UNLIMITED = "unlimited"
    """The vendor says that there is none."""
    UNKNOWN = "unknown"
    """Nobody told, or not readably. Never taken for zero, nor for no limit."""


class Counted(StrEnum):
    """Whom a registry counts requests against. The address or account itself is not kept."""

    ADDRESS = "address"
    ACCOUNT = "account"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Headroom:
    """What one answer told about a limit. A hint: what is left does not promise that the next request is served.

    Args:
        state: What is known.
        limit: Requests granted per window, >= 0; None when not told.
        remaining: Requests left, >= 0; never None when ``state`` is limited, None otherwise.
        window_seconds: Length of the window, > 0; None when not told.
        reset_at: Not before this instant there is more; None when not told, as with a rolling window.
        source: Whom requests count against.
    """

    state: HeadroomState
    limit: int | None = None
    remaining: int | None = None
    window_seconds: int | None = None
    reset_at: datetime | None = None
    source: Counted = Counted.UNKNOWN


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured headroom, as it is kept.

    Args:
        registry: The registry's host.
        credential: Name of the credential that asked, or `ANONYMOUS`.
        at: When it was told.
        headroom: What was told; never unknown.
    """

    registry: str
    credential: str
    at: datetime
    headroom: Headroom


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """The last headroom known for one credential at one registry.

    Args:
        sample: What was last told.
        exhausted_at: When nothing will be left at the rate of late, or since when nothing is; None when that does not
            come before the window ends, or cannot be told.
    """

    sample: Sample
    exhausted_at: datetime | None = None


def fair_pause(headroom: Headroom | None, requests: int) -> timedelta:
    """Return how long to wait after ``requests`` of our own, so that all of them take no more than `OWN_SHARE`.

    Args:
        headroom: The limit that they count against; None, unknown or no limit asks for no pause.
        requests: How many were made, >= 0.
    """
    if headroom is None or headroom.state is not HeadroomState.LIMITED or headroom.limit is None:
        return timedelta()
    window = headroom.window_seconds or ASSUMED_WINDOW.total_seconds()
    seconds = requests * window / (OWN_SHARE * max(headroom.limit, 1))
    return timedelta(seconds=min(seconds, LONGEST_FAIR_PAUSE.total_seconds()))
