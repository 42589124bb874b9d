"""What whoever asks for a rotation gets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rotator.domain.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a request for a rotation got.

    Args:
        rotation: The rotation's id.
        joined: Whether it had been running already.
        finished: Done with the ended rotation; None when it broke or the daemon stops first. Each ticket has its
            own: whoever gives up waiting for it interrupts nobody else, and not the rotation.
    """

    rotation: str
    joined: bool
    finished: asyncio.Future[Rotation | None]


@dataclass(slots=True)
class Running:
    """A rotation that runs.

    Args:
        rotation: As it was journalled last.
        task: Runs it.
        done: Done with the ended rotation, as `Ticket.finished`.
    """

    rotation: Rotation
    task: asyncio.Task[Rotation | None]
    done: asyncio.Future[Rotation | None]

    def ticket(self, *, joined: bool) -> Ticket:
        """Return a ticket for this rotation."""
        return Ticket(self.rotation.id, joined=joined, finished=asyncio.shield(self.done))
