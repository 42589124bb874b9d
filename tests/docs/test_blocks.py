"""What stands in the documents' blocks of code could be used: it parses, compiles, loads, and can be typed."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rotator.config.load import load
from rotator.config.root import Config
from rotator.kinds import kinds

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SECTIONS = set(Config.model_fields)


def pages() -> list[Path]:
    """Return every page of the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({path for line in done.stdout.splitlines() if (path := ROOT / line).is_file()})


BLOCKS = [
    pytest.param(language, textwrap.dedent(body), id=f"{page.relative_to(ROOT)}-{number}")
    for page in pages()
    for number, (_, language, body) in enumerate(BLOCK.findall(page.read_text()))
]


def of(*languages: str) -> list[object]:
    """Return the blocks in these languages."""
    return [block for block in BLOCKS if block.values[0] in languages]


@pytest.mark.parametrize(("language", "body"), of("yaml", "json", "python"))
def test_it_parses(language: str, body: str) -> None:
    """YAML, JSON and Python are what they say they are."""
    if language == "python":
        ast.parse(body)
    elif language == "yaml":
        list(yaml.safe_load_all(body))
    else:
        json.loads(body)


@pytest.mark.parametrize(("language", "body"), of("yaml"))
def test_a_part_of_a_configuration_loads(language: str, body: str, tmp_path: Path) -> None:  # noqa: ARG001 (one shape for all)
    """A block of nothing but sections of a configuration is one, once its version stands before it."""
    found = yaml.safe_load(body) if body.count("\n---\n") == 0 else None
    if not isinstance(found, dict) or not found.keys() <= SECTIONS:
        return
    if "credentials" not in found:  # names that other sections speak of are in the text around it
        found["credentials"] = {}
    path = tmp_path / "rotator.yaml"
    path.write_text(body if "version" in found else f"version: 1\n{body}")
    assert load(path, kinds()).version == 1


def typed(body: str) -> list[list[str]]:
    """Return the words of each command of ours in a console, without what the shell does with it."""
    lines = re.sub(r"\\\n\s*", "", body).splitlines()
    commands = [line.lstrip("$# ") for line in lines if re.match(r"[$#] ", line)]
    found = []
    for command in commands:
        if not re.match(r"(sudo )?(\S*/)?rotator ", command):
            continue
        lexer = shlex.shlex(command, posix=True, punctuation_chars="|>&;")
        lexer.whitespace_split, lexer.commenters = True, "#"
        words = list(lexer)
        end = next((place for place, word in enumerate(words) if word[0] in "|>&;"), len(words))
        start = next(place for place, word in enumerate(words) if word.endswith("rotator"))
        found.append(words[start + 1 : end])
    return found


@pytest.mark.parametrize(("language", "body"), of("console"))
def test_its_commands_are_ours(language: str, body: str, fault_of_rotator: Callable[[list[str]], str]) -> None:  # noqa: ARG001
    """Each command of the program in a console has arguments and options that it takes."""
    named = [["1" if word == "GENERATION" else word for word in words] for words in typed(body)]
    assert {" ".join(words): fault for words in named if (fault := fault_of_rotator(words))} == {}


def test_a_wrong_option_is_found(fault_of_rotator: Callable[[list[str]], str]) -> None:
    """The search sees a command before a pipe, after a path, over two lines and beside a comment."""
    body = (
        "$ /opt/bin/rotator status --limit | less  # none\n# rotator \\\n    plan --ouch\noutput\n$ rotator targets\n"
    )
    assert [bool(fault_of_rotator(words)) for words in typed(body)] == [True, True, False]
