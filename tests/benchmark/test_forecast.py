"""How far the forecast of a pull limit is off, on simulated pullers whose end is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest

from rotator.domain.forecast import HORIZON, exhaustion
from rotator.domain.headroom import Headroom, HeadroomState, Sample

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LIMIT, WINDOW, POLL_MINUTES, RUNS = 200, 21_600, 5, 200
Puller = Callable[[random.Random, int], int]


def steady(_dice: random.Random, minute: int) -> int:
    """Pull once a minute."""
    return int(minute >= 0)


def noisy(dice: random.Random, _minute: int) -> int:
    """Pull zero to two times a minute."""
    return dice.randint(0, 2)


def bursty(dice: random.Random, minute: int) -> int:
    """Pull about twenty times every twenty minutes."""
    return dice.randint(15, 25) if minute % 20 == 0 else 0


def quiet(dice: random.Random, _minute: int) -> int:
    """Pull about once in four minutes: never the whole limit in one window."""
    return int(dice.random() < 0.25)


def pulled(puller: Puller, seed: int) -> Iterator[tuple[int, int]]:
    """Yield each minute and what remains in it, for two rolling windows or until nothing does."""
    dice, pulls = random.Random(seed), list[int]()
    for minute in range(2 * WINDOW // 60):
        pulls.append(puller(dice, minute))
        left = max(0, LIMIT - sum(pulls[-WINDOW // 60 :]))
        yield minute, left
        if not left:
            return


def measured(minute: int, left: int) -> Sample:
    """Return what a poll finds in ``minute``."""
    headroom = Headroom(HeadroomState.LIMITED, LIMIT, left, WINDOW)
    return Sample("docker.io", "hub", NOW + timedelta(minutes=minute), headroom)


def errors(puller: Puller, seed: int) -> tuple[list[float], int, int]:
    """Return the errors relative to the time left, how often nothing was foretold, and how many polls there were."""
    trace = list(pulled(puller, seed))
    end, left = trace[-1]
    polls = [measured(minute, remaining) for minute, remaining in trace if minute % POLL_MINUTES == 0 and remaining]
    found, silent = list[float](), 0
    looks = [n for n, one in enumerate(polls) if one.at - NOW >= HORIZON / 2]
    for n in looks:
        at = exhaustion(polls[: n + 1])
        silent += at is None
        if at is not None and not left:
            truth = timedelta(minutes=end) - (polls[n].at - NOW)
            found.append(abs((at - NOW) - timedelta(minutes=end)) / max(truth, timedelta(minutes=POLL_MINUTES)))
    return found, silent, len(looks)


@pytest.mark.benchmark
@pytest.mark.parametrize("puller", [steady, noisy, bursty, quiet], ids=lambda puller: puller.__name__)
def test_forecast_error(puller: Puller, report: Callable[[str], None]) -> None:
    """Error of the forecast relative to the time that was really left, over all polls from half an hour on."""
    results = [errors(puller, seed) for seed in range(RUNS)]
    found = sorted(error for one in results for error in one[0])
    silent, looks = sum(one[1] for one in results), sum(one[2] for one in results)
    share = f"{silent / looks:.0%} of {looks} polls foretell no end"
    if not found:
        report(f"{puller.__name__}: the limit is never used up; {share} (right: 100 %)")
        assert silent / looks > 0.9
        return
    p90 = found[int(len(found) * 0.9)]
    report(f"{puller.__name__}: median error {median(found):.0%}, 90th percentile {p90:.0%} of the time left; {share}")
    assert median(found) < 0.25
