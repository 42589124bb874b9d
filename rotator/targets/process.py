"""Run one program of the operator's: no shell, a clean environment, a deadline for all that it starts.

What it is told goes in on standard input. What it says is capped while it is read, and only standard error may be
shown to people, without any secret that is alive here.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotator.errors import PermanentError, UnavailableError
from rotator.secret import Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_OUTPUT_BYTES = 1 << 20
"""Of each stream; a program that says more is ended."""
SHOWN_CHARS = 300
"""How much of the end of standard error goes into a message."""
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""All that a program gets besides what is configured; nothing of the daemon's own environment."""

_CHUNK = 65_536
_SEEN_CHARS = 65_536
"""Of which secrets are masked. Far more than is shown: a secret whose beginning was cut off is not recognised."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run.

    Args:
        subject: Whose it is, for messages.
        command: The program, by absolute path, and its arguments; passed as they are, never through a shell.
        environment: Variables beside `ENVIRONMENT`.
        seconds: How long it, and all that it starts, may take; > 0.
    """

    subject: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended.

    Args:
        status: Exit status, 0 to 255; negative: the signal that ended it.
        output: All of its standard output. May be secret.
        said: The end of its standard error, at most `SHOWN_CHARS` on one line, secrets masked.
    """

    status: int
    output: bytes = field(repr=False)
    said: str


async def run(program: Program, told: bytes) -> Ended:
    """Run ``program`` to its end with ``told`` on its standard input.

    Nothing of its process group outlives the call, however it ends, cancellation included.

    Args:
        program: What to run.
        told: Its standard input; a program that does not read it is no error. Secret.

    Raises:
        PermanentError: It cannot be started, or said more than `MAX_OUTPUT_BYTES` and was killed.
        UnavailableError: It, or something it started that holds its outputs, did not end in time and was killed.
    """
    process = await _start(program)
    try:
        async with asyncio.timeout(program.seconds):
            _, output, said = await asyncio.gather(
                _tell(process, told), _read(process, process.stdout), _read(process, process.stderr)
            )
            status = await process.wait()
    except TimeoutError as error:
        raise UnavailableError(
            f"{program.subject}: {program.command[0]} did not end in {program.seconds:g} s and was killed",
            hint="Does it leave something running that holds its output? It may have done its work",
            cause="timeout",
        ) from error
    finally:
        _kill(process)
        await process.wait()
    if max(len(output), len(said)) > MAX_OUTPUT_BYTES:
        raise PermanentError(f"{program.subject}: {program.command[0]} said more than {MAX_OUTPUT_BYTES} bytes")
    return Ended(status, output, shown(said))


def shown(said: bytes) -> str:
    """Return the end of what was said as one line for people: no secret that is alive, no control characters."""
    text = Redactor()(said[-_SEEN_CHARS:].decode("utf-8", "replace"))
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= SHOWN_CHARS else f"...{line[-SHOWN_CHARS:]}"


async def _start(program: Program) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    try:
        return await asyncio.create_subprocess_exec(
            *program.command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**ENVIRONMENT, **program.environment},
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "a NUL in it"
        raise PermanentError(
            f"{program.subject}: {program.command[0]} cannot be started ({reason})",
            hint="Run it by hand as the daemon's user; scripts need a first line such as #!/bin/sh",
        ) from error


async def _tell(process: asyncio.subprocess.Process, told: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 (a pipe was asked for)
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(told)
        await process.stdin.drain()
    process.stdin.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await process.stdin.wait_closed()


async def _read(process: asyncio.subprocess.Process, stream: asyncio.StreamReader | None) -> bytes:
    """Return what was said; of a program that says too much, one chunk more than it may, and its end."""
    output = bytearray()
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        if len(output) > MAX_OUTPUT_BYTES:
            continue
        output += chunk
        if len(output) > MAX_OUTPUT_BYTES:
            _kill(process)
    return bytes(output)


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the program and all it started. It leads a session of its own, so its id is that of its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
