"""The image itself: built with buildah, and run as a container runtime would run it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.image]

ROOT = Path(__file__).parents[3]
FOREIGN = {"bash", "busybox", "dash", "sh", "perl", "apt", "apt-get", "dpkg", "pip", "pip3", "curl", "wget", "ldconfig"}
OURS = ("var/lib/rotator", "run/rotator")
"""What the program writes to, and nobody else may read."""
PROBE = """
import json, ssl, zoneinfo

def refused(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror

status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "writing": [refused(path) for path in ("/x", "/opt/rotator/x", "/etc/passwd", "/tmp/x", "/run/rotator/x")],
    "capabilities": {status[name].strip() for name in ("CapPrm", "CapEff", "CapAmb")} == {"0" * 16},
    "authorities": len(ssl.create_default_context().get_ca_certs()) > 50,
    "zone": str(zoneinfo.ZoneInfo("Europe/Berlin")),
}))
"""


def programs(tree: Path) -> set[str]:
    """Return the files that can be run and are no libraries."""
    files = (path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.name for path in files if path.stat().st_mode & 0o111 and ".so" not in path.name}


def held_by(path: Path) -> tuple[int, int, int]:
    """Return whose a folder is, and its mode."""
    status = path.lstat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def modes(tree: Path) -> int:
    """Return every permission bit that some file has."""
    found = 0
    for path in tree.rglob("*"):
        found |= 0 if path.is_symlink() or path == tree / "tmp" else stat.S_IMODE(path.lstat().st_mode)
    return found


def test_the_image_runs(builder: Any, enter: Callable[..., str]) -> None:
    """SR-38: the image has no shell, its files cannot be changed, and the whole demo runs in it without any right."""
    image = builder.build("rotator")
    tree = builder.tree("rotator")

    assert image["config"]["User"] == "10001:10001"
    assert image["config"]["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    assert not programs(tree) & FOREIGN
    assert {path.name for path in (tree / "opt/rotator/bin").iterdir() if not path.is_symlink()} == {"rotator"}
    assert not modes(tree) & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH | stat.S_IWGRP)
    assert {path.lstat().st_mtime for path in tree.rglob("*")} == {0}
    assert_whole(tree)
    assert {folder: held_by(tree / folder) for folder in OURS} == dict.fromkeys(OURS, (10001, 10001, 0o700))
    assert (tree / "var/lib/dpkg/status.d/libc6").is_file()

    program = f"/opt/rotator/bin/{image['config']['Entrypoint'][0]}"
    answer = json.loads(enter(tree, "/opt/rotator/bin/python", "-I", "-c", PROBE))
    story = enter(tree, program, "demo", "--once")

    assert answer == {
        "writing": [*["Read-only file system"] * 3, None, None],
        "capabilities": True,
        "authorities": True,
        "zone": "Europe/Berlin",
    }
    assert "done: every chapter was proved from outside" in story


def assert_whole(tree: Path) -> None:
    """Every file of the package is there, compiled where it is a module, and nothing else."""
    (inside,) = tree.glob("opt/rotator/lib/python*/site-packages/rotator")
    wanted = {path.relative_to(ROOT / "rotator") for path in (ROOT / "rotator").rglob("*") if path.is_file()}
    wanted = {path for path in wanted if "__pycache__" not in path.parts}
    found = {path.relative_to(inside) for path in inside.rglob("*") if path.is_file()}
    compiled = {path for path in found if path.suffix == ".pyc"}
    assert found - compiled == wanted
    assert len(compiled) == len([path for path in wanted if path.suffix == ".py"])


@pytest.mark.soak
def test_the_same_sources_make_the_same_image(builder: Any) -> None:
    """Built twice, the image has the same configuration and the same layers, byte for byte."""
    first, second = builder.build("first"), builder.build("second")
    assert first["rootfs"] == second["rootfs"]
    assert first["config"] == second["config"]
