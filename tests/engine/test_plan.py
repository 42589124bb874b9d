"""A plan says what would happen and changes nothing; it is applied only to the world that it was made for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.config.rollout import RolloutConfig
from rotator.config.root import Config, RegistryConfig
from rotator.config.vault import VaultConfig
from rotator.domain.declares import Declares, Proof
from rotator.domain.events import WaveFinished
from rotator.domain.model import Strategy
from rotator.domain.plan import changes, digest, lines
from rotator.engine.plan import READ_AT_MOST, Planner
from rotator.errors import ConflictError, NotFoundError, UnavailableError
from rotator.ports import Changes

HOUR = timedelta(hours=1)


def planner(world: Any) -> Planner:
    """Return what plans for ``world`` as it is now."""
    return Planner(
        Config(), world.credentials, world.ledger, world.rollout, world.dispatcher, world.retirer, world.clock
    )


async def test_before_the_first_rotation(world: Any, target: Callable[..., Any]) -> None:
    """What was never issued would be rotated, from its issue on, at every placement."""
    world.add("ecr", target("prod", "web", "api"))

    (one,) = await planner(world).plan([])

    assert (one.rotates, one.reason, one.step, one.next_generation) == (True, "NeverIssued", "issue", 1)
    (prod,) = one.targets
    assert (prod.placements, prod.waves, prod.odd) == (2, (2,), ())


async def test_a_plan_writes_nothing(world: Any, target: Callable[..., Any]) -> None:
    """Neither a vendor, a registry, a target nor the state is changed, though a placement vanished and one drifted."""
    prod = target("prod", "web", "api", "old")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    prod.spots.remove("old")
    prod.corrupts.add("web")
    seen = (vendor.minted, world.registry.asked, list(prod.applied), list(world.ledger.deliveries()))
    told = len(world.events)

    await planner(world).plan([], ["ecr"])

    assert (vendor.minted, world.registry.asked, prod.applied, list(world.ledger.deliveries())) == seen
    assert len(world.events) == told


async def test_what_is_as_it_should_be_stays(world: Any, target: Callable[..., Any]) -> None:
    """I7: with nothing due and every placement read and right there is nothing to remark."""
    world.add("ecr", target("prod", "web", "api"))
    await world.rotate("ecr")

    (one,) = await planner(world).plan(["ecr"])

    current = world.ledger.current("ecr")
    assert (one.rotates, one.message, one.generation, one.fingerprint) == (
        False,
        "nothing is due",
        1,
        current.fingerprint,
    )
    (prod,) = one.targets
    assert (prod.placements, prod.read, prod.odd, prod.error) == (2, 2, (), "")


async def test_drift_is_found(world: Any, target: Callable[..., Any]) -> None:
    """A placement that something else has written is named, with what was confirmed there."""
    prod = target("prod", "web", "api")
    world.add("ecr", prod)
    await world.rotate("ecr")
    prod.corrupts.add("api")

    (one,) = await planner(world).plan([])

    (odd,) = one.targets[0].odd
    assert (odd.placement, odd.what) == ("api", "holds something else than generation 1, which was confirmed")


async def test_a_target_out_of_reach_is_said_so(world: Any, target: Callable[..., Any]) -> None:
    """A target that cannot say what it has is shown with the reason and stops no plan."""
    gone = target("gone", "web")
    world.add("ecr", gone, target("prod", "web"))
    gone.list_fault = UnavailableError("down")

    (one,) = await planner(world).plan([])

    assert [(at.target, at.error, at.placements) for at in one.targets] == [
        ("gone", "cannot be listed: unavailable", 0),
        ("prod", "", 1),
    ]


async def test_what_does_not_show_itself_is_not_read(world: Any, target: Callable[..., Any]) -> None:
    """I7: of a target that shows nothing of a login no read is claimed."""
    blind = target("blind", "web")
    blind.declares = Declares(readback=Proof.NONE)
    world.add("ecr", blind)
    await world.rotate("ecr")

    (one,) = await planner(world).plan([])

    assert (one.targets[0].placements, one.targets[0].read) == (1, 0)


async def test_reads_are_bounded(world: Any, target: Callable[..., Any]) -> None:
    """Of a large target no more than a fixed number of placements is read, and the waves are counted."""
    world.add("ecr", target("prod", *(f"p{number:04}" for number in range(1200))), rollout=RolloutConfig())

    (one,) = await planner(world).plan([], ["ecr"])

    (prod,) = one.targets
    assert (prod.placements, prod.waves) == (1200, (1, 119, 480, 600))
    await world.rotate("ecr")
    assert (await planner(world).plan([]))[0].targets[0].read == READ_AT_MOST


async def test_drift_far_back_is_found(world: Any, target: Callable[..., Any]) -> None:
    """A placement far down the list that something else has written changes the plan, and its digest."""
    prod = target("prod", *(f"p{number:04}" for number in range(250)))
    world.add("ecr", prod)
    await world.rotate("ecr")
    before = digest(lines(await planner(world).plan([])))
    prod.corrupts.add("p0240")

    plans = await planner(world).plan([])

    assert (plans[0].targets[0].odd_count, digest(lines(plans)) == before) == (1, False)


def reader(world: Any, target: Callable[..., Any]) -> Any:
    """Return a vendor whose first value a person has put at a source, and which is delivered."""
    vendor = world.add("ghcr", target("prod", "web"), strategy=Strategy.READ)
    vendor.value, vendor.source_revision, vendor.lifetime = "first", "1", None
    return vendor


async def test_a_plan_asks_the_source(world: Any, target: Callable[..., Any]) -> None:
    """What a person has put at the source since the last poll is planned for, and begins nothing by itself."""
    vendor = reader(world, target)
    await world.rotate("ghcr")
    world.dispatcher.source_said("ghcr", "1")
    (quiet,) = await planner(world).plan([])
    vendor.value, vendor.source_revision = "second", "2"

    (one,) = await planner(world).plan([])
    await world.dispatcher.turn()

    assert (quiet.rotates, one.rotates, one.reason) == (False, True, "SourceChanged")
    assert not world.dispatcher.running


async def test_a_source_that_changed_again_is_not_applied(world: Any, target: Callable[..., Any]) -> None:
    """What is applied is what the source held when it was planned; another value in its place starts nothing."""
    vendor = reader(world, target)
    await world.rotate("ghcr")
    vendor.value, vendor.source_revision = "second", "2"
    planned = digest(lines(await planner(world).plan([])))
    vendor.value, vendor.source_revision = "third", "3"

    with pytest.raises(ConflictError):
        await planner(world).apply([], [], planned, "maria")

    vendor.value, vendor.source_revision = "second", "2"
    ((name, ticket),) = await planner(world).apply([], [], planned, "maria")
    done = await ticket.finished
    assert (name, done.state if done else "") == ("ghcr", "succeeded")


async def test_a_source_that_cannot_be_asked_is_said_so(world: Any, target: Callable[..., Any]) -> None:
    """I7: where the source does not answer, the plan says that it does not know what is there."""
    vendor = reader(world, target)
    await world.rotate("ghcr")

    async def down() -> str | None:
        raise UnavailableError("down")

    vendor.revision = down
    (one,) = await planner(world).plan([])

    assert (one.rotates, one.source) == (False, "cannot be asked: unavailable")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"registries": {"ecr.example.com": RegistryConfig(realm_hosts=("auth.example",))}}, id="registry"),
        pytest.param(
            {
                "vault": VaultConfig.model_validate(
                    {"address": "https://v", "auth": {"method": "token", "token": {"file": "/t"}}}
                )
            },
            id="vault",
        ),
    ],
)
async def test_how_others_are_reached_is_part_of_a_plan(
    world: Any, target: Callable[..., Any], change: dict[str, Any]
) -> None:
    """Another way to the registry or to Vault since the plan is a change; another registry's entry is none."""
    world.add("ecr", target("prod", "web"))
    before = planner(world)
    plan = digest(lines(await before.plan([])))
    other = replace(before, config=Config(registries={"else.example": RegistryConfig()}))
    changed = replace(before, config=Config().model_copy(update=change))

    assert digest(lines(await other.plan([]))) == plan
    assert digest(lines(await changed.plan([]))) != plan


