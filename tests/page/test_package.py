"""What is installed has all that the page is made of."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import rotator.page

ROOT = Path(__file__).parents[2]
PAGE = Path(rotator.page.__file__).parent


def test_the_wheel_holds_every_template_and_asset(tmp_path: Path) -> None:
    """Templates, style, script and icon are in the wheel, so that an installed daemon has a page."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())

    kept = [path for folder in ("templates", "static") for path in (PAGE / folder).iterdir()]

    assert len(kept) >= 10
    assert {path.relative_to(ROOT).as_posix() for path in kept} <= packed
