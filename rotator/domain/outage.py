"""How long the source of a credential may be down before a target is left without a valid login. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rotator.domain.model import Version
    from rotator.domain.status import TargetStatus


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the first required target is without a valid login, if nothing new comes until then.

    Args:
        at: The instant, aware UTC; may be past.
        target: The target's name.
    """

    at: datetime
    target: str


def first_end(held: Iterable[Version]) -> datetime | None:
    """Return when the first of the ``held`` versions stops working, or did; None when no end is known."""
    return min((at for version in held if (at := version.ends_at) is not None), default=None)


def outage_deadline(targets: Sequence[TargetStatus]) -> Deadline | None:
    """Return the earliest known end among what the required ``targets`` hold; None when none is known.

    Past where a target holds what has expired, or what its registry refuses. None also where all that they hold never
    ends. A target of whose logins no end is known does not count: it may be left without one earlier. Of targets with
    the same end the first in configuration order is named.
    """
    known = [Deadline(one.expires_at, one.target) for one in targets if one.required and one.expires_at is not None]
    return min(known, key=lambda deadline: deadline.at, default=None)
