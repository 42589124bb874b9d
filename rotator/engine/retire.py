"""Ends old versions once nobody needs them, and shows that they are dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.domain.audit import ENGINE, INTENT, AuditRecord, of_version
from rotator.domain.events import Crashed, Event, RotationFinished, StoreFailed, VersionEnded
from rotator.domain.model import Stage, Strategy, Version
from rotator.domain.retirement import GRACE, Action, Leaving, Retirement, next_action
from rotator.domain.verdict import Finding, Verdict
from rotator.engine.credential import Credential
from rotator.engine.crowd import is_crowded_out
from rotator.engine.ledger import Ledger
from rotator.engine.prove import Prover
from rotator.engine.rollout import Rollout
from rotator.engine.surroundings import Surroundings
from rotator.errors import NotFoundError, RotatorError, StoreError, TemporaryError
from rotator.ports import Changes, Retires

TURN_SECONDS = 30.0
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)
"""Between two tries at an old version that could not be ended, or that still works though it was."""

PERSON_PAUSE = timedelta(hours=6)
"""Between two looks whether a person has ended what only a person can end."""

LEAKED_PAUSE = timedelta(minutes=1)
"""The same, for a secret that others know: somebody is waiting for the answer."""


@dataclass(frozen=True, slots=True)
class _Pause:
    until: float
    tries: int


class Retirer:
    """Brings previous versions to their end, one credential after the other.

    Args:
        credentials: All configured ones, by name.
        ledger: Knows the versions, and is told what became of them.
        rollout: Knows what the targets have confirmed.
        prover: Shows logins to registries.
        world: Time, and who is told.
    """

    def __init__(
        self,
        credentials: Mapping[str, Credential],
        ledger: Ledger,
        rollout: Rollout,
        prover: Prover,
        world: Surroundings,
    ) -> None:
        self._credentials = credentials
        self._ledger = ledger
        self._rollout = rollout
        self._prover = prover
        self._world = world
        self._pauses: dict[tuple[str, int], _Pause] = {}
        self._not_ours: set[tuple[str, int]] = set()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Have every old version looked at now, whatever its pause: somebody waits for the answer."""
        self._pauses.clear()
        self._woken.set()

    def __call__(self, event: Event) -> None:
        """Look soon when a rotation has ended: what it replaced may have leaked."""
        if isinstance(event, RotationFinished):
            self._woken.set()

    async def run(self) -> None:
        """Look every 30 s, and when woken; cancel to stop."""
        while True:
            self._woken.clear()
            await self.turn()
            sleeping = asyncio.create_task(self._world.clock.sleep(TURN_SECONDS))
            waking = asyncio.create_task(self._woken.wait())
            try:
                await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sleeping, waking):
                    task.cancel()
                await asyncio.gather(sleeping, waking, return_exceptions=True)

    async def turn(self) -> None:
        """Look at every old version once. A credential that breaks stops neither the others nor the daemon."""
        try:
            await self._ledger.clear_doubt()
        except StoreError as error:
            self._world.emit(StoreFailed("journal", error.code, str(error)))
            return
        for credential in self._credentials.values():
            previous = [one for one in self._ledger.live_versions(credential.name) if one.stage is Stage.PREVIOUS]
            for version in previous:
                try:
                    await self.look(credential, version)
                except StoreError as error:
                    self._world.emit(StoreFailed("journal", error.code, str(error)))
                except Exception as error:  # noqa: BLE001 (as in the dispatcher: a defect must not stop the daemon)
                    self._world.emit(Crashed(f"retirement of {credential.name}", error))
        self._forget_what_is_gone()

    def plan(self, credential: Credential, version: Version) -> tuple[Action, str]:
        """Return what would be done about an old version now, and why. Asks nobody."""
        return next_action(self._leaving(credential, version))

    def can_end(self, credential: Credential) -> bool:
        """Return whether the vendor can be told to end old versions of ``credential``, as far as is known."""
        live = self._ledger.live_versions(credential.name)
        theirs = {one.generation for one in live if not self._is_ours(credential, one)}
        return isinstance(credential.provider, Retires) and not theirs

    async def look(self, credential: Credential, version: Version) -> None:
        """Do what is to be done about one old version now. Safe to repeat, also after a crash in the middle.

        Raises:
            StoreError: What became of it could not be journalled.
        """
        action, why = self.plan(credential, version)
        if action is Action.FORGET:
            await self._forget(version, why)
        elif action in _AT_PEERS and self._pause_is_over(version):
            try:
                await (self._end(credential, version) if action is Action.END else self._prove(credential, version))
            except StoreError:
                raise
            except RotatorError as error:
                self._hold_back(version, error.retry_after if isinstance(error, TemporaryError) else None)
                self._tell(version, "failed", str(error), error.code)

    def _leaving(self, credential: Credential, version: Version) -> Leaving:
        current = self._ledger.current(credential.name)
        sharers = {f"credential {name}" for name in self._sharers(version)}
        provider, now = credential.provider, self._world.clock.now()
        grace = credential.config.grace or GRACE
        if isinstance(provider, Retires):
            grace = timedelta() if is_crowded_out(credential, version, self._ledger, now) else grace
            grace = max(grace, provider.bearer_life)
        live = self._ledger.live_versions(credential.name)
        return Leaving(
            version,
            [one for one in live if one.generation != version.generation],
            provider.strategy,
            can_end=isinstance(provider, Retires) and self._is_ours(credential, version),
            grace=grace,
            held_by=self._holders(credential, version, current) | sharers if current is not None else {"everywhere"},
            now=now,
            is_elsewhere=not version.is_for(credential.registry),
        )

    def _is_ours(self, credential: Credential, version: Version) -> bool:
        """Return whether the vendor that is configured now is the one that made ``version``, and owns up to it."""
        is_known = (version.credential, version.generation) not in self._not_ours
        return is_known and version.is_for(credential.registry) and version.is_by(credential.maker)

    def _holders(self, credential: Credential, version: Version, current: Version) -> frozenset[str]:
        """Return the required targets that may hold an old ``version``, which is the newer one if it was taken back."""
        return self._rollout.report(credential, current).waiting | self._rollout.may_hold(credential, [version])

    def _sharers(self, version: Version) -> Iterator[str]:
        """Yield the other credentials whose version in use, or on its way, is the very same login."""
        for name in self._credentials:
            newest = (self._ledger.current(name), self._ledger.pending(name))
            if name != version.credential and any(one and one.fingerprint == version.fingerprint for one in newest):
                yield name

    async def _end(self, credential: Credential, version: Version) -> None:
        """Tell the vendor, while nothing is made there; look again under that lock, since a slot may be taken anew."""
        provider = credential.provider
        if credential.at_vendor.locked():
            return  # something is made there, maybe slowly; others are not to wait for it, and this is looked at again
        async with credential.at_vendor:
            await self._ledger.clear_doubt()
            if not isinstance(provider, Retires) or self.plan(credential, version)[0] is not Action.END:
                return
            await self._ledger.commit(Changes(audit=[self._said(version, INTENT, self.plan(credential, version)[1])]))
            outcome = await provider.retire(version.handle, await self._ledger.login(version))
        if outcome is not Retirement.ENDED:
            self._not_ours.add((version.credential, version.generation))
            return
        now = self._world.clock.now()
        await self._note(version, "ended", "the vendor has ended it", lambda kept: replace(kept, ended_at=now))
        if (kept := self._ledger.kept(version)) is not None and kept.stage is Stage.PREVIOUS:
            await self.look(credential, kept)

    async def _prove(self, credential: Credential, version: Version) -> None:
        """Show it to the registry. Dead is only what was seen to be refused while the version in use is accepted."""
        try:
            login = await self._ledger.login(version)
        except NotFoundError:
            await self._forget(version, "its secret is not kept any more")
            return
        doubt = await self._prover.doubt(credential)
        if doubt is not None:
            self._doubt(credential, version, doubt)
            return
        finding = await self._prover.probe(credential, login)
        now = self._world.clock.now()
        if finding.verdict is Verdict.REJECTED:
            why = f"the registry refuses it: {finding.evidence}{_bearers(credential, now)}"
            await self._note(version, "dead", why, lambda kept: _dead(kept, now))
        elif finding.verdict is Verdict.ACCEPTED:
            self._hold_back(version, self._pause_of_a_person(credential, version))
            self._tell(version, "alive", f"the registry still accepts it: {finding.evidence}")
        else:
            self._hold_back(version, None)
            self._tell(version, "failed", f"cannot tell whether it still works: {finding.evidence}", "unavailable")

    def _doubt(self, credential: Credential, version: Version, doubt: Finding) -> None:
        """Leave every old version of ``credential`` alone for a while: what cannot be told of one cannot of another.

        For long where the version in use was refused: too many refusals close its user name.
        """
        pause = LONGEST_PAUSE if doubt.verdict is Verdict.REJECTED else None
        for one in self._ledger.live_versions(credential.name):
            if one.stage is Stage.PREVIOUS:
                self._hold_back(one, pause)
        self._tell(version, "failed", f"cannot tell whether it still works: {doubt.evidence}", "unavailable")

    async def _forget(self, version: Version, why: str) -> None:
        if (kept := self._ledger.kept(version)) is not None and kept.stage is Stage.PREVIOUS:
            await self._note(version, "forgotten", why, lambda kept: replace(kept, stage=Stage.RETIRED))

    async def _note(self, version: Version, outcome: str, why: str, change: Callable[[Version], Version]) -> None:
        """Journal and tell what became of an old version. One that was let go of meanwhile is not brought back."""
        said = self._said(version, outcome, why)

        def noted() -> Changes:
            kept = self._ledger.kept(version)
            return Changes(versions=[change(kept)] if kept is not None else [], audit=[said])

        await self._ledger.amend(noted)
        self._tell(version, outcome, why)

    def _pause_of_a_person(self, credential: Credential, version: Version) -> timedelta | None:
        if version.ended_at is not None or credential.provider.strategy is not Strategy.READ:
            return None
        return LEAKED_PAUSE if version.leaked_at is not None else PERSON_PAUSE

    def _pause_is_over(self, version: Version) -> bool:
        pause = self._pauses.get((version.credential, version.generation))
        return pause is None or self._world.clock.monotonic() >= pause.until

    def _hold_back(self, version: Version, asked: timedelta | None) -> None:
        """Leave it alone for a while: as long as was asked, else 10 s doubled up to 10 minutes."""
        key = (version.credential, version.generation)
        tries = self._pauses[key].tries + 1 if key in self._pauses else 1
        pause = min(FIRST_PAUSE * int(2 ** min(tries - 1, 10)), LONGEST_PAUSE)
        until = self._world.clock.monotonic() + max(pause, asked or timedelta()).total_seconds()
        self._pauses[key] = _Pause(until, tries)

    def _forget_what_is_gone(self) -> None:
        """Keep no notes on versions that are not live any more."""
        live = {(name, one.generation) for name in self._credentials for one in self._ledger.live_versions(name)}
        self._pauses = {key: pause for key, pause in self._pauses.items() if key in live}
        self._not_ours &= live

    def _said(self, version: Version, outcome: str, message: str) -> AuditRecord:
        return of_version("retire", version, outcome, message, self._world.clock.now(), ENGINE)

    def _tell(self, version: Version, outcome: str, message: str, error: str = "") -> None:
        self._world.emit(VersionEnded(version.credential, version.generation, outcome, message, error))


def _dead(version: Version, now: datetime) -> Version:
    return replace(version, dead_at=now, rejected_at=now, stage=Stage.RETIRED)


def _bearers(credential: Credential, now: datetime) -> str:
    """Return until when tokens may live that the registry handed out for it before; empty when there are none."""
    provider = credential.provider
    if not isinstance(provider, Retires) or not provider.bearer_life:
        return ""
    return f"; tokens handed out for it before may live until {now + provider.bearer_life:%H:%M:%SZ}"


_AT_PEERS: Sequence[Action] = (Action.END, Action.PROVE)
