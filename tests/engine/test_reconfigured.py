"""A credential is configured for another registry, account or place under its old name, and the daemon started anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.model import Stage, Strategy
from rotator.engine.recover import recover
from rotator.errors import NotFoundError

OTHER = "other.example.com"
MADE = 100


async def reload(world: Any, name: str, **changes: str) -> Any:
    """Start anew with another registry or another identity of the same name; return its vendor, which knows nothing."""
    before = world.credentials[name]
    vendor = type(before.provider)(world.clock, before.provider.strategy)
    vendor.minted = MADE  # so that its secrets are others
    vendor.identity = changes.get("identity", before.provider.identity)
    config = before.config.model_copy(update={"registry": changes.get("registry", before.config.registry)})
    for held in world.held.values():
        held[name] = config.registry
    world.credentials[name] = replace(before, provider=vendor, config=config)
    await world.restart()
    vendor.guard, vendor.host = world.guard, config.registry
    await recover(world.credentials, world.ledger, world.dispatcher, world.clock)
    return vendor


async def stages(world: Any, name: str) -> list[tuple[int, str]]:
    """Return generation and stage of every version, newest first."""
    return [(one.generation, one.stage.value) for one in await world.ledger.versions(name)]


async def test_a_login_of_one_registry_is_not_given_out_as_anothers(world: Any, target: Callable[..., Any]) -> None:
    """After a change of registry nothing is in use, nothing is written, and a first version for it is due."""
    prod = target("prod", "web")
    world.add("one", prod)
    await world.rotate("one")
    applied = len(prod.applied)

    vendor = await reload(world, "one", registry=OTHER)

    assert world.ledger.current("one") is None
    assert await stages(world, "one") == [(1, "previous")]
    await world.rollout.reconcile(world.credentials["one"].targets[0])
    assert len(prod.applied) == applied
    assert world.dispatcher.prospect("one").due.reason == "NeverIssued"
    assert await world.rotate("one") == "succeeded"
    assert (prod.generations("one"), vendor.minted) == ({"web": 2}, MADE + 1)
    assert world.ledger.current("one").registry == OTHER


async def test_what_is_on_its_way_is_given_up(world: Any, target: Callable[..., Any]) -> None:
    """A pending version for the registry of before is not brought to its end by a rotation that goes on."""
    prod = target("prod", "web")
    vendor = world.add("one", prod)
    vendor.cannot_tell = True
    assert await world.rotate("one") == "failed"
    assert world.ledger.pending("one") is not None

    await reload(world, "one", registry=OTHER)

    assert world.ledger.pending("one") is None
    assert world.ledger.open_rotations() == []
    assert await world.rotate("one") == "succeeded"
    assert prod.generations("one") == {"web": 2}


@pytest.mark.parametrize("change", ["registry", "identity"])
async def test_nothing_is_ended_at_a_vendor_that_did_not_make_it(
    world: Any, target: Callable[..., Any], change: str
) -> None:
    """A handle means somebody else's token at another vendor: what it did not make, it is not told to end."""
    world.add("one", target("prod", "web"), strategy=Strategy.CREATE_RETIRE).lifetime = None
    for _ in range(2):
        await world.rotate("one")

    vendor = await reload(world, "one", **{change: OTHER})
    vendor.lifetime = None
    vendor.tokens = {"token-1": ("not-ours", "somebody-elses"), "token-2": ("not-ours", "somebody-elses")}
    await world.rotate("one")
    world.clock.advance(timedelta(days=2))
    await world.retirer.turn()

    assert vendor.ended == []
    assert {"token-1", "token-2"} <= set(vendor.tokens)


