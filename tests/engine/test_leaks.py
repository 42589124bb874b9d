"""A leaked secret is known by itself, under whatever generation it comes again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.model import Strategy
from rotator.engine.recover import recover
from rotator.errors import UnavailableError

LEAKED = "secret-number-0001"


async def settle(world: Any) -> None:
    """Start what is due and wait for it, until nothing is."""
    for _ in range(5):
        await world.dispatcher.turn()
        for running in list(world.dispatcher._running.values()):
            await running.done


async def pass_hours(world: Any, hours: int) -> None:
    """Let hours pass, in each of which the daemon does what is due."""
    for _ in range(hours):
        world.clock.advance(timedelta(hours=1))
        await settle(world)
        for held in world.credentials["tok"].targets:
            await world.rollout.reconcile(held)
        await world.retirer.turn()


def endless(world: Any, *targets: Any) -> Any:
    """Configure a credential whose tokens live until they are ended."""
    vendor = world.add("tok", *targets, strategy=Strategy.CREATE_RETIRE)
    vendor.lifetime = None
    return vendor


def secrets_at(*targets: Any) -> set[str]:
    """Return what these targets hold."""
    return {held["tok"].login.secret.reveal() for target in targets for held in target.held.values() if "tok" in held}


async def test_a_place_that_dislikes_the_new_one_does_not_bring_the_leaked_one_back(
    world: Any, target: Callable[..., Any]
) -> None:
    """Others know the old secret: no halt puts it back, and once the place is mended the response is over."""
    one, other = target("a", "x"), target("b", "y")
    vendor = endless(world, one, other)
    await world.rotate("tok")
    one.finds_broken = {"secret-number-0002"}

    await world.leaks.report("tok", "in a log", "maria")
    await settle(world)
    assert LEAKED not in secrets_at(other)
    one.finds_broken = set()
    await pass_hours(world, 30)

    assert LEAKED not in secrets_at(one, other)
    assert LEAKED in vendor.refused, "it was ended"
    assert (await world.leaks.progress("tok")).is_over


async def test_a_leak_that_is_reported_during_a_rollback_is_of_what_is_put_back_too(
    world: Any, target: Callable[..., Any]
) -> None:
    """What a running rollback promotes leaked as well, and is replaced."""
    place = target("a", "x")
    endless(world, place)
    for _ in range(2):
        await world.rotate("tok")
    place.gate = asyncio.Event()
    place.entered.clear()
    ticket = await world.dispatcher.restore("tok", None, "it pulled better", "maria")
    await place.entered.wait()

    await world.leaks.report("tok", "both are known", "maria")
    place.gate.set()
    await ticket.finished
    await settle(world)

    assert secrets_at(place) == {"secret-number-0003"}
    assert (await world.leaks.progress("tok")).steps[0].is_done


async def test_a_restart_knows_that_what_was_put_back_leaked(world: Any, target: Callable[..., Any]) -> None:
    """The mark is in the journal, also of a version that was on its way."""
    place = target("a", "x")
    endless(world, place)
    for _ in range(2):
        await world.rotate("tok")
    place.gate = asyncio.Event()
    place.entered.clear()
    await world.dispatcher.restore("tok", None, "it pulled better", "maria")
    await place.entered.wait()
    await world.leaks.report("tok", "both are known", "maria")

    await world.restart()
    place.gate.set()
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)
    await settle(world)

    assert secrets_at(place) == {"secret-number-0003"}


async def test_what_is_older_counts_until_it_is_dead(world: Any, target: Callable[..., Any]) -> None:
    """A report of what is older than an instant names a credential as long as a version from before may work."""
    place, behind = target("a", "x"), target("b", "y")
    endless(world, place, behind)
    await world.rotate("tok")
    world.clock.advance(timedelta(hours=1))
    since = world.clock.now()
    assert await world.leaks.older_than(since) == ["tok"]

    behind.faults["y"] = UnavailableError("down")
    await world.rotate("tok")
    assert world.ledger.current("tok").issued_at >= since
    assert await world.leaks.older_than(since) == ["tok"], "the old one is in its grace, and held"

    behind.faults.clear()
    world.clock.advance(timedelta(minutes=10))
    await world.rollout.reconcile(world.credentials["tok"].targets[1])
    await pass_hours(world, 30)
    assert await world.leaks.older_than(since) == []


async def test_what_was_let_go_of_counts_as_well(world: Any, target: Callable[..., Any]) -> None:
    """An ephemeral token that is two generations back works until its expiry, and is named until then."""
    world.add("tok", target("a", "x"))
    await world.rotate("tok")
    world.clock.advance(timedelta(hours=1))
    since = world.clock.now()
    for _ in range(3):
        await world.rotate("tok")

    assert await world.leaks.older_than(since) == ["tok"]
    world.clock.advance(timedelta(hours=11, minutes=1))
    assert await world.leaks.older_than(since) == []


async def test_only_what_is_older_leaks(world: Any, target: Callable[..., Any]) -> None:
    """A report about what was obtained before an instant leaves the newer version in use alone, and ends the older."""
    place = target("a", "x")
    vendor = endless(world, place)
    await world.rotate("tok")
    world.clock.advance(timedelta(hours=1))
    since = world.clock.now()
    await world.rotate("tok")

    await world.leaks.report("tok", "the build host was broken into", "maria", since)
    await settle(world)
    await world.retirer.turn()

    assert (vendor.minted, vendor.ended) == (2, ["token-1"])
    assert world.ledger.current("tok").leaked_at is None
    assert (await world.leaks.progress("tok")).is_over
    assert await world.leaks.older_than(since) == []


async def test_a_credential_without_a_version_is_named(world: Any, target: Callable[..., Any]) -> None:
    """What never got a version is no answer to how old it is."""
    world.add("tok", target("a", "x")).fault = UnavailableError("down")
    await world.rotate("tok")
    assert await world.leaks.older_than(world.clock.now() - timedelta(days=9)) == ["tok"]


@pytest.mark.parametrize(("life", "is_told"), [(timedelta(hours=3), True), (timedelta(), False)], ids=["3 h", "none"])
async def test_tokens_that_were_handed_out_are_told_of(
    world: Any, target: Callable[..., Any], life: timedelta, *, is_told: bool
) -> None:
    """Where a registry's own tokens outlive the login, the response says until when."""
    vendor = endless(world, target("a", "x"))
    vendor.bearer_life = life
    await world.rotate("tok")
    await world.leaks.report("tok", "in a log", "maria")
    await settle(world)
    await world.retirer.turn()

    progress = await world.leaks.progress("tok")

    assert progress.is_over
    assert ("may live until 03:00:00Z" in progress.steps[-1].message) == is_told


