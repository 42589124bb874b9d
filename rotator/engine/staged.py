"""Rolls a version out in stages: canaries, then waves, and stops as soon as placements speak against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rotator.domain.events import Event, WaveFinished
from rotator.domain.model import Version
from rotator.domain.waves import Spot, Staging, plan, why_halt, why_no_canary
from rotator.engine.credential import Credential
from rotator.engine.rollout import Rollout
from rotator.engine.together import together
from rotator.errors import HaltedError, TemporaryError
from rotator.ports import Clock


class StagedRollout:
    """Delivers in the order that `rotator.domain.waves.plan` says.

    Args:
        rollout: Writes placements.
        clock: Time, for the pauses.
        emit: Told of each wave.
    """

    def __init__(self, rollout: Rollout, clock: Clock, emit: Callable[[Event], None]) -> None:
        self._rollout = rollout
        self._clock = clock
        self._emit = emit

    async def deliver(self, credential: Credential, version: Version, staging: Staging) -> None:
        """Bring every placement of ``credential`` to ``version``, canaries first.

        Safe to repeat after a crash: what has confirmed is left alone, and no pause is made for it.

        Raises:
            HaltedError: Placements speak against the version, or no named canary confirmed it. What was not written
                yet still holds the version before; what was written holds this one.
            TemporaryError: The named canaries wait for their turn; nothing was written.
        """
        stages = plan(await self._rollout.spots(credential), staging)
        if stages.canaries:
            await self._wave(credential, version, stages.canaries, staging)
            self._require_one(credential, version, stages.canaries)
            self._tell(credential, version, "canaries", stages.canaries)
        await together(
            self._waves(credential, version, waves, staging, begins_late=bool(stages.canaries))
            for waves in stages.waves.values()
        )

    async def _waves(
        self,
        credential: Credential,
        version: Version,
        waves: Sequence[Sequence[Spot]],
        staging: Staging,
        *,
        begins_late: bool,
    ) -> None:
        """Write the waves of one target, with a pause before each but the first."""
        for number, wave in enumerate(waves, start=1):
            is_news = self._confirmed(credential, version, wave) < len(wave)
            if is_news and staging.pause and (number > 1 or begins_late):
                await self._clock.sleep(staging.pause.total_seconds())
            await self._wave(credential, version, wave, staging)
            if len(waves) > 1:
                self._tell(credential, version, f"wave {number} of {len(waves)} of {wave[0][0]}", wave)

    def _require_one(self, credential: Credential, version: Version, canaries: Sequence[Spot]) -> None:
        why = why_no_canary(self._rollout.deliveries_at(credential.name, canaries), version.generation)
        wait = self._rollout.first_wait(credential, version, canaries) if why else None
        if wait is not None:
            left = wait.until - self._clock.now()
            raise TemporaryError(f"{credential.name}: its canary {wait.message}", hint=WAITS, retry_after=left)
        if why:
            raise HaltedError(f"{credential.name}: the rollout was halted: {why}", hint=HINT)

    async def _wave(self, credential: Credential, version: Version, spots: Sequence[Spot], staging: Staging) -> None:
        await self._rollout.deliver(credential, version, spots)
        why = why_halt(self._rollout.deliveries_at(credential.name, spots), version.generation, staging.halt)
        if why:
            raise HaltedError(f"{credential.name}: the rollout was halted: {why}", hint=HINT)

    def _confirmed(self, credential: Credential, version: Version, spots: Sequence[Spot]) -> int:
        deliveries = self._rollout.deliveries_at(credential.name, spots)
        return sum(one.confirmed_generation >= version.generation for one in deliveries)

    def _tell(self, credential: Credential, version: Version, wave: str, spots: Sequence[Spot]) -> None:
        confirmed = self._confirmed(credential, version, spots)
        self._emit(WaveFinished(credential.name, version.generation, wave, confirmed, len(spots) - confirmed))


WAITS = "None of the other placements gets it before; each keeps what it holds"
HINT = "The other placements keep what they hold; those that had changed get the version in use again"
