"""Full disks, odd mounts and a SIGKILL at every system call: the file is old or new, and closed to others."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rotator.clock import SystemClock
from rotator.domain.model import Entry, Login
from rotator.secret import Secret
from rotator.targets.context import TargetContext
from rotator.targets.docker_config import DockerConfigConfig, DockerConfigTarget
from rotator.transport import Transport

DELIVER = str(Path(__file__).with_name("deliver_docker_config.py"))
SUFFIXES = ("json", "lock", "tmp", "backup", "json.rotator.tmp")
FILES = [
    "",
    "config.json",
    *(f".config.json.rotator.{suffix}" for suffix in SUFFIXES),
    "..config.json.rotator.json.rotator.tmp",
]
CHANGING = "write,ftruncate,fsync,rename,renameat,renameat2,unlinkat"
EVERYTHING = f"{CHANGING},openat,pwrite64,fchmod,fchown,flock,read,fstat,newfstatat"
OTHERS = {"HttpHeaders": {"X": "y"}, "auths": {"other.example": {"auth": "eDp5", "email": "x@other.example"}}}


def deliver(path: Path, generation: int, *, inplace: bool = False) -> bool:
    """Deliver one generation inside this process; return whether it was read back."""
    clock = SystemClock()
    config = DockerConfigConfig(type="docker_config", path=str(path), inplace=inplace)
    target = DockerConfigTarget("edge", config, TargetContext(Transport(clock=clock), clock, random.random))
    login = Login("acme", Secret(f"c4n4ry-{generation}"))
    held = asyncio.run(target.apply(str(path), [Entry("ghcr.io", "ghcr.io", login, generation)]))
    return held.logins == {"ghcr.io": login}


def mode_of(path: Path) -> int:
    """Return the permission bits of ``path``."""
    return stat.S_IMODE(path.stat().st_mode)


def leftovers(directory: Path) -> list[str]:
    """Return files that must not outlive a call."""
    return [path.name for path in directory.iterdir() if path.name.endswith((".tmp", ".backup"))]


def in_namespace(script: str, directory: Path, *arguments: str) -> dict[str, Any]:
    """Run a shell script as root of a mount namespace of its own; return what its last line, JSON, says.

    In the script ``$1`` is ``directory``, and ``deliver PATH ...`` is the delivering program.
    """
    prelude = f'set -e; cd /; deliver() {{ "{sys.executable}" "{DELIVER}" "$@"; }}\n'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", prelude + script, "sh", str(directory)]
    result = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


FULL = """
mount -t tmpfs -o size=64k none "$1"
printf '{"auths": {"other.example": {"auth": "eDp5"}}}' > "$1/config.json"
head -c "$2" /dev/zero > "$1/filler" || true
deliver "$1/config.json" ghcr.io 1 20000 $3 > "$1.answer"
cat "$1/config.json" > "$1.after"
ls -A "$1" > "$1.names"
rm "$1/filler"
deliver "$1/config.json" ghcr.io 1 20000 $3 > "$1.again"
cat "$1.answer"
"""


@pytest.mark.parametrize(
    ("filler", "inplace"),
    [("100000", ""), ("45056", ""), ("45056", "inplace")],
    ids=["no-room-at-all", "room-for-the-record", "in-place"],
)
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, filler: str, inplace: str) -> None:
    """No space: the old file is intact, nothing is left behind, the error may pass; with space it works."""
    full = tmp_path / "full"
    full.mkdir()
    answer = in_namespace(FULL, full, filler, inplace)
    assert answer["error"] == "UnavailableError"
    assert "No space left" in answer["message"]
    assert json.loads(full.with_suffix(".after").read_text()) == {"auths": {"other.example": {"auth": "eDp5"}}}
    names = full.with_suffix(".names").read_text().split()
    assert not [name for name in names if name.endswith((".tmp", ".backup"))]
    assert json.loads(full.with_suffix(".again").read_text()) == {"changed": True, "held": True}


def test_a_read_only_file_system_is_reported(tmp_path: Path) -> None:
    """Where nothing can be written a person is told so, and nothing is."""
    script = """
    mount -t tmpfs none "$1"; echo '{}' > "$1/config.json"; mount -o remount,bind,ro "$1"
    deliver "$1/config.json" ghcr.io 1 20
    """
    answer = in_namespace(script, tmp_path)
    assert answer["error"] == "PermissionDeniedError"
    assert "Read-only file system" in answer["message"]


def test_a_file_that_is_a_mount_point_is_rewritten_in_place(tmp_path: Path) -> None:
    """A file that is bind-mounted by itself cannot be renamed over; its content is replaced all the same."""
    source = tmp_path / "source.json"
    source.write_text(json.dumps(OTHERS))
    inode = source.stat().st_ino
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "config.json").touch()
    script = 'mount --bind "$1/source.json" "$1/mounted/config.json"; deliver "$1/mounted/config.json" ghcr.io 1 20'
    assert in_namespace(script, tmp_path) == {"changed": True, "held": True}
    auths = json.loads(source.read_text())["auths"]
    assert base64.b64decode(auths["ghcr.io"]["auth"]).startswith(b"acme:c4n4ry-1")
    assert "other.example" in auths
    assert (source.stat().st_ino, mode_of(source)) == (inode, 0o600)
    assert leftovers(tmp_path / "mounted") == []


def traced(directory: Path, *options: str, inplace: bool) -> subprocess.CompletedProcess[str]:
    """Deliver generation 2 under strace, which sees only the files of ours."""
    watched = [argument for name in FILES for argument in ("-P", str(directory / name))]
    command = ["strace", "-f", "-qq", *watched, *options, sys.executable, DELIVER]
    arguments = [str(directory / "config.json"), "ghcr.io", "2", "300", *(["inplace"] if inplace else [])]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)


def prepared(directory: Path) -> Path:
    """Return a file with generation 1 in it, in an otherwise clean directory."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    path = directory / "config.json"
    path.write_text(json.dumps(OTHERS))
    assert deliver(path, 1)
    return path


