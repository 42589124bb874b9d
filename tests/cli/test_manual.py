"""What every command's help says, that the README names only what there is, and completion of names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from rotator.cli.main import app

README = Path(__file__).parents[2] / "README.md"


def commands(group: Any, *path: str) -> dict[tuple[str, ...], Any]:
    """Return every command by its words."""
    if not hasattr(group, "commands"):
        return {path: group}
    return {key: one for name, sub in group.commands.items() for key, one in commands(sub, *path, name).items()}


COMMANDS = commands(typer.main.get_command(app))
GROUPS = sorted({words[:1] for words in COMMANDS if len(words) > 1})


@pytest.mark.parametrize("words", [*COMMANDS, *GROUPS], ids=" ".join)
async def test_help_says_how_it_ends_and_what_it_heeds(run: Any, words: tuple[str, ...]) -> None:
    """Each command's help has a sentence, examples, exit codes, files and environment, and fits 60 columns."""
    told = await run(*words, "--help", COLUMNS="60")
    text = " ".join(told.out.split())
    assert told.code == 0
    assert "Example" in text
    assert "Exit codes: 0 " in text
    assert "Files and environment: " in text
    assert all(len(line) <= 60 for line in told.out.splitlines())


def test_the_readme_names_what_there_is() -> None:
    """Every rotator command in the README exists, and takes each option that is written there."""
    lines = re.findall(r"^\$ rotator ([^#\n]*)", README.read_text(), re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        words = line.split()
        path = next(tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in COMMANDS or n == 1)
        if path in {("targets",), ("audit",)}:
            continue
        known = {option for parameter in COMMANDS[path].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= {*known, "--wait"}, line


def complete(words: str) -> dict[str, str]:
    """Return the environment in which bash asks for the end of ``words``."""
    return {"_ROTATOR_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}


async def test_names_come_from_the_daemon(shared: Any, run: Any) -> None:
    """A credential's and a target's name are completed from what the daemon has."""
    begun = await run(ROTATOR_SOCKET=shared.socket, **complete("rotator rotate mi"))
    placed = await run(ROTATOR_SOCKET=shared.socket, **complete("rotator targets test at-m"))
    assert (begun.out.split(), placed.out.split()) == (["mine"], ["at-mine"])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("credentials: {hub: {}, ghcr: {}}", ["ghcr", "hub"], id="configuration"),
        pytest.param("credentials: [", [], id="broken"),
        pytest.param("- 1", [], id="another thing"),
        pytest.param(None, [], id="nothing"),
    ],
)
async def test_without_a_daemon_the_configuration_tells(
    run: Any, tmp_path: Path, text: str | None, names: list[str]
) -> None:
    """Where no daemon answers the configuration's names are offered; where there is none, nothing is, and silently."""
    path = tmp_path / "rotator.yaml"
    if text is not None:
        path.write_text(text)
    where = {"ROTATOR_SOCKET": str(tmp_path / "none.sock"), "ROTATOR_CONFIG": str(path)}
    told = await run(**where, **complete("rotator status "))
    assert (told.out.split(), told.err) == (names, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_the_script_is_printed(run: Any, shell: str) -> None:
    """A shell asks for its script by the variable that its own hook sets."""
    told = await run(_ROTATOR_COMPLETE=f"source_{shell}")
    assert "_ROTATOR_COMPLETE" in told.out
