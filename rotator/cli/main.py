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
from rotator.errors import RotatorError

app = typer.Typer(
    name="rotator",
    help="Keep container-registry credentials fresh, proven and present wherever images are pulled.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 the daemon cannot be reached.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", epilog=run.EXAMPLES)(run.run)
app.command("status", epilog=status.EXAMPLES)(status.status)
app.command("rotate", epilog=rotate.EXAMPLES)(rotate.rotate)
app.command("versions", epilog=versions.EXAMPLES)(versions.versions)
app.command("rollback", epilog=rollback.EXAMPLES)(rollback.rollback)
app.command("leak", epilog=leak.EXAMPLES)(leak.leak)
app.command("usage", epilog=usage.EXAMPLES)(usage.usage)
app.add_typer(audit.app, name="audit")
app.command("plan", epilog=plan.EXAMPLES)(plan.plan)
app.command("apply", epilog=apply.EXAMPLES)(apply.apply)
app.add_typer(targets.app, name="targets")
app.command("check", epilog=check.EXAMPLES)(check.check)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.add_typer(notify.app, name="notify")
app.add_typer(config.app, name="config")
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("sandbox", epilog=sandbox.EXAMPLES, hidden=True)(sandbox.sandbox)

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
