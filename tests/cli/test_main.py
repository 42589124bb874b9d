"""The command line without a daemon: help, exit codes, and what an error looks like."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rotator import __version__
from rotator.cli.failure import ExitCode, UnreachableError, UsageError, exit_code_of, plain, report
from rotator.cli.main import app, main
from rotator.errors import ConfigError, NotFoundError, RotatorError, UnavailableError

COMMANDS = [
    [],
    ["run"],
    ["status"],
    ["rotate"],
    ["demo"],
    ["notify"],
    ["notify", "test"],
    ["check"],
    ["doctor"],
    ["config"],
    *(["config", c] for c in ("check", "schema", "show")),
]
HEAVY = ("aiohttp", "boto3", "fastapi", "hvac", "pydantic", "sqlalchemy", "uvicorn")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "rotator")
@pytest.mark.parametrize("columns", ["40", "80"])
def test_help_renders(command: list[str], columns: str) -> None:
    """The help of every command fits the terminal and says in one sentence what it does."""
    result = CliRunner(env={"COLUMNS": columns}).invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert all(len(line) <= int(columns) for line in result.output.splitlines())
    assert re.search(r"\w\.", result.output)


def test_help_is_light() -> None:
    """Asking for help imports nothing that takes long."""
    code = f"import sys, rotator.cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"


def test_the_version_is_printed() -> None:
    """--version prints the version and nothing else."""
    assert CliRunner().invoke(app, ["--version"]).output == f"{__version__}\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(RotatorError("x"), ExitCode.FAILED, id="any"),
        pytest.param(UnavailableError("x"), ExitCode.FAILED, id="a peer of the daemon"),
        pytest.param(UnreachableError("x"), ExitCode.UNREACHABLE, id="the daemon"),
        pytest.param(ConfigError(["x"]), ExitCode.USAGE, id="configuration"),
        pytest.param(UsageError("x"), ExitCode.USAGE, id="usage"),
        pytest.param(NotFoundError("x"), ExitCode.USAGE, id="no such thing"),
    ],
)
def test_every_error_has_its_exit_code(error: RotatorError, code: ExitCode) -> None:
    """The class of an error decides the exit code."""
    assert exit_code_of(error) == code


def test_mistakes_are_listed_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Every mistake gets a line on standard error, then their number, then the hint."""
    report(ConfigError(["a.yaml:1: one", "a.yaml:2: two"], hint="Mend both"))
    assert capsys.readouterr().err == "a.yaml:1: one\na.yaml:2: two\n2 mistakes\n  Mend both\n"


def test_escape_sequences_do_not_reach_the_terminal() -> None:
    """Text from elsewhere cannot colour, clear or retitle a terminal."""
    assert plain("a\x1b[2Jb\x9bc\u202ed\ne") == "a?[2Jb?c?d\ne"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["status"], 3, "there is no socket at", id="no socket"),
        pytest.param(["rotate", "x", "--reason", "y"], 3, "rotator run", id="rotate without a daemon"),
        pytest.param(["status", "--json"], 3, "there is no socket at", id="JSON without a daemon"),
        pytest.param(["status", "--limits"], 3, "there is no socket at", id="limits without a daemon"),
        pytest.param(["status", "mine", "--limits"], 2, "leave NAME", id="limits of one credential"),
        pytest.param(["config", "check", "/nonexistent.yaml"], 2, "cannot be read", id="no configuration"),
        pytest.param(["run", "--config", "/nonexistent.yaml"], 2, "cannot be read", id="run without configuration"),
        pytest.param(["status", "--nope"], 2, "--nope", id="unknown option"),
        pytest.param(["nope"], 2, "nope", id="unknown command"),
        pytest.param(["status", "--url", "ftp://x"], 2, "http://", id="not an HTTP URL"),
        pytest.param(["status", "--url", "http://x.example"], 2, "show the token", id="plain HTTP elsewhere"),
        pytest.param(["status", "--url", "http://127.0.0.1:1"], 3, "does not answer", id="nobody at the URL"),
    ],
)
async def test_exit_codes(run: Any, tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    """A command that cannot do its work says why in a sentence, with the exit code for it and no traceback."""
    ended = await run(*arguments, ROTATOR_SOCKET=str(tmp_path / "admin.sock"))
    assert ended.code == code
    assert words in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["short", "debug"])
def test_the_unforeseen_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, debug: list[str]
) -> None:
    """A defect shows its kind and a number; its text and the traceback, without locals, only with --debug."""
    monkeypatch.setattr(sys, "argv", ["rotator", *debug, "config", "show", str(tmp_path / "x")])
    monkeypatch.setitem(sys.modules, "rotator.config.show", None)  # as a broken installation would be
    with pytest.raises(SystemExit) as ended:
        main()
    err = capsys.readouterr().err
    assert ended.value.code == 1
    assert err.splitlines()[0].startswith("rotator: internal error ")
    assert ("Traceback" in err) == bool(debug)
    assert len(err.splitlines()) == 1 or debug
