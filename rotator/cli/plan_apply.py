"""Applies a plan from a file, or says what has changed since it was made."""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import ValidationError
from rich.text import Text

from rotator.admin.plan_models import AppliedPlan, PlanView
from rotator.cli.client import Door, open_client, parse
from rotator.cli.failure import ExitCode, UsageError, plain
from rotator.cli.plan_show import Wanted, read
from rotator.cli.status_show import make_console
from rotator.domain.plan import changes, digest
from rotator.errors import ConflictError

MAX_FILE_BYTES = 16 << 20
SHOWN = 20


async def apply(door: Door, path: Path) -> ExitCode:
    """Start what the plan in ``path`` says, and print the rotations.

    Raises:
        UsageError: It is no plan. ConflictError: Something has changed; every change is named. Otherwise as
            `Client.post`.
    """
    plan = read_file(path)
    async with open_client(door) as client:
        now = await read(client, Wanted(plan.names, plan.asked))
        if changed := changes(plan.lines, now.lines):
            raise ConflictError(_refusal(changed), hint="Nothing was started. Make a new plan and look at it")
        body = {"names": plan.names, "asked": plan.asked, "digest": plan.digest}
        applied = parse(AppliedPlan, await client.post("/plan/applications", body, secrets.token_hex(16)))
    console = make_console()
    for one in applied.rotations:
        console.print(Text(plain(f"{one.credential}: rotation {one.rotation} started")))
    if not applied.rotations:
        console.print(Text("The plan has nothing to rotate."))
    return ExitCode.DONE


def read_file(path: Path) -> PlanView:
    """Return the plan in a file.

    Raises:
        UsageError: It cannot be read, is no plan, or was edited.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        plan = PlanView.model_validate_json(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise UsageError(f"{path} is no plan", hint="Write one with: rotator plan --out FILE") from error
    if digest(plan.lines) != plan.digest or {one.name for one in plan.credentials if one.rotates} != _rotating(plan):
        raise UsageError(f"{path} was edited since it was written", hint="Write it anew with: rotator plan --out FILE")
    return plan


def _rotating(plan: PlanView) -> set[str]:
    """Return the credentials that the plan's lines say are to be rotated."""
    end = ": rotation"
    return {about.removesuffix(end) for about, text in plan.lines.items() if about.endswith(end) and text != "none"}


def _refusal(changed: list[str]) -> str:
    more = [f"and {len(changed) - SHOWN} more"] if len(changed) > SHOWN else []
    return "\n  ".join(["the world has changed since the plan was made:", *changed[:SHOWN], *more])
