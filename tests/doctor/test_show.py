"""How findings are shown."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from rotator.cli.doctor_show import code_of, draw, print_json, verdict
from rotator.cli.failure import ExitCode
from rotator.doctor.finding import Finding, Level

FOUND = [Finding("vault", f"kv/{level}", level, "seen \x1b[2J so", "Do this") for level in Level]


def drawn(width: int, **look: bool | str) -> str:
    """Return all findings as they are drawn."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, markup=False, highlight=False, emoji=False, **look)  # type: ignore[arg-type]
    for finding in FOUND:
        draw(finding, console)
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_line_says_level_thing_and_mending(width: int) -> None:
    """The level is a word at the beginning of a line, the mending stands below it, and nothing is too wide."""
    text = drawn(width)
    assert all(len(line) <= width for line in text.splitlines())
    for level in Level:
        assert re.search(rf"^{level} +vault: kv/{level}", text, re.MULTILINE)
    assert text.count("mend: Do this") == len(Level)
    assert "\x1b" not in text


def test_colour_adds_nothing() -> None:
    """With colours the same characters are written as without."""
    coloured = drawn(80, force_terminal=True, color_system="truecolor")
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == drawn(80)


def test_the_end_says_what_next() -> None:
    """The last line counts; the exit code is 1 where something fails, and nothing else makes it so."""
    assert str(verdict(FOUND)).startswith("1 ok, 1 warn, 1 fail, 1 unknown. Mend what fails from the top")
    assert code_of(FOUND) is ExitCode.FAILED
    rest = [finding for finding in FOUND if finding.level is not Level.FAIL]
    assert code_of(rest) is ExitCode.DONE
    assert "what is unknown was not checked" in str(verdict(rest))
    assert str(verdict(FOUND[:1])) == "1 ok. Nothing is left to do."


def test_scripts_get_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts get a list of objects with the same five fields each, and the exit code."""
    assert print_json(tmp_path / "none.yaml") is ExitCode.FAILED
    found = json.loads(capsys.readouterr().out)
    assert {tuple(one) for one in found} == {("family", "about", "level", "text", "mend")}
    assert found[-1]["level"] == "fail"
