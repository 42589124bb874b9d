"""Hand logins to a program of the operator's: for places that nothing else here can write to.

The program is told what to do in a JSON document on standard input, never in its arguments or environment, which every
user of the machine can read. It must be safe to repeat: it is run again until it says that it is done.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from rotator.config.duration import Duration
from rotator.config.target import TargetConfig
from rotator.domain.declares import Concurrency, Declares, Effect, Proof
from rotator.domain.model import Entry, Held, Login
from rotator.errors import (
    ConflictError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RotatorError,
    UnavailableError,
)
from rotator.secret import Secret
from rotator.targets.accepted import Accepted
from rotator.targets.context import TargetContext
from rotator.targets.process import Ended, Program, run

FORMAT = 1
"""Version of the document that a program is told."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_STATUSES: Mapping[int, type[RotatorError]] = {
    69: UnavailableError,
    73: ConflictError,
    75: UnavailableError,
    77: PermissionDeniedError,
}
"""Exit statuses with a meaning of their own, after ``sysexits.h``: unavailable, cannot create, try again, no right."""


class ExecConfig(TargetConfig):
    """Options of an ``exec`` target: a program that brings logins to a place."""

    type: Literal["exec"]
    """A program of yours."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """The program by its absolute path, and its arguments, each as it is: there is no shell. No secret belongs here."""

    read_command: tuple[str, ...] = ()
    """A program that prints what the place holds, so that a delivery is confirmed by its value. Default: that
    ``command`` ended with status 0 is all that is known."""

    placements: Annotated[tuple[str, ...], Field(min_length=1)] = ("default",)
    """Names of the places, each written by a run of its own and told to it."""

    env: Mapping[str, str] = Field(default_factory=dict)
    """Variables for the programs, besides PATH and LANG; nothing else of the daemon's is passed on. No secret belongs
    here."""

    timeout: Duration = timedelta(seconds=30)
    """How long a run may take. After that it is killed, with all that it started."""

    effect: Effect = Effect.NEXT_PULL
    """What a run brings about: ``next-pull``, ``new-tasks``, ``needs-redeploy`` or ``causes-redeploy``."""

    @field_validator("command", "read_command")
    @classmethod
    def _check_command(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and not value[0].startswith("/"):
            raise ValueError(f"{value[0]!r} is no absolute path; a program is not looked for in PATH")
        if any("\0" in word for word in value):
            raise ValueError("a NUL cannot be in an argument")
        return value

    @field_validator("env")
    @classmethod
    def _check_env(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        wrong = [name for name, text in value.items() if not _NAME.fullmatch(name) or "\0" in text]
        if wrong:
            raise ValueError(f"{wrong[0]!r} cannot be the name of a variable, or its value holds a NUL")
        return value

    @model_validator(mode="after")
    def _check_placements(self) -> ExecConfig:
        if len(set(self.placements)) != len(self.placements):
            raise ValueError("placements names a place twice; remove one")
        if not all(one.isprintable() and one.strip() for one in self.placements):
            raise ValueError("a placement needs a name, on one line")
        return self


class ExecTarget:
    """Places behind a program. A placement is one of the configured names.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: Not needed: what the program does is its own affair.
    """

    Config = ExecConfig
    kind = "exec"

    def __init__(self, name: str, config: ExecConfig, context: TargetContext) -> None:  # noqa: ARG002 - one signature for all targets
        self.name = name
        self.declares = Declares(
            readback=Proof.VALUE if config.read_command else Proof.NONE,
            effect=config.effect,
            concurrency=Concurrency.SERIALISED,
        )
        self._config = config
        self._accepted = Accepted(name)

    async def placements(self) -> Sequence[str]:
        """Return the configured names. Runs nothing."""
        return self._config.placements

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Run the program for ``placement`` with ``entries``, and read back where there is a program for that.

        Not run when the place is known to hold ``entries`` already.

        Raises:
            FencedError: A newer generation was handed over. PermanentError: The program cannot be started, failed, or
            printed what it should not. UnavailableError, ConflictError, PermissionDeniedError: Its status says so.
            Others as `rotator.ports.Target.apply`.
        """
        self._refuse_other(placement)
        if self._config.read_command:
            return await self._converge(placement, entries)
        if not self._accepted.missing(placement, entries):
            return self._accepted.held(placement, entries, changed=False)
        await self._run(self._config.command, "apply", placement, entries)
        self._accepted.note(placement, entries)
        return self._accepted.held(placement, entries, changed=True)

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return what the place holds as the reading program prints it; without one, what was accepted from us.

        Raises:
            As `apply`.
        """
        self._refuse_other(placement)
        if not self._config.read_command:
            return self._accepted.held(placement, entries, changed=False)
        return Held(await self._logins(placement, entries), changed=False)

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: the configuration names every placement. Ends when it is cancelled."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Do nothing: nothing runs between calls."""

    async def _converge(self, placement: str, entries: Sequence[Entry]) -> Held:
        self._accepted.missing(placement, entries)
        before = await self._logins(placement, entries)
        if all(before.get(entry.credential) == entry.login for entry in entries):
            return Held(before, changed=False)
        await self._run(self._config.command, "apply", placement, entries)
        self._accepted.note(placement, entries)
        return Held(await self._logins(placement, entries))

    async def _logins(self, placement: str, entries: Sequence[Entry]) -> dict[str, Login]:
        ended = await self._run(self._config.read_command, "read", placement, entries)
        logins = _parsed(ended.output)
        if logins is None:
            raise PermanentError(
                f"{self.name}: {placement}: {self._config.read_command[0]} printed no document of logins",
                hint='It must print {"logins": {"<credential>": {"username": "...", "password": "..."}}}, nothing else',
            )
        return {entry.credential: logins[entry.credential] for entry in entries if entry.credential in logins}

    async def _run(self, command: Sequence[str], action: str, placement: str, entries: Sequence[Entry]) -> Ended:
        subject = f"{self.name}: {placement}"
        program = Program(subject, command, self._config.env, self._config.timeout.total_seconds())
        ended = await run(program, _told(action, placement, entries))
        if ended.status == 0:
            return ended
        how = f"ended with status {ended.status}" if ended.status > 0 else f"was ended by signal {-ended.status}"
        said = f': "{ended.said}"' if ended.said else ""
        raise _STATUSES.get(ended.status, PermanentError)(f"{subject}: {command[0]} {how}{said}")

    def _refuse_other(self, placement: str) -> None:
        if placement not in self._config.placements:
            raise NotFoundError(f"{placement} is not a placement of target {self.name}")


def _told(action: str, placement: str, entries: Sequence[Entry]) -> bytes:
    """Return the document for standard input. Secret, but for reading: then it holds no login."""
    shown = [_with_login(entry) if action == "apply" else _facts(entry) for entry in entries]
    return json.dumps({"version": FORMAT, "action": action, "placement": placement, "entries": shown}).encode()


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "credential": entry.credential,
        "registry": entry.registry,
        "generation": entry.generation,
        "fingerprint": entry.fingerprint,
        "expires_at": None if entry.expiry.at is None else entry.expiry.at.isoformat(),
    }


def _with_login(entry: Entry) -> dict[str, Any]:
    return {**_facts(entry), "username": entry.login.username, "password": entry.login.secret.reveal()}


def _parsed(output: bytes) -> dict[str, Login] | None:
    """Return the logins that a program printed, by credential; None where it is not such a document."""
    try:
        logins = json.loads(output)["logins"]
        return {name: Login(_text(one["username"]), Secret(_text(one["password"]))) for name, one in logins.items()}
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
