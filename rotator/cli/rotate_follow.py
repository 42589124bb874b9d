"""Asks for a rotation or a rollback and follows it: steps as they end, deliveries as a counter, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from rotator.admin.models import Accepted, RotationView
from rotator.cli.client import Client, Door, open_client, parse, segment
from rotator.cli.failure import ExitCode, UsageError, plain
from rotator.cli.status_show import make_console
from rotator.cli.words import ended
from rotator.config.duration import parse_duration, render_duration
from rotator.domain.rotation import Step

_GOOD = frozenset({"succeeded", "unchanged"})


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked for.

    Args:
        name: The credential.
        reason: Why.
        patience: How long to follow it.
        path: What is asked for, below the credential's own path: ``rotations`` or ``rollbacks``.
        details: What the request says besides the reason.
    """

    name: str
    reason: str
    patience: timedelta
    path: str = "rotations"
    details: Mapping[str, Any] = field(default_factory=dict)


def patience(text: str) -> timedelta:
    """Return the duration that ``text`` writes.

    Raises:
        UsageError: It is none.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from error


def ask(door: Door, asking: Asking) -> ExitCode:
    """Ask for a rotation and leave. Errors as `Client.get`."""
    console = make_console()
    accepted = asyncio.run(_ask(door, asking))
    console.print(_accepted(accepted))
    console.print(Text(f"Follow it with: rotator status {asking.name}"))
    return ExitCode.DONE


def ask_and_follow(door: Door, asking: Asking) -> ExitCode:
    """Ask for a rotation and follow it to its end. Errors as `Client.get`."""
    console = make_console()
    try:
        return asyncio.run(_ask_and_follow(door, asking, console))
    except KeyboardInterrupt:
        console.print(Text(f"The rotation goes on in the daemon; see it with: rotator status {plain(asking.name)}"))
        return ExitCode.INTERRUPTED


async def _ask(door: Door, asking: Asking) -> Accepted:
    async with open_client(door) as client:
        return await _request(client, asking)


async def _request(client: Client, asking: Asking) -> Accepted:
    path = f"/credentials/{segment(asking.name)}/{asking.path}"
    body = {"reason": asking.reason, **asking.details}
    return parse(Accepted, await client.post(path, body, secrets.token_hex(16)))


async def _ask_and_follow(door: Door, asking: Asking, console: Console) -> ExitCode:
    async with open_client(door) as client:
        accepted = await _request(client, asking)
        console.print(_accepted(accepted))
        try:
            async with asyncio.timeout(asking.patience.total_seconds()):
                return await _follow(client, accepted.rotation, console)
        except TimeoutError:
            waited = render_duration(asking.patience)
            console.print(Text(f"Still running after {waited}; it goes on in the daemon: rotator status {asking.name}"))
            return ExitCode.FAILED


def _accepted(accepted: Accepted) -> Text:
    verb = "joined, it was running already" if accepted.joined else "started"
    return Text(plain(f"rotation {accepted.rotation} {verb}"))


async def _follow(client: Client, rotation: str, console: Console) -> ExitCode:
    with _progress(console) as progress:
        async with contextlib.aclosing(client.events(f"/rotations/{segment(rotation)}/events")) as events:
            outcome = await _Drawing(progress).until_end(events)
    if outcome is None:
        console.print(Text("The daemon stopped; the rotation goes on when it starts again."))
        return ExitCode.FAILED
    word, text = outcome
    console.print(Text(plain(text), style="green" if word in _GOOD else "red"))
    return ExitCode.DONE if word in _GOOD else ExitCode.FAILED


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class _Drawing:
    """Draws the events of one rotation.

    Args:
        progress: Counts deliveries, on a terminal.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("deliveries", total=None)
        self._told: set[str] = set()

    async def until_end(self, events: AsyncIterator[tuple[str, dict[str, Any]]]) -> tuple[str, str] | None:
        """Draw until the end; return the outcome and its sentence, None when the stream ended before."""
        async for name, value in events:
            if name == "end":
                outcome = str(value.get("outcome", ""))
                return outcome, ended(RotationView.model_validate(value.get("rotation")), outcome)
            self._draw(name, value)
        return None

    def _draw(self, name: str, value: dict[str, Any]) -> None:
        if name == "state":
            self._progress.update(self._task, total=value.get("placements") or None)
            self._say_steps_before(str(value.get("rotation", {}).get("step", "")))
        elif name == "step":
            self._say_step(str(value.get("step")), f"{value.get('message') or 'done'} ({value.get('seconds')} s)")
        elif name == "delivery":
            self._progress.advance(self._task)
            if value.get("error"):
                self._say(f"  {value.get('target')}: {value.get('placement')}: {value.get('message')}")
        elif name == "deliveries":
            self._progress.update(self._task, completed=value.get("confirmed", 0) + value.get("failed", 0))

    def _say_steps_before(self, step: str) -> None:
        """Tell what ended before anybody listened."""
        steps = [str(one) for one in Step]
        for done in steps[: steps.index(step)] if step in steps else ():
            self._say_step(done, "done")

    def _say_step(self, step: str, text: str) -> None:
        if step not in self._told:
            self._told.add(step)
            self._say(f"  {step}: {text}")

    def _say(self, text: str) -> None:
        self._progress.console.print(Text(plain(text)))
