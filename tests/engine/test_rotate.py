"""The main path: what a rotation does, and what it leaves alone when something fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.attempt import Outcome
from rotator.domain.model import Entry, Expiry, Issued, Login, Stage, Strategy
from rotator.domain.rotation import State
from rotator.engine.guard import PAUSE, REFUSALS
from rotator.engine.status import held_back
from rotator.errors import (
    AuthenticationError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
)
from rotator.ports import Order
from rotator.secret import Secret

FAULTS = [
    pytest.param(UnavailableError("vault: sealed"), id="unavailable"),
    pytest.param(AuthenticationError("vault: 403"), id="unauthenticated"),
    pytest.param(PermissionDeniedError("aws: denied"), id="denied"),
    pytest.param(RateLimitedError("aws: slow down", retry_after=timedelta(seconds=30)), id="rate limited"),
]


async def test_first_rotation_reaches_every_placement(world: Any, target: Callable[..., Any]) -> None:
    """A first rotation ends with generation 1 current and held by every placement."""
    prod, edge = target("prod", "web", "api"), target("edge", "/root/.docker/config.json")
    world.add("ecr", prod, edge)

    assert await world.rotate("ecr") == "succeeded"
    assert world.ledger.current("ecr").generation == 1
    assert prod.generations("ecr") == {"web": 1, "api": 1}
    assert edge.generations("ecr") == {"/root/.docker/config.json": 1}


async def test_one_issue_however_many_placements(world: Any, target: Callable[..., Any]) -> None:
    """A rotation asks the vendor once, whatever the number of targets and placements."""
    vendor = world.add("ecr", *(target(f"t{number}", *"abcdefgh") for number in range(5)))

    await world.rotate("ecr")

    assert vendor.minted == 1


async def test_second_rotation_keeps_the_previous_version(world: Any, target: Callable[..., Any]) -> None:
    """After a second rotation the first version is previous and its secret is still kept; after a third it is not."""
    world.add("ecr", target("prod", "web"))
    for _ in range(3):
        await world.rotate("ecr")

    stages = {version.generation: version.stage for version in await world.store.versions("ecr")}

    assert stages == {1: Stage.RETIRED, 2: Stage.PREVIOUS, 3: Stage.CURRENT}
    assert (await world.store.secret("ecr", 2)).reveal() == "secret-number-0002"
    with pytest.raises(RotatorError, match="generation 1 is not kept any more"):
        await world.store.secret("ecr", 1)


@pytest.mark.parametrize("fault", FAULTS)
async def test_failing_source_touches_nothing(world: Any, target: Callable[..., Any], fault: RotatorError) -> None:
    """I2: a source that fails leaves every placement and the current version as they were."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    writes = len(prod.applied)
    vendor.fault = fault

    assert await world.rotate("ecr") == "failed"
    assert world.ledger.current("ecr").generation == 1
    assert len(prod.applied) == writes
    assert world.ledger.record("ecr").failures == 1
    assert world.ledger.record("ecr").next_attempt_at > world.clock.now()


async def test_refused_version_is_never_delivered(world: Any, target: Callable[..., Any]) -> None:
    """I2: a version that the registry refuses is abandoned before any placement sees it."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    vendor.refused = {"secret-number-0002"}

    assert await world.rotate("ecr") == "failed"
    assert prod.generations("ecr") == {"web": 1}
    assert [(one.generation, one.stage) for one in await world.store.versions("ecr")] == [
        (2, Stage.ABANDONED),
        (1, Stage.CURRENT),
    ]


async def test_image_that_no_longer_pulls_stops_the_rotation(world: Any, target: Callable[..., Any]) -> None:
    """I2: a version that logs in but cannot pull an image which the current one pulls is not delivered."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod, images=("ecr.example.com/api:1",))
    await world.rotate("ecr")
    vendor.images_refused = {("secret-number-0002", "ecr.example.com/api:1")}

    assert await world.rotate("ecr") == "failed"
    assert prod.generations("ecr") == {"web": 1}


async def test_image_nobody_can_pull_does_not_stop_the_rotation(world: Any, target: Callable[..., Any]) -> None:
    """An image that the current version cannot pull either does not withhold a new version from all other images."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod, images=("ecr.example.com/api:1", "ecr.example.com/gone:1"))
    await world.rotate("ecr")
    vendor.images_refused = {("*", "ecr.example.com/gone:1")}

    assert await world.rotate("ecr") == "succeeded"
    assert prod.generations("ecr") == {"web": 2}


async def test_registry_that_cannot_tell_delays_without_issuing_again(world: Any, target: Callable[..., Any]) -> None:
    """While the registry is down nothing is delivered, and the next attempt adopts the version issued before."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    vendor.cannot_tell = True
    assert await world.rotate("ecr") == "failed"
    assert prod.applied == []

    vendor.cannot_tell = False

    assert await world.rotate("ecr") == "succeeded"
    assert vendor.minted == 1
    assert prod.generations("ecr") == {"web": 1}


