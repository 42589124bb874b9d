"""What a placement must hold: the entries of all its credentials, unsealed once for many placements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rotator.domain.model import Entry, Version
from rotator.engine.credential import DeliveryTarget
from rotator.engine.ledger import Ledger


class Rendering:
    """The entries of a target's placements, unsealed once and shared between placements that hold the same versions.

    Args:
        ledger: Knows what each placement must hold.
        target: The target.
    """

    def __init__(self, ledger: Ledger, target: DeliveryTarget) -> None:
        self._ledger = ledger
        self._target = target
        self._known: dict[tuple[tuple[str, int], ...], tuple[Entry, ...]] = {}
        self._opening = asyncio.Lock()

    async def entries(self, placement: str) -> tuple[Entry, ...]:
        """Return everything ``placement`` must hold: all credentials of the target that have a version. Secret.

        What policy keeps from there is left out, whoever asks: every write is made of this.
        """
        versions = [
            version
            for name in self._target.credentials
            if not self._target.refusal(name, placement)
            and (version := self._ledger.wanted_at(self._target.name, placement, name)) is not None
        ]
        key = tuple((version.credential, version.generation) for version in versions)
        if key not in self._known:
            async with self._opening:
                if key not in self._known:  # still: many placements ask at once, and one opens the secrets for all
                    self._known[key] = tuple([await self._entry(version) for version in versions])
        return self._known[key]

    def unissued(self, placement: str, entries: Sequence[Entry]) -> dict[str, str]:
        """Return name and registry of every credential that belongs to ``placement`` and has no version in ``entries``.

        The placement may hold a good login of it all the same: from before the state was lost, or under another name.
        """
        issued = {entry.credential for entry in entries}
        return {
            name: registry
            for name, registry in self._target.credentials.items()
            if name not in issued and not self._target.refusal(name, placement)
        }

    async def _entry(self, version: Version) -> Entry:
        registry = self._target.credentials[version.credential]
        login = await self._ledger.login(version)
        return Entry(version.credential, registry, login, version.generation, version.fingerprint, version.expiry)
