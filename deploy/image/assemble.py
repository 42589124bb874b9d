"""Assembles the file tree of the image, in a build stage of the Dockerfile: Python, the packages, what they load.

What it leaves out is the point: no shell, no package manager, no program but Python and rotator. It takes the shared
libraries that the dynamic loader itself opens for every extension module; a module that cannot be loaded fails the
build here and not the daemon later. The same inputs make the same tree, byte for byte and time for time.

Usage: python3 assemble.py ROOT
  SOURCE_DATE_EPOCH  seconds since 1970; the time of every file in the tree (https://reproducible-builds.org/specs)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

ENVIRONMENT = Path("/opt/rotator")
"""Holds the packages of the lock file and rotator itself; it stays at this path."""
PROGRAM = Path("/src/rotator")
"""Copied whole: templates and styles are read beside the modules. It is pure Python, so no build tool takes part."""
USER = 10001
UNUSED = ("test", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "site-packages", "config-*")
"""Folders of the standard library that no daemon needs."""
UNUSED_FILES = ("__pycache__", "_tkinter.*", "*test*.so")
DATA = ("/etc/ssl", "/usr/lib/ssl", "/usr/share/ca-certificates", "/usr/share/zoneinfo", "/etc/nsswitch.conf")
"""Certificates, time zones, and how names are looked up; what the base does not have is left out."""
OWNERS_OF_MADE_FILES = ("ca-certificates",)
DPKG = Path("/var/lib/dpkg")

LAUNCHER = f"#!{ENVIRONMENT}/bin/python -IB\nfrom rotator.__main__ import main\nmain()\n"
ACCOUNTS = {
    "etc/passwd": f"root:x:0:0::/:/sbin/nologin\nrotator:x:{USER}:{USER}::/var/lib/rotator:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nrotator:x:{USER}:\n",
}
FOLDERS = {
    **dict.fromkeys(("dev", "proc", "sys"), (0, 0o755)),
    "tmp": (0, 0o1777),
    "var/lib/rotator": (USER, 0o700),
    "run/rotator": (USER, 0o700),
}
"""Owner and mode of folders that are empty in the image: where the runtime mounts, and what is the daemon's own."""
MAPPED = "import ctypes, sys; [ctypes.CDLL(path) for path in sys.argv[1:]]; print(open('/proc/self/maps').read())"


def assemble(root: Path, epoch: int) -> None:
    """Make the tree at ``root``, which must not exist."""
    finish_environment()
    python = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # noqa: SLF001 (has no public name)
    stdlib = Path(sysconfig.get_path("stdlib"))
    copy_tree(stdlib, root, UNUSED + UNUSED_FILES)
    copy_tree(ENVIRONMENT, root, ("__pycache__",))
    system = list(copied(root, [*loaded(python, [placed(root, stdlib), placed(root, ENVIRONMENT)]), python]))
    for name in DATA:
        copy_data(Path(name), root)
    keep_merged_folders(root)
    describe_packages(root, system)
    make_accounts(root)
    compile_all(root)
    for path in (*root.rglob("*"), root):
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def finish_environment() -> None:
    """Put our package into the environment, and leave one program there: ours."""
    (packages,) = ENVIRONMENT.glob("lib/python*/site-packages")
    shutil.copytree(PROGRAM, packages / "rotator")
    programs = ENVIRONMENT / "bin"
    shutil.rmtree(ENVIRONMENT / "include")
    for path in programs.iterdir():
        if not path.name.startswith("python"):
            path.unlink()
    launcher = programs / "rotator"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)


def placed(root: Path, path: Path) -> Path:
    """Return where ``path`` of the build stage is in the tree."""
    return root / path.relative_to("/")


def copy_tree(path: Path, root: Path, leave_out: Iterable[str]) -> None:
    """Copy a folder with its links as they are."""
    shutil.copytree(path, placed(root, path), symlinks=True, ignore=shutil.ignore_patterns(*leave_out))


def copy_data(path: Path, root: Path) -> None:
    """Copy a file or folder that the base may not have; keys beside certificates stay behind."""
    if path.is_dir():
        copy_tree(path, root, ("private", "misc"))
    elif path.exists():
        placed(root, path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, placed(root, path))


def loaded(python: Path, trees: Iterable[Path]) -> list[Path]:
    """Return the files outside of ``trees`` that the loader opens for the interpreter and all extension modules."""
    modules = sorted(str(path) for tree in trees for path in tree.rglob("*.so*") if path.is_file())
    command = [str(python), "-IB", "-c", MAPPED, *modules]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    mapped = {words[5] for words in (line.split(maxsplit=5) for line in lines) if len(words) > 5}  # noqa: PLR2004 (proc(5))
    found = {Path(path) for path in mapped if path.startswith("/") and ".so" in path}
    return sorted(path for path in found if not any(path.is_relative_to(tree) for tree in trees))


def copied(root: Path, files: Iterable[Path]) -> Iterator[Path]:
    """Copy files, and the links beside them by which they are looked for; return each file."""
    for file in files:
        if file.is_relative_to(root):
            continue
        placed(root, file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, placed(root, file))
        for link in file.parent.iterdir():
            if link.is_symlink() and link.resolve() == file:
                placed(root, link).unlink(missing_ok=True)
                placed(root, link).symlink_to(file.name)
        yield file


def keep_merged_folders(root: Path) -> None:
    """Keep ``/lib`` and ``/lib64`` as the base has them: links to ``/usr``, where the loader is looked for."""
    for name in ("lib", "lib64"):
        original = Path("/", name)
        if original.is_symlink() and not (root / name).exists():
            (root / name).symlink_to(original.readlink())


def describe_packages(root: Path, files: Iterable[Path]) -> None:
    """Write which Debian packages the files are of, as scanners read it of images without dpkg (``status.d``)."""
    wanted = {str(file) for file in files}
    names = {
        lists.stem.partition(":")[0]
        for lists in (DPKG / "info").glob("*.list")
        if wanted & {str(Path(line).parent.resolve() / Path(line).name) for line in shared(lists)}
    }
    known = (DPKG / "status").read_text() if (DPKG / "status").exists() else ""
    folder = placed(root, DPKG / "status.d")
    folder.mkdir(parents=True)
    for stanza in known.strip().split("\n\n"):
        name = stanza.partition("\n")[0].removeprefix("Package: ")
        if name in names or name in OWNERS_OF_MADE_FILES:
            (folder / name).write_text(f"{stanza}\n")


def shared(lists: Path) -> Iterator[str]:
    """Return the shared libraries that a package's list names."""
    return (line for line in lists.read_text().splitlines() if ".so" in line)


def make_accounts(root: Path) -> None:
    """Write the daemon's user, and make the empty folders."""
    (root / "etc").mkdir(exist_ok=True)
    for name, text in ACCOUNTS.items():
        (root / name).write_text(text)
    for name, (owner, mode) in FOLDERS.items():
        (root / name).mkdir(parents=True)
        (root / name).chmod(mode)
        os.chown(root / name, owner, owner)


def compile_all(root: Path) -> None:
    """Compile every module: nothing can be written later, and a time in the result would differ in each build."""
    command = [sys.executable, "-IB", "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(root), "-p", "/", str(root)]
    # The order of constants in a compiled set follows the seed.
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})


if __name__ == "__main__":
    assemble(Path(sys.argv[1]), int(os.environ.get("SOURCE_DATE_EPOCH", "0")))
