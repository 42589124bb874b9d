"""Which addresses showed too many wrong logins, as the sandbox registry keeps count of them."""

from __future__ import annotations

from datetime import datetime

from rotator.ports import Clock
from rotator.sandbox.flavour import Ban


class Bans:
    """Counts wrong logins per address; a good one is a fresh start.

    Args:
        clock: Decides what is long ago, and when a ban is over.
        ban: The rule; None for no bans.
    """

    def __init__(self, clock: Clock, ban: Ban | None) -> None:
        self._clock = clock
        self._ban = ban
        self._wrong: dict[str, list[datetime]] = {}
        self._until: dict[str, datetime] = {}

    def holds(self, address: str) -> bool:
        """Return whether ``address`` is shut out now."""
        until = self._until.get(address)
        return until is not None and self._clock.now() < until

    def note_wrong(self, address: str) -> None:
        """Take note of a wrong login."""
        if self._ban is None:
            return
        now = self._clock.now()
        recent = [at for at in self._wrong.get(address, []) if at > now - self._ban.within]
        self._wrong[address] = [*recent, now]
        if len(self._wrong[address]) >= self._ban.failures:
            self._until[address] = now + self._ban.lasts
            self._wrong[address] = []

    def note_good(self, address: str) -> None:
        """Take note of a login that worked."""
        self._wrong.pop(address, None)
