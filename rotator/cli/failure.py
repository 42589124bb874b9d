"""How a command ends: the exit codes, and what is printed on standard error."""

from __future__ import annotations

import sys
from enum import IntEnum

from rotator.errors import ConfigError, NotFoundError, RotatorError, UnavailableError


class ExitCode(IntEnum):
    """What a script can tell a command's end by."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """The arguments or the configuration are wrong; nothing was tried."""
    UNREACHABLE = 3
    """The daemon does not run, or does not let us in."""
    INTERRUPTED = 130
    """Ctrl-C, as shells count it."""


class UnreachableError(UnavailableError):
    """The daemon does not run, or does not let us in."""


class UsageError(RotatorError):
    """The command was asked for something that cannot be."""

    code = "usage"


_CODES: tuple[tuple[type[RotatorError], ExitCode], ...] = (
    (UnreachableError, ExitCode.UNREACHABLE),
    (ConfigError, ExitCode.USAGE),
    (UsageError, ExitCode.USAGE),
    (NotFoundError, ExitCode.USAGE),
)
_LOOK = "Look for what is wrong with: rotator doctor"
"""Where an error has no advice of its own. What is wrong usage says by itself what would be right."""


def exit_code_of(error: RotatorError) -> ExitCode:
    """Return the exit code that ``error`` stands for."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


def report(error: RotatorError) -> None:
    """Print ``error`` and what to do about it on standard error, without a traceback."""
    if isinstance(error, ConfigError):
        lines = list(error.mistakes)
        if len(lines) > 1:
            lines.append(f"{len(lines)} mistakes")
    else:
        lines = [f"rotator: {error.message}"]
    hint = error.hint or (_LOOK if exit_code_of(error) is ExitCode.FAILED else "")
    if hint:
        lines.append(f"  {hint}")
    for line in lines:
        print(plain(line), file=sys.stderr)


def advised(error: RotatorError, hint: str) -> RotatorError:
    """Return ``error`` with what to do now that something was begun before it happened."""
    error.hint = hint
    return error


def plain(text: str) -> str:
    """Return ``text`` without characters that a terminal would take for commands."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