def check_converges(path: Path, *, inplace: bool) -> None:
    """See that nothing is open to others, and that delivering again puts everything right."""
    assert [one.name for one in path.parent.iterdir() if mode_of(one) & 0o077] == []
    assert deliver(path, 3, inplace=inplace)
    document = json.loads(path.read_text())
    del document["auths"]["ghcr.io"]
    assert document == OTHERS
    assert leftovers(path.parent) == []


def calls_per_thread(trace: str) -> dict[str, int]:
    """Return the largest number of calls of each kind that one thread made: strace counts per thread."""
    counts: dict[str, int] = {}
    for (_, call), count in Counter(re.findall(r"^(?:\[pid +(\d+)\] )?(\w+)\(", trace, re.MULTILINE)).items():
        counts[call] = max(count, counts.get(call, 0))
    return counts


def crash_sweep(directory: Path, calls: str, *, inplace: bool) -> int:
    """Kill a delivery at each of its system calls in turn; return at how many."""
    path = prepared(directory)
    clean = traced(directory, "-e", f"trace={calls}", inplace=inplace)
    assert json.loads(clean.stdout) == {"changed": True, "held": True}
    new = path.read_bytes()
    counts = calls_per_thread(clean.stderr)
    for call, number in [(call, number) for call, count in counts.items() for number in range(1, count + 1)]:
        old = prepared(directory).read_bytes()
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        killed = traced(directory, "-e", f"trace={call}", "-e", inject, inplace=inplace)
        assert not killed.stdout, f"{call} {number} was survived"
        assert inplace or path.read_bytes() in {old, new}, f"{call} {number}"
        check_converges(path, inplace=inplace)
    return sum(counts.values())


def test_a_kill_at_any_change_leaves_old_or_new(tmp_path: Path) -> None:
    """SIGKILL at each call that changes anything: the file is old or new, and the next delivery puts all right."""
    assert crash_sweep(tmp_path / "docker", CHANGING, inplace=False) >= 10


def test_a_kill_during_a_rewrite_in_place_is_healed(tmp_path: Path) -> None:
    """SIGKILL at each call that changes anything in a rewrite in place: the next delivery heals it."""
    assert crash_sweep(tmp_path / "docker", CHANGING, inplace=True) >= 15


@pytest.mark.soak
@pytest.mark.parametrize("inplace", [False, True], ids=["rename", "in-place"])
def test_a_kill_at_any_call_is_survived(tmp_path: Path, inplace: bool) -> None:  # noqa: FBT001 - parametrized
    """SIGKILL at each call of any kind: as above."""
    assert crash_sweep(tmp_path / "docker", EVERYTHING, inplace=inplace) >= 40


@pytest.mark.parametrize("inplace", [False, True], ids=["rename", "in-place"])
def test_nothing_is_ever_created_open_to_others(tmp_path: Path, inplace: bool) -> None:  # noqa: FBT001 - parametrized
    """With umask 0 every file is created without a bit for group and others, and chmod never adds one."""
    path = tmp_path / "docker" / "config.json"
    umask = os.umask(0)
    try:
        first = traced(path.parent, "-e", "trace=openat,mkdirat,fchmod", inplace=inplace)
        second = traced(path.parent, "-e", "trace=openat,mkdirat,fchmod", inplace=inplace)
    finally:
        os.umask(umask)
    modes = re.findall(r"(?:O_CREAT\S*|fchmod\(\d+|mkdirat\(\d+, \"[^\"]+\"), (0\d+)\)", first.stderr + second.stderr)
    assert len(modes) >= 4
    assert [mode for mode in modes if int(mode, 8) & 0o077] == []
