"""What is drawn while something takes long: a bar on a terminal, nothing on a pipe."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from rotator.cli.progress import watched
from rotator.cli.rotate_follow import Drawing

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m|\x1b\[38;")
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def terminal(width: int = 80, **more: Any) -> Console:
    """Return a console that takes a string for a terminal."""
    return Console(file=io.StringIO(), force_terminal=True, width=width, _environ={"TERM": "xterm-256color"}, **more)


def pipe() -> Console:
    """Return a console that writes to no terminal."""
    return Console(file=io.StringIO(), width=80)


def written(console: Console) -> str:
    """Return all that was written."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def frames(console: Console) -> list[str]:
    """Return every line that was drawn, without what steers the terminal."""
    return [line for line in re.split(r"[\r\n]+", CODES.sub("", written(console))) if line.strip()]


@pytest.mark.parametrize("width", [60, 80])
def test_a_bar_counts_on_a_terminal(width: int) -> None:
    """It says what is done and how much of it, in one line that fits, and lines that are printed stand above it."""
    console = terminal(width)
    with watched(console, "reporting leaks of everything", 12) as bar:
        bar.advance()
        console.print("a line")
        bar.at(12)
    drawn = frames(console)
    assert any(line.startswith("reporting leaks of ...") and "12/12" in line for line in drawn)
    assert any(line.strip() == "a line" for line in drawn)
    assert all(len(line) <= width for line in drawn)
    assert written(console).endswith("\x1b[2K")


def test_without_a_number_nothing_is_counted() -> None:
    """While it is not known how many there are a clock runs, and no number is made up."""
    console = terminal()
    with watched(console, "[red]reading"):
        pass
    assert any(line.startswith("[red]reading") and "0:00:0" in line for line in frames(console))
    assert not any("/" in line for line in frames(console))


@pytest.mark.parametrize(
    "console",
    [
        pytest.param(pipe, id="pipe"),
        pytest.param(lambda: terminal(force_interactive=False), id="colours on a pipe"),
        pytest.param(lambda: Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}), id="dumb"),
    ],
)
def test_nothing_is_drawn_elsewhere(console: Any) -> None:
    """On a pipe, and on a terminal that cannot go back in its line, no character is drawn."""
    drawn = console()
    with watched(drawn, "reading", 3) as bar:
        bar.doing("writing")
        bar.advance()
    assert CODES.sub("", written(drawn)).strip() == ""
    assert "\x1b" not in written(drawn)


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    """With NO_COLOR the bar has no colour; without it, it has."""
    for more, has_colour in (({}, True), ({"no_color": True}, False)):
        console = terminal(color_system="truecolor", **more)
        with watched(console, "reading", 3) as bar:
            bar.advance()
        assert bool(COLOUR.search(written(console))) == has_colour


def test_a_rotation_says_which_step_runs() -> None:
    """While a rotation is followed the bar names the step that runs, and counts the deliveries."""
    console = terminal()
    with watched(console, "issue") as bar:
        drawing = Drawing(console, bar)
        drawing.draw("state", {"rotation": {"step": "verify"}, "placements": 2})
        drawing.draw("step", {"step": "verify", "seconds": 0.1, "message": ""})
        drawing.draw("delivery", {"error": ""})
        drawing.draw("deliveries", {"confirmed": 1, "failed": 1})
    drawn = frames(console)
    assert [line.strip() for line in drawn if ": " in line] == ["issue: done", "verify: done (0.1 s)"]
    assert any(line.startswith("deliver ") and "2/2" in line for line in drawn)


async def test_colours_forced_onto_a_pipe_draw_no_bar(shared: Any) -> None:
    """FORCE_COLOR, which build servers set, makes no command draw in place where nobody looks at it."""
    for words in (("audit", "verify"), ("targets", "test", "at-mine"), ("plan",), ("rotate", "mine", "--reason", "x")):
        ended = await shared.ask(*words, FORCE_COLOR="1", TERM="xterm")
        assert (ended.code, ended.out.strip() != "") == (0, True), ended
        assert not re.search(r"\x1b\[[0-9;?]*[A-KSTf-ln-z]", ended.out), words
    coloured = await shared.ask("status", FORCE_COLOR="1", NO_COLOR="", TERM="xterm")
    assert COLOUR.search(coloured.out), "FORCE_COLOR is heeded, or nothing above was tried"