async def test_expired_on_arrival_is_refused(world: Any, target: Callable[..., Any]) -> None:
    """F-14: a login that was expired when it came is refused and says so; the old one stays."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    vendor.lifetime = timedelta(days=-1)

    assert await world.rotate("ecr") == "failed"
    assert "already expired when it arrived" in world.ledger.last_rotation("ecr").message
    assert prod.generations("ecr") == {"web": 1}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("two\nlines-of-secret", id="newline"),
        pytest.param("nul\0inside-secret", id="nul"),
        pytest.param("<no value>", id="placeholder"),
        pytest.param("x" * 100_000, id="100 kB"),
    ],
)
async def test_shape_is_checked_before_anything_else(world: Any, target: Callable[..., Any], value: str) -> None:
    """F-17: a value that cannot be a secret is refused before the registry sees it, and is named nowhere."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    vendor.value = value

    assert await world.rotate("ecr") == "failed"
    assert world.registry.asked == 0
    assert prod.applied == []
    assert value not in world.ledger.last_rotation("ecr").message


async def test_same_value_again_changes_nothing(world: Any, target: Callable[..., Any]) -> None:
    """F-18: a source that still holds the value in use ends as unchanged, with no new generation and no write."""
    prod = target("prod", "web")
    vendor = world.add("ghcr", prod, strategy=Strategy.READ)
    vendor.value = "the-same-token"
    await world.rotate("ghcr")
    writes = len(prod.applied)

    assert await world.rotate("ghcr") == "unchanged"
    assert world.ledger.current("ghcr").generation == 1
    assert len(prod.applied) == writes


async def test_refused_value_still_at_the_source_says_what_to_do(world: Any, target: Callable[..., Any]) -> None:
    """F-16: when the source still holds a value that the registry refuses, the outcome names the remedy."""
    vendor = world.add("ghcr", target("prod", "web"), strategy=Strategy.READ)
    vendor.value = "the-same-token"
    await world.rotate("ghcr")
    vendor.refused = {"the-same-token"}

    assert await world.rotate("ghcr") == "failed"
    assert "Put a new token at the source" in world.ledger.last_rotation("ghcr").message
    assert world.ledger.current("ghcr").rejected_at == world.clock.now()


async def test_partial_failure_retries_only_what_failed(world: Any, target: Callable[..., Any]) -> None:
    """F-44: one failing placement does not hold back the others, and is retried alone with the same generation."""
    prod = target("prod", "web", "api", "batch")
    prod.faults["api"] = PermissionDeniedError("namespace api: forbidden")
    vendor = world.add("ecr", prod)

    assert await world.rotate("ecr") == "delivering"
    assert prod.generations("ecr") == {"web": 1, "batch": 1}

    prod.faults.clear()
    prod.applied.clear()
    world.clock.advance(timedelta(minutes=5))
    await world.rollout.reconcile(world.credentials["ecr"].targets[0])
    await world.rotator.settle(world.credentials["ecr"])

    assert prod.applied == [("api", (("ecr", 1),))]
    assert vendor.minted == 1
    assert world.ledger.last_rotation("ecr").state is State.SUCCEEDED


async def test_no_placement_took_it_keeps_the_current_version(world: Any, target: Callable[..., Any]) -> None:
    """A version that no placement took is not promoted; the next attempt brings the same generation."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    prod.faults["web"] = UnavailableError("cluster down")

    assert await world.rotate("ecr") == "failed"
    assert world.ledger.current("ecr").generation == 1
    prod.faults.clear()

    assert await world.rotate("ecr") == "succeeded"
    assert prod.generations("ecr") == {"web": 2}
    assert vendor.minted == 2


async def test_reading_back_something_else_is_not_done(world: Any, target: Callable[..., Any]) -> None:
    """I7: a placement that reads back another value than was written is not reported as confirmed."""
    prod = target("prod", "web", "api")
    prod.corrupts = {"api"}
    world.add("ecr", prod)

    assert await world.rotate("ecr") == "delivering"
    assert {one.placement: one.state.value for one in world.ledger.deliveries()} == {
        "web": "confirmed",
        "api": "failed",
    }


async def test_lost_answer_is_settled_by_reading_back(world: Any, target: Callable[..., Any]) -> None:
    """F-41: a write whose answer got lost counts as done when the placement is read to hold it."""
    prod = target("prod", "web")
    prod.loses_answer = UnavailableError("timeout", cause="timeout")
    world.add("ecr", prod)

    assert await world.rotate("ecr") == "succeeded"
    assert len(prod.applied) == 1


async def test_neighbours_in_one_placement_survive(world: Any, target: Callable[..., Any]) -> None:
    """A placement is rendered from the versions of all its credentials, so a rotation drops no neighbour."""
    prod = target("prod", "web")
    broken = world.add("ghcr", prod)
    world.add("ecr", prod)
    await world.rotate("ghcr")
    broken.fault = UnavailableError("vault down")
    await world.rotate("ghcr")

    await world.rotate("ecr")

    assert prod.applied[-1] == ("web", (("ghcr", 1), ("ecr", 1)))


async def test_a_place_that_is_made_anew_hears_of_whom_has_no_version(world: Any, whole_target: Any) -> None:
    """A neighbour's write keeps the login of a credential whose vendor has been down since the state was lost."""
    await whole_target.apply("web", [Entry("ghcr", "ghcr.example.com", Login("robot", Secret("still-good")), 7)])
    broken = world.add("ghcr", whole_target)
    broken.fault = UnavailableError("vault down")
    world.add("ecr", whole_target)

    assert await world.rotate("ecr") == "succeeded"

    assert whole_target.unissued == [{"ghcr": "ghcr.example.com"}]
    assert whole_target.generations("ghcr") == {"web": 7}


