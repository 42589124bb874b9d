"""What listens. See `rotator.ports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rotator.domain.events import Event


class Hook(Protocol):
    """Listens to what happened: metrics, logs. Must not block; what it raises is logged and dropped."""

    def __call__(self, event: Event) -> None:
        """Take note of ``event``."""
        ...
