"""Which target holds what of which credential: a table of generations and states. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.model import DeliveryState
from rotator.domain.status import CredentialStatus, Health, TargetStatus
from rotator.domain.words import counted
from rotator.page.words import Badge, Tone, badge, of_health, relative

PER_PAGE = 50
"""Rows that are drawn at once."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One credential at one target.

    Args:
        target: The target's name.
        state: In one word.
        generation: The lowest generation that is held there, ``12``; where it is older, with what it should be:
            ``11 -> 12``, with an arrow. Empty where nothing is.
        text: The same with counts and ages, for whoever looks closer.
    """

    target: str
    state: Badge
    generation: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One credential.

    Args:
        name: Its name.
        registry: Its registry's host.
        health: In one word.
        generation: Of the version in use; empty for none.
        cells: One per column of the table; None where the credential does not go.
    """

    name: str
    registry: str
    health: Badge
    generation: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One target.

    Args:
        name: Its name.
        kind: Its kind.
        required: Whether a rotation waits for it.
        summary: How many credentials are in order there: ``98 of 100 in sync``.
        is_in_order: Whether all are.
    """

    name: str
    kind: str
    required: bool
    summary: str
    is_in_order: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """A part of the table.

    Args:
        columns: Every target, by name.
        rows: Those that are drawn.
        total: How many there are in all.
        omitted: How many are not drawn and not in order.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    total: int
    omitted: int


def matrix_of(statuses: Sequence[CredentialStatus], now: datetime) -> Matrix:
    """Return the table of ``statuses``: all of a few, of many those that are not in order, at most `PER_PAGE`."""
    if len(statuses) <= PER_PAGE:
        return _matrix(statuses, statuses, 0, now)
    odd = [one for one in statuses if not is_in_order(one)]
    return _matrix(statuses, odd[:PER_PAGE], len(odd[PER_PAGE:]), now)


def page_of(statuses: Sequence[CredentialStatus], shown: Sequence[CredentialStatus], now: datetime) -> Matrix:
    """Return the table of those that are ``shown``, with the columns of all."""
    return _matrix(statuses, shown, 0, now)


def is_in_order(status: CredentialStatus) -> bool:
    """Return whether a credential is well at every target, also at those that are not required."""
    return status.health is Health.OK and all(one.in_sync for one in status.targets)


def cell_of(target: TargetStatus, generation: int, now: datetime) -> Cell:
    """Return how the version in use stands at one target.

    Args:
        target: The target's part.
        generation: Of the version in use; 0 for none.
        now: Aware UTC.
    """
    tone, word = _state(target, generation)
    return Cell(target.target, badge(tone, word), _held(target, generation), _text(target, now))


def _matrix(
    all_of: Sequence[CredentialStatus], shown: Sequence[CredentialStatus], omitted: int, now: datetime
) -> Matrix:
    columns = _columns(all_of)
    names = [one.name for one in columns]
    return Matrix(columns, tuple(_row(one, names, now) for one in shown), len(all_of), omitted)


def _columns(statuses: Sequence[CredentialStatus]) -> tuple[Column, ...]:
    by_target: dict[str, list[TargetStatus]] = {}
    for status in statuses:
        for target in status.targets:
            by_target.setdefault(target.target, []).append(target)
    return tuple(_column(of) for _, of in sorted(by_target.items()))


def _column(of: Sequence[TargetStatus]) -> Column:
    first, good = of[0], sum(one.in_sync for one in of)
    return Column(first.target, first.kind, first.required, f"{good:,} of {len(of):,} in sync", good == len(of))


def _row(status: CredentialStatus, names: Sequence[str], now: datetime) -> Row:
    generation = status.current.generation if status.current is not None else 0
    cells = {one.target: cell_of(one, generation, now) for one in status.targets}
    in_order = tuple(cells.get(name) for name in names)
    return Row(status.name, status.registry, of_health(status.health), str(generation or ""), in_order)


def _state(target: TargetStatus, generation: int) -> tuple[Tone, str]:
    states = {one.state for one in target.behind}
    checks = (
        (bool(target.error), (Tone.WARN, "unreachable")),
        (not target.placements, (Tone.QUIET, "kept out" if target.refused else "no place")),
        (not generation, (Tone.QUIET, "nothing yet")),
        (target.in_sync, (Tone.OK, "in sync")),
        (DeliveryState.FAILED in states, (Tone.BAD if target.required else Tone.WARN, "failing")),
        (DeliveryState.AWAITING in states, (Tone.WARN, "waits for you")),
    )
    return next((found for is_so, found in checks if is_so), (Tone.BUSY, "behind"))


def _held(target: TargetStatus, generation: int) -> str:
    if not generation or not target.placements:
        return ""
    if target.confirmed == target.placements:
        return str(generation)
    lowest = min((one.confirmed_generation for one in target.behind), default=0)
    return f"{lowest or 'none'} \N{RIGHTWARDS ARROW} {generation}"


def _text(target: TargetStatus, now: datetime) -> str:
    if target.error:
        return f"could not say which places it has: {target.error}"
    refused = f"; policy keeps it from {counted(len(target.refused), 'place')}" if target.refused else ""
    if not target.placements:
        return f"no place is known{refused}"
    at = f", last {relative(target.confirmed_at, now)}" if target.confirmed_at is not None else ""
    ended = target.expires_at if target.expires_at is not None and target.expires_at <= now else None
    lost = f"; some of what it holds ended {relative(ended, now)}" if ended is not None else ""
    return f"{target.confirmed:,} of {counted(target.placements, 'place')} confirmed it{at}{lost}{refused}"
