"""Rolls a version out in stages: canaries, then waves, and stops as soon as placements speak against it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from rotator.domain.audit import ENGINE, of_version
from rotator.domain.events import Event, WaveFinished
from rotator.domain.model import Delivery, Version
from rotator.domain.schedule import last_call
from rotator.domain.waves import Spot, Staging, is_named, names_target, plan, spoiled_by, why_halt, why_no_canary
from rotator.engine.credential import Credential
from rotator.engine.ledger import Ledger
from rotator.engine.pause import pause
from rotator.engine.rollout import Rollout
from rotator.engine.together import together
from rotator.errors import HaltedError, TemporaryError, UnavailableError
from rotator.ports import Changes, Clock

LOOK_SECONDS = 30.0
"""How often a pause between waves looks whether waiting is worse by now."""

AskStaging = Callable[[], Staging]
"""How it is to be rolled out as things stand now: a leak that is reported meanwhile makes it everywhere at once."""


class StagedRollout:
    """Delivers in the order that `rotator.domain.waves.plan` says.

    Args:
        rollout: Writes placements.
        ledger: Knows the version in use, and takes the audit.
        clock: Time, for the pauses.
        emit: Told of each wave.
    """

    def __init__(self, rollout: Rollout, ledger: Ledger, clock: Clock, emit: Callable[[Event], None]) -> None:
        self._rollout = rollout
        self._ledger = ledger
        self._clock = clock
        self._emit = emit
        self._news: dict[str, asyncio.Event] = {}

    def look_again(self, credential: str) -> None:
        """Have the rollout of ``credential`` that waits between waves, if one does, ask anew whether it must wait."""
        if credential in self._news:
            self._news[credential].set()

    async def deliver(self, credential: Credential, version: Version, ask: AskStaging) -> None:
        """Bring every placement of ``credential`` to ``version``, canaries first.

        Safe to repeat after a crash: what has confirmed is left alone, and no pause is made for it. Before each wave
        and pause it asks anew how it is to be done. Once only the outage budget is left of the version in use, there
        are no pauses any more, and a canary that is out of reach keeps nobody from the new version.

        Raises:
            HaltedError: Placements speak against the version. What was not written yet still holds the version
                before; what was written holds this one.
            UnavailableError: The named canaries are out of reach; no other placement was written.
            TemporaryError: The named canaries wait for their turn; nothing was written.
        """
        news = self._news[credential.name] = asyncio.Event()
        try:
            stages = plan(await self._rollout.spots(credential), ask())
            if stages.canaries:
                await self._wave(credential, version, stages.canaries, ask)
            await self._require_canary(credential, version, ask())
            if stages.canaries:
                self._tell(credential, version, "canaries", stages.canaries)
            await together(
                self._waves(credential, version, group, ask, news, begins_late=bool(stages.canaries))
                for group in stages.waves.items()
            )
        finally:
            del self._news[credential.name]

    def without_canary(self, credential: Credential, version: Version) -> str:
        """Return why none of the canaries that a person named has confirmed ``version``; empty when one has.

        Empty, too, where nobody named one, or none of the placements is one.
        """
        named = credential.staging.canary
        if not named:
            return ""
        canaries = self._canaries(credential)
        unlisted = [
            f"{target.name}: {error}"
            for target in credential.targets
            if names_target(target.name, named) and (error := self._rollout.unlisted(target.name))
        ]
        if not canaries and not unlisted:
            return ""
        return why_no_canary(canaries, version.generation, next(iter(unlisted), ""))

    async def _waves(
        self,
        credential: Credential,
        version: Version,
        group: tuple[str, Sequence[Sequence[Spot]]],
        ask: AskStaging,
        news: asyncio.Event,
        *,
        begins_late: bool,
    ) -> None:
        """Write the waves of one group, given by its name, with a pause before each but the first."""
        name, waves = group
        left = list(waves)
        while left:
            number = len(waves) - len(left) + 1
            is_news = self._confirmed(credential, version, left[0]) < len(left[0])
            if is_news and (number > 1 or begins_late):
                await self._pause(credential, ask, news)
            together_now = len(left) if len(ask().waves) == 1 else 1
            wave = [spot for one in left[:together_now] for spot in one]
            del left[:together_now]
            await self._wave(credential, version, wave, ask)
            if len(waves) > 1:
                which = f"wave {number}" if together_now == 1 else f"waves {number} to {len(waves)}"
                self._tell(credential, version, f"{which} of {len(waves)} of {name}", wave)

    async def _pause(self, credential: Credential, ask: AskStaging, news: asyncio.Event) -> None:
        """Wait as long as is asked for, and no longer than it is."""
        began = self._clock.monotonic()
        while not self._is_last_call(credential):
            left = began + ask().pause.total_seconds() - self._clock.monotonic()
            if left <= 0:
                return
            news.clear()
            await pause(self._clock, min(left, LOOK_SECONDS), news)

    async def _require_canary(self, credential: Credential, version: Version, staging: Staging) -> None:
        """Refuse to go on where canaries were named and none confirmed, as long as nobody is left without a login."""
        why = self.without_canary(credential, version) if staging.canary else ""
        if not why:
            return
        canaries = self._canaries(credential)
        wait = self._rollout.first_wait(credential, version, [(one.target, one.placement) for one in canaries])
        now = self._clock.now()
        if wait is not None:
            raise TemporaryError(
                f"{credential.name}: its canary {wait.message}", hint=WAITS, retry_after=wait.until - now
            )
        if spoiled_by(canaries, version.generation):
            raise HaltedError(f"{credential.name}: the rollout was halted: {why}", hint=HINT)
        if not self._is_last_call(credential):
            raise UnavailableError(f"{credential.name}: the rollout waits: {why}", hint=self._until(credential))
        told = f"{why}; only the outage budget is left, so the others do not wait for it"
        passed = of_version("deliver", version, "passed over", told, now, ENGINE)
        await self._ledger.commit(Changes(audit=[passed]))

    def _is_last_call(self, credential: Credential) -> bool:
        """Return whether only the outage budget is left before the version in use expires."""
        at = self._last_call(credential)
        return at is not None and at <= self._clock.now()

    def _last_call(self, credential: Credential) -> datetime | None:
        current = self._ledger.current(credential.name)
        return None if current is None else last_call(current, credential.rule)

    def _until(self, credential: Credential) -> str:
        at = self._last_call(credential)
        if at is None:
            return f"{WAITS}. Mend the canary, or name another (rollout.canary)"
        return f"{WAITS}. From {at:%Y-%m-%d %H:%M:%SZ} on they do not wait for it any more"

    def _canaries(self, credential: Credential) -> list[Delivery]:
        """Return the latest delivery at each placement that a person named as a canary."""
        named = credential.staging.canary
        return [one for one in self._everywhere(credential) if is_named((one.target, one.placement), named)]

    def _everywhere(self, credential: Credential) -> Iterator[Delivery]:
        """Yield the latest delivery at each placement."""
        for target in credential.targets:
            yield from self._ledger.deliveries_of(target.name, credential.name)

    async def _wave(self, credential: Credential, version: Version, spots: Sequence[Spot], ask: AskStaging) -> None:
        await self._rollout.deliver(credential, version, spots)
        deliveries, generation = self._rollout.deliveries_at(credential.name, spots), version.generation
        here = len(spoiled_by(deliveries, generation))
        elsewhere = len(spoiled_by(self._everywhere(credential), generation)) - here if here else 0
        why = why_halt(deliveries, generation, ask().halt, elsewhere)
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
