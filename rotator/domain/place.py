"""How a target stands: the values that `rotator targets` and its API are made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rotator.domain.words import at_place

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.domain.declares import Declares, Proof
    from rotator.domain.model import Delivery


class PlaceState(StrEnum):
    """One word for a target, worst first. Says nothing that was not confirmed."""

    UNREACHABLE = "unreachable"
    """It could not say which placements it has."""
    FAILING = "failing"
    """A placement refused what it must hold, or reads back differently."""
    AWAITING = "awaiting"
    """A person has been told what to do, and has not said that it is done."""
    BEHIND = "behind"
    """A placement has not confirmed the version in use."""
    EMPTY = "empty"
    """No credential has a version in use yet, or there is no placement."""
    IN_SYNC = "in sync"
    """Every placement confirmed the version in use of every credential."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a target is known to hold of one credential.

    Args:
        credential: The credential's name.
        wanted: Generation that it must hold; 0 while none is in use.
        held: The lowest generation that a placement confirmed; 0 where one confirmed none.
        placements: Placements known.
        confirmed: Of them, those that confirmed ``wanted`` or a newer one.
        expires_at: When the first of what is held stops working, or did; None when no end is known.
        confirmed_at: The latest confirmation; None when there was none.
        proof: How that one is known; None when there was none.
        behind: Deliveries that have not confirmed it, at most 20.
    """

    credential: str
    wanted: int
    held: int
    placements: int
    confirmed: int
    expires_at: datetime | None
    confirmed_at: datetime | None
    proof: Proof | None
    behind: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True)
class PlaceStatus:
    """How one target stands.

    Args:
        target: Its name.
        kind: Its kind.
        required: Whether a rotation waits for it.
        declares: What may be expected of it.
        holdings: One entry per credential, in configuration order.
        state: One word.
        next_step: What happens next, or what a person must do; one text.
    """

    target: str
    kind: str
    required: bool
    declares: Declares
    holdings: tuple[Holding, ...]
    state: PlaceState
    next_step: str


def judge_place(error: str, holdings: tuple[Holding, ...]) -> tuple[PlaceState, str]:
    """Return the one word for a target, and what happens next.

    Args:
        error: Why it could not say which placements it has; empty when it could.
        holdings: What it holds of each credential.
    """
    if error:
        return PlaceState.UNREACHABLE, f"{error}. It is asked again by itself"
    behind = [one for holding in holdings for one in holding.behind]
    awaiting = [one for one in behind if one.state.value == "awaiting"]
    failed = [one for one in behind if one.state.value == "failed"]
    if failed:
        return PlaceState.FAILING, f"{at_place(failed[0].placement, failed[0].message)}. It is tried again by itself"
    if awaiting:
        return PlaceState.AWAITING, awaiting[0].message
    if behind:
        return PlaceState.BEHIND, behind[0].message or f"{len(behind)} deliveries are under way"
    if not any(one.wanted and one.placements for one in holdings):
        return PlaceState.EMPTY, "nothing to hold yet"
    return PlaceState.IN_SYNC, "nothing"
