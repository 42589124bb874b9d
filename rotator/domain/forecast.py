"""Foretells when a registry's pull limit will be used up. Pure.

The net trend of what remains is carried on. It already contains what a rolling window gives back; what it cannot
contain, the end of the window, bounds the forecast: a limit that is not used up within one window is not used up at
this rate, because every pull comes back one window after it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from statistics import median

from rotator.domain.headroom import Sample

FEWEST_SAMPLES = 3
"""Two points always lie on a line."""

HORIZON = timedelta(hours=1)
"""How far back the trend is looked for: long enough for bursts to even out, short enough to notice a new puller."""

RESET_SHARE = 0.2
"""A rise of what remains by more than this share of the limit, between two samples, ends what was before it."""

LONGEST = timedelta(days=1)
"""How far ahead is looked where nobody told the window's length."""


def exhaustion(samples: Sequence[Sample]) -> datetime | None:
    """Return when nothing will remain at the rate of late.

    Args:
        samples: Of one registry and credential, in any order. Those without a number (no limit) end what was before.

    Returns:
        The instant; in the past, since when nothing remains, if nothing does. None when the limit will not be used up
        at this rate before the window ends, or when there are too few samples since the last reset to tell.
    """
    run = _since_reset(sorted(samples, key=lambda one: one.at))
    if not run:
        return None
    last = run[-1]
    left = _remaining(last)
    if left == 0:
        return _empty_since(run)
    slope = _slope([one for one in run if last.at - one.at <= HORIZON])
    if slope is None or slope >= 0 or left / -slope > LONGEST.total_seconds():
        return None
    at = last.at + timedelta(seconds=left / -slope)
    return at if at < _bound(run) else None


def _remaining(sample: Sample) -> int:
    return sample.headroom.remaining or 0


def _since_reset(samples: Sequence[Sample]) -> list[Sample]:
    """Return the newest samples of one limit without a reset among them; empty when the newest has no number."""
    run: list[Sample] = []
    for sample in samples:
        if sample.headroom.remaining is None:
            run = []
        elif run and _is_reset(run[-1], sample):
            run = [sample]
        else:
            run.append(sample)
    return run


def _is_reset(before: Sample, after: Sample) -> bool:
    if before.headroom.limit != after.headroom.limit:
        return True
    whole = after.headroom.limit or max(_remaining(before), _remaining(after))
    return _remaining(after) - _remaining(before) > RESET_SHARE * whole


def _empty_since(run: Sequence[Sample]) -> datetime:
    since = run[-1].at
    for sample in reversed(run):
        if _remaining(sample):
            break
        since = sample.at
    return since


def _slope(samples: Sequence[Sample]) -> float | None:
    """Return requests per second, negative when they are used up: the median over all pairs (Theil and Sen).

    A single odd value, such as a burst or a glitch, moves it little.
    """
    if len({one.at for one in samples}) < FEWEST_SAMPLES:
        return None
    return median(
        (_remaining(after) - _remaining(before)) / (after.at - before.at).total_seconds()
        for before, after in combinations(samples, 2)
        if after.at > before.at
    )


def _bound(run: Sequence[Sample]) -> datetime:
    """Return the latest instant to which the trend may be carried on."""
    last = run[-1].headroom
    if last.reset_at is not None and last.reset_at > run[-1].at:
        return last.reset_at
    if last.window_seconds is None:
        return run[-1].at + LONGEST
    window = timedelta(seconds=last.window_seconds)
    began = _began(run)
    is_rolling = run[-1].at - began >= window  # no reset came in a whole window
    return (run[-1].at if is_rolling else began) + window


def _began(run: Sequence[Sample]) -> datetime:
    """Return when the pulls that count now can have begun: the last moment all was left, or the first known."""
    full = (before.at for before, _ in reversed(list(pairwise(run))) if _remaining(before) == before.headroom.limit)
    return next(full, run[0].at)
