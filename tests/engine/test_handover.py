"""A person's part of a delivery: shown once, believed once, and lost by no restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rotator.domain.declares import Proof
from rotator.domain.delivery import merge
from rotator.domain.events import DeliveryFinished, OperatorActed
from rotator.domain.model import Delivery, DeliveryState
from rotator.engine.handover import HandOver
from rotator.engine.places import place_status, try_target
from rotator.errors import (
    AwaitingOperatorError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    UnsupportedError,
)

TOLD = AwaitingOperatorError("enter it", hint="then: rotator targets ack tago")


class Desk:
    """A world with one credential that a person has to enter at one target.

    Args:
        world: The engine.
        port: The target, which hands over.
    """

    def __init__(self, world: Any, port: Any) -> None:
        self.world = world
        self.port = port
        self.taken: list[str] = []
        port.reveals = True
        port.taken = self._take
        port.faults["acme"] = TOLD
        self.vendor = world.add("ghcr", port)

    async def _take(self, placement: str) -> None:
        self.taken.append(placement)

    @property
    def target(self) -> Any:
        """The target as the engine holds it."""
        return self.world.credentials["ghcr"].targets[0]

    @property
    def hand_over(self) -> HandOver:
        """What is under test, on the world as it is now."""
        return HandOver({"tago": self.target}, self.world.ledger, self.world.clock, self.world.events.append)

    @property
    def delivery(self) -> Delivery:
        """The one delivery."""
        found: Delivery = self.world.ledger.held_at("tago", "acme")["ghcr"]
        return found


@pytest.fixture
def desk(world: Any, target: Callable[..., Any]) -> Desk:
    """Return a world in which a person is awaited once its credential is rotated."""
    return Desk(world, target("tago", "acme"))


async def test_a_version_is_in_use_while_a_person_is_awaited(desk: Desk) -> None:
    """A hand-over is no failure of the rotation: it waits, and what waits is said."""
    assert await desk.world.rotate("ghcr") == "delivering"
    assert (desk.delivery.state, desk.delivery.confirmed_generation) == (DeliveryState.AWAITING, 0)
    status = place_status(desk.target, desk.world.ledger, desk.world.rollout)
    assert (status.state.value, status.next_step) == ("awaiting", str(TOLD))


async def test_the_word_of_a_person_ends_it(desk: Desk) -> None:
    """I7: an acknowledged delivery is confirmed by the operator and by nobody else, and what was handed over goes."""
    await desk.world.rotate("ghcr")
    done = await desk.hand_over.acknowledge("tago", 1, "uid 0")
    await desk.world.rotator.settle(desk.world.credentials["ghcr"])
    assert (done.delivery.confirmed_generation, done.delivery.proof, done.left_behind) == (1, Proof.OPERATOR, "")
    assert (desk.taken, desk.world.ledger.last_rotation("ghcr").state.value) == (["acme"], "succeeded")
    assert OperatorActed("acknowledged", "tago", "acme", "ghcr", 1, "uid 0") in desk.world.events
    assert any(isinstance(one, DeliveryFinished) and not one.error for one in desk.world.events)
    status = place_status(desk.target, desk.world.ledger, desk.world.rollout)
    assert (status.state.value, status.holdings[0].held, status.holdings[0].proof) == ("in sync", 1, Proof.OPERATOR)


async def test_saying_it_twice_is_saying_it_once(desk: Desk) -> None:
    """An acknowledgement may be repeated; the second changes nothing and takes away what the first could not."""
    await desk.world.rotate("ghcr")
    for _ in range(2):
        assert (await desk.hand_over.acknowledge("tago", 1, "uid 0")).delivery.confirmed_generation == 1
    acts = [one for one in desk.world.events if isinstance(one, OperatorActed)]
    assert (len(acts), desk.taken) == (1, ["acme", "acme"])


async def test_what_could_not_be_taken_away_is_said(desk: Desk) -> None:
    """A file that stays behind does not undo that it is done, and is named."""

    async def fail(_: str) -> None:
        raise PermissionDeniedError("/x: not allowed")

    await desk.world.rotate("ghcr")
    desk.port.taken = fail
    done = await desk.hand_over.acknowledge("tago", 1, "uid 0")
    assert (done.delivery.state, done.left_behind) == (DeliveryState.CONFIRMED, "/x: not allowed")


async def test_an_older_generation_is_not_taken_for_the_newer(desk: Desk) -> None:
    """I3: whoever entered generation 1 has not entered generation 2."""
    await desk.world.rotate("ghcr")
    await desk.world.rotate("ghcr")
    with pytest.raises(ConflictError, match="generation 2 of ghcr waits to be entered, not 1"):
        await desk.hand_over.acknowledge("tago", 1, "uid 0")
    assert desk.delivery.confirmed_generation == 0


async def test_a_login_is_shown_once(desk: Desk) -> None:
    """The login of a generation is shown one time, after a restart too; a newer one is shown again."""
    await desk.world.rotate("ghcr")
    shown = await desk.hand_over.reveal("tago", "uid 0")
    assert shown.login.secret.reveal() == "secret-number-0001"
    assert "secret-number" not in repr(shown)
    assert OperatorActed("revealed", "tago", "acme", "ghcr", 1, "uid 0") in desk.world.events
    await desk.world.restart()
    await desk.world.rollout.deliver(
        desk.world.credentials["ghcr"], desk.world.ledger.current("ghcr"), [("tago", "acme")]
    )
    with pytest.raises(ConflictError, match="was shown already"):
        await desk.hand_over.reveal("tago", "uid 0")
    await desk.world.rotate("ghcr")
    assert (await desk.hand_over.reveal("tago", "uid 0")).login.secret.reveal() == "secret-number-0002"


async def test_telling_a_person_again_begins_nothing(desk: Desk) -> None:
    """Being told again keeps the delivery waiting and only counts; no moment lets an acknowledgement slip."""
    await desk.world.rotate("ghcr")
    seen: list[DeliveryState] = []

    async def tell(*_: Any) -> None:
        seen.append(desk.delivery.state)
        raise TOLD

    desk.port.apply = tell
    await desk.world.rollout.deliver(
        desk.world.credentials["ghcr"], desk.world.ledger.current("ghcr"), [("tago", "acme")]
    )
    assert (seen, desk.delivery.attempts) == ([DeliveryState.AWAITING], 2)


async def test_what_cannot_be_journalled_is_not_shown(
    memory_world: Callable[..., Any], target: Callable[..., Any]
) -> None:
    """I6: a login that could be shown a second time is not shown a first time."""
    full: list[StoreError] = []

    async def pause(_: str) -> None:
        if full:
            raise full[0]

    desk = Desk(memory_world(pause), target("tago", "acme"))
    await desk.world.rotate("ghcr")
    full.append(StoreError("disk full"))
    with pytest.raises(StoreError):
        await desk.hand_over.reveal("tago", "uid 0")
    assert not any(isinstance(one, OperatorActed) for one in desk.world.events)


@pytest.mark.parametrize("reveals", [pytest.param(False, id="another way"), pytest.param(None, id="no hand-over")])
async def test_what_is_handed_over_otherwise_is_not_shown(desk: Desk, reveals: Any) -> None:
    """Only a target that is configured for it has its logins shown."""
    await desk.world.rotate("ghcr")
    if reveals is None:
        del desk.port.reveals
    else:
        desk.port.reveals = reveals
    with pytest.raises(UnsupportedError, match="does not hand logins over"):
        await desk.hand_over.reveal("tago", "uid 0")


async def test_where_nothing_waits(desk: Desk) -> None:
    """A target that is not there, or where nothing waits, is named."""
    for name, reason in (("nope", "There are: tago"), ("tago", "nothing waits for a person")):
        with pytest.raises(NotFoundError, match=reason):
            await desk.hand_over.acknowledge(name, 1, "uid 0")
        with pytest.raises(NotFoundError, match=reason):
            await desk.hand_over.reveal(name, "uid 0")


async def test_a_late_answer_does_not_undo_a_persons_word(desk: Desk) -> None:
    """A hand-over that was under way while the person said that it is done changes nothing."""
    await desk.world.rotate("ghcr")
    late = desk.delivery
    await desk.hand_over.acknowledge("tago", 1, "uid 0")
    assert merge(desk.delivery, late) == desk.delivery


async def test_trying_a_target_writes_nothing(world: Any, target: Callable[..., Any]) -> None:
    """A trial reads each placement, says what was seen there or why not, and writes neither there nor in the state."""
    port = target("prod", "web", "api")
    world.add("ghcr", port)
    held = world.credentials["ghcr"].targets[0]
    assert [one.message for one in await try_target(held, world.ledger)] == [
        "not read: there is no login yet to look for",
        "not read: there is no login yet to look for",
    ]
    await world.rotate("ghcr")
    applied = list(port.applied)
    port.corrupts.add("api")
    assert [(one.placement, one.error, one.message) for one in await try_target(held, world.ledger)] == [
        ("web", "", "readable; 1 of 1 logins seen there (value)"),
        ("api", "", "readable; 0 of 1 logins seen there (value)"),
    ]
    port.list_fault = PermissionDeniedError("may not list")
    assert [(one.placement, one.error) for one in await try_target(held, world.ledger)] == [("", "permission_denied")]
    assert port.applied == applied


async def test_who_looked_and_who_said_so_is_audited(desk: Desk) -> None:
    """I10: that a login was shown to somebody, and that somebody said it is in place, is audited with their names."""
    await desk.world.rotate("ghcr")
    await desk.hand_over.reveal("tago", "maria")
    await desk.hand_over.acknowledge("tago", 1, "jo")

    told = [one.record for one in await desk.world.store.newest_audit(2)]
    assert [(one.action, one.actor, one.credential, one.generation) for one in told] == [
        ("acknowledge", "jo", "ghcr", 1),
        ("reveal", "maria", "ghcr", 1),
    ]
