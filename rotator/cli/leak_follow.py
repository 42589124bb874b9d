"""Reports a leak, follows responses until they are over or the budget is, and says what is left."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.text import Text

from rotator.admin.leak_models import LeakView, StepView
from rotator.cli.client import Client, Door, open_client, parse, segment
from rotator.cli.failure import ExitCode, UsageError, advised, plain
from rotator.cli.progress import Bar, watched
from rotator.cli.status_show import make_console
from rotator.clock import SystemClock
from rotator.config.duration import parse_duration, render_duration
from rotator.domain.leak import Waits
from rotator.errors import RotatorError

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
    except (ValueError, OverflowError):
        pass
    try:
        written = datetime.fromisoformat(text)
        if written.tzinfo is not None:
            return written.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError("--since: write an instant with its zone, as 2026-11-28T09:00:00Z, or how long ago, as 2h")


def one(door: Door, name: str, reason: str | None, budget: timedelta) -> ExitCode:
    """Report a leak where there is a ``reason``, and follow the response. Errors as `Client.get`."""
    console = make_console()
    try:
        return asyncio.run(_one(door, name, reason, budget, console))
    except KeyboardInterrupt:
        return left_alone(console, f"rotator leak {name}")


def left_alone(console: Console, command: str) -> ExitCode:
    """Say how to look again, after Ctrl-C."""
    say(console, [f"It goes on in the daemon; look again with: {command}"])
    return ExitCode.INTERRUPTED


async def _one(door: Door, name: str, reason: str | None, budget: timedelta, console: Console) -> ExitCode:
    async with open_client(door) as client:
        view = await report(client, name, reason) if reason is not None else await _read(client, name)
        if view.reported_at is None:
            raise UsageError(
                f"no leak of {name} was reported, so there is nothing to follow",
                hint=f"Report one with: rotator leak {name} --reason ...",
            )
        following = Following(client, console)
        (view,) = await following.until_over([view], budget)
    if error := following.lost.get(name):
        raise advised(error, f"The response goes on in the daemon; follow it again with: rotator leak {name}")
    say(console, verdict(view))
    if view.is_over:
        say(console, ["Nothing is left to do."])
        return ExitCode.DONE
    say(console, [f"When that is done, or to look again: rotator leak {name}"])
    return ExitCode.FAILED


async def report(client: Client, name: str, reason: str, before: datetime | None = None) -> LeakView:
    """Report a leak of what ``name`` had ``before``, or of all; return how it stands. Errors as `Client.post`."""
    path = f"/credentials/{segment(name)}/leaks"
    body = {"reason": reason, **({"issued_before": before.isoformat()} if before else {})}
    return parse(LeakView, await client.post(path, body, secrets.token_hex(16)))


async def _read(client: Client, name: str) -> LeakView:
    return parse(LeakView, await client.get(f"/credentials/{segment(name)}/leak"))


class Following:
    """Follows responses, and says each thing once.

    Args:
        client: Asks the daemon.
        console: Where it is said, below it a bar of what is done.
    """

    def __init__(self, client: Client, console: Console) -> None:
        self._client = client
        self._console = console
        self._clock = SystemClock()
        self._told: set[tuple[str, str, str]] = set()
        self.lost: dict[str, RotatorError] = {}
        """What could not be followed to its end, and why."""

    async def until_over(self, views: Sequence[LeakView], budget: timedelta) -> list[LeakView]:
        """Return the responses as they are once nothing but time can help, or the budget is used up.

        Never raises for one that cannot be asked about: it is `lost`, and the others are followed on.
        """
        until = self._clock.monotonic() + budget.total_seconds()
        latest = {view.credential: view for view in views}
        with watched(self._console, "leak response") as bar:
            while True:
                self._tell(latest.values(), bar)
                open_still = [name for name, view in latest.items() if _may_change(view) and name not in self.lost]
                left = until - self._clock.monotonic()
                if not open_still:
                    return list(latest.values())
                if left <= 0:
                    say(self._console, [f"The budget of {render_duration(budget)} is used up; the daemon goes on."])
                    return list(latest.values())
                await self._clock.sleep(min(LOOK_SECONDS, left))
                for name in open_still:
                    latest[name] = await self._look(latest[name])

    async def _look(self, before: LeakView) -> LeakView:
        try:
            return await _read(self._client, before.credential)
        except RotatorError as error:
            self.lost[before.credential] = error
            return before

    def _tell(self, views: Collection[LeakView], bar: Bar) -> None:
        bar.of(sum(len(view.steps) for view in views) or None)
        bar.at(sum(step.is_done for view in views for step in view.steps))
        for view in views:
            for step in _worth_telling(view):
                self._tell_step(view.credential, step)

    def _tell_step(self, credential: str, step: StepView) -> None:
        key = (credential, step.name, step.message)
        if key not in self._told:
            self._told.add(key)
            word = "done" if step.is_done else "waits"
            say(self._console, [f"{credential}: {step.name}: {word}: {step.message}"])


def _worth_telling(view: LeakView) -> Iterator[StepView]:
    """Yield what is done, and the first thing that is not."""
    for step in view.steps:
        yield step
        if not step.is_done:
            return


def _may_change(view: LeakView) -> bool:
    """Return whether the daemon or a person can bring it further before something expires."""
    return any(not step.is_done and step.waits_for is not Waits.TIME for step in view.steps)


def verdict(view: LeakView) -> list[str]:
    """Return whether it is over; where it is not, what is left, and for whom."""
    if view.is_over:
        dead = next((step.message for step in view.steps if step.name == "dead"), "")
        return [f"{view.credential}: over: every required target has the new one; {dead}."]
    left = [step for step in view.steps if not step.is_done]
    yours = [f"  you: {step.message}" for step in left if step.waits_for is Waits.PERSON and step.name != "dead"]
    ours = [f"  {_WAITS[step.waits_for]}: {step.name}: {step.message}" for step in left if _is_ours(step)]
    return [f"{view.credential}: NOT over. What is left:", *yours, *ours]


def _is_ours(step: StepView) -> bool:
    return step.waits_for is not Waits.PERSON or step.name == "dead"


def say(console: Console, lines: Collection[str]) -> None:
    """Print ``lines``, with what a terminal would take for commands taken out."""
    for line in lines:
        console.print(Text(plain(line)))


_WAITS = {Waits.DAEMON: "the daemon goes on", Waits.TIME: "only time", Waits.PERSON: "then the daemon"}
