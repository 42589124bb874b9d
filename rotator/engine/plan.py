"""Says what would happen to credentials and why, writing nothing; and does it when nothing has changed since."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from rotator.config.root import Config
from rotator.domain.drift import READABLE, drifted
from rotator.domain.due import Due
from rotator.domain.model import Stage, Strategy
from rotator.domain.plan import CredentialPlan, Ending, Odd, TargetPlan, digest, lines, short_digest
from rotator.domain.rotation import Step
from rotator.domain.waves import Spot, Staging, sizes
from rotator.domain.waves import plan as plan_waves
from rotator.engine.credential import Credential, DeliveryTarget
from rotator.engine.dispatch import Dispatcher
from rotator.engine.ledger import Ledger
from rotator.engine.rendering import Rendering
from rotator.engine.retire import Retirer
from rotator.engine.rollout import Rollout
from rotator.engine.ticket import Ticket
from rotator.errors import ConflictError, NotFoundError, RotatorError, StoreError
from rotator.ports import Clock

READ_AT_MOST = 1000
"""Placements of one target that are read for a plan; of the others counts what was confirmed."""

READS_AT_ONCE = 8
ASK_SECONDS = 10.0
"""How long a source may take to say its revision; without it a plan is made, too, and says so."""

SHOWN = 20
ASKED = Due("ManuallyTriggered", "not due; planned by a person")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of a target.

    Args:
        placements: All of them.
        found: By placement what was read: the credentials that have drifted, or why it could not be read.
        error: Why its placements could not be listed; empty when they could.
    """

    placements: Sequence[str] = ()
    found: Mapping[str, tuple[str, ...] | str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a source said of itself.

    Args:
        revision: What it holds; None where it cannot tell or was not asked.
        text: The same for a plan, or why it is not known; empty where there is no source.
    """

    revision: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans, and applies them.

    Args:
        config: The configuration in use.
        credentials: All configured ones, by name.
        ledger: Knows the versions and what was confirmed.
        rollout: Keeps writes away while a placement is read.
        dispatcher: Knows what is due, and starts rotations.
        retirer: Knows what becomes of old versions.
        clock: Time.
    """

    config: Config
    credentials: Mapping[str, Credential]
    ledger: Ledger
    rollout: Rollout
    dispatcher: Dispatcher
    retirer: Retirer
    clock: Clock
    applying: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def plan(self, names: Sequence[str], asked: Sequence[str] = ()) -> list[CredentialPlan]:
        """Return what would happen to the credentials in ``names``, or to all where it is empty.

        Asks targets which placements they have, and reads a bounded number of them; asks sources that a person changes
        for their revision, but no registry and no vendor, so it costs no quota. Writes nothing, in the state neither.

        Args:
            names: Names of credentials.
            asked: Those that are to be rotated though nothing is due.

        Raises:
            NotFoundError: No such credential. StoreError: The logins to compare with could not be read.
        """
        unknown = [name for name in (*names, *asked) if name not in self.credentials]
        if unknown:
            known = ", ".join(sorted(self.credentials)) or "none"
            raise NotFoundError(f"no credential is named {unknown[0]}", hint=f"Configured are: {known}")
        chosen = [self.credentials[name] for name in dict.fromkeys(names or sorted(self.credentials))]
        targets = list(dict.fromkeys(target for one in chosen for target in one.targets))
        seen = dict(zip(targets, await asyncio.gather(*(self._look(target) for target in targets)), strict=True))
        free = asyncio.Semaphore(READS_AT_ONCE)
        heard = await asyncio.gather(*(self._ask(one, free) for one in chosen))
        return [self._of(one, seen, said, is_asked=one.name in asked) for one, said in zip(chosen, heard, strict=True)]

    async def apply(
        self, names: Sequence[str], asked: Sequence[str], expected: str, by: str
    ) -> list[tuple[str, Ticket]]:
        """Start what a plan says, when a new one has the same digest, and nothing otherwise. One at a time.

        Args:
            names: As for the plan.
            asked: As for the plan.
            expected: The plan's digest.
            by: Who asks.

        Returns:
            Name and ticket of each rotation that was started, in the plan's order.

        Raises:
            ConflictError: The world has changed since. Others as `plan` and `Dispatcher.request`.
        """
        async with self.applying:
            plans = await self.plan(names, asked)
            if digest(lines(plans)) != expected:
                raise ConflictError(
                    "something that the plan depends on has changed since; nothing was started",
                    hint="Make a new plan and look at it: rotator plan",
                )
            started = []
            for one in plans:
                if one.rotates:
                    due = Due(one.reason, one.message)
                    started.append((one.name, await self.dispatcher.begin_planned(one.name, due, by)))
            return started

    async def _ask(self, credential: Credential, free: asyncio.Semaphore) -> _Heard:
        """Return what the source of ``credential`` holds now; nothing is begun by that."""
        if credential.provider.strategy is not Strategy.READ:
            return _Heard()
        try:
            async with free, asyncio.timeout(ASK_SECONDS):
                revision = await credential.provider.revision()
        except TimeoutError:
            return _Heard(text=f"cannot be asked: no answer within {ASK_SECONDS:g} s")
        except RotatorError as error:
            return _Heard(text=f"cannot be asked: {error.code}")
        if revision is None:
            return _Heard(text="cannot tell its revision")
        return _Heard(revision, f"revision {short_digest(revision)}")

    def _of(
        self, credential: Credential, seen: Mapping[DeliveryTarget, _Seen], said: _Heard, *, is_asked: bool
    ) -> CredentialPlan:
        name = credential.name
        prospect = self.dispatcher.prospect(name, said.revision)
        due = prospect.due or (ASKED if is_asked else None)
        current, pending = self.ledger.current(name), self.ledger.pending(name)
        running = self.dispatcher.running.get(name)
        adopts = prospect.step is Step.VERIFY and pending is not None
        rotates = due is not None and running is None
        coming = pending.generation if adopts and pending is not None else self.ledger.record(name).generation + 1
        return CredentialPlan(
            name,
            rotates=rotates,
            reason=due.reason if due is not None else "",
            message=due.message if due is not None else "nothing is due",
            not_before=prospect.not_before,
            step=prospect.step.value if rotates else "",
            next_generation=coming if rotates else 0,
            generation=current.generation if current else 0,
            fingerprint=current.fingerprint if current else "",
            pending=pending.generation if pending else 0,
            pending_fingerprint=pending.fingerprint if pending else "",
            running=running.id if running is not None else "",
            targets=tuple(self._targets(credential, seen, prospect.staging)),
            endings=tuple(self._endings(credential)),
            options=self._options(credential),
            source=said.text,
        )

    def _targets(
        self, credential: Credential, seen: Mapping[DeliveryTarget, _Seen], staging: Staging
    ) -> Iterator[TargetPlan]:
        spots: list[Spot] = [
            (target.name, placement)
            for target in credential.targets
            for placement in seen[target].placements
            if not target.refusal(credential.name, placement)
        ]
        stages = plan_waves(spots, staging)
        waves = sizes(stages)
        for target in credential.targets:
            look = seen[target]
            if look.error:
                yield TargetPlan(target.name, target.port.kind, error=look.error)
                continue
            mine = [placement for name, placement in spots if name == target.name]
            refused = [one for one in look.placements if target.refusal(credential.name, one)]
            standing = {one: self._standing(target, one, credential.name, look) for one in mine}
            odd = [Odd(placement, what) for placement, what in sorted(standing.items()) if what]
            believed = {
                one: delivery.confirmed_generation
                for one in mine
                if (delivery := self.ledger.held_at(target.name, one).get(credential.name)) is not None
            }
            yield TargetPlan(
                target.name,
                target.port.kind,
                placements=len(mine),
                canaries=sum(name == target.name for name, _ in stages.canaries),
                waves=waves.get(target.name, ()),
                read=sum(isinstance(look.found.get(one), tuple) for one in mine),
                odd=tuple(odd[:SHOWN]),
                odd_count=len(odd),
                refused=tuple(refused[:SHOWN]),
                refused_count=len(refused),
                standing=short_digest([standing, believed, sorted(refused)]),
            )

    def _standing(self, target: DeliveryTarget, placement: str, name: str, look: _Seen) -> str:
        """Return what is wrong with a placement; empty when it holds what it must, as far as is known."""
        current, known = self.ledger.current(name), self.ledger.held_at(target.name, placement).get(name)
        confirmed = known.confirmed_generation if known is not None else 0
        found = look.found.get(placement)
        if isinstance(found, tuple) and name in found:
            return f"holds something else than generation {confirmed}, which was confirmed"
        if isinstance(found, str):
            return f"cannot be read: {found}"
        if current is not None and confirmed < current.generation:
            return f"confirmed generation {confirmed} last" if confirmed else "has confirmed none yet"
        return ""

    def _endings(self, credential: Credential) -> Iterator[Ending]:
        versions = sorted(self.ledger.live_versions(credential.name), key=lambda one: -one.generation)
        for version in versions:
            if version.stage is Stage.PREVIOUS:
                action, why = self.retirer.plan(credential, version)
                yield Ending(version.generation, version.fingerprint, action.value, why)

    def _options(self, credential: Credential) -> str:
        """Return a fingerprint of the configuration that decides about ``credential``; it refers to secrets only."""
        sections: list[BaseModel | None] = [self.config.policy, credential.config, self.config.vault]
        sections.append(self.config.registries.get(credential.config.registry))
        sections += [self.config.targets[one.name] for one in credential.targets if one.name in self.config.targets]
        return short_digest([one.model_dump(mode="json") if one is not None else None for one in sections])

    async def _look(self, target: DeliveryTarget) -> _Seen:
        """Return what ``target`` says of itself now."""
        try:
            placements = await target.port.placements()
        except RotatorError as error:
            return _Seen(error=f"cannot be listed: {error.code}")
        if target.port.declares.readback not in READABLE:
            return _Seen(placements)
        rendering, free, found = Rendering(self.ledger, target), asyncio.Semaphore(READS_AT_ONCE), {}

        async def read(placement: str) -> None:
            async with free:
                result = await self._read(target, placement, rendering)
            if result is not None:
                found[placement] = result

        await asyncio.gather(*(read(placement) for placement in placements[:READ_AT_MOST]))
        return _Seen(placements, found)

    async def _read(self, target: DeliveryTarget, placement: str, rendering: Rendering) -> tuple[str, ...] | str | None:
        """Return which credentials have drifted, or the error's code; None when there is nothing to look for yet."""
        async with self.rollout.alone_at(target, placement):
            try:
                entries = await rendering.entries(placement)
                if not entries:
                    return None
                held = await target.port.read(placement, entries)
            except StoreError:
                raise
            except RotatorError as error:
                return error.code
            return drifted(entries, held, self.ledger.held_at(target.name, placement))
