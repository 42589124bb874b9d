"""What becomes of a credential's versions when a new one takes over. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from rotator.domain.model import Stage, Version

KEPT = 5
"""So many previous versions wait for their end without haste. What is older is let go of where a person ends it, and
ended before its grace is over where the vendor can be told (`rotator.engine.crowd`)."""


def once_promoted(live: Iterable[Version], promoted: Version, now: datetime, kept: int | None) -> Sequence[Version]:
    """Return every version of ``live`` as it is once ``promoted`` is in use.

    The one before becomes previous. What has the same handle at the vendor as the new one was overwritten there, so it
    is retired and ended; where it leaked only ended, since it has yet to be seen refused. What has the same secret
    lives on under the new generation, so it is retired and not ended.

    Args:
        live: Pending, current and previous versions of one credential. What is retired is left as it is.
        promoted: The one that takes over; one of them.
        now: Aware UTC.
        kept: How many previous versions wait for their end beside the one before. 0 where nobody ends them: the
            older ones die by themselves. None for all: the vendor is told to end them. What leaked is not let go of
            in any case, since somebody waits for its end.
    """
    older = [one for one in live if one.generation != promoted.generation and one.stage is not Stage.RETIRED]
    superseded = [_superseded(one, promoted, now) for one in older]
    waiting = sorted((one for one in superseded if one.stage is Stage.PREVIOUS), key=lambda one: -one.generation)
    gone = {one.generation for one in _let_go(waiting, older, kept) if one.leaked_at is None}
    return [
        replace(promoted, stage=Stage.CURRENT),
        *(replace(one, stage=Stage.RETIRED) if one.generation in gone else one for one in superseded),
    ]


def _let_go(waiting: Sequence[Version], older: Sequence[Version], kept: int | None) -> Sequence[Version]:
    if kept is None:
        return ()
    return waiting[1 + kept :] if kept else [one for one in waiting if _was_previous(one, older)]


def _superseded(one: Version, promoted: Version, now: datetime) -> Version:
    one = replace(one, superseded_at=one.superseded_at or now)
    if (one.fingerprint, one.username) == (promoted.fingerprint, promoted.username):
        return replace(one, stage=Stage.RETIRED)
    if promoted.handle and one.handle == promoted.handle:
        stage = Stage.RETIRED if one.leaked_at is None else Stage.PREVIOUS
        return replace(one, stage=stage, ended_at=one.ended_at or now)
    if promoted.restores and one.generation > promoted.restores:
        one = replace(one, withdrawn_at=one.withdrawn_at or now)
    return replace(one, stage=Stage.PREVIOUS)


def _was_previous(one: Version, older: Sequence[Version]) -> bool:
    """Return whether ``one`` was previous already: two generations back."""
    return any(known.generation == one.generation and known.stage is Stage.PREVIOUS for known in older)
