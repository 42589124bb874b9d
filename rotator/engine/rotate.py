"""One rotation from start to finish: issue, verify, deliver, promote.

Each step is journalled before it begins and together with what it brought, so that a restart at any point knows what
was under way. A step that fails leaves everything that worked before untouched: the current version stays current,
and a pending one that may still serve is adopted by the next attempt instead of being issued again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from rotator.domain.audit import ENGINE, of_end, of_version
from rotator.domain.events import RotationFinished, StepFinished, VersionPromoted
from rotator.domain.model import Record, Strategy, Version
from rotator.domain.rotation import Rotation, State, Step, advance, end
from rotator.domain.schedule import renewal_point, retry_pause, stays_until
from rotator.domain.succession import KEPT, once_promoted
from rotator.domain.verdict import Judgement
from rotator.domain.waves import EVERYWHERE, REGARDLESS, Staging
from rotator.engine.credential import Credential
from rotator.engine.issue import Issuer, Moved, given_up
from rotator.engine.ledger import Ledger
from rotator.engine.prove import Prover
from rotator.engine.rollout import Rollout
from rotator.engine.staged import StagedRollout
from rotator.engine.surroundings import Surroundings
from rotator.errors import (
    HaltedError,
    RotatorError,
    StoreError,
    TemporaryError,
    UnavailableError,
    VerificationError,
)
from rotator.ports import Changes, Retires


class Rotator:
    """Runs rotations. The caller sees to it that a credential has only one at a time."""

    def __init__(self, ledger: Ledger, rollout: Rollout, prover: Prover, world: Surroundings) -> None:
        self._ledger = ledger
        self._rollout = rollout
        self._world = world
        self._prover = prover
        self._staged = StagedRollout(rollout, ledger, world.clock, world.emit)
        self._issuer = Issuer(ledger, rollout, self._prover, world)
        self._steps: dict[Step, Callable[[Credential, Rotation], Awaitable[Moved]]] = {
            Step.ISSUE: self._issuer.issue,
            Step.VERIFY: self._verify,
            Step.DELIVER: self._deliver,
            Step.PROMOTE: self._promote,
        }

    def fence(self, credential: str) -> int:
        """Return the highest generation that a placement held against us; 0 for none."""
        return self._rollout.fence(credential)

    def earlier(self, credential: Credential, generation: int | None) -> Version:
        """Return the version that is put back: ``generation``, or the newest one that was in use before this one.

        Raises:
            NotFoundError: It is not kept any more, or there is none. PermanentError: It does not work any more, or
                others know its secret.
        """
        return self._issuer.earlier_for_a_person(credential, generation)

    def first_step(self, credential: Credential) -> Step:
        """Return where a new attempt begins: at ``verify`` when a pending version can be adopted, else at ``issue``.

        A source is always read again, since a person may have changed it; a mint is not repeated while its last
        result would still be worth delivering. One that carries an old secret again is no new one.
        """
        pending = self._ledger.pending(credential.name)
        if pending is None or pending.restores or credential.provider.strategy is Strategy.READ:
            return Step.ISSUE
        point = renewal_point(pending, credential.rule)
        return Step.ISSUE if point is not None and point <= self._world.clock.now() else Step.VERIFY

    async def rotate(self, credential: Credential, rotation: Rotation) -> Rotation:
        """Take ``rotation`` from the step it stands in to its end, and return it ended.

        Never raises for what a peer or a person did wrong: that is an outcome. A cancelled rotation stays in the
        journal as it is and goes on after the restart.

        Raises:
            StoreError: The outcome itself could not be journalled.
        """
        started = self._world.clock.monotonic()
        try:
            while rotation.is_running:
                rotation = await self._take_step(credential, rotation)
        except StoreError:
            raise
        except RotatorError as error:
            rotation = await self._fail(credential, rotation, error)
        self._world.emit(
            RotationFinished(
                rotation.id,
                credential.name,
                rotation.reason,
                rotation.state.value,
                rotation.step.value,
                rotation.error,
                rotation.message,
                self._world.clock.monotonic() - started,
            )
        )
        return rotation

    async def _take_step(self, credential: Credential, rotation: Rotation) -> Rotation:
        started = self._world.clock.monotonic()
        moved, message = await self._steps[rotation.step](credential, rotation)
        seconds = self._world.clock.monotonic() - started
        self._world.emit(StepFinished(rotation.id, credential.name, rotation.step.value, seconds, message))
        return moved

    async def _verify(self, credential: Credential, rotation: Rotation) -> Moved:
        """Show the pending version to the registry; only what pulls goes on."""
        version = self._pending(credential)
        judgement, message = await self._prover.judge(credential, version)
        if judgement is Judgement.ABANDON:
            await self._abandon(version)
            await self._note_refused(credential, rotation)
            raise VerificationError(
                f"{credential.name}: the new version does not work: {message}",
                hint="Nothing was delivered; every target keeps what it holds",
            )
        moved = replace(advance(rotation), generation=version.generation)
        now = self._world.clock.now()
        seen = of_version("verify", version, "accepted", message, now, rotation.by)

        def verified() -> Changes:
            return Changes(
                versions=[replace(self._ledger.as_kept(version), verified_at=now)], rotations=[moved], audit=[seen]
            )

        await self._ledger.amend(verified)
        return moved, message

    async def _deliver(self, credential: Credential, rotation: Rotation) -> Moved:
        """Bring every placement to the verified version; one that fails is retried later, alone."""
        version = self._pending(credential)
        try:
            await self._staged.deliver(
                credential, version, lambda: self.staging(credential, rotation.reason, rotation.restores)
            )
        except HaltedError:
            await self._withdraw(version)
            raise
        except UnavailableError:
            await self._refuse_fenced(version)
            raise
        await self._refuse_fenced(version)
        report = self._rollout.report(credential, version)
        if report.waiting and not report.confirmed and not report.awaiting and not report.deferred:
            raise UnavailableError(f"{credential.name}: no placement took it: {report.error}")
        moved = advance(rotation)
        await self._ledger.commit(Changes(rotations=[moved]))
        return moved, str(report)

    async def _refuse_fenced(self, version: Version) -> None:
        """Give ``version`` up where a target holds one that is as new: a newer one is due."""
        fence = self.fence(version.credential)
        if fence < version.generation:
            return
        await self._abandon(version)
        raise VerificationError(
            f"{version.credential}: a target holds generation {fence} already, not from us",
            hint="This state is older than what was delivered from it; a version above that is issued next",
        )

    def look_again(self, credential: str) -> None:
        """See `rotator.engine.staged.StagedRollout.look_again`."""
        self._staged.look_again(credential)

    def staging(self, credential: Credential, reason: str, restores: int) -> Staging:
        """Return how a version is rolled out: carefully, unless waiting is worse.

        Args:
            credential: Of what.
            reason: Why it is rotated; empty where nothing is due.
            restores: The generation that is put back; 0 for none.
        """
        if restores or self._ledger.has_unfit(credential.name, self._world.clock.now()):
            return REGARDLESS
        current = self._ledger.current(credential.name)
        has_leaked = current is not None and current.leaked_at is not None
        return EVERYWHERE if has_leaked or reason == "Leaked" else credential.staging

    async def _promote(self, credential: Credential, rotation: Rotation) -> Moved:
        """Make the pending version the current one; the one before stays known as the previous."""
        version = self._pending(credential)
        report = self._rollout.report(credential, version)
        now = self._world.clock.now()
        state = State.DELIVERING if report.waiting else State.SUCCEEDED
        canary = self._staged.without_canary(credential, version)
        ahead = f"; {canary}, and the others did not wait for it" if canary else ""
        message = f"{report}{ahead}{self._stay(credential, rotation, version)}"
        ended = end(rotation, state, message, at=now, error=report.error.code if report.error else "")
        record = self._after_promotion(credential, rotation, state)
        kept = _kept(credential)

        def promoted() -> Changes:
            live = self._ledger.live_versions(credential.name)  # of now: one may have been seen dead just before
            versions = once_promoted(live, self._ledger.as_kept(version), now, kept)
            return Changes(records=[record], versions=versions, rotations=[ended], audit=[of_end(ended)])

        await self._ledger.amend(promoted)
        self._world.emit(VersionPromoted(credential.name, version.generation, version.issued_at, version.expiry))
        return ended, message

    def _is_by_a_person(self, rotation: Rotation) -> bool:
        """Return whether ``rotation`` puts back another secret than the one in use: only a person asks for that."""
        current = self._ledger.current(rotation.credential)
        return rotation.restores > 0 and current is not None and rotation.restores != current.generation

    def _stay(self, credential: Credential, rotation: Rotation, version: Version) -> str:
        """Return how long ``version``, which is put back, stays, for people; empty when nobody put it back."""
        if not self._is_by_a_person(rotation) or credential.provider.strategy is Strategy.READ:
            return ""
        until = stays_until(version, credential.rule)
        if until is None:
            return "; it stays until somebody asks for a new one"
        if until <= self._world.clock.now():
            return "; too little is left of its life to keep it, and a new one is issued"
        return f"; it stays until {until:%Y-%m-%d %H:%M:%SZ}, when a new one is issued"

    def _after_promotion(self, credential: Credential, rotation: Rotation, state: State) -> Record:
        """Return the record of a promotion. One that put an earlier version back is no success: what failed did.

        What failed before a person put a version back counts no more: nothing new is tried as long as that stays.
        """
        now, record = self._world.clock.now(), self._ledger.record(credential.name)
        record = replace(record, looked_at=now)
        if self._is_by_a_person(rotation):
            return replace(record, failures=0, next_attempt_at=None)
        if rotation.restores:
            pause = retry_pause(max(record.failures, 1), remaining=None, jitter=self._world.random())
            return replace(record, next_attempt_at=now + pause) if record.failures else record
        succeeded = now if state is State.SUCCEEDED else record.last_success_at
        return replace(record, failures=0, next_attempt_at=None, last_success_at=succeeded)

    async def settle(self, credential: Credential) -> None:
        """End the rotation that waits for stragglers, once every required target has confirmed its version."""
        if self._settled(credential) is not None:
            await self._ledger.amend(lambda: self._settled(credential) or Changes())

    def _settled(self, credential: Credential) -> Changes | None:
        """Return what ends the rotation that waits for stragglers; None when there is none or it must wait on."""
        rotation, current = self._ledger.open_rotation(credential.name), self._ledger.current(credential.name)
        if rotation is None or rotation.state is not State.DELIVERING or current is None:
            return None
        report = self._rollout.report(credential, current)
        if report.waiting:
            return None
        now = self._world.clock.now()
        record = replace(self._ledger.record(credential.name), last_success_at=now)
        ended = end(rotation, State.SUCCEEDED, str(report), at=now)
        return Changes(records=[record], rotations=[ended], audit=[of_end(ended)])

    async def _fail(self, credential: Credential, rotation: Rotation, error: RotatorError) -> Rotation:
        """Journal the failure and when the next attempt may begin. The current version is not touched."""
        now = self._world.clock.now()
        record = self._ledger.record(credential.name)
        current = self._ledger.current(credential.name)
        pause = retry_pause(
            record.failures + 1,
            remaining=current.expiry.left(now) if current else None,
            jitter=self._world.random(),
            asked=error.retry_after if isinstance(error, TemporaryError) else None,
        )
        failed = end(rotation, State.FAILED, str(error), at=now, error=error.code)
        is_put_right_at_once = isinstance(error, HaltedError) and current is not None and not current.is_unfit(now)
        next_at = None if is_put_right_at_once else now + pause
        record = replace(record, failures=record.failures + 1, next_attempt_at=next_at, looked_at=now)
        await self._ledger.commit(Changes(records=[record], rotations=[failed], audit=[of_end(failed)]))
        return failed

    async def _withdraw(self, version: Version) -> None:
        """Take a version back. What placements hold of it is replaced by what `rotator.domain.due.withdrawn` finds."""
        now = self._world.clock.now()
        told = of_version("withdraw", version, "withdrawn", "its rollout was halted", now, ENGINE)

        def taken_back() -> Changes:
            return Changes(versions=[replace(self._given_up(version), withdrawn_at=now)], audit=[told])

        await self._ledger.amend(taken_back)

    async def _note_refused(self, credential: Credential, rotation: Rotation) -> None:
        """Note that the version in use is refused, where its secret was to be put back and was: a new one is due."""
        current = self._ledger.current(credential.name)
        if current is None or rotation.restores != current.generation or current.rejected_at is not None:
            return
        now = self._world.clock.now()

        def refused() -> Changes:
            return Changes(versions=[replace(self._ledger.as_kept(current), rejected_at=now)])

        await self._ledger.amend(refused)

    async def _abandon(self, version: Version) -> None:
        told = of_version("verify", version, "refused", "it is not used", self._world.clock.now(), ENGINE)
        await self._ledger.amend(lambda: Changes(versions=[self._given_up(version)], audit=[told]))

    def _given_up(self, version: Version) -> Version:
        return given_up(self._ledger, self._ledger.as_kept(version))

    def _pending(self, credential: Credential) -> Version:
        """Return the pending version, still worth going on with."""
        version = self._ledger.pending(credential.name)
        if version is None or version.expiry.is_past(self._world.clock.now()):
            raise UnavailableError(f"{credential.name}: the pending version is gone or expired; a new one is issued")
        return version


def _kept(credential: Credential) -> int | None:
    """Return how many old versions wait for their end, as `once_promoted` takes it."""
    if isinstance(credential.provider, Retires):
        return None
    return KEPT if credential.provider.strategy is Strategy.READ else 0
