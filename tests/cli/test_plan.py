"""``rotator plan`` and ``rotator apply`` against a real daemon."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rotator.admin.plan_models import PlanView
from rotator.cli.plan_show import draw
from rotator.domain.plan import CredentialPlan, TargetPlan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "canary-3f9c1b7d5e2a4860"


async def test_a_plan_is_shown_written_and_applied(shared: Any, tmp_path: Path) -> None:
    """A plan is a table and a file without secrets; it is applied, and refused with the line that changed since."""
    file = tmp_path / "mine.plan"

    planned = await shared.ask("plan", "planned", "--rotate", "--out", str(file))
    assert (planned.code, "ManuallyTriggered: not due" in planned.out) == (0, True)
    assert "1 of 1 would be rotated. Nothing was changed." in planned.out
    assert SECRET not in planned.out + file.read_text()

    applied = await shared.ask("apply", str(file))
    assert (applied.code, "planned: rotation" in applied.out) == (0, True)

    docker = shared.directory / "docker" / "planned" / "config.json"
    docker.write_text(docker.read_text().replace('"auth": "', '"auth": "AAAA'))
    again = await shared.ask("apply", str(file))
    assert (again.code, "the world has changed since the plan was made" in again.err) == (1, True)
    assert "planned: at-planned: " in again.err


async def test_a_plan_for_scripts(shared: Any) -> None:
    """Scripts get the same as JSON; with nothing due nothing would be rotated."""
    ran = await shared.ask("plan", "--json")
    assert ("mine", False) in [(one["name"], one["rotates"]) for one in json.loads(ran.out)["credentials"]]


@pytest.mark.parametrize(
    ("target", "order"),
    [
        pytest.param(
            TargetPlan("prod", "k", 40, waves=(1, 3, 16, 20)), "40 placements, in steps: 1, 3, 16, 20", id="large"
        ),
        pytest.param(TargetPlan("prod", "k", 3, 1, (2,)), "3 placements, in steps: 1 first, 2", id="canary"),
        pytest.param(TargetPlan("prod", "k", 3, waves=(3,)), "3 placements, at once", id="few"),
        pytest.param(TargetPlan("prod", "k", 1, waves=(0, 0, 1, 0)), "1 placement, in step 3 of 4", id="one of many"),
    ],
)
def test_the_order_of_a_target_is_shown(target: TargetPlan, order: str) -> None:
    """It is shown how many placements of a target get a version in each step, or in which step it has its own."""
    plan = CredentialPlan("ecr", rotates=True, reason="MaxAgeReached", message="old", targets=(target,))
    console = Console(width=200)
    with console.capture() as shown:
        console.print(draw(PlanView.of([plan], NOW, [], [])))

    assert f"prod    {order} \n" in shown.get() or f"prod    {order}\n" in shown.get()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("plan", "--rotate"), id="nobody to rotate"),
        pytest.param(("apply", "/proc/none"), id="no file"),
        pytest.param(("apply", "/etc/hostname"), id="no plan"),
    ],
)
async def test_wrong_usage(run: Any, words: tuple[str, ...]) -> None:
    """What cannot be meant ends with exit code 2, without asking any daemon."""
    assert (await run(*words)).code == 2


async def test_what_cannot_be_planned_or_written(shared: Any) -> None:
    """A credential that is not there, and a file that cannot be written, end with exit code 2."""
    assert (await shared.ask("plan", "nope")).code == 2
    assert (await shared.ask("plan", "--out", "/proc/none/x")).code == 2


async def test_an_edited_plan_is_refused(shared: Any, tmp_path: Path) -> None:
    """A plan whose lines or rotations were edited is not what somebody looked at."""
    file = tmp_path / "plan"
    await shared.ask("plan", "mine", "--rotate", "--out", str(file))
    plan = json.loads(file.read_text())
    plan["credentials"][0]["rotates"] = False
    file.write_text(json.dumps(plan))
    ran = await shared.ask("apply", str(file))
    assert (ran.code, "was edited since it was written" in ran.err) == (2, True)
