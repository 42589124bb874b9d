"""A place that must hold credentials. See `rotator.ports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from rotator.domain.declares import Declares
    from rotator.domain.model import Entry, Held


class Target(Protocol):
    """A place that must hold credentials. Expands to placements."""

    @property
    def name(self) -> str:
        """The target's name in the configuration."""
        ...

    @property
    def kind(self) -> str:
        """The table's word for it (``kubernetes``)."""
        ...

    @property
    def declares(self) -> Declares:
        """What the engine may expect of it."""
        ...

    async def placements(self) -> Sequence[str]:
        """Return every spot that must hold the credentials now, each named in this target's own words.

        Raises:
            UnavailableError, PermissionDeniedError: The target could not be asked; what is known stays.
        """
        ...

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Make ``placement`` hold exactly ``entries`` beside whatever else is there, and read it back.

        Idempotent. All entries are written in one step: a reader sees all old or all new. Entries of other owners
        stay. ``entries`` is the same object for every placement of one delivery, so rendering may be remembered.

        Raises:
            ConflictError: Somebody else owns or keeps changing it. PermissionDeniedError, NotFoundError (the
            placement is gone), UnavailableError, RateLimitedError, UnsupportedError (it cannot hold this: names why),
            AwaitingOperatorError (a person must do the last step; what they need was handed over).
        """
        ...

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return what ``placement`` holds under the keys of ``entries``. Changes nothing."""
        ...

    def watch(self) -> AsyncIterator[None]:
        """Yield whenever the set of placements may have changed; never ends by itself, survives outages.

        A target that cannot tell never yields; the periodic resync covers it.
        """
        ...

    async def close(self) -> None:
        """Let go of connections. Safe to repeat."""
        ...


@runtime_checkable
class WritesWhole(Protocol):
    """A `Target` that makes what a placement holds anew, and so would drop whatever it is not given."""

    async def apply_beside(self, placement: str, entries: Sequence[Entry], unissued: Mapping[str, str]) -> Held:
        """Do as `Target.apply`, and drop nothing there that may be a login of one of ``unissued``.

        Args:
            placement: The spot.
            entries: What it must hold.
            unissued: Name to registry host of each credential that belongs there and has no version yet, as after a
                lost state or under a new name.

        Raises:
            UnavailableError: What is there cannot be kept, because it is not shown; it waits for their versions.
            Others as `Target.apply`.
        """
        ...


@runtime_checkable
class HandsOver(Protocol):
    """A `Target` whose last step a person may have to do: its `apply` raises AwaitingOperatorError then."""

    @property
    def reveals(self) -> bool:
        """Whether the person gets the login from the daemon: shown once per generation, on its UNIX socket."""
        ...

    async def taken(self, placement: str) -> None:
        """Take away what was handed over, since the person said that it is done. Safe to repeat.

        Raises:
            RotatorError: It could not be taken away; that it is done stays true.
        """
        ...


@runtime_checkable
class ReviewsRights(Protocol):
    """A `Target` whose place tells it which rights it has there. Asking changes nothing. Errors as `placements`."""

    async def missing_rights(self) -> list[str]:
        """Return what it uses and may not do, each as a person would grant it."""
        ...

    async def excess_rights(self) -> list[str]:
        """Return what it may do and never does, of what would be dangerous in other hands."""
        ...


@runtime_checkable
class WatchesContent(Protocol):
    """A `Target` that can tell when what a placement holds may have been changed. The others are read on a schedule."""

    def changes(self) -> AsyncIterator[str]:
        """Yield each placement that somebody may have changed; never ends by itself, survives outages.

        May name one that has not changed, or that is none of the target's. Never yields where it is not set up for it.
        """
        ...
