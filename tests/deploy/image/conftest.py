"""The image, built where no registry can be reached: from a base that is made of this machine's Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
ENTER = Path(__file__).with_name("enter.sh")
DATA = ("/etc/ssl", "/usr/lib/ssl", "/usr/share/zoneinfo", "/etc/nsswitch.conf", "/var/lib/dpkg/status")
BASE = "localhost/python"
BASE_FILE = "FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin\n"
PIP_FILE = "[install]\nno-index = true\nfind-links = /wheels\n"


def said(*command: str | Path, **options: Any) -> str:
    """Return what a program that must succeed says."""
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:].decode()}{done.stderr[-3000:].decode()}"
    return str(done.stdout.decode())


def needed_by(*files: Path) -> set[Path]:
    """Return the shared libraries that programs and modules need, by the names they are looked for."""
    lines = said("ldd", *files, "/usr/bin/env").splitlines()
    found = {Path(match[1]) for line in lines if (match := re.search(r"(/\S*\.so\S*) \(0x", line))}
    return {path for path in found if not path.is_relative_to(sys.prefix)}


def below(root: Path, path: Path) -> Path:
    """Return where ``path`` goes in a tree; its folder is made."""
    place = root / path.relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def make_base(root: Path) -> None:
    """Make a tree that looks to the build like the official image: Python below /usr/local, libraries, dpkg's lists."""
    for name in ("lib", "lib64"):
        if Path("/", name).is_symlink():
            (root / Path("/", name).readlink()).mkdir(parents=True)
            (root / name).symlink_to(Path("/", name).readlink())
    python, stdlib = f"python{sysconfig.get_python_version()}", Path(sysconfig.get_path("stdlib"))
    home = below(root, Path("/usr/local/lib", python))
    unused = shutil.ignore_patterns("site-packages", "dist-packages", "test", "__pycache__", "config-*", "*.a")
    shutil.copytree(stdlib, home, ignore=unused)
    shutil.copytree(Path(sysconfig.get_path("purelib"), "pip"), home / "site-packages/pip")
    (home / "dist-packages").symlink_to("site-packages")  # where Debian's own Python looks
    program = below(root, Path("/usr/local/bin", python))
    shutil.copy2(Path(sys.executable).resolve(), program)
    program.with_name("python3").symlink_to(python)
    copy_libraries(root, needed_by(program, *stdlib.rglob("*.so"), *Path(sysconfig.get_path("platlib")).rglob("*.so")))
    for path in (*map(Path, DATA), *Path("/var/lib/dpkg/info").glob("*.list")):
        place = below(root, path)
        shutil.copytree(path, place, symlinks=True) if path.is_dir() else shutil.copy2(path, place)
    (root / "tmp").mkdir()


def copy_libraries(root: Path, libraries: Iterable[Path]) -> None:
    """Copy shared libraries; those of a Python that lives elsewhere go to where all are found."""
    common = next(path.parent for path in libraries if path.name.startswith("libc.so"))
    for path in libraries:
        own = path.is_relative_to(sys.base_prefix) and sys.base_prefix != "/usr"
        shutil.copy2(path, below(root, common / path.name if own else path))


@dataclass(frozen=True)
class Builder:
    """Buildah with a storage of its own.

    Args:
        program: Its path.
        driver: Of the storage: ``overlay`` shares what layers have in common, ``vfs`` copies it.
        home: Holds the storage, the base's tree, the wheels and pip's configuration.
    """

    program: str
    driver: str
    home: Path

    def run(self, *words: str | Path) -> str:
        """Run a command of buildah; return what it prints."""
        storage = (f"--storage-driver={self.driver}", f"--root={self.home}/storage", f"--runroot={self.home}/run")
        return said(self.program, *storage, *words, cwd=ROOT).strip()

    def build(self, tag: str) -> dict[str, Any]:
        """Build the image as the Dockerfile says; return its configuration."""
        volumes = (f"--volume={self.home}/wheels:/wheels:ro", f"--volume={self.home}/pip.conf:/etc/pip.conf:ro")
        how = ("--quiet", "--isolation=chroot", "--format=docker", "--timestamp=0", f"--build-arg=BASE={BASE}")
        self.run("build", *how, *volumes, f"--tag=localhost/{tag}", ".")
        found: dict[str, Any] = json.loads(self.run("inspect", "--type=image", f"localhost/{tag}"))["Docker"]
        return found

    def tree(self, tag: str) -> Path:
        """Return where the files of an image are."""
        return Path(self.run("mount", self.run("from", f"localhost/{tag}")))


def storage_driver(buildah: str, home: Path) -> str:
    """Return the quicker driver where the file system can carry it: an overlay cannot lie on another one."""
    asked = (buildah, "--storage-driver=overlay", f"--root={home}/try", f"--runroot={home}/try-run", "info")
    return "vfs" if subprocess.run(asked, capture_output=True, check=False).returncode else "overlay"


@pytest.fixture
def builder(request: pytest.FixtureRequest, program: Callable[[str], str], tmp_path: Path) -> Iterator[Builder]:
    """Return a builder that has a base and the wheels of the lock file."""
    buildah = program("buildah")
    request.getfixturevalue("root")
    builder = Builder(buildah, storage_driver(buildah, tmp_path), tmp_path)
    wheels = ("--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", f"--dest={tmp_path}/wheels")
    said(sys.executable, "-m", "pip", "download", *wheels, "--requirement=requirements.lock", cwd=ROOT)
    (tmp_path / "pip.conf").write_text(PIP_FILE)
    (tmp_path / "base.Dockerfile").write_text(BASE_FILE)
    (tmp_path / "base").mkdir()
    make_base(tmp_path / "base")
    builder.run("build", "--quiet", f"--file={tmp_path}/base.Dockerfile", f"--tag={BASE}", tmp_path / "base")
    yield builder
    builder.run("rm", "--all")
    shutil.rmtree(tmp_path)


@pytest.fixture
def enter() -> Callable[..., str]:
    """Return what runs a program in a tree as a container runtime would, and returns what it prints."""

    def run(tree: Path, *command: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": "/var/lib/rotator"}
        return said("unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", ENTER, tree, *command, env=environment)

    return run