async def test_the_waves_are_those_of_the_rotation(world: Any, target: Callable[..., Any]) -> None:
    """I7: where the version in use is refused no stages are made, and a plan says none."""
    prod = target("prod", *(f"p{number:04}" for number in range(300)))
    world.add("ecr", prod, rollout=RolloutConfig())
    await world.rotate("ecr")
    refused = replace(world.ledger.current("ecr"), rejected_at=world.clock.now())
    await world.ledger.commit(Changes(versions=[refused]))

    (one,) = await planner(world).plan([])
    await world.rotate("ecr")

    waves = [event for event in world.events if isinstance(event, WaveFinished) and event.generation == 2]
    assert (one.reason, one.targets[0].waves, waves) == ("Rejected", (300,), [])


async def test_small_targets_share_their_waves(world: Any, target: Callable[..., Any]) -> None:
    """Of each small target it is shown in which of the common waves it gets a version."""
    world.add("ecr", *(target(f"h{number:02d}", "file") for number in range(40)))

    (one,) = await planner(world).plan([])

    waves = [target.waves for target in one.targets]
    assert (waves[0], waves[1], waves[4], waves[39]) == ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))


async def test_policy_and_old_versions_are_shown(world: Any, target: Callable[..., Any]) -> None:
    """Where policy keeps a credential from, and what becomes of the version before, are part of a plan."""
    world.add("hub", target("prod", "web/pull", "evil/pull"), strategy=Strategy.CREATE_RETIRE)
    one = world.credentials["hub"]
    world.credentials["hub"] = replace(
        one, targets=tuple(replace(each, only_in={"hub": ("web",)}) for each in one.targets)
    )
    await world.rotate("hub")
    await world.rotate("hub")

    (plan,) = await planner(world).plan(["hub"])

    assert (plan.targets[0].placements, plan.targets[0].refused) == (1, ("evil/pull",))
    ((generation, action),) = [(ending.generation, ending.action) for ending in plan.endings]
    assert (generation, action) == (1, "wait")


