"""Reads the audit: draws the newest records, checks the chain, prints all of it."""

from __future__ import annotations

import json
import sys

from rich.table import Table
from rich.text import Text

from rotator.admin.audit_routes import MAX_PAGE, RecordList, RecordView, VerdictView
from rotator.cli.client import Door, open_client, parse
from rotator.cli.failure import ExitCode, plain
from rotator.cli.progress import watched
from rotator.cli.status_show import make_console
from rotator.domain.words import counted


async def show(door: Door, number: int, credential: str | None) -> None:
    """Print the newest records, newest last. Errors as `Client.get`."""
    listed = await _newest(door, number, credential)
    console = make_console()
    if not listed.records:
        console.print(Text("The audit has no such record."))
        return
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for title in ("no", "at", "who", "what", "credential", "outcome"):
        table.add_column(title, overflow="fold", justify="right" if title == "no" else "left")
    for one in reversed(listed.records):
        table.add_row(*(Text(plain(cell)) for cell in _cells(one)))
    console.print(table)


async def print_json(door: Door, number: int, credential: str | None) -> None:
    """Print the same as a JSON list, newest first. Errors as `Client.get`."""
    listed = await _newest(door, number, credential)
    print(json.dumps([one.model_dump(mode="json") for one in listed.records], indent=2))


async def verify(door: Door) -> ExitCode:
    """Have the chain checked, and print what was found. Errors as `Client.get`."""
    console = make_console()
    async with open_client(door) as client:
        with watched(console, "checking the audit"):
            verdict = parse(VerdictView, await client.get("/audit/verdict"))
    if not verdict.broken_at:
        console.print(Text(f"{counted(verdict.records, 'record')}, each as it was written, up to the newest."))
        console.print(Text("If your last export has more, an older audit was put back; else nothing is left to do."))
        return ExitCode.DONE
    found = f"BROKEN at record {verdict.broken_at}: {verdict.why}. The {verdict.records} before it are intact."
    console.print(Text(plain(found)))
    console.print(Text("Keep the state as it is, and compare it with an exported copy or the audit's file."))
    return ExitCode.FAILED


async def export(door: Door, after: int) -> None:
    """Print every record after number ``after`` as a JSON line, and on standard error how to go on next time.

    Errors as `Client.get`.
    """
    first = after
    async with open_client(door) as client:
        while True:
            query = {"after": str(after), "limit": str(MAX_PAGE)}
            page = parse(RecordList, await client.get("/audit/records", query)).records
            for one in page:
                print(json.dumps(one.model_dump(mode="json"), sort_keys=True))
            after = page[-1].number if page else after
            if len(page) < MAX_PAGE:
                break
    what = f"Records {first + 1} to {after} were printed" if after > first else f"There is no record after {first}"
    print(f"{what}. What comes later: rotator audit export --after {after}", file=sys.stderr)


async def _newest(door: Door, number: int, credential: str | None) -> RecordList:
    query = {"limit": str(number)} | ({} if credential is None else {"credential": credential})
    async with open_client(door) as client:
        return parse(RecordList, await client.get("/audit", query))


def _cells(one: RecordView) -> tuple[str, ...]:
    generation = f" (gen {one.generation})" if one.generation else ""
    message = ": ".join(filter(None, (one.outcome, one.subject, one.message)))
    at = f"{one.at:%Y-%m-%d %H:%M:%SZ}"
    return str(one.number), at, one.actor, one.action, f"{one.credential}{generation}", message
