"""The first page: what needs a person, then how everything stands. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.domain.attention import Need
from rotator.domain.headroom import LimitStatus
from rotator.domain.leak import LeakProgress
from rotator.domain.rotation import Rotation
from rotator.domain.status import CredentialStatus, Health
from rotator.domain.words import counted, span
from rotator.page.headroom import Level, levels_of
from rotator.page.matrix import PER_PAGE, Matrix, matrix_of, page_of
from rotator.page.needs import Item, items_of, leaks_of, pieces, sentence, tried_of
from rotator.page.rotations import Attempt, attempts_of
from rotator.page.timeline import Timeline, timeline_of
from rotator.page.words import Badge, Moment, Tone, badge, moment, of_health, relative

NEEDS_SHOWN = 30
BARS_SHOWN = 20
RECENT = 10
_BLINK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a page is made from.

    Args:
        now: The daemon's time.
        since: When the daemon began to serve this configuration.
        unready: Why it is not ready; empty when it is.
        dead: Why it should be restarted; empty when it turns.
        statuses: Every credential, by name.
        limits: Every pull limit.
        needs: What needs a person, worst first.
        leaks: Responses to leaks.
        rotations: The newest, newest first.
        seconds: Durations of their steps, by rotation.
    """

    now: datetime
    since: datetime
    unready: str
    dead: str
    statuses: Sequence[CredentialStatus]
    limits: Sequence[LimitStatus]
    needs: Sequence[Need]
    leaks: Sequence[LeakProgress]
    rotations: Sequence[Rotation]
    seconds: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Count:
    """How many credentials are in one state."""

    state: Badge
    count: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page.

    Args:
        as_of: When it was made.
        title: The state of everything in a few words, for the browser's tab.
        headline: The same as a heading.
        calm: What was confirmed where nothing needs a person, one sentence each; never more than that.
        urgent: What needs a person.
        tried: What is not well and needs nobody now.
        omitted: Further needs, which are not shown.
        counts: Credentials by state, worst first.
        timeline: The next expiries.
        bars_omitted: Versions in use that are not drawn there.
        matrix: Who holds what.
        levels: Pull limits.
        attempts: The latest rotations.
    """

    as_of: Moment
    title: str
    headline: Badge
    calm: tuple[str, ...]
    urgent: tuple[Item, ...]
    tried: tuple[Item, ...]
    omitted: int
    counts: tuple[Count, ...]
    timeline: Timeline
    bars_omitted: int
    matrix: Matrix
    levels: tuple[Level, ...]
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of all credentials.

    Args:
        as_of: When it was made.
        query: What their names contain; empty for all.
        found: How many there are.
        page: Its number, from 1.
        pages: How many there are.
        matrix: Who holds what.
        timeline: Their expiries.
    """

    as_of: Moment
    query: str
    found: int
    page: int
    pages: int
    matrix: Matrix
    timeline: Timeline


def overview_of(facts: Facts) -> Overview:
    """Return the first page."""
    now = facts.now
    urgent = (*_of_daemon(facts), *items_of(facts.needs, now))
    tried = (*leaks_of(facts.leaks, facts.needs), *tried_of(facts.statuses, facts.limits, facts.needs, now))
    soonest = sorted(facts.statuses, key=_expiry)[:BARS_SHOWN]
    return Overview(
        as_of=moment(now, now),
        title=_title(facts, urgent, tried),
        headline=_headline(facts, urgent, tried),
        calm=_calm(facts) if not urgent else (),
        urgent=urgent[:NEEDS_SHOWN],
        tried=tried[:NEEDS_SHOWN],
        omitted=len(urgent[NEEDS_SHOWN:]) + len(tried[NEEDS_SHOWN:]),
        counts=_counts(facts.statuses),
        timeline=timeline_of(soonest, now),
        bars_omitted=sum(one.current is not None for one in facts.statuses)
        - sum(one.current is not None for one in soonest),
        matrix=matrix_of(facts.statuses, now),
        levels=levels_of(facts.limits, now),
        attempts=attempts_of(facts.rotations, lambda rotation: facts.seconds.get(rotation, {}), now),
    )


