"""Reads a plan and draws it, as a table with remarks or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rotator.admin.plan_models import CredentialPlanView, PlanView, TargetPlanView
from rotator.cli.client import Client, Door, open_client, parse
from rotator.cli.failure import UsageError, plain
from rotator.cli.progress import watched
from rotator.cli.status_show import make_console
from rotator.domain.words import counted


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan is asked for.

    Args:
        names: Credentials; empty for all.
        asked: Those that are rotated though nothing is due.
    """

    names: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


async def show(door: Door, wanted: Wanted, *, out: Path | None, form: Literal["json", "table"]) -> None:
    """Print a plan, and write it to ``out``.

    Raises:
        UsageError: The file cannot be written. Otherwise as `Client.get`.
    """
    console = make_console()
    async with open_client(door) as client:
        with nullcontext() if form == "json" else watched(console, "reading targets"):
            plan = await read(client, wanted)
    if form == "json":
        print(plan.model_dump_json(indent=2))
    else:
        console.print(draw(plan))
    if out is not None:
        _write(plan, out)
    if form == "table":
        console.print(Text(plain(_next(plan, wanted, out))))


def _next(plan: PlanView, wanted: Wanted, out: Path | None) -> str:
    """Return the last line: what to do with the plan."""
    if out is not None:
        return f"Written to {out}. Do it with: rotator apply {out}"
    if not plan.credentials:
        return "Add one to the configuration; docs/configuration.md says how."
    asked = "".join([*(f" {name}" for name in wanted.names), " --rotate" if wanted.asked else ""])
    if any(one.rotates for one in plan.credentials):
        return f"To do exactly this: rotator plan{asked} --out FILE, then rotator apply FILE"
    if any(target.error or target.odd_count for one in plan.credentials for target in one.targets):
        return "Not all is as it should be; what each target needs: rotator targets"
    return f"To plan what is not due: rotator plan{asked or ' NAME'} --rotate"


def _write(plan: PlanView, out: Path) -> None:
    try:
        out.write_text(plan.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written ({error.strerror})") from error


async def read(client: Client, wanted: Wanted) -> PlanView:
    """Return a new plan. Errors as `Client.get`."""
    query = [*(("credential", name) for name in wanted.names), *(("rotate", name) for name in wanted.asked)]
    return parse(PlanView, await client.get("/plan", query))


def draw(plan: PlanView) -> RenderableType:
    """Return a table of credentials and targets, and below it every remark."""
    if not plan.credentials:
        return Text("No credential is configured.")
    count = sum(one.rotates for one in plan.credentials)
    remarks = [Text(plain(text)) for one in plan.credentials for text in _remarks(one)]
    total = f"{count or 'None'} of {len(plan.credentials)} would be rotated. Nothing was changed."
    return Group(_table(plan), *([Text(), *remarks] if remarks else []), Text(), Text(total, style="bold"))


def _table(plan: PlanView) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for title in ("credential", "would", "generation", "target", "how"):
        table.add_column(title, overflow="fold")
    for one in plan.credentials:
        rows = [(target.target, _how(one, target)) for target in one.targets] or [("none", "")]
        for number, (target, how) in enumerate(rows):
            head = ("", "", "") if number else (one.name, _would(one), _generations(one))
            style = "yellow" if one.rotates else ""
            table.add_row(*(Text(plain(cell)) for cell in (*head, target, how)), style=style)
    return table


def _would(one: CredentialPlanView) -> str:
    if one.running:
        return "run on"
    if not one.rotates:
        return "stay"
    return "rotate"


def _generations(one: CredentialPlanView) -> str:
    now = f"{one.generation} ({one.fingerprint[:8]})" if one.generation else "none"
    return f"{now} -> {one.next_generation}" if one.rotates else now


def _how(one: CredentialPlanView, target: TargetPlanView) -> str:
    if target.error:
        return target.error
    right = target.placements - target.odd_count
    if not one.rotates:
        return f"{right} of {target.placements} as they should be, {target.read} read"
    return f"{counted(target.placements, 'placement')}, {_order(target)}"


def _order(target: TargetPlanView) -> str:
    first = [f"{target.canaries} first"] if target.canaries else []
    filled = [number for number, size in enumerate(target.waves, start=1) if size]
    if len(target.waves) > 1 and len(filled) == 1 and not first:  # it shares its waves with other small targets
        return f"in step {filled[0]} of {len(target.waves)}"
    steps = [*first, *(str(size) for size in target.waves)]
    return f"in steps: {', '.join(steps)}" if len(steps) > 1 else "at once"


def _remarks(one: CredentialPlanView) -> Iterator[str]:
    if one.running:
        yield f"{one.name}: rotation {one.running} runs"
    elif one.rotates:
        begins = "shows the pending version to the registry" if one.step == "verify" else "asks for a new version"
        yield f"{one.name}: {one.reason}: {one.message}; {begins}, proves it, then delivers it"
        if one.not_before is not None:
            yield f"{one.name}: by itself not before {one.not_before:%Y-%m-%d %H:%M:%SZ}, after a failure"
    if one.source.startswith("cannot"):
        yield f"{one.name}: its source {one.source}, so whether it holds something new is not known"
    for target in one.targets:
        at = f"{one.name}: {target.target}"
        if 0 < target.read < target.placements:
            left = counted(target.placements - target.read, "placement")
            yield f"{at}: {left} of {target.placements} not read; there counts what was confirmed last"
        yield from (f"{at}: {odd.placement} {odd.what}" for odd in target.odd)
        if target.odd_count > len(target.odd):
            yield f"{at}: and {target.odd_count - len(target.odd)} more"
        yield from (f"{at}: policy keeps it from {placement}" for placement in target.refused)
        if target.refused_count > len(target.refused):
            yield f"{at}: and from {target.refused_count - len(target.refused)} more"
    for ending in one.endings:
        version = f"old generation {ending.generation} ({ending.fingerprint[:8]})"
        yield f"{one.name}: {version}: {ending.action}, {ending.why}"
