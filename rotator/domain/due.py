"""Is a rotation due, and why: an ordered chain of small pure checks. The first that says yes is the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rotator.domain.model import Strategy, Version
from rotator.domain.schedule import (
    RenewalRule,
    age_point,
    is_put_back,
    left_of_pause,
    renewal_point,
    replaced_at,
    stays_until,
)

UNWATCHED_RECHECK = timedelta(minutes=5)
"""How often a source that cannot tell its revision is simply read again."""


@dataclass(frozen=True, slots=True)
class Due:
    """A rotation is due.

    Args:
        reason: CamelCase token for machines.
        message: Sentence for people.
    """

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the decision depends on.

    Args:
        now: Wall-clock time, aware UTC.
        strategy: How this credential is replaced.
        rule: When it is renewed.
        current: The version in use; None when there never was one.
        revision: What the source said of itself last; None when it cannot tell or was not asked.
        is_unwatched: Whether the source was asked and cannot tell its revision.
        looked_at: When the source was last read in full; None when it was not.
        failures: Attempts that failed in a row, as for `rotator.domain.schedule.is_put_back`.
        unfinished: The pending generation, where a placement may hold it and no rotation takes it on; 0 for none.
        withdrawn: The newest generation that was taken back and that a placement may hold; 0 for none.
        fence: The highest generation that a placement held against us; 0 for none.
        is_reconfigured: Whether the configuration has versions made by, or read from, somewhere else than the one in
            use is of.
        requested: What a person asked for; None when nobody did.
    """

    now: datetime
    strategy: Strategy
    rule: RenewalRule = field(default_factory=RenewalRule)
    current: Version | None = None
    revision: str | None = None
    is_unwatched: bool = False
    looked_at: datetime | None = None
    failures: int = 0
    unfinished: int = 0
    withdrawn: int = 0
    fence: int = 0
    is_reconfigured: bool = False
    requested: str | None = None


Check = Callable[[Situation], Due | None]


def never_issued(situation: Situation) -> Due | None:
    """Due when there is no version in use."""
    return Due("NeverIssued", "no version is in use") if situation.current is None else None


def manually_triggered(situation: Situation) -> Due | None:
    """Due when a person asked for it."""
    return None if situation.requested is None else Due("ManuallyTriggered", situation.requested)


def unfinished(situation: Situation) -> Due | None:
    """Due when placements may hold a pending version: what a person began is brought to its end, too."""
    if situation.current is None or not situation.unfinished:
        return None
    return Due("Unfinished", f"generation {situation.unfinished} is on its way and may be held by placements")


def withdrawn(situation: Situation) -> Due | None:
    """Due when placements may hold a version that was taken back: the one in use goes there again.

    Not where the one in use does not work itself, or leaked: putting it back would be refused for ever, or undo what
    is done about the leak, and a new one is due.
    """
    current = situation.current
    if current is None or situation.withdrawn <= current.generation or current.is_unfit(situation.now):
        return None
    return Due("Withdrawn", f"generation {situation.withdrawn} was taken back; the version in use is put in its place")


def leaked(situation: Situation) -> Due | None:
    """Due when somebody said that the secret of the version in use is known to others. Not for ``read``, as below."""
    current = situation.current
    if current is None or current.leaked_at is None or situation.strategy is Strategy.READ:
        return None
    return Due("Leaked", "the secret of the version in use is known to others")


def reconfigured(situation: Situation) -> Due | None:
    """Due when the configuration names another account, place or address. Not for what was put back on purpose."""
    current = situation.current
    if current is None or current.restores or not situation.is_reconfigured:
        return None
    return Due("Reconfigured", "the version in use is of another account or place than the configuration names")


def source_changed(situation: Situation) -> Due | None:
    """Due when the source holds another revision than the version in use was read from."""
    current, revision = situation.current, situation.revision
    if current is None or revision is None or revision == current.revision:
        return None
    return Due("SourceChanged", "the source holds a new revision")


def rejected(situation: Situation) -> Due | None:
    """Due when the registry refused the version in use since it last accepted it."""
    current = situation.current
    if current is None or current.rejected_at is None:
        return None
    return Due("Rejected", f"the registry refuses the version in use since {current.rejected_at:%Y-%m-%d %H:%M:%SZ}")


def target_ahead(situation: Situation) -> Due | None:
    """Due when a placement holds a newer generation than the version in use, so that it takes none of ours."""
    if situation.current is None or situation.fence <= situation.current.generation:
        return None
    return Due("TargetAhead", f"a target holds generation {situation.fence}, above ours; a newer one is issued")


def renewal_point_reached(situation: Situation) -> Due | None:
    """Due at the renewal point; of what a person put back, when only the outage budget is left of it.

    Not for ``read``: only a person can help there, and `source_changed` sees it.
    """
    if situation.current is None or situation.strategy is Strategy.READ:
        return None
    stays = is_put_back(situation.current, situation.failures)
    point = (stays_until if stays else renewal_point)(situation.current, situation.rule)
    if point is None or situation.now < point:
        return None
    return Due("RenewalPointReached", f"expires at {situation.current.expiry.at:%Y-%m-%d %H:%M:%SZ}")


def max_age_reached(situation: Situation) -> Due | None:
    """Due at the configured age. Not for ``read``, as above, nor for what a person put back."""
    if situation.current is None or situation.strategy is Strategy.READ:
        return None
    if is_put_back(situation.current, situation.failures):
        return None
    point = age_point(situation.current, situation.rule)
    if point is None or situation.now < point:
        return None
    return Due("MaxAgeReached", f"issued at {situation.current.issued_at:%Y-%m-%d %H:%M:%SZ}")


def source_unwatched(situation: Situation) -> Due | None:
    """Due every 5 minutes for a source that cannot tell its revision: the only way to see a change is to read it."""
    if situation.strategy is not Strategy.READ or not situation.is_unwatched:
        return None
    if situation.looked_at is not None and left_of_pause(situation.looked_at, UNWATCHED_RECHECK, situation.now):
        return None
    return Due("SourceUnwatched", "the source cannot tell its revision, so it is read again")


CHAIN: tuple[Check, ...] = (
    never_issued,
    unfinished,
    withdrawn,
    manually_triggered,
    leaked,
    reconfigured,
    source_changed,
    rejected,
    target_ahead,
    renewal_point_reached,
    max_age_reached,
    source_unwatched,
)
"""The specification of "due", in the order in which reasons are named."""

REASONS = (
    "NeverIssued",
    "Unfinished",
    "Withdrawn",
    "ManuallyTriggered",
    "Leaked",
    "Reconfigured",
    "SourceChanged",
    "Rejected",
    "TargetAhead",
    "RenewalPointReached",
    "MaxAgeReached",
    "SourceUnwatched",
)
"""Every reason the chain can give."""

ASKED = ("RolledBack",)
"""Reasons that only a person can give; with `REASONS` the closed set of the metric label ``trigger``."""


def first_due(situation: Situation) -> Due | None:
    """Return why a rotation is due now, or None."""
    return next((due for check in CHAIN if (due := check(situation)) is not None), None)


def next_due_at(situation: Situation) -> datetime | None:
    """Return the earliest instant at which `first_due` will answer without anything else happening; None for never."""
    if first_due(situation) is not None:
        return situation.now
    current = situation.current
    if current is None:
        return None
    if situation.strategy is Strategy.READ:
        if not situation.is_unwatched or situation.looked_at is None:
            return None
        return situation.looked_at + UNWATCHED_RECHECK
    return replaced_at(current, situation.rule, situation.failures)
