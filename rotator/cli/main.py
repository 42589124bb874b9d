"""The command ``rotator``: its commands, and what becomes of an error."""

from __future__ import annotations

import secrets
import sys
import traceback
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Annotated

import typer

from rotator import __version__
from rotator.cli import (
    apply,
    audit,
    check,
    config,
    demo,
    doctor,
    leak,
    notify,
    plan,
    rollback,
    rotate,
    run,
    sandbox,
    status,
    targets,
    usage,
    versions,
)
from rotator.cli.failure import ExitCode, exit_code_of, report
from rotator.cli.manual import ASKS_DAEMON, ASKS_NO_DAEMON, manual
from rotator.errors import RotatorError

app = typer.Typer(
    name="rotator",
    help="Keep container-registry credentials fresh, proven and present wherever images are pulled.",
    epilog="Examples:\n\nrotator status\n\nrotator doctor\n\nrotator --install-completion\n\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 the daemon cannot be reached.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", epilog=manual(run.EXAMPLES, ASKS_NO_DAEMON))(run.run)
app.command("status", epilog=manual(status.EXAMPLES, ASKS_DAEMON))(status.status)
app.command("rotate", epilog=manual(rotate.EXAMPLES, ASKS_DAEMON))(rotate.rotate)
app.command("versions", epilog=manual(versions.EXAMPLES, ASKS_DAEMON))(versions.versions)
app.command("rollback", epilog=manual(rollback.EXAMPLES, ASKS_DAEMON))(rollback.rollback)
app.command("leak", epilog=manual(leak.EXAMPLES, ASKS_DAEMON))(leak.leak)
app.command("usage", epilog=manual(usage.EXAMPLES, ASKS_DAEMON))(usage.usage)
app.add_typer(audit.app, name="audit")
app.command("plan", epilog=manual(plan.EXAMPLES, ASKS_DAEMON))(plan.plan)
app.command("apply", epilog=manual(apply.EXAMPLES, ASKS_DAEMON))(apply.apply)
app.add_typer(targets.app, name="targets")
app.command("check", epilog=manual(check.EXAMPLES, ASKS_NO_DAEMON))(check.check)
app.command("doctor", epilog=manual(doctor.EXAMPLES, ASKS_NO_DAEMON))(doctor.doctor)
app.add_typer(notify.app, name="notify")
app.add_typer(config.app, name="config")
app.command("demo", epilog=manual(demo.EXAMPLES, ASKS_NO_DAEMON))(demo.demo)
app.command("sandbox", epilog=manual(sandbox.EXAMPLES, ASKS_NO_DAEMON), hidden=True)(sandbox.sandbox)

_debug: ContextVar[bool] = ContextVar("debug", default=False)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 (Typer calls it with the option's value)
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def begin(
    *,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of an error that nobody foresaw.")
    ] = False,
    version: Annotated[  # noqa: ARG001 (its callback does it all)
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Keep container-registry credentials fresh, proven and present wherever images are pulled."""
    _debug.set(debug)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that ``arguments`` name, and exit with its code. Never shows a local variable.

    Args:
        arguments: What follows the program's name; None for the process's own.
    """
    try:
        app(arguments, prog_name="rotator")
    except RotatorError as error:
        report(error)
        sys.exit(exit_code_of(error))
    except Exception as error:  # noqa: BLE001 (the outermost place: a person gets one line, not a traceback)
        _report_unforeseen(error)
        sys.exit(ExitCode.FAILED)


def _report_unforeseen(error: Exception) -> None:
    """Print one line that names the kind of ``error``; its text may hold anything, so only ``--debug`` shows it."""
    number = secrets.token_hex(4)
    advice = "" if _debug.get() else "; run it again with --debug before the command to see where"
    print(f"rotator: internal error {number} ({type(error).__name__}){advice}", file=sys.stderr)
    if _debug.get():
        traceback.print_exception(error)
