"""Gathers what is known of a credential's versions. Asks nobody outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.history import KnownVersion, OldVersion, fate_of, held_at, old_versions
from rotator.domain.model import Stage, Version
from rotator.domain.retirement import Action
from rotator.engine.credential import Credential
from rotator.engine.ledger import Ledger
from rotator.engine.retire import Retirer


@dataclass(frozen=True, slots=True)
class History:
    """Says where versions are held, and what becomes of old ones.

    Args:
        ledger: Versions and deliveries.
        retirer: Knows what is to be done about old versions.
    """

    ledger: Ledger
    retirer: Retirer

    async def versions(self, credential: Credential, now: datetime) -> Sequence[KnownVersion]:
        """Return every version that is kept, newest first.

        Raises:
            StoreError: They could not be read.
        """
        kept = await self.ledger.versions(credential.name)
        deliveries = [
            one for target in credential.targets for one in self.ledger.deliveries_of(target.name, credential.name)
        ]
        return [
            KnownVersion(one, held_at(one.generation, deliveries), fate_of(one, self._plan(credential, one), now))
            for one in kept
        ]

    def old(self, credential: Credential, now: datetime) -> tuple[OldVersion, ...]:
        """Return the versions that may still work though they are not in use, newest first."""
        live = self.ledger.live_versions(credential.name)
        previous = [one for one in live if one.stage is Stage.PREVIOUS]
        return old_versions(live, [(one, self.retirer.plan(credential, one)) for one in previous], now)

    def _plan(self, credential: Credential, version: Version) -> tuple[Action, str] | None:
        return self.retirer.plan(credential, version) if version.stage is Stage.PREVIOUS else None
