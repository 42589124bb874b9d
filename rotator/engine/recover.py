"""After a stop or a crash: finishes or abandons, by rule, what was half-done."""

from __future__ import annotations

from collections.abc import Mapping

from rotator.domain.rotation import Rotation, State, Step, end
from rotator.engine.credential import Credential
from rotator.engine.dispatch import Dispatcher
from rotator.engine.ledger import Ledger
from rotator.ports import Changes, Clock


def fate(rotation: Rotation, *, is_configured: bool) -> str | None:
    """Return why an interrupted rotation is abandoned; None when it goes on.

    Before a version was journalled nothing is known of what the vendor did; whatever it minted dies by itself, and
    the credential is simply due again. After that the version is there, sealed, and the rotation goes on with it.
    """
    if not is_configured:
        return "the credential is not configured any more"
    if rotation.step is Step.ISSUE:
        return "interrupted before a version was journalled"
    return None


async def recover(credentials: Mapping[str, Credential], ledger: Ledger, dispatcher: Dispatcher, clock: Clock) -> None:
    """Abandon or resume every rotation that was running when the daemon ended. Call once, after the ledger is loaded.

    Raises:
        StoreError: The outcome could not be journalled; nothing was resumed.
    """
    interrupted = [rotation for rotation in ledger.open_rotations() if rotation.state is State.RUNNING]
    fates = {one.id: fate(one, is_configured=one.credential in credentials) for one in interrupted}
    abandoned = [end(one, State.ABANDONED, fates[one.id] or "", at=clock.now()) for one in interrupted if fates[one.id]]
    if abandoned:
        await ledger.commit(Changes(rotations=abandoned))
    for rotation in interrupted:
        if fates[rotation.id] is None:
            await dispatcher.resume(rotation)
