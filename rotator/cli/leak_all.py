"""Reports leaks of all that is older than an instant, one after the other whatever happens, and says what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from rich.console import Console

from rotator.admin.leak_models import LeakList, LeakView
from rotator.admin.models import CredentialDetail
from rotator.cli.client import Client, Door, open_client, parse, segment
from rotator.cli.failure import ExitCode, advised
from rotator.cli.leak_follow import Following, left_alone, report, say, verdict
from rotator.cli.progress import watched
from rotator.cli.status_show import make_console
from rotator.errors import RotatorError


def every(door: Door, since: datetime, reason: str | None, budget: timedelta) -> ExitCode:
    """Report a leak of all that is older than ``since`` where there is a ``reason``, follow, and say what is left.

    What cannot be reported or followed keeps nothing else from it, and is named at the end. Errors as `Client.get`,
    where not even the list of what there is can be had.
    """
    console = make_console()
    try:
        return asyncio.run(_every(door, since, reason, budget, console))
    except KeyboardInterrupt:
        return left_alone(console, _command(since))


def _command(since: datetime) -> str:
    return f"rotator leak --all --since {since:%Y-%m-%dT%H:%M:%SZ}"


async def _every(door: Door, since: datetime, reason: str | None, budget: timedelta, console: Console) -> ExitCode:
    async with open_client(door) as client:
        before = await _list(client, since)
        reporting = _Reporting(client, console)
        begun = [] if reason is None else await reporting.report_all(before.older, reason, since)
        names = {view.credential for view in begun}
        following = Following(client, console)
        views = [*(view for view in before.open if view.credential not in names), *begun]
        for view in await following.until_over(views, budget):
            say(console, verdict(view))
        try:
            after = await _list(client, since)
        except RotatorError as error:
            say(console, _unfinished(reporting.failed, following.lost))
            raise advised(error, f"What was begun goes on in the daemon; look again with: {_command(since)}") from error
    unfinished = _unfinished(reporting.failed, following.lost)
    say(console, [*_completeness(after, since), *unfinished, _next(after, since, reporting.failed, reason)])
    return ExitCode.DONE if not after.older and not after.open and not unfinished else ExitCode.FAILED


class _Reporting:
    """Reports one leak after the other, and goes on after an error."""

    def __init__(self, client: Client, console: Console) -> None:
        self._client = client
        self._console = console
        self.failed: dict[str, RotatorError] = {}
        """What could not be reported, and why."""

    async def report_all(self, names: Sequence[str], reason: str, since: datetime) -> list[LeakView]:
        """Return the responses that were begun, of what is older; never raises for one that could not be."""
        begun: list[LeakView] = []
        with watched(self._console, "reporting leaks", len(names)) as bar:
            for name in names:
                try:
                    if await self._is_in_use(name):
                        begun.append(await report(self._client, name, reason, since))
                except RotatorError as error:
                    self.failed[name] = error
                    say(self._console, [f"{name}: NOT reported: {error.message}"])
                bar.advance()
        return begun

    async def _is_in_use(self, name: str) -> bool:
        """Return whether a version of it is in use: where none is, none can have leaked."""
        body = await self._client.get(f"/credentials/{segment(name)}")
        return bool(parse(CredentialDetail, body).credential.generation)


async def _list(client: Client, since: datetime) -> LeakList:
    return parse(LeakList, await client.get("/leaks", {"since": since.isoformat()}))


def _completeness(listed: LeakList, since: datetime) -> list[str]:
    at = f"{since:%Y-%m-%d %H:%M:%SZ}"
    newer = f"{listed.credentials - len(listed.older)} of {listed.credentials} credentials"
    lines = [f"{newer} have a version from after {at}, and none from before that may work."]
    lines += [f"  older, or without any: {name}" for name in listed.older]
    return lines + [f"  leak not over: {view.credential}" for view in listed.open]


def _unfinished(failed: Mapping[str, RotatorError], lost: Mapping[str, RotatorError]) -> list[str]:
    lines = [f"  NOT reported: {name}: {error}" for name, error in failed.items()]
    return lines + [f"  not followed to its end: {name}: {error}" for name, error in lost.items()]


def _next(listed: LeakList, since: datetime, failed: Mapping[str, RotatorError], reason: str | None) -> str:
    """Return the last line: whether it is complete, and else what to do first."""
    if failed:
        return "NOT complete. Report what is not, once mended, with: rotator leak NAME --reason ..."
    if reason is None and set(listed.older) - {view.credential for view in listed.open}:
        return f"NOT complete. Report what is older with: {_command(since)} --reason ..."
    if listed.older or listed.open:
        return f"NOT complete. When the above is done, or to look again: {_command(since)}"
    return "Complete: nothing is left to do."
