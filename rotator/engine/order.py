"""What a provider is told when a version is issued, and the search for what interrupted issues left at a vendor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from rotator.domain.audit import ENGINE, INTENT, AuditRecord
from rotator.domain.events import Event, OrphansSwept
from rotator.domain.model import Issued, Login
from rotator.domain.retirement import Retirement
from rotator.domain.rotation import ENDED, Rotation
from rotator.engine.credential import Credential
from rotator.engine.ledger import Ledger
from rotator.errors import NotFoundError, RotatorError, StoreError
from rotator.ports import Changes, Clock, ListsMade, Made, Order, Retires
from rotator.secret import Fingerprinter, Secret


class Orders:
    """Makes orders, and ends orphans.

    Args:
        ledger: Knows which versions and rotations there are.
        fingerprint: Tells logins apart without showing them, and one installation from another.
        emit: Told what was swept.
        clock: Time.
    """

    def __init__(self, ledger: Ledger, fingerprint: Fingerprinter, emit: Callable[[Event], None], clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._fingerprint = fingerprint
        self._emit = emit
        self._installation = fingerprint(Secret("rotator installation"))[:8]

    def order(self, credential: Credential, rotation: Rotation, keep: Callable[[Issued], Awaitable[None]]) -> Order:
        """Return what the provider of ``credential`` is told for ``rotation``."""
        kept = [one for one in self._ledger.live_versions(credential.name) if one.is_for(credential.registry)]
        live = sorted(kept, key=lambda one: -one.generation)
        known = {(one.username, one.fingerprint) for one in live}

        def is_live(login: Login) -> bool:
            return (login.public_username, self._fingerprint(login.secret)) in known

        return Order(credential.name, rotation.id, self._installation, live, is_live, keep)

    async def sweep(self, credential: Credential, order: Order) -> None:
        """End what earlier rotations made at the vendor and nobody uses.

        Only what this state knows to be its own: labelled by this installation, for this credential, by a rotation
        that is journalled here and has ended. Anything else may be in use by somebody, and is left alone. A vendor
        that cannot be asked keeps nothing from being issued.
        """
        provider, ended = credential.provider, 0
        if not isinstance(provider, ListsMade) or not isinstance(provider, Retires):
            return
        try:
            for orphan in await self._orphans(provider, order):
                ended += await self._end(credential.name, provider, orphan) is Retirement.ENDED
        except StoreError:
            raise
        except RotatorError as error:
            self._emit(OrphansSwept(credential.name, ended, error.code, str(error)))
            return
        if ended:
            self._emit(OrphansSwept(credential.name, ended))

    async def _end(self, name: str, provider: Retires, orphan: Made) -> Retirement:
        await self._say(name, orphan, INTENT, "its rotation ended without it, and nobody uses it")
        try:
            outcome = await provider.retire(orphan.handle, None)
        except StoreError:
            raise
        except RotatorError as error:
            await self._say(name, orphan, "failed", str(error))
            raise
        ended = outcome is Retirement.ENDED
        what = "the vendor has ended it" if ended else "it is not the vendor's to end, or no longer there"
        await self._say(name, orphan, "ended" if ended else "unchanged", what)
        return outcome

    async def _say(self, name: str, orphan: Made, outcome: str, message: str) -> None:
        """Put into the audit what becomes of something that has no version here, only the rotation that made it."""
        now = self._clock.now()
        record = AuditRecord(now, ENGINE, "retire", name, outcome, message, rotation=orphan.rotation)
        await self._ledger.commit(Changes(audit=[record]))

    async def _orphans(self, provider: ListsMade, order: Order) -> list[Made]:
        live = {one.handle for one in order.live}
        made = [one for one in await provider.made(order) if one.handle not in live]
        return [one for one in made if await self._has_ended(one.rotation, order)]

    async def _has_ended(self, rotation_id: str, order: Order) -> bool:
        if rotation_id == order.rotation:
            return False
        try:
            rotation = await self._ledger.rotation(rotation_id)
        except NotFoundError:
            return False
        return rotation.credential == order.credential and rotation.state in ENDED
