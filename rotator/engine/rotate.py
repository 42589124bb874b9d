"""One rotation from start to finish: issue, verify, deliver, promote.

Each step is journalled before it begins and together with what it brought, so that a restart at any point knows what
was under way. A step that fails leaves everything that worked before untouched: the current version stays current,
and a pending one that may still serve is adopted by the next attempt instead of being issued again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from rotator.domain.events import Event, RotationFinished, StepFinished, VersionPromoted
from rotator.domain.model import Issued, Login, Record, Stage, Strategy, Version
from rotator.domain.rotation import Rotation, State, Step, advance, end
from rotator.domain.schedule import LONGEST_ASKED, renewal_point, retry_pause
from rotator.domain.shape import check_shape
from rotator.domain.verdict import Judgement, Verdict, Verification, judge
from rotator.engine.credential import Credential
from rotator.engine.guard import Guard
from rotator.engine.ledger import Ledger
from rotator.engine.order import Orders
from rotator.engine.rollout import Rollout
from rotator.errors import RotatorError, ShapeError, StoreError, TemporaryError, UnavailableError, VerificationError
from rotator.ports import Changes, Clock, SettlesSlowly, Verifier
from rotator.secret import Fingerprinter

SETTLE_SECONDS = 10.0
"""Pause between two looks at a login that its vendor is still spreading."""

UNSETTLED = frozenset({Verdict.REJECTED, Verdict.NO_ACCESS})

Moved = tuple[Rotation, str]
"""A rotation in its next step or at its end, and what the step came to, in a sentence."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rotation needs of the world.

    Args:
        clock: Time.
        random: Draws from [0, 1).
        verifier: Proves logins against registries.
        fingerprint: Makes keyed fingerprints.
        emit: Told of everything that happened.
    """

    clock: Clock
    random: Callable[[], float]
    verifier: Verifier
    fingerprint: Fingerprinter
    emit: Callable[[Event], None]


class Rotator:
    """Runs rotations. The caller sees to it that a credential has only one at a time."""

    def __init__(self, ledger: Ledger, rollout: Rollout, guard: Guard, world: Surroundings) -> None:
        self._ledger = ledger
        self._rollout = rollout
        self._guard = guard
        self._world = world
        self._orders = Orders(ledger, world.fingerprint, world.emit)
        self._steps: dict[Step, Callable[[Credential, Rotation], Awaitable[Moved]]] = {
            Step.ISSUE: self._issue,
            Step.VERIFY: self._verify,
            Step.DELIVER: self._deliver,
            Step.PROMOTE: self._promote,
        }

    def fence(self, credential: str) -> int:
        """Return the highest generation that a placement held against us; 0 for none."""
        return self._rollout.fence(credential)

    def first_step(self, credential: Credential) -> Step:
        """Return where a new attempt begins: at ``verify`` when a pending version can be adopted, else at ``issue``.

        A source is always read again, since a person may have changed it; a mint is not repeated while its last
        result would still be worth delivering.
        """
        pending = self._ledger.pending(credential.name)
        if pending is None or credential.provider.strategy is Strategy.READ:
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

    async def _issue(self, credential: Credential, rotation: Rotation) -> Moved:
        """Obtain a login; it is refused, found unchanged, or pending and sealed when this returns."""
        order = self._orders.order(credential, rotation, partial(self._seal, credential, rotation))
        await self._orders.sweep(credential, order)
        issued = await credential.provider.issue(order)
        self._refuse_unusable(credential, issued)
        fingerprint = self._world.fingerprint(issued.login.secret)
        if self._is_in_use(credential, issued.login, fingerprint):
            return await self._keep(credential, rotation, issued)
        moved = advance(rotation)
        version = await self._pend(credential, moved, issued)
        return self._of(moved, version), f"generation {version.generation} issued, {self._life(version)}"

    async def _seal(self, credential: Credential, rotation: Rotation, issued: Issued) -> None:
        """Keep what a provider is about to put in force: after a crash it is verified, and used or given up."""
        self._refuse_unusable(credential, issued)
        await self._pend(credential, rotation, issued)

    async def _pend(self, credential: Credential, rotation: Rotation, issued: Issued) -> Version:
        """Journal ``issued`` as the pending version of ``rotation``, sealed; an older pending one is given up."""
        version = self._pending_of(credential, issued)
        older = self._ledger.pending(credential.name)
        given_up = [self._given_up(older)] if older and older.generation != version.generation else []
        changes = Changes(
            records=[self._looked(credential, generation=version.generation)],
            versions=[*given_up, version],
            secrets={(version.credential, version.generation): issued.login.secret},
            rotations=[self._of(rotation, version)],
        )
        await self._ledger.commit(changes)
        return version

    def _of(self, rotation: Rotation, version: Version) -> Rotation:
        return replace(rotation, generation=version.generation)

    def _life(self, version: Version) -> str:
        return describe_expiry(version, self._world.clock)

    def _is_in_use(self, credential: Credential, login: Login, fingerprint: str) -> bool:
        """Return whether ``login`` is the one in use, everywhere.

        Where a placement went ahead of it, the same login has to come again, under a generation that overtakes.
        """
        current = self._ledger.current(credential.name)
        if current is None or (current.fingerprint, current.username) != (fingerprint, login.public_username):
            return False
        return max(self._ledger.newest_begun(credential.name), self.fence(credential.name)) <= current.generation

    def _refuse_unusable(self, credential: Credential, issued: Issued) -> None:
        check_shape(issued.login)
        if issued.expiry.is_past(self._world.clock.now()):
            raise ShapeError(
                f"{credential.name}: it was already expired when it arrived ({issued.expiry.at:%Y-%m-%d %H:%M:%SZ})",
                hint="Look at the issuer's clock and ours, or put a fresh token at the source; nothing was changed",
            )

    def _pending_of(self, credential: Credential, issued: Issued) -> Version:
        """Return ``issued`` as a pending version, under the generation it was seen with before, else a new one."""
        fingerprint = self._world.fingerprint(issued.login.secret)
        generation = max(self._ledger.record(credential.name).generation, self.fence(credential.name))
        seen = [self._ledger.pending(credential.name), self._ledger.version(credential.name, Stage.ABANDONED)]
        again = any(one and one.generation == generation and one.fingerprint == fingerprint for one in seen)
        return Version(
            credential.name,
            generation if again else generation + 1,
            Stage.PENDING,
            fingerprint,
            issued.login.public_username,
            issued.issued_at,
            issued.expiry,
            issued.revision,
            handle=issued.handle,
            scopes=issued.scopes,
            principal=issued.principal,
        )

    async def _keep(self, credential: Credential, rotation: Rotation, issued: Issued) -> Moved:
        """End a rotation that brought the value in use again, after showing it to the registry once more."""
        verification = await self._verification(credential, issued.login)
        now = self._world.clock.now()
        current = self._current(credential)  # as a probe may have left it meanwhile
        version = replace(current, expiry=issued.expiry, revision=issued.revision)
        if verification.auth.verdict is Verdict.REJECTED:
            await self._ledger.commit(Changes(versions=[replace(version, rejected_at=version.rejected_at or now)]))
            raise VerificationError(
                f"{credential.name}: the source still holds the value that the registry refuses "
                f"({verification.auth.evidence})",
                hint="Put a new token at the source; it is noticed by itself",
            )
        if verification.auth.verdict is Verdict.ACCEPTED:
            version = replace(version, verified_at=now, rejected_at=None)
        elif version.rejected_at is not None:
            raise UnavailableError(
                f"{credential.name}: the source still holds the value that the registry refused, "
                f"and cannot tell whether it does still: {verification.auth.evidence}"
            )
        ended, record = self._unchanged(credential, rotation, version)
        pending = self._ledger.pending(credential.name)  # of a value that the source does not hold any more
        left = [self._given_up(pending)] if pending is not None else []
        await self._ledger.commit(Changes(records=[record], versions=[version, *left], rotations=[ended]))
        return ended, ended.message

    def _unchanged(self, credential: Credential, rotation: Rotation, version: Version) -> tuple[Rotation, Record]:
        """Return the record, and ``rotation`` ended: in ``delivering`` where placements of ``version`` still wait."""
        now = self._world.clock.now()
        report = self._rollout.report(credential, version)
        record = replace(self._looked(credential), failures=0, next_attempt_at=None)
        message = "the source still holds the value in use"
        if report.waiting and report.failed:
            return end(rotation, State.DELIVERING, f"{message}; {report}", at=now), record
        if not report.waiting and version.verified_at == now:
            record = replace(record, last_success_at=now)
        return end(rotation, State.UNCHANGED, message, at=now), record

    async def _verify(self, credential: Credential, rotation: Rotation) -> Moved:
        """Show the pending version to the registry; only what pulls goes on."""
        version = self._pending(credential)
        verification = await self._settled_verification(credential, version)
        judgement, message = judge(verification, None)
        if judgement is Judgement.ABANDON and verification.auth.verdict is Verdict.ACCEPTED:
            judgement, message = judge(verification, await self._verification_of_current(credential))
        if judgement is Judgement.WAIT:
            waits = [found.retry_after for found in (verification.auth, *verification.images) if found.retry_after]
            asked = timedelta(seconds=min(max(waits), LONGEST_ASKED.total_seconds())) if waits else None
            raise UnavailableError(f"{credential.name}: cannot tell whether it works: {message}", retry_after=asked)
        if judgement is Judgement.ABANDON:
            await self._abandon(version)
            raise VerificationError(
                f"{credential.name}: the new version does not work: {message}",
                hint="Nothing was delivered; every target keeps what it holds",
            )
        moved = replace(advance(rotation), generation=version.generation)
        verified = replace(version, verified_at=self._world.clock.now())
        await self._ledger.commit(Changes(versions=[verified], rotations=[moved]))
        return moved, message

    async def _settled_verification(self, credential: Credential, version: Version) -> Verification:
        """Verify ``version``; where its vendor needs time for a new login, a refusal counts only after that time."""
        login, provider = await self._ledger.login(version), credential.provider
        if isinstance(provider, SettlesSlowly):
            while self._world.clock.now() < version.issued_at + provider.settles_within:
                self._guard.check(credential.config.registry, login.username)
                found = await self._world.verifier.verify(provider, login, credential.config.images)
                if found.verdict not in UNSETTLED:
                    break
                # Each refusal counts at the registry: two, and the one that is believed, are what the guard lets pass.
                await self._world.clock.sleep(max(SETTLE_SECONDS, provider.settles_within.total_seconds() / 2))
        return await self._verification(credential, login)

    async def _verification(self, credential: Credential, login: Login) -> Verification:
        self._guard.check(credential.config.registry, login.username)
        return await self._world.verifier.verify(credential.provider, login, credential.config.images)

    async def _verification_of_current(self, credential: Credential) -> Verification | None:
        current = self._ledger.current(credential.name)
        if current is None:
            return None
        return await self._verification(credential, await self._ledger.login(current))

    async def _deliver(self, credential: Credential, rotation: Rotation) -> Moved:
        """Bring every placement to the verified version; one that fails is retried later, alone."""
        version = self._pending(credential)
        report = await self._rollout.deliver(credential, version)
        if self.fence(credential.name) >= version.generation:
            await self._abandon(version)
            raise VerificationError(
                f"{credential.name}: a target holds generation {self.fence(credential.name)} already, not from us",
                hint="This state is older than what was delivered from it; a version above that is issued next",
            )
        if report.waiting and not report.confirmed:
            raise UnavailableError(f"{credential.name}: no placement took it: {report.error}")
        moved = advance(rotation)
        await self._ledger.commit(Changes(rotations=[moved]))
        return moved, str(report)

    async def _promote(self, credential: Credential, rotation: Rotation) -> Moved:
        """Make the pending version the current one; the one before stays known as the previous."""
        version = self._pending(credential)
        report = self._rollout.report(credential, version)
        now = self._world.clock.now()
        state = State.DELIVERING if report.waiting else State.SUCCEEDED
        ended = end(rotation, state, str(report), at=now, error=report.error.code if report.error else "")
        record = replace(self._looked(credential), failures=0, next_attempt_at=None)
        if state is State.SUCCEEDED:
            record = replace(record, last_success_at=now)
        live = self._ledger.live_versions(credential.name)
        versions = [_once_promoted(one, version, now) for one in live if one.stage in _ONCE_PROMOTED]
        await self._ledger.commit(Changes(records=[record], versions=versions, rotations=[ended]))
        self._world.emit(VersionPromoted(credential.name, version.generation, version.issued_at, version.expiry))
        return ended, str(report)

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
        return Changes(records=[record], rotations=[end(rotation, State.SUCCEEDED, str(report), at=now)])

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
        record = replace(record, failures=record.failures + 1, next_attempt_at=now + pause, looked_at=now)
        await self._ledger.commit(Changes(records=[record], rotations=[failed]))
        return failed

    async def _abandon(self, version: Version) -> None:
        await self._ledger.commit(Changes(versions=[self._given_up(version)]))

    def _given_up(self, version: Version) -> Version:
        """Return ``version`` out of the running.

        One that reached a placement keeps its secret, as a previous one does, until a newer version has overtaken it:
        the placement is rendered with it as long, since nothing may take a placement back a generation.
        """
        is_begun = self._ledger.newest_begun(version.credential) >= version.generation
        return replace(version, stage=Stage.PREVIOUS if is_begun else Stage.ABANDONED)

    def _current(self, credential: Credential) -> Version:
        """Return the version in use, where there must be one."""
        version = self._ledger.current(credential.name)
        if version is None:
            raise UnavailableError(f"{credential.name}: the version in use is gone; a new one is issued")
        return version

    def _pending(self, credential: Credential) -> Version:
        """Return the pending version, still worth going on with."""
        version = self._ledger.pending(credential.name)
        if version is None or version.expiry.is_past(self._world.clock.now()):
            raise UnavailableError(f"{credential.name}: the pending version is gone or expired; a new one is issued")
        return version

    def _looked(self, credential: Credential, *, generation: int = 0) -> Record:
        record = self._ledger.record(credential.name)
        return replace(record, generation=max(record.generation, generation), looked_at=self._world.clock.now())


def describe_expiry(version: Version, clock: Clock) -> str:
    """Return how long ``version`` lives, for people."""
    if version.expiry.never:
        return "never expires"
    left = version.expiry.left(clock.now())
    return "expiry unknown" if left is None else f"expires in {timedelta(seconds=int(left.total_seconds()))}"


def _once_promoted(one: Version, promoted: Version, now: datetime) -> Version:
    """Return what becomes of ``one``; what has the same handle at the vendor was overwritten, and is at its end."""
    if one.generation == promoted.generation:
        return replace(one, stage=Stage.CURRENT)
    superseded = replace(one, superseded_at=one.superseded_at or now)
    if promoted.handle and one.handle == promoted.handle:
        return replace(superseded, stage=Stage.RETIRED, ended_at=now)
    return replace(superseded, stage=_ONCE_PROMOTED[one.stage])


_ONCE_PROMOTED = {
    Stage.PREVIOUS: Stage.RETIRED,
    Stage.CURRENT: Stage.PREVIOUS,
    Stage.PENDING: Stage.CURRENT,
}
"""What becomes of each live version when the pending one is promoted."""
