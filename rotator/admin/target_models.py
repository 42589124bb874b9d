"""The API's answers about targets. Only `Revealed` holds a secret, and is answered on the UNIX socket alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from rotator.admin.models import DeliveryView
from rotator.domain.declares import Concurrency, Effect, Proof
from rotator.domain.place import Holding, PlaceState, PlaceStatus
from rotator.engine.places import Trial


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class HoldingView(_View):
    """What a target is known to hold of one credential."""

    credential: str
    wanted: int
    """Generation that it must hold; 0 while none is in use."""
    held: int
    """The lowest generation that a placement confirmed; 0 for none."""
    placements: int
    confirmed: int
    expires_at: datetime | None
    """When the first of what is held stops working, or did: at its expiry, or since it was refused or ended."""
    confirmed_at: datetime | None
    proof: Proof | None
    """How the latest confirmation is known."""
    behind: tuple[DeliveryView, ...]
    """At most 20."""

    @classmethod
    def of(cls, holding: Holding) -> Self:
        """Return the view of ``holding``."""
        return cls.model_validate(holding, from_attributes=True)


class PlaceView(_View):
    """How one target stands."""

    target: str
    kind: str
    required: bool
    state: PlaceState
    next_step: str
    readback: Proof
    """The strongest proof that it can give."""
    effect: Effect
    """What a write brings about."""
    concurrency: Concurrency
    """How two writers are kept apart."""
    min_interval_seconds: float
    """Shortest time between two writes to one placement; 0 for none."""
    holdings: tuple[HoldingView, ...]

    @classmethod
    def of(cls, status: PlaceStatus) -> Self:
        """Return the view of ``status``."""
        return cls(
            target=status.target,
            kind=status.kind,
            required=status.required,
            state=status.state,
            next_step=status.next_step,
            readback=status.declares.readback,
            effect=status.declares.effect,
            concurrency=status.declares.concurrency,
            min_interval_seconds=status.declares.min_interval.total_seconds(),
            holdings=tuple(HoldingView.of(one) for one in status.holdings),
        )


class PlaceList(_View):
    """Every target that holds a credential, in the order of their names, and the daemon's time."""

    now: datetime
    targets: tuple[PlaceView, ...]


class TrialView(_View):
    """What came of reading one placement."""

    placement: str
    error: str
    message: str

    @classmethod
    def of(cls, trial: Trial) -> Self:
        """Return the view of ``trial``."""
        return cls.model_validate(trial, from_attributes=True)


class TrialList(_View):
    """What came of reading a target's placements; nothing was written."""

    target: str
    trials: tuple[TrialView, ...]


class Nothing(BaseModel):
    """A body without content."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Acknowledgement(BaseModel):
    """A person's word that a login is in place."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    generation: Annotated[int, Field(ge=1)]
    """Which one was entered."""


class Acknowledged(_View):
    """A delivery that counts as done from now on."""

    target: str
    placement: str
    credential: str
    generation: int
    at: datetime
    left_behind: str
    """Why what was handed over could not be taken away; empty when it was."""


class RevealedLogin(_View):
    """A login for the person who enters it. Secret; shown once."""

    target: str
    placement: str
    credential: str
    generation: int
    username: str
    password: Annotated[str, Field(repr=False)]
