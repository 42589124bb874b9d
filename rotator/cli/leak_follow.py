"""Reports leaks, follows the responses until they are over or the budget is, and says what is left."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

from rotator.admin.leak_models import LeakList, LeakView, StepView
from rotator.admin.models import CredentialDetail
from rotator.cli.client import Client, Door, open_client, parse, segment
from rotator.cli.failure import ExitCode, UsageError, plain
from rotator.cli.status_show import make_console
from rotator.clock import SystemClock
from rotator.config.duration import parse_duration, render_duration
from rotator.domain.leak import Waits

LOOK_SECONDS = 1.0


def patience(text: str) -> timedelta:
    """Return the duration that ``text`` writes.

    Raises:
        UsageError: It is none.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--budget: {error}") from error


def instant(text: str) -> datetime:
    """Return the instant that ``text`` writes: RFC 3339, or how long ago.

    Raises:
        UsageError: It is neither, or has no time zone.
    """
    try:
        return SystemClock().now() - parse_duration(text)
    except ValueError:
        pass
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        written = None
    if written is None or written.tzinfo is None:
        raise UsageError("--since: write an instant with its zone, as 2026-11-28T09:00:00Z, or how long ago, as 2h")
    return written


def one(door: Door, name: str, reason: str | None, budget: timedelta) -> ExitCode:
    """Report a leak where there is a ``reason``, and follow the response. Errors as `Client.get`."""
    console = make_console()
    try:
        return asyncio.run(_one(door, name, reason, budget, console))
    except KeyboardInterrupt:
        return _left_alone(console, f"rotator leak {name}")


def every(door: Door, since: datetime, reason: str | None, budget: timedelta) -> ExitCode:
    """Report a leak of all that is older than ``since`` where there is a ``reason``, follow, and say what is older."""
    console = make_console()
    try:
        return asyncio.run(_every(door, since, reason, budget, console))
    except KeyboardInterrupt:
        return _left_alone(console, f"rotator leak --all --since {since:%Y-%m-%dT%H:%M:%SZ}")


def _left_alone(console: Console, command: str) -> ExitCode:
    console.print(Text(plain(f"It goes on in the daemon; look again with: {command}")))
    return ExitCode.INTERRUPTED


async def _one(door: Door, name: str, reason: str | None, budget: timedelta, console: Console) -> ExitCode:
    async with open_client(door) as client:
        view = await _report(client, name, reason) if reason is not None else await _read(client, name)
        if view.reported_at is None:
            raise UsageError(
                f"no leak of {name} was reported, so there is nothing to follow",
                hint=f"Report one with: rotator leak {name} --reason ...",
            )
        (view,) = await _Following(client, console).until_over([view], budget)
    _say(console, _verdict(view))
    return ExitCode.DONE if view.is_over else ExitCode.FAILED


async def _every(door: Door, since: datetime, reason: str | None, budget: timedelta, console: Console) -> ExitCode:
    async with open_client(door) as client:
        before = await _list(client, since)
        views = list(before.open)
        if reason is not None:
            begun = [await _report(client, name, reason) for name in await _in_use(client, before.older)]
            views = [view for view in views if view.credential not in before.older] + begun
        for view in await _Following(client, console).until_over(views, budget):
            _say(console, _verdict(view))
        after = await _list(client, since)
    _say(console, _completeness(after, since))
    return ExitCode.DONE if not after.older and not after.open else ExitCode.FAILED


async def _in_use(client: Client, names: Sequence[str]) -> list[str]:
    """Return those of ``names`` that have a version in use: of the others none can have leaked."""
    found = [(name, await client.get(f"/credentials/{segment(name)}")) for name in names]
    return [name for name, body in found if parse(CredentialDetail, body).credential.generation]


async def _report(client: Client, name: str, reason: str) -> LeakView:
    path = f"/credentials/{segment(name)}/leaks"
    return parse(LeakView, await client.post(path, {"reason": reason}, secrets.token_hex(16)))


async def _read(client: Client, name: str) -> LeakView:
    return parse(LeakView, await client.get(f"/credentials/{segment(name)}/leak"))


async def _list(client: Client, since: datetime) -> LeakList:
    return parse(LeakList, await client.get("/leaks", {"since": since.isoformat()}))


class _Following:
    """Follows responses, and says each thing once."""

    def __init__(self, client: Client, console: Console) -> None:
        self._client = client
        self._console = console
        self._clock = SystemClock()
        self._told: set[tuple[str, str, str]] = set()

    async def until_over(self, views: Sequence[LeakView], budget: timedelta) -> list[LeakView]:
        """Return the responses as they are once nothing but time can help, or the budget is used up."""
        until = self._clock.monotonic() + budget.total_seconds()
        latest = {view.credential: view for view in views}
        while True:
            for view in latest.values():
                self._tell(view)
            open_still = [name for name, view in latest.items() if _may_change(view)]
            left = until - self._clock.monotonic()
            if not open_still:
                return list(latest.values())
            if left <= 0:
                _say(self._console, [f"The budget of {render_duration(budget)} is used up; the daemon goes on."])
                return list(latest.values())
            await self._clock.sleep(min(LOOK_SECONDS, left))
            for name in open_still:
                latest[name] = await _read(self._client, name)

    def _tell(self, view: LeakView) -> None:
        for step in _worth_telling(view):
            key = (view.credential, step.name, step.message)
            if key not in self._told:
                self._told.add(key)
                word = "done" if step.is_done else "waits"
                _say(self._console, [f"{view.credential}: {step.name}: {word}: {step.message}"])


def _worth_telling(view: LeakView) -> Iterator[StepView]:
    """Yield what is done, and the first thing that is not."""
    for step in view.steps:
        yield step
        if not step.is_done:
            return


def _may_change(view: LeakView) -> bool:
    """Return whether the daemon or a person can bring it further before something expires."""
    return any(not step.is_done and step.waits_for is not Waits.TIME for step in view.steps)


def _verdict(view: LeakView) -> list[str]:
    if view.is_over:
        return [f"{view.credential}: over: replaced everywhere, and what leaked is dead."]
    left = [step for step in view.steps if not step.is_done]
    yours = [f"  you: {step.message}" for step in left if step.waits_for is Waits.PERSON and step.name != "dead"]
    ours = [f"  {_WAITS[step.waits_for]}: {step.name}: {step.message}" for step in left if _is_ours(step)]
    return [f"{view.credential}: NOT over. What is left:", *yours, *ours]


def _is_ours(step: StepView) -> bool:
    return step.waits_for is not Waits.PERSON or step.name == "dead"


def _completeness(listed: LeakList, since: datetime) -> list[str]:
    at = f"{since:%Y-%m-%d %H:%M:%SZ}"
    newer = listed.credentials - len(listed.older)
    lines = [f"{newer} of {listed.credentials} credentials use a version that was obtained after {at}."]
    lines += [f"  older, or without any: {name}" for name in listed.older]
    return lines + [f"  leak not over: {view.credential}" for view in listed.open]


def _say(console: Console, lines: Collection[str]) -> None:
    for line in lines:
        console.print(Text(plain(line)))


_WAITS = {Waits.DAEMON: "the daemon goes on", Waits.TIME: "only time", Waits.PERSON: "then the daemon"}
