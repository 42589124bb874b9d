"""A person's part of a delivery: the login is shown to them once, and their word that it is in place is taken.

What waits for whom is the delivery's row and nothing else, so a restart loses none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from rotator.domain.audit import AuditRecord
from rotator.domain.declares import Proof
from rotator.domain.events import DeliveryFinished, Event, OperatorActed
from rotator.domain.model import Delivery, DeliveryState, Login
from rotator.engine.credential import DeliveryTarget
from rotator.engine.ledger import Ledger
from rotator.errors import ConflictError, NotFoundError, RotatorError, UnsupportedError
from rotator.ports import Changes, Clock, HandsOver


@dataclass(frozen=True, slots=True)
class Revealed:
    """A login that is shown once.

    Args:
        delivery: What it is for.
        login: The login. Secret.
    """

    delivery: Delivery
    login: Login = field(repr=False)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A delivery that a person said is done.

    Args:
        delivery: As it is remembered from now on.
        left_behind: Why what was handed over could not be taken away; empty when it was.
    """

    delivery: Delivery
    left_behind: str = ""


class HandOver:
    """Moves deliveries that wait for a person.

    Args:
        targets: All that hold a credential, by name.
        ledger: Knows what waits, and is told first.
        clock: Time.
        emit: Told of each step, with who took it.
    """

    def __init__(
        self, targets: Mapping[str, DeliveryTarget], ledger: Ledger, clock: Clock, emit: Callable[[Event], None]
    ) -> None:
        self._targets = targets
        self._ledger = ledger
        self._clock = clock
        self._emit = emit

    async def reveal(self, name: str, by: str) -> Revealed:
        """Return the login that a person is to enter at target ``name``. Once per generation, whatever happens then.

        That it was shown is journalled before it is.

        Raises:
            NotFoundError: No such target, or nothing waits there. UnsupportedError: It hands over in another way.
            ConflictError: This generation was shown already. StoreError: It could not be journalled; it is not shown.
        """
        port = self._target(name).port
        if not isinstance(port, HandsOver) or not port.reveals:
            raise UnsupportedError(
                f"target {name} does not hand logins over in this way", hint=f"rotator targets says how: {name}"
            )
        chosen = self._waiting(name)
        await self._ledger.amend(lambda: self._said("reveal", self._shown(chosen), by))
        self._tell("revealed", chosen, by)
        return Revealed(chosen, await self._login(chosen))

    async def acknowledge(self, name: str, generation: int, by: str) -> Acknowledged:
        """Take a person's word that ``generation`` is in place at target ``name``. Safe to repeat.

        Raises:
            NotFoundError: No such target, or nothing waits there. ConflictError: Another generation waits by now.
            StoreError: It could not be journalled; it waits still.
        """
        target = self._target(name)
        done = next((one for one in self._deliveries(name) if _is_done(one, generation)), None)
        if done is None:
            chosen = self._waiting(name)
            await self._ledger.amend(lambda: self._said("acknowledge", self._confirmed(chosen, generation), by))
            done = self._now(chosen)
            self._tell("acknowledged", done, by)
            self._emit(_finished(target, done))
        return Acknowledged(done, await self._take_away(target, done.placement))

    def _target(self, name: str) -> DeliveryTarget:
        target = self._targets.get(name)
        if target is None:
            known = ", ".join(sorted(self._targets)) or "none"
            raise NotFoundError(f"no target that holds a credential is named {name}", hint=f"There are: {known}")
        return target

    def _deliveries(self, name: str) -> Iterator[Delivery]:
        for placement in self._ledger.placements(name):
            yield from self._ledger.held_at(name, placement).values()

    def _waiting(self, name: str) -> Delivery:
        """Return what waits for a person at a target.

        Raises:
            NotFoundError: Nothing does. UnsupportedError: Several do, which no kind of target does yet.
        """
        found = [one for one in self._deliveries(name) if _is_waiting(one)]
        if not found:
            raise NotFoundError(f"nothing waits for a person at target {name}", hint="See: rotator targets")
        if len(found) > 1:
            raise UnsupportedError(f"{len(found)} deliveries wait at target {name}, and one was expected")
        return found[0]

    def _now(self, known: Delivery) -> Delivery:
        """Return a delivery as it is by now.

        Raises:
            NotFoundError: It was forgotten meanwhile.
        """
        found = self._ledger.held_at(known.target, known.placement).get(known.credential)
        if found is None:
            raise NotFoundError(f"nothing waits for a person at target {known.target} any more")
        return found

    def _shown(self, chosen: Delivery) -> Delivery:
        now = self._now(chosen)
        if now.generation != chosen.generation:
            raise ConflictError(f"generation {chosen.generation} was overtaken by {now.generation}; ask again")
        if now.revealed_at is not None:
            raise ConflictError(
                f"generation {now.generation} of {now.credential} was shown already, at "
                f"{now.revealed_at:%Y-%m-%d %H:%M:%S} UTC, and is shown once",
                hint=f"If it got lost, have another one issued: rotator rotate {now.credential} --reason 'lost'",
            )
        return replace(now, revealed_at=self._clock.now())

    def _confirmed(self, chosen: Delivery, generation: int) -> Delivery:
        now = self._now(chosen)
        if now.generation != generation:
            raise ConflictError(
                f"generation {now.generation} of {now.credential} waits to be entered, not {generation}",
                hint="See: rotator targets",
            )
        at = self._clock.now()
        return replace(
            now,
            state=DeliveryState.CONFIRMED,
            at=at,
            error="",
            message="",
            confirmed_generation=generation,
            proof=Proof.OPERATOR,
            written_at=at,
        )

    def _said(self, action: str, delivery: Delivery, by: str) -> Changes:
        """Return what is written: the delivery, and who did it, for the audit."""
        told = AuditRecord(
            self._clock.now(),
            by,
            action,
            delivery.credential,
            "done",
            generation=delivery.generation,
            subject=f"{delivery.target}: {delivery.placement}",
        )
        return Changes(deliveries=[delivery], audit=[told])

    async def _login(self, delivery: Delivery) -> Login:
        """Return the login of a delivery's generation. Secret."""
        for version in self._ledger.live_versions(delivery.credential):
            if version.generation == delivery.generation:
                return await self._ledger.login(version)
        raise NotFoundError(f"generation {delivery.generation} of {delivery.credential} is not kept any more")

    async def _take_away(self, target: DeliveryTarget, placement: str) -> str:
        if not isinstance(target.port, HandsOver):
            return ""
        try:
            await target.port.taken(placement)
        except RotatorError as error:
            return str(error)
        return ""

    def _tell(self, action: str, delivery: Delivery, by: str) -> None:
        about = (delivery.target, delivery.placement, delivery.credential, delivery.generation)
        self._emit(OperatorActed(action, *about, by))


def _is_waiting(delivery: Delivery) -> bool:
    return delivery.state is DeliveryState.AWAITING


def _is_done(delivery: Delivery, generation: int) -> bool:
    return delivery.generation == delivery.confirmed_generation == generation and delivery.proof is Proof.OPERATOR


def _finished(target: DeliveryTarget, done: Delivery) -> DeliveryFinished:
    return DeliveryFinished(
        done.target,
        target.port.kind,
        done.placement,
        done.credential,
        done.generation,
        error="",
        message="",
        changed=True,
        seconds=0.0,
    )