async def test_a_place_hears_of_nobody_whom_policy_keeps_away(world: Any, whole_target: Any) -> None:
    """What may not be in a placement is not kept there either."""
    world.add("ghcr", whole_target)
    world.add("ecr", whole_target)
    ecr = world.credentials["ecr"]
    only_in = {"ghcr": ("elsewhere",)}
    world.credentials["ecr"] = replace(ecr, targets=tuple(replace(one, only_in=only_in) for one in ecr.targets))

    await world.rotate("ecr")

    assert whole_target.unissued == []


async def test_target_ahead_of_us_is_overtaken_not_overwritten(world: Any, target: Callable[..., Any]) -> None:
    """I3: a placement that holds a newer generation refuses ours; the next attempt goes above it."""
    prod = target("prod", "web")
    vendor = world.add("ecr", prod)
    await world.rotate("ecr")
    entry = prod.held["web"]["ecr"]
    prod.held["web"]["ecr"] = type(entry)("ecr", entry.registry, entry.login, 41)

    assert await world.rotate("ecr") == "failed"
    assert await world.rotate("ecr") == "succeeded"
    assert prod.generations("ecr") == {"web": 42}
    assert vendor.minted == 3


async def test_three_refusals_close_the_registry(world: Any, target: Callable[..., Any]) -> None:
    """I5: after three refusals in a row the registry is not shown a login again until the pause is over."""
    vendor = world.add("hub", target("prod", "web"), strategy=Strategy.READ)
    vendor.value = "a-wrong-password"
    vendor.refused = {"a-wrong-password"}
    for _ in range(6):
        await world.rotate("hub")

    assert world.registry.asked == 3
    assert "so that it does not lock us out" in world.ledger.last_rotation("hub").message
    versions = await world.store.versions("hub")
    assert [one.generation for one in versions] == [1], "the same refused value is not numbered again and again"


async def test_a_request_by_hand_does_not_break_through(world: Any, target: Callable[..., Any]) -> None:
    """I5: refusals met elsewhere, such as by probes, hold back a rotation that a person asks for, good or not."""
    prod = target("prod", "web")
    vendor = world.add("hub", prod)
    for _ in range(REFUSALS):
        async with world.guard.attempt(vendor.host, "AWS") as attempt:
            attempt.outcome = Outcome.REFUSED

    assert await world.rotate("hub") == "failed"
    assert (world.registry.asked, prod.applied) == (0, [])
    assert world.ledger.last_rotation("hub").error == "rate_limited"
    assert held_back(world.credentials["hub"], world.ledger, world.guard).startswith("hub.example.com refused 3 logins")

    world.clock.advance(PAUSE)
    assert held_back(world.credentials["hub"], world.ledger, world.guard) == ""
    assert await world.rotate("hub") == "succeeded"
    assert vendor.minted == 1


async def test_nothing_secret_reaches_the_journal(world: Any, target: Callable[..., Any]) -> None:
    """I6: neither the events nor the state file, its log included, hold a secret in clear."""
    world.add("ecr", target("prod", "web"))

    await world.rotate("ecr")

    text = b"".join(path.read_bytes() for path in world.path.parent.iterdir())
    assert b"secret-number-0001" not in text
    assert "secret-number-0001" not in repr(world.events)


async def test_a_user_name_that_is_the_secret_stays_out_of_the_journal(world: Any, target: Callable[..., Any]) -> None:
    """A login whose user name is its secret is delivered whole and survives a restart; no state or event holds it."""
    canary, prod = "canary-7f3a9c51d2e8", target("prod", "web")
    vendor = world.add("docr", prod)
    vendor.issue = _doubled(vendor, canary)

    assert await world.rotate("docr") == "succeeded"
    await world.restart()

    current = world.ledger.current("docr")
    assert (await world.ledger.login(current)).username == canary
    assert prod.held["web"]["docr"].login == Login(canary, Secret(canary))
    assert await world.rotate("docr") == "unchanged"
    state = b"".join(path.read_bytes() for path in world.path.parent.glob("rotator.db*"))
    assert canary.encode() not in state
    assert canary not in repr((world.events, current, await world.store.versions("docr"), prod.held))


def _doubled(vendor: Any, canary: str) -> Callable[[Order], Awaitable[Issued]]:
    async def issue(_: Order) -> Issued:
        return Issued(Login(canary, Secret(canary)), vendor.clock.now(), Expiry(vendor.clock.now() + vendor.lifetime))

    return issue