def listing_of(facts: Facts, query: str, page: int) -> Listing:
    """Return one page of the credentials whose names contain ``query``; of a page beyond the last, the last."""
    found = [one for one in facts.statuses if query in one.name]
    pages = max(1, -(-len(found) // PER_PAGE))
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * PER_PAGE : page * PER_PAGE]
    return Listing(
        as_of=moment(facts.now, facts.now),
        query=query,
        found=len(found),
        page=page,
        pages=pages,
        matrix=page_of(facts.statuses, shown, facts.now),
        timeline=timeline_of(shown, facts.now),
    )


def _of_daemon(facts: Facts) -> tuple[Item, ...]:
    if not facts.dead:
        return ()
    then = "Restart it: what it was doing goes on from its journal."
    return (
        Item(badge(Tone.BAD, "stuck"), "rotator", "", sentence(f"the daemon is stuck: {facts.dead}"), pieces(then)),
    )


def _headline(facts: Facts, urgent: Sequence[Item], tried: Sequence[Item]) -> Badge:
    if urgent:
        tone = Tone.BAD if any(one.state.tone is Tone.BAD for one in urgent) else Tone.WARN
        return badge(tone, f"{counted(len(urgent), 'thing')} need{'s' if len(urgent) == 1 else ''} you")
    if facts.unready:
        return badge(Tone.QUIET, "The daemon is starting; nothing was checked yet")
    if not facts.statuses:
        return badge(Tone.QUIET, "No credential is configured")
    if tried:
        return badge(Tone.BUSY, f"Nothing needs you now; {counted(len(tried), 'thing')} to keep an eye on")
    return badge(Tone.OK, "Nothing needs you")


def _title(facts: Facts, urgent: Sequence[Item], tried: Sequence[Item]) -> str:
    if urgent:
        return f"({len(urgent)}) rotator"
    return f"{_headline(facts, urgent, tried).shape} rotator"


def _calm(facts: Facts) -> tuple[str, ...]:
    """Return what is known where nothing needs a person, with the age of the oldest fact that it rests on."""
    if facts.unready:
        return ("What is below is what it knew before it started.",)
    if not facts.statuses:
        return ()
    well = [one for one in facts.statuses if one.health is Health.OK]
    total = len(facts.statuses)
    which = f"All {total:,} credentials are" if len(well) == total else f"{len(well):,} of {total:,} credentials are"
    if total == 1:
        which = "The one credential is" if well else "The one credential is not"
    nowhere = sum(not any(target.placements for target in one.targets) for one in well)
    none = (f"{counted(nowhere, 'credential')} of these {'has' if nowhere == 1 else 'have'} no place at all.",)
    return (f"{which} in use, and confirmed by every required place.", *(none if nowhere else ()), *_ages(facts))


def _ages(facts: Facts) -> tuple[str, ...]:
    """Return since when it is known that registries take what is in use."""
    current = [one.current for one in facts.statuses if one.current is not None]
    seen = [one.verified_at for one in current if one.verified_at is not None]
    never = len(current) - len(seen)
    sentences = []
    if len(current) == 1 and seen:
        sentences.append(f"Its registry last took it {relative(seen[0], facts.now)}.")
    elif seen:
        which = f"{len(seen):,}" if never else "all"
        sentences.append(
            f"Registries last took {which} of them at most {span(max(facts.now - min(seen), _BLINK))} ago."
        )
    if never:
        were = "was" if never == 1 else "were"
        sentences.append(f"{counted(never, 'version')} in use {were} never shown to a registry.")
    if before := sum(one < facts.since for one in seen):
        were, start = "was" if before == 1 else "were", relative(facts.since, facts.now)
        sentences.append(f"{before:,} of them {were} not shown to a registry since the daemon started {start}.")
    return tuple(sentences)


def _counts(statuses: Sequence[CredentialStatus]) -> tuple[Count, ...]:
    counts = Counter(one.health for one in statuses)
    return tuple(Count(of_health(health), counts[health]) for health in Health if counts[health])


def _expiry(status: CredentialStatus) -> tuple[bool, float, str]:
    at = status.current.expiry.at if status.current is not None else None
    return at is None, at.timestamp() if at is not None else 0.0, status.name
