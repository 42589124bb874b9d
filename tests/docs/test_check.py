"""The page about ``rotator check`` names every verdict and every note, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from rotator.registry.diagnose import Ailment

ROOT = Path(__file__).parents[2]


def rows(title: str) -> set[str]:
    """Return the words in backticks in the first column of the table below a heading."""
    section = (ROOT / "docs/check.md").read_text().split(f"## {title}\n")[1].partition("\n## ")[0]
    firsts = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return {word for first in firsts for word in re.findall(r"`([a-z0-9_]+)`", first)}


def test_every_verdict_is_explained() -> None:
    """The table of verdicts has a row for each, and for nothing else."""
    assert rows("Verdicts") == {ailment.value for ailment in Ailment}


def test_every_note_is_explained() -> None:
    """The table of notes has a row for each code that the program may print, and for nothing else."""
    sources = [*(ROOT / "rotator/check").glob("*.py"), ROOT / "rotator/domain/privilege.py"]
    code = "".join(path.read_text() for path in sources)
    assert rows("Notes") == set(re.findall(r"Lint\(\s*\"([a-z_]+)\"", code))
