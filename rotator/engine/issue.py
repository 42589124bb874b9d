"""The first step of a rotation: obtain a login, or take an earlier one back, and have it pending and sealed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from rotator.domain.audit import of_end, of_version
from rotator.domain.model import Issued, Login, Record, Stage, Strategy, Version
from rotator.domain.rotation import Rotation, State, advance, end
from rotator.domain.shape import check_shape
from rotator.domain.verdict import Verdict
from rotator.engine.credential import Credential
from rotator.engine.ledger import Ledger
from rotator.engine.order import Orders
from rotator.engine.prove import Prover
from rotator.engine.rollout import Rollout
from rotator.engine.surroundings import Surroundings
from rotator.errors import ConflictError, NotFoundError, PermanentError, ShapeError, UnavailableError, VerificationError
from rotator.ports import Changes, Clock

_PRESSING = frozenset({"Leaked", "Rejected"})
"""Reasons for which the slot of an older version is overwritten though somebody may still hold it."""

Moved = tuple[Rotation, str]
"""A rotation in its next step or at its end, and what the step came to, in a sentence."""


class Issuer:
    """Takes a rotation through its step ``issue``."""

    def __init__(self, ledger: Ledger, rollout: Rollout, prover: Prover, world: Surroundings) -> None:
        self._ledger = ledger
        self._rollout = rollout
        self._prover = prover
        self._world = world
        self._orders = Orders(ledger, world.fingerprint, world.emit, world.clock)

    async def issue(self, credential: Credential, rotation: Rotation) -> Moved:
        """Obtain a login; it is refused, found unchanged, or pending and sealed when this returns."""
        if rotation.restores:
            return await self._restore(credential, rotation)
        self._refuse_needed_slot(credential, rotation)
        order = self._orders.order(credential, rotation, partial(self._seal, credential, rotation))
        await self._orders.sweep(credential, order)
        async with credential.at_vendor:
            issued = await credential.provider.issue(order)
        self._refuse_unusable(credential, issued)
        fingerprint = self._world.fingerprint(issued.login.secret)
        if self._is_in_use(credential, issued.login, fingerprint):
            return await self._keep(credential, rotation, issued)
        if self._is_withdrawn(credential, rotation, fingerprint):
            return await self._stay(credential, rotation, issued)
        moved = advance(rotation)
        version = await self._pend(credential, moved, issued)
        return self._of(moved, version), f"generation {version.generation} issued, {self._life(version)}"

    def _refuse_needed_slot(self, credential: Credential, rotation: Rotation) -> None:
        """Refuse to overwrite a slot whose version a required target may still hold.

        Not where waiting is worse: the version in use leaked, is refused, or has little life left.
        """
        current = self._ledger.current(credential.name)
        if credential.provider.strategy is not Strategy.TWO_SLOT or current is None or rotation.reason in _PRESSING:
            return
        left = current.expiry.left(self._world.clock.now())
        if left is not None and left <= credential.rule.outage_budget:
            return
        live = self._ledger.live_versions(credential.name)
        older = [one for one in live if one.stage is Stage.PREVIOUS and one.handle not in {"", current.handle}]
        if not older:
            return
        waiting = self._rollout.report(credential, current).waiting | self._rollout.may_hold(credential, older)
        if waiting:
            raise ConflictError(
                f"{credential.name}: the other slot holds generation {older[0].generation}, which may still be needed "
                f"at {', '.join(sorted(waiting))}",
                hint=f"It is taken anew once they have confirmed a version of the slot in use (rotator status "
                f"{credential.name})",
            )

    async def _seal(self, credential: Credential, rotation: Rotation, issued: Issued) -> None:
        """Keep what a provider is about to put in force: after a crash it is verified, and used or given up."""
        self._refuse_unusable(credential, issued)
        await self._pend(credential, rotation, issued)

    async def _pend(self, credential: Credential, rotation: Rotation, issued: Issued) -> Version:
        """Journal ``issued`` as the pending version of ``rotation``, sealed; an older pending one is given up."""
        version = replace(self._pending_of(credential, issued), restores=rotation.restores)
        if rotation.restores:  # it is still of whom it was made by
            version = replace(version, maker=self.earlier(credential, rotation.restores).maker)
        told = of_version("issue", version, "sealed", self._life(version), self._world.clock.now(), rotation.by)

        def pended() -> Changes:
            older = self._ledger.pending(credential.name)
            left = [given_up(self._ledger, older)] if older and older.generation != version.generation else []
            return Changes(
                records=[self._looked(credential, generation=version.generation)],
                versions=[*left, replace(version, leaked_at=self._leaked_at(version))],
                secrets={(version.credential, version.generation): issued.login.secret},
                rotations=[self._of(rotation, version)],
                audit=[told],
            )

        await self._ledger.amend(pended)
        return self._ledger.as_kept(version)

    def _leaked_at(self, version: Version) -> datetime | None:
        """Return when the secret of ``version`` was reported as leaked, under whatever generation; None when never."""
        live = self._ledger.live_versions(version.credential)
        return max((one.leaked_at for one in live if one.leaked_at and one.has_secret_of(version)), default=None)

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
        newest = max(self._ledger.newest_begun(credential.name), self._rollout.fence(credential.name))
        return newest <= current.generation

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
        generation = max(self._ledger.record(credential.name).generation, self._rollout.fence(credential.name))
        seen = [self._ledger.pending(credential.name), self._ledger.version(credential.name, Stage.ABANDONED)]
        again = any(
            one and one.generation == generation and one.fingerprint == fingerprint and one.is_for(credential.registry)
            for one in seen
        )
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
            registry=credential.registry,
            maker=credential.maker,
        )

    async def _keep(self, credential: Credential, rotation: Rotation, issued: Issued) -> Moved:
        """End a rotation that brought the value in use again, after showing it to the registry once more."""
        auth = (await self._prover.verification(credential, issued.login)).auth
        seen = partial(self._seen_again, credential, issued, auth.verdict, self._world.clock.now())
        if auth.verdict is Verdict.REJECTED:
            await self._ledger.amend(lambda: Changes(versions=[seen()]))
            raise VerificationError(
                f"{credential.name}: the source still holds the value that the registry refuses ({auth.evidence})",
                hint="Put a new token at the source; it is noticed by itself",
            )
        if seen().rejected_at is not None:
            raise UnavailableError(
                f"{credential.name}: the source still holds the value that the registry refused, "
                f"and cannot tell whether it does still: {auth.evidence}"
            )
        ended, record = self._unchanged(credential, rotation, seen())

        def kept() -> Changes:
            pending = self._ledger.pending(credential.name)  # of a value that the source does not hold any more
            left = [given_up(self._ledger, pending)] if pending is not None else []
            return Changes(records=[record], versions=[seen(), *left], rotations=[ended], audit=[of_end(ended)])

        await self._ledger.amend(kept)
        return ended, ended.message

    def _seen_again(self, credential: Credential, issued: Issued, verdict: Verdict, at: datetime) -> Version:
        """Return the version in use, as a probe or the report of a leak left it by now, once it was shown ``at``."""
        version = self._current(credential)
        version = replace(version, expiry=issued.expiry, revision=issued.revision, maker=credential.maker)
        if verdict is Verdict.REJECTED:
            return replace(version, rejected_at=version.rejected_at or at)
        return replace(version, verified_at=at, rejected_at=None) if verdict is Verdict.ACCEPTED else version

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

    async def _restore(self, credential: Credential, rotation: Rotation) -> Moved:
        """Make an earlier version pending again, under a new generation: what was delivered is never taken back one.

        It carries the source's revision of what it replaces, so that the source's present value is no news.
        """
        earlier = self.earlier(credential, rotation.restores)
        login = await self._ledger.login(earlier)
        newest = max(self._ledger.live_versions(credential.name), key=lambda one: one.generation)
        issued = Issued(
            login,
            earlier.issued_at,
            earlier.expiry,
            newest.revision,
            handle=earlier.handle,
            scopes=earlier.scopes,
            principal=earlier.principal,
        )
        moved = advance(rotation)
        version = await self._pend(credential, moved, issued)
        message = f"generation {version.generation} carries the secret of generation {earlier.generation} again"
        return self._of(moved, version), message

    def earlier(self, credential: Credential, generation: int | None) -> Version:
        """Return the version that is put back; see `rotator.engine.rotate.Rotator.earlier`."""
        live = [one for one in self._ledger.live_versions(credential.name) if one.is_for(credential.registry)]
        if generation is None:
            used = [one for one in live if one.stage is Stage.PREVIOUS and one.verified_at and not one.withdrawn_at]
            generation = max((one.generation for one in used), default=0)
        earlier = next((one for one in live if one.generation == generation), None)
        if earlier is None or earlier.stage not in _ONCE_ISSUED:
            kept = ", ".join(str(one.generation) for one in live if one.stage is Stage.PREVIOUS) or "none"
            raise NotFoundError(
                f"{credential.name}: {f'generation {generation}' if generation else 'an earlier version'} is not kept",
                hint=f"Kept besides the one in use: {kept} (rotator versions {credential.name})",
            )
        if earlier.expiry.is_past(self._world.clock.now()) or earlier.ended_at is not None:
            raise _refusal(earlier, "does not work any more")
        return earlier

    def earlier_for_a_person(self, credential: Credential, generation: int | None) -> Version:
        """Return the version that a person may have put back; see `rotator.engine.rotate.Rotator.earlier`."""
        earlier = self.earlier(credential, generation)
        if earlier.leaked_at is not None:
            raise _refusal(earlier, "was reported as leaked")
        if earlier.stage is not Stage.PREVIOUS:
            raise _refusal(earlier, "is in use already" if earlier.stage is Stage.CURRENT else "was not in use yet")
        return earlier

    def _is_withdrawn(self, credential: Credential, rotation: Rotation, fingerprint: str) -> bool:
        """Return whether the source still holds a value that was taken back and that is not to be used.

        A person's word overrides that. So does a version in use that does not work, as long as nobody says that the
        value at the source leaked: what a place did not like is better than what the registry refuses.
        """
        if credential.provider.strategy is not Strategy.READ or rotation.reason == "ManuallyTriggered":
            return False
        live = self._ledger.live_versions(credential.name)
        same = [one for one in live if one.withdrawn_at is not None and one.fingerprint == fingerprint]
        has_leaked = any(one.leaked_at is not None for one in same)
        return bool(same) and (has_leaked or not self._ledger.has_unfit(credential.name, self._world.clock.now()))

    async def _stay(self, credential: Credential, rotation: Rotation, issued: Issued) -> Moved:
        """End a rotation that would bring back what was withdrawn. From now on that value is no news."""
        if self._ledger.has_unfit(credential.name, self._world.clock.now()):
            raise VerificationError(
                f"{credential.name}: the version in use does not work or leaked, and so did the value at the source",
                hint="Put a new token at the source; it is noticed by itself",
            )
        message = "the source still holds the value that was withdrawn; it is not used unless somebody asks for it"
        ended = end(rotation, State.UNCHANGED, message, at=self._world.clock.now())

        def stayed() -> Changes:
            known = replace(self._current(credential), revision=issued.revision, maker=credential.maker)
            record = self._looked(credential)
            return Changes(records=[record], versions=[known], rotations=[ended], audit=[of_end(ended)])

        await self._ledger.amend(stayed)
        return ended, message

    def _current(self, credential: Credential) -> Version:
        """Return the version in use, where there must be one."""
        version = self._ledger.current(credential.name)
        if version is None:
            raise UnavailableError(f"{credential.name}: the version in use is gone; a new one is issued")
        return version

    def _looked(self, credential: Credential, *, generation: int = 0) -> Record:
        record = self._ledger.record(credential.name)
        return replace(record, generation=max(record.generation, generation), looked_at=self._world.clock.now())


_ONCE_ISSUED = frozenset({Stage.PENDING, Stage.CURRENT, Stage.PREVIOUS})


def _refusal(version: Version, why: str) -> PermanentError:
    name = version.credential
    return PermanentError(
        f"{name}: generation {version.generation} {why}, so it is not put back",
        hint=f"rotator versions {name} shows what there is; rotator rotate {name} --reason ... brings a new one",
    )


def given_up(ledger: Ledger, version: Version) -> Version:
    """Return ``version`` out of the running.

    One that reached a placement keeps its secret, as a previous one does, until a newer version has overtaken it: the
    placement is rendered with it as long, since nothing may take a placement back a generation.
    """
    is_begun = ledger.newest_begun(version.credential) >= version.generation
    return replace(version, stage=Stage.PREVIOUS if is_begun else Stage.ABANDONED)


def describe_expiry(version: Version, clock: Clock) -> str:
    """Return how long ``version`` lives, for people."""
    if version.expiry.never:
        return "never expires"
    left = version.expiry.left(clock.now())
    return "expiry unknown" if left is None else f"expires in {timedelta(seconds=int(left.total_seconds()))}"