async def test_no_other_registry_is_shown_an_old_login_nor_believed_about_it(
    world: Any, target: Callable[..., Any]
) -> None:
    """That another registry refuses a leaked login says nothing: the leak is not over, and names where to end it."""
    world.add("one", target("prod", "web"), strategy=Strategy.CREATE_RETIRE).lifetime = None
    await world.rotate("one")
    await world.leaks.report("one", "in a log", "maria")
    for _ in range(3):
        await world.dispatcher.turn()
    leaked = {one.generation for one in world.ledger.live_versions("one") if one.leaked_at is not None}

    vendor = await reload(world, "one", registry=OTHER)
    vendor.lifetime = None
    shown: list[str] = []
    probe = vendor.probe

    async def noting(login: Any) -> Any:
        shown.append(login.secret.reveal())
        return await probe(login)

    vendor.probe = noting
    await world.rotate("one")
    world.clock.advance(timedelta(days=30))
    await world.retirer.turn()

    assert set(shown) == {f"secret-number-{vendor.minted:04d}"}
    kept = {one.generation: one for one in await world.ledger.versions("one")}
    assert all(kept[generation].dead_at is None for generation in leaked)
    progress = await world.leaks.progress("one")
    assert not progress.is_over
    plan = world.retirer.plan(world.credentials["one"], kept[min(leaked)])
    assert "one.example.com" in plan[1]


async def test_a_login_elsewhere_is_let_go_of_after_its_grace(world: Any, target: Callable[..., Any]) -> None:
    """Its secret is not kept for ever, and nobody says that it is dead."""
    world.add("one", target("prod", "web"), strategy=Strategy.CREATE_RETIRE).lifetime = None
    await world.rotate("one")
    await reload(world, "one", registry=OTHER)
    await world.rotate("one")

    await world.retirer.turn()
    assert (1, "previous") in await stages(world, "one")
    world.clock.advance(timedelta(days=2))
    await world.retirer.turn()

    [old] = [one for one in await world.ledger.versions("one") if one.generation == 1]
    assert (old.stage, old.dead_at) == (Stage.RETIRED, None)


async def test_a_login_elsewhere_is_not_put_back(world: Any, target: Callable[..., Any]) -> None:
    """A rollback offers what is for this registry, and nothing else."""
    world.add("one", target("prod", "web"))
    await world.rotate("one")
    await reload(world, "one", registry=OTHER)
    await world.rotate("one")

    with pytest.raises(NotFoundError, match="an earlier version is not kept"):
        await world.dispatcher.restore("one", None, "a test", "test")


async def test_another_account_makes_a_rotation_due_once(world: Any, target: Callable[..., Any]) -> None:
    """Where only whom it is made by has changed, the version in use stays so until its successor has proved itself."""
    prod = target("prod", "web")
    world.add("one", prod)
    await world.rotate("one")

    vendor = await reload(world, "one", identity="another role")

    assert world.ledger.current("one").generation == 1
    assert world.dispatcher.prospect("one").due.reason == "Reconfigured"
    await world.dispatcher.turn()
    for running in list(world.dispatcher._running.values()):
        await running.task
    assert (prod.generations("one"), vendor.minted) == ({"web": 2}, MADE + 1)
    assert world.dispatcher.prospect("one").due is None


async def test_the_same_value_at_another_place_is_no_news_twice(world: Any, target: Callable[..., Any]) -> None:
    """A source that was moved with its value is read once; nothing is delivered, and nothing is due after that."""
    prod = target("prod", "web")
    vendor = world.add("one", prod, strategy=Strategy.READ)
    vendor.lifetime, vendor.value, vendor.source_revision = None, "token", "1"
    await world.rotate("one")

    vendor = await reload(world, "one", identity="another place")
    vendor.lifetime, vendor.value, vendor.source_revision = None, "token", "1"

    assert world.dispatcher.prospect("one").due.reason == "Reconfigured"
    assert await world.rotate("one") == "unchanged"
    assert world.dispatcher.prospect("one").due is None
    assert prod.generations("one") == {"web": 1}


async def test_what_was_put_back_on_purpose_stays(world: Any, target: Callable[..., Any]) -> None:
    """A person who puts the version of the account before back is not overruled by the configuration."""
    prod = target("prod", "web")
    world.add("one", prod)
    await world.rotate("one")
    await reload(world, "one", identity="another role")
    assert await world.rotate("one") == "succeeded"

    ticket = await world.dispatcher.restore("one", None, "the new role may not pull", "maria")
    await ticket.finished

    assert prod.generations("one") == {"web": 3}
    assert world.dispatcher.prospect("one").due is None
