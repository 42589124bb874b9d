"""Asks for a rotation or a rollback and follows it: steps as they end, deliveries as a counter, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from rotator.admin.models import Accepted, RotationView
from rotator.cli.client import Client, Door, open_client, parse, segment
from rotator.cli.failure import ExitCode, UsageError, advised, plain
from rotator.cli.progress import Bar, watched
from rotator.cli.status_show import make_console
from rotator.cli.words import ended
from rotator.config.duration import parse_duration, render_duration
from rotator.domain.rotation import Step
from rotator.domain.words import at_place
from rotator.errors import RotatorError

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


@dataclass(frozen=True, slots=True)
class End:
    """How a rotation ended.

    Args:
        word: The outcome, in one word.
        text: The same in a sentence or two, with what is next.
        lacking: Placements that do not hold the version in use.
    """

    word: str
    text: str
    lacking: int


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
        look = f"rotator status {asking.name}"
        try:
            async with asyncio.timeout(asking.patience.total_seconds()):
                return await _follow(client, accepted.rotation, look, console)
        except TimeoutError:
            waited = render_duration(asking.patience)
            console.print(Text(plain(f"Still running after {waited}; it goes on in the daemon: {look}")))
            return ExitCode.FAILED
        except RotatorError as error:
            raise advised(error, f"Rotation {accepted.rotation} goes on in the daemon; see it with: {look}") from error


def _accepted(accepted: Accepted) -> Text:
    verb = "joined, it was running already" if accepted.joined else "started"
    return Text(plain(f"rotation {accepted.rotation} {verb}"))


async def _follow(client: Client, rotation: str, look: str, console: Console) -> ExitCode:
    with watched(console, str(Step.ISSUE)) as bar:
        drawing = Drawing(console, bar)
        outcome = await outcome_of(client, rotation, drawing.draw)
    if outcome is None:
        console.print(Text(plain(f"The daemon stopped; the rotation goes on when it starts again: {look}")))
        return ExitCode.FAILED
    return tell_end(outcome, console)


async def outcome_of(client: Client, rotation: str, draw: Callable[[str, dict[str, Any]], None]) -> End | None:
    """Return how a rotation ended; None when the daemon stopped before.

    Errors as `Client.get`.

    Args:
        client: Asks the daemon.
        rotation: Its id.
        draw: Gets every event before the end, by name and value.
    """
    async with contextlib.aclosing(client.events(f"/rotations/{segment(rotation)}/events")) as events:
        async for name, value in events:
            if name == "end":
                outcome = str(value.get("outcome", ""))
                lacking = int(value.get("lacking") or 0)
                text = ended(RotationView.model_validate(value.get("rotation")), outcome, lacking)
                return End(outcome, text, lacking)
            draw(name, value)
    return None


def tell_end(end: End, console: Console) -> ExitCode:
    """Print how a rotation ended, and return whether that is what was wanted."""
    is_good = end.word in _GOOD
    style = "red" if not is_good else "yellow" if end.lacking else "green"
    console.print(Text(plain(end.text), style=style))
    return ExitCode.DONE if is_good else ExitCode.FAILED


class Drawing:
    """Draws the events of one rotation: steps as lines, deliveries as a bar.

    Args:
        console: Where.
        bar: Says which step runs, and counts deliveries.
    """

    def __init__(self, console: Console, bar: Bar) -> None:
        self._console = console
        self._bar = bar
        self._told: set[str] = set()

    def draw(self, name: str, value: dict[str, Any]) -> None:
        """Draw one event; what is not known is passed over."""
        if name == "state":
            self._bar.of(value.get("placements") or None)
            self._say_steps_before(str(value.get("rotation", {}).get("step", "")))
        elif name == "step":
            self._say_step(str(value.get("step")), f"{value.get('message') or 'done'} ({value.get('seconds')} s)")
        elif name == "delivery":
            self._bar.advance()
            if value.get("error"):
                what = at_place(str(value.get("placement")), str(value.get("message")))
                self._say(f"  {value.get('target')}: {what}")
        elif name == "deliveries":
            self._bar.at(value.get("confirmed", 0) + value.get("failed", 0))

    def _say_steps_before(self, step: str) -> None:
        """Tell what ended before anybody listened."""
        steps = [str(one) for one in Step]
        for done in steps[: steps.index(step)] if step in steps else ():
            self._say_step(done, "done")

    def _say_step(self, step: str, text: str) -> None:
        if step in self._told:
            return
        self._told.add(step)
        self._say(f"  {step}: {text}")
        steps = [str(one) for one in Step]
        if step in steps[:-1]:
            self._bar.doing(steps[steps.index(step) + 1])

    def _say(self, text: str) -> None:
        self._console.print(Text(plain(text)))