async def test_a_plan_is_applied_to_the_world_that_it_was_made_for(world: Any, target: Callable[..., Any]) -> None:
    """Exactly what the plan says is rotated, by whom and for the reason that it gives."""
    world.add("ecr", target("prod", "web"))
    world.add("ghcr", target("other", "web"))
    await world.rotate("ghcr")
    plans = planner(world)
    expected = digest(lines(await plans.plan([])))
    world.clock.advance(timedelta(seconds=1))

    ((name, ticket),) = await plans.apply([], [], expected, "uid 0")

    ended = await ticket.finished
    assert ended is not None
    assert (name, ended.reason, ended.by, ended.state.value) == ("ecr", "NeverIssued", "uid 0", "succeeded")
    assert world.ledger.current("ghcr").generation == 1


@pytest.mark.parametrize(
    ("change", "about"),
    [
        pytest.param("rotated", "ecr: in use", id="rotated since"),
        pytest.param("drifted", "ecr: prod: web", id="drifted since"),
        pytest.param("grown", "ecr: prod", id="a new placement"),
        pytest.param("configured", "ecr: configuration", id="another configuration"),
        pytest.param("due", "ecr: rotation", id="due since"),
    ],
)
async def test_a_plan_for_another_world_is_refused(
    change: str, about: str, world: Any, target: Callable[..., Any]
) -> None:
    """Whatever changed since, nothing is started, and the line that changed is known."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    before = lines(await planner(world).plan(["ecr"]))
    if change == "rotated":
        await world.rotate("ecr")
    elif change == "drifted":
        prod.corrupts.add("web")
    elif change == "grown":
        prod.spots.append("api")
    elif change == "configured":
        one = world.credentials["ecr"]
        world.credentials["ecr"] = replace(one, config=one.config.model_copy(update={"max_age": 9 * HOUR}))
    else:
        world.clock.advance(11 * HOUR)
    minted = vendor.minted

    with pytest.raises(ConflictError):
        await planner(world).apply(["ecr"], [], digest(before), "uid 0")

    named = [text.partition(": was ")[0] for text in changes(before, lines(await planner(world).plan(["ecr"])))]
    assert about in named
    assert (vendor.minted, dict(world.dispatcher.running)) == (minted, {})


async def test_a_plan_is_applied_once(world: Any, target: Callable[..., Any]) -> None:
    """A second application, even at the same time, finds another world."""
    world.add("ecr", target("prod", "web"))
    plans = planner(world)
    expected = digest(lines(await plans.plan([])))
    ((_, ticket),) = await plans.apply([], [], expected, "uid 0")

    with pytest.raises(ConflictError):
        await plans.apply([], [], expected, "uid 0")

    await ticket.finished


async def test_no_plan_for_what_is_not_there(world: Any, target: Callable[..., Any]) -> None:
    """A name that is not configured is refused, whether it is planned for or to be rotated."""
    world.add("ecr", target("prod", "web"))
    for names, asked in ((["nope"], []), ([], ["nope"])):
        with pytest.raises(NotFoundError):
            await planner(world).plan(names, asked)
