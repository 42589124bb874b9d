"""What takes long, drawn while it lasts: a bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from rotator.cli.failure import plain

_BAR_COLUMNS = 20
_DOING_COLUMNS = 22
"""With the bar, the counts and the clock this fits 60 columns."""


class Bar:
    """What takes long. Made by `watched`.

    Args:
        progress: Draws it.
        task: Which of its bars this is.
    """

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def doing(self, what: str) -> None:
        """Say in a word or two what is being done now."""
        self._progress.update(self._task, description=_short(what))

    def of(self, total: int | None) -> None:
        """Set how many there are; None while that is not known."""
        self._progress.update(self._task, total=total)

    def at(self, done: int) -> None:
        """Set how many are done."""
        self._progress.update(self._task, completed=done)

    def advance(self) -> None:
        """Count one more as done."""
        self._progress.advance(self._task)


class _Count(ProgressColumn):
    """``3/12``; nothing while it is not known how many there are."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.completed:.0f}/{task.total:.0f}")


@contextmanager
def watched(console: Console, what: str, total: int | None = None) -> Iterator[Bar]:
    """Yield a bar that is gone at the end of the block. What is printed on ``console`` meanwhile stands above it.

    Args:
        console: Where; it draws nothing unless somebody looks at it as it changes.
        what: A word or two.
        total: How many there are; None where that is not known.
    """
    columns = (TextColumn("{task.description}", markup=False), BarColumn(_BAR_COLUMNS), _Count(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as progress:
        yield Bar(progress, progress.add_task(_short(what), total=total))


def _short(what: str) -> str:
    return plain(what) if len(what) <= _DOING_COLUMNS else plain(what)[: _DOING_COLUMNS - 3] + "..."
