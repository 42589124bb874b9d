"""The API's paths about plans: what they say, and that a plan of another world starts nothing."""

from __future__ import annotations

from typing import Any

import pytest

PLAN = "/api/v1/plan"
APPLY = f"{PLAN}/applications"


async def test_a_plan_says_why_and_where(served: Any) -> None:
    """A plan tells what would be rotated, what is odd at which placement, and what it depends on."""
    async with served.unix() as session, session.get(PLAN, params={"credential": "ghcr", "rotate": "ghcr"}) as answer:
        plan = await answer.json()
    (one,) = plan["credentials"]
    assert (one["name"], one["rotates"], one["reason"], one["generation"]) == ("ghcr", True, "ManuallyTriggered", 2)
    assert one["targets"][0]["odd"] == [{"placement": "web/pull", "what": "holds something else"}]
    assert one["endings"] == [{"generation": 1, "fingerprint": "aa", "action": "wait", "why": "in its grace"}]
    assert plan["lines"]["ghcr: in use"] == "generation 2 (00112233aabbccdd)"
    assert (plan["names"], plan["asked"], len(plan["digest"])) == (["ghcr"], ["ghcr"], 64)


async def test_all_are_planned_where_none_is_named(served: Any) -> None:
    """Without a name the plan is about every credential, and nothing of it has to be rotated."""
    async with served.unix() as session, session.get(PLAN) as answer:
        plan = await answer.json()
    assert [(one["name"], one["rotates"]) for one in plan["credentials"]] == [("ecr-prod", False), ("ghcr", False)]


async def test_a_plan_is_applied_once_per_key(served: Any) -> None:
    """The same key gets the same answer, and the rotations are started once, for whoever asked."""
    async with served.unix() as session:
        async with session.get(PLAN, params={"credential": "ghcr", "rotate": "ghcr"}) as answer:
            digest = (await answer.json())["digest"]
        body = {"names": ["ghcr"], "asked": ["ghcr"], "digest": digest}
        answers = []
        for _ in range(2):
            async with session.post(APPLY, json=body, headers={"Idempotency-Key": "k"}) as answer:
                answers.append((answer.status, (await answer.json())["rotations"]))
    assert answers == [(202, [{"credential": "ghcr", "rotation": "r1", "joined": False}])] * 2
    ((names, asked, by),) = served.daemon.planner.applied
    assert (names, asked, by.partition(" ")[0]) == (("ghcr",), ("ghcr",), "uid")


async def test_a_plan_of_another_world_starts_nothing(served: Any) -> None:
    """When something has changed, the answer is a conflict and nothing was started."""
    async with served.unix() as session:
        async with session.get(PLAN) as answer:
            digest = (await answer.json())["digest"]
        served.daemon.planner.fingerprint = "another"
        async with session.post(APPLY, json={"digest": digest}) as answer:
            status, code = answer.status, (await answer.json())["error"]["code"]
    assert (status, code, served.daemon.planner.applied) == (409, "conflict", [])


@pytest.mark.parametrize(
    ("params", "status"),
    [
        pytest.param({"credential": "nope"}, 404, id="no such credential"),
        pytest.param({"credential": "x" * 64}, 422, id="no name"),
    ],
)
async def test_a_plan_for_nobody(served: Any, params: dict[str, str], status: int) -> None:
    """What cannot be planned for is refused."""
    async with served.unix() as session, session.get(PLAN, params=params) as answer:
        assert answer.status == status


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no digest"),
        pytest.param({"digest": "abc"}, id="no such digest"),
        pytest.param({"digest": "0" * 64, "lines": {}}, id="more than is asked for"),
        pytest.param({"digest": "0" * 64, "names": "ghcr"}, id="no list"),
    ],
)
async def test_what_is_no_application(served: Any, body: Any) -> None:
    """A body that is no plan's is refused before anything is looked at."""
    async with served.unix() as session, session.post(APPLY, json=body) as answer:
        assert answer.status == 422