@pytest.mark.parametrize("still_works", [False, True], ids=["overwritten", "the vendor lies"])
async def test_a_leaked_secret_that_was_overwritten_is_shown_to_be_dead(
    world: Any,
    target: Callable[..., Any],
    still_works: bool,  # noqa: FBT001 (a row of the table)
) -> None:
    """I7: where the new secret ends the leaked one, it is over once that one was seen refused."""
    vendor = world.add("tok", target("a", "x"), strategy=Strategy.OVERWRITE)
    vendor.lifetime = None
    issue = vendor.issue

    async def overwrite(order: Any) -> Any:
        vendor.refused |= set() if still_works else {f"secret-number-{vendor.minted:04d}"}
        issued = replace(await issue(order), handle="robot")
        vendor.tokens.clear()  # nothing is swept where there is one slot
        return issued

    vendor.issue = overwrite
    await world.rotate("tok")
    await world.leaks.report("tok", "in a log", "maria")
    await settle(world)
    world.retirer.wake()
    await world.retirer.turn()

    progress = await world.leaks.progress("tok")
    assert progress.is_over is not still_works
    assert [step.name for step in progress.steps if not step.is_done] == (["dead"] if still_works else [])
    assert world.ledger.current("tok").generation == 2


async def said_of_leaks(world: Any) -> list[str]:
    """Return the outcomes of what the audit says of leaks, oldest first."""
    return [one.record.outcome for one in await world.ledger.audit(0, 1000) if one.record.action == "leak"]


async def test_the_end_of_a_leak_is_recorded_once(world: Any, target: Callable[..., Any]) -> None:
    """I10: that a response is over is in the audit when it is, and once, whatever is looked at and restarted."""
    vendor = endless(world, target("a", "x"))
    await world.rotate("tok")
    vendor.retire_fault = UnavailableError("vendor down")
    await world.leaks.report("tok", "in a log", "maria")
    await settle(world)
    await world.leaks.settle()
    assert await said_of_leaks(world) == ["intent"], "the old one still works"

    vendor.retire_fault = None
    await pass_hours(world, 2)
    await world.restart()
    await world.rollout.reconcile(world.credentials["tok"].targets[0])
    for _ in range(2):
        await world.leaks.settle()
    await world.restart()
    await world.rollout.reconcile(world.credentials["tok"].targets[0])
    await world.leaks.settle()
    assert await said_of_leaks(world) == ["intent", "over"]

    await world.leaks.report("tok", "again", "maria")
    await settle(world)
    await pass_hours(world, 2)
    await world.leaks.settle()
    assert await said_of_leaks(world) == ["intent", "over", "intent", "over"]


async def test_a_report_during_the_look_keeps_a_leak_open(
    world: Any, target: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is reported again while the response before is found to be over is not called over with it."""
    endless(world, target("a", "x"))
    await world.rotate("tok")
    await world.leaks.report("tok", "in a log", "maria")
    await settle(world)
    await pass_hours(world, 2)
    progress = world.leaks.progress

    async def slow(name: str) -> Any:
        monkeypatch.undo()
        found = await progress(name)
        await world.leaks.report("tok", "again", "maria")
        return found

    monkeypatch.setattr(world.leaks, "progress", slow)
    await world.leaks.settle()

    assert await said_of_leaks(world) == ["intent", "intent"]
