"""Applies a plan from a file and follows it to its end, or says what has changed since it was made."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from rotator.admin.plan_models import AppliedPlan, PlanView, Started
from rotator.cli.client import Client, Door, open_client, parse
from rotator.cli.failure import ExitCode, UsageError, advised, plain
from rotator.cli.plan_show import Wanted, read
from rotator.cli.progress import watched
from rotator.cli.rotate_follow import outcome_of, tell_end
from rotator.cli.status_show import make_console
from rotator.config.duration import render_duration
from rotator.domain.plan import changes, digest
from rotator.errors import ConflictError, RotatorError

MAX_FILE_BYTES = 16 << 20
SHOWN = 20
_LOOK = "rotator status"


def apply(door: Door, path: Path) -> ExitCode:
    """Start what the plan in ``path`` says, print the rotations, and leave. Errors as `apply_and_follow`."""
    console = make_console()
    if asyncio.run(_apply(door, path, console)):
        console.print(Text("Follow it with: rotator status --watch"))
    return ExitCode.DONE


def apply_and_follow(door: Door, path: Path, patience: timedelta) -> ExitCode:
    """Start what the plan in ``path`` says, and follow the rotations to their end; FAILED where one did not succeed.

    Raises:
        UsageError: It is no plan. ConflictError: Something has changed; every change is named. Otherwise as
            `Client.post`.
    """
    console = make_console()
    try:
        return asyncio.run(_apply_and_follow(door, path, patience, console))
    except KeyboardInterrupt:
        console.print(Text(f"What was started goes on in the daemon; see it with: {_LOOK}"))
        return ExitCode.INTERRUPTED


async def _apply_and_follow(door: Door, path: Path, patience: timedelta, console: Console) -> ExitCode:
    started = await _apply(door, path, console)
    if not started:
        return ExitCode.DONE
    try:
        async with asyncio.timeout(patience.total_seconds()), open_client(door) as client:
            good, lacking = await _follow(client, started, console)
    except TimeoutError:
        waited = render_duration(patience)
        console.print(Text(f"Not all ended within {waited}; they go on in the daemon: {_LOOK}"))
        return ExitCode.FAILED
    except RotatorError as error:
        raise advised(error, f"What was started goes on in the daemon; see it with: {_LOOK}") from error
    after = "Nothing is left to do." if good == len(started) and not lacking else f"How the rest stands: {_LOOK}"
    console.print(Text(f"{good} of {len(started)} rotations ended well. {after}"))
    return ExitCode.DONE if good == len(started) else ExitCode.FAILED


async def _follow(client: Client, started: Sequence[Started], console: Console) -> tuple[int, int]:
    """Print how each rotation ends; return how many ended well, and how many placements lack a version in use.

    They run at once, and are waited for in turn.
    """
    good = lacking = 0
    with watched(console, "rotations", len(started)) as bar:
        for one in started:
            bar.doing(one.credential)
            outcome = await outcome_of(client, one.rotation, lambda _name, _value: None)
            if outcome is None:
                console.print(Text(plain(f"{one.credential}: the daemon stopped; it goes on when it starts again")))
            else:
                good += tell_end(outcome, console) is ExitCode.DONE
                lacking += outcome.lacking
            bar.advance()
    return good, lacking


async def _apply(door: Door, path: Path, console: Console) -> Sequence[Started]:
    plan = read_file(path)
    async with open_client(door) as client:
        with watched(console, "reading targets") as bar:
            now = await read(client, Wanted(plan.names, plan.asked))
            if changed := changes(plan.lines, now.lines):
                raise ConflictError(_refusal(changed), hint="Nothing was started. Make a new plan and look at it")
            bar.doing("starting")
            body = {"names": plan.names, "asked": plan.asked, "digest": plan.digest}
            applied = parse(AppliedPlan, await client.post("/plan/applications", body, secrets.token_hex(16)))
    for one in applied.rotations:
        verb = "joined, it was running already" if one.joined else "started"
        console.print(Text(plain(f"{one.credential}: rotation {one.rotation} {verb}")))
    if not applied.rotations:
        console.print(Text("The plan has nothing to rotate, so nothing is left to do."))
    return applied.rotations


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
