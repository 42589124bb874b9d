"""A small secret file is written whole or not at all, and never open to others."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.errors import ConflictError, NotFoundError, PermissionDeniedError, UnavailableError, UnsupportedError
from rotator.targets.atomic_file import MAX_BYTES, heal, overwrite, read, replace, tighten
from rotator.targets.directory import Place, file_errors, locate, locked, make_directory, opened

OLD = b'{"old": 1}'
NEW = b'{"new": 22}'


def place_of(path: Path) -> Place:
    """Return where ``path`` is, links followed."""
    return locate(str(path), ["/"])


def mode_of(path: Path) -> int:
    """Return the permission bits of ``path``."""
    return stat.S_IMODE(path.stat().st_mode)


def names_in(directory: Path) -> list[str]:
    """Return what is in ``directory``, hidden files included."""
    return sorted(path.name for path in directory.iterdir())


def is_whole(content: bytes) -> bool:
    """Tell a complete test file from a beginning of one."""
    return content.endswith(b"}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that holds ``OLD``."""
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    path.chmod(0o600)
    return path


def test_replace_writes_a_closed_file_and_leaves_nothing_else(file: Path) -> None:
    """The new text is there with mode 0600, and no temporary file."""
    file.chmod(0o644)
    with opened(place_of(file)) as directory:
        replace(directory, place_of(file), NEW, read(directory, file.name))
    assert file.read_bytes() == NEW
    assert mode_of(file) == 0o600
    assert names_in(file.parent) == [file.name]


def test_replace_creates_a_missing_file(tmp_path: Path) -> None:
    """Where nothing was, the file is created with mode 0600 whatever the umask."""
    for umask in (0o000, 0o077, 0o777):
        path = tmp_path / f"{umask}.json"
        before = os.umask(umask)
        try:
            with opened(place_of(path)) as directory:
                replace(directory, place_of(path), NEW, None)
        finally:
            os.umask(before)
        assert mode_of(path) == 0o600
        assert path.read_bytes() == NEW


def test_overwrite_keeps_the_inode(file: Path) -> None:
    """A rewrite in place leaves the same inode with the new text, shorter or longer, and no backup."""
    inode = file.stat().st_ino
    for content in (NEW, b"{}", NEW * 100):
        with opened(place_of(file)) as directory:
            before = read(directory, file.name)
            assert before is not None
            overwrite(directory, place_of(file), content, before)
        assert file.read_bytes() == content
    assert file.stat().st_ino == inode
    assert names_in(file.parent) == [file.name]


@pytest.mark.parametrize("write", [replace, overwrite], ids=["replace", "overwrite"])
def test_a_file_changed_in_between_is_not_lost(file: Path, write: type) -> None:
    """What somebody else wrote after we read stays, and the writer is told."""
    with opened(place_of(file)) as directory:
        before = read(directory, file.name)
        file.write_bytes(b'{"theirs": 1}')
        with pytest.raises(ConflictError):
            write(directory, place_of(file), NEW, before)
    assert file.read_bytes() == b'{"theirs": 1}'
    assert names_in(file.parent) == [file.name]


def test_a_file_created_in_between_is_not_lost(tmp_path: Path) -> None:
    """A file that appeared after we saw none is not replaced."""
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    with opened(place_of(path)) as directory, pytest.raises(ConflictError):
        replace(directory, place_of(path), NEW, None)
    assert path.read_bytes() == OLD


def test_a_link_planted_under_the_temporary_name_is_not_followed(file: Path, tmp_path: Path) -> None:
    """Whoever plants a link where the temporary file will be gains nothing."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"victim")
    (tmp_path / ".config.json.rotator.tmp").symlink_to(victim)
    with opened(place_of(file)) as directory:
        replace(directory, place_of(file), NEW, read(directory, file.name))
    assert victim.read_bytes() == b"victim"
    assert file.read_bytes() == NEW


def test_a_link_planted_under_the_final_name_is_not_followed(file: Path, tmp_path: Path) -> None:
    """A file that became a link after it was located is refused for reading and for writing."""
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    place = place_of(file)
    with opened(place) as directory:
        before = read(directory, file.name)
        file.unlink()
        file.symlink_to(victim)
        with pytest.raises(PermissionDeniedError), file_errors(place.path):
            replace(directory, place, NEW, before)
    assert victim.read_bytes() == OLD


@pytest.mark.parametrize(
    ("current", "expected"),
    [(b"", OLD), (NEW[:5], OLD), (NEW, NEW), (OLD, OLD)],
    ids=["empty", "torn", "finished", "untouched"],
)
def test_heal_puts_the_old_text_back_when_the_file_is_torn(file: Path, current: bytes, expected: bytes) -> None:
    """After a crash in place the file is whole again, old or new, and the backup gone."""
    backup = file.with_name(".config.json.rotator.backup")
    backup.write_bytes(OLD)
    file.write_bytes(current)
    with opened(place_of(file)) as directory:
        heal(directory, place_of(file), is_whole)
        heal(directory, place_of(file), is_whole)
    assert file.read_bytes() == expected
    assert not backup.exists()


def test_heal_trusts_only_its_own_backup(file: Path) -> None:
    """A backup that another user planted is left alone."""
    backup = file.with_name(".config.json.rotator.backup")
    backup.write_bytes(b'{"evil": 1}')
    file.write_bytes(b"")
    if os.geteuid() != 0:
        pytest.skip("only root can make a file of another user")
    os.chown(backup, 12345, 12345)
    with opened(place_of(file)) as directory:
        heal(directory, place_of(file), is_whole)
    assert file.read_bytes() == b""


def test_heal_does_not_bring_back_a_file_that_was_removed(file: Path) -> None:
    """A person who removed the file meant it."""
    file.with_name(".config.json.rotator.backup").write_bytes(OLD)
    file.unlink()
    with opened(place_of(file)) as directory:
        heal(directory, place_of(file), is_whole)
    assert names_in(file.parent) == []


def test_tighten(file: Path) -> None:
    """A mode that is too open is mended without touching the content."""
    file.chmod(0o666)
    with opened(place_of(file)) as directory:
        tighten(directory, file.name)
    assert (mode_of(file), file.read_bytes()) == (0o600, OLD)


@pytest.mark.parametrize("kind", ["directory", "fifo", "device", "large"])
def test_what_is_no_small_regular_file_is_refused(tmp_path: Path, kind: str) -> None:
    """Directories, pipes, devices and huge files are refused at once, without waiting for a writer."""
    path = tmp_path / "config.json"
    makers: dict[str, Callable[[], object]] = {
        "directory": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "device": lambda: None,
        "large": lambda: path.write_bytes(b" " * (MAX_BYTES + 1)),
    }
    makers[kind]()
    place = place_of(path) if kind != "device" else Place("/dev", "null")
    with opened(place) as directory, pytest.raises(UnsupportedError):
        read(directory, place.name)


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A UNIX socket under the file's name is reported, not waited for."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("config.json")
        place = place_of(tmp_path / "config.json")
        with opened(place) as directory, pytest.raises(UnavailableError), file_errors(place.path):
            read(directory, place.name)


def test_the_largest_file_is_still_read(file: Path) -> None:
    """The limit itself is allowed."""
    file.write_bytes(b"x" * MAX_BYTES)
    with opened(place_of(file)) as directory:
        snapshot = read(directory, file.name)
    assert snapshot is not None
    assert len(snapshot.content) == MAX_BYTES
    assert "xx" not in repr(snapshot)


def test_locate_follows_links_but_not_out_of_the_roots(tmp_path: Path) -> None:
    """A link inside the roots is followed to its end; one that leads out is refused."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "real.json").write_bytes(OLD)
    (tmp_path / "in" / "good").symlink_to("real.json")
    (tmp_path / "in" / "bad").symlink_to("../out/config.json")
    (tmp_path / "in" / "dir").symlink_to(tmp_path / "out")
    (tmp_path / "in-sibling").mkdir()
    roots = [str((tmp_path / "in").resolve())]
    assert locate(str(tmp_path / "in" / "good"), roots).name == "real.json"
    for path in ("in/bad", "in/dir/config.json", "in/../out/config.json", "in-sibling/config.json"):
        with pytest.raises(PermissionDeniedError, match="roots"):
            locate(str(tmp_path / path), roots)


def test_a_directory_swapped_for_a_link_is_not_entered(tmp_path: Path) -> None:
    """A link that replaces a directory after it was looked at stops the write, at any depth."""
    home = tmp_path / "home"
    (home / "docker").mkdir(parents=True)
    (tmp_path / "elsewhere" / "docker").mkdir(parents=True)
    place = place_of(home / "docker" / "config.json")
    home.rename(tmp_path / "moved")
    home.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionDeniedError), file_errors(place.path), opened(place):
        pass
    with pytest.raises(PermissionDeniedError), file_errors(place.path):
        make_directory(place, None)


def test_only_the_last_directory_is_created(tmp_path: Path) -> None:
    """A missing directory is created closed to others, again without harm; two missing ones are a mistake."""
    place = place_of(tmp_path / "docker" / "config.json")
    before = os.umask(0)
    try:
        make_directory(place, None)
        make_directory(place, None)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "docker") == 0o700
    deep = place_of(tmp_path / "a" / "b" / "config.json")
    with pytest.raises(NotFoundError), file_errors(deep.path):
        make_directory(deep, None)


def test_a_directory_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    """Where anybody can rename files no secret is written; the sticky bit makes it safe."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(PermissionDeniedError, match="chmod o-w"), opened(place_of(shared / "config.json")):
        pass
    shared.chmod(0o1777)
    with opened(place_of(shared / "config.json")):
        pass


def test_a_lock_that_stays_taken_is_reported_with_its_holder(file: Path) -> None:
    """Who cannot get the lock in time is told which process has it; afterwards it is free again."""
    place, stop = place_of(file), threading.Event()
    with opened(place) as directory:
        with (
            locked(directory, place, stop),
            pytest.raises(UnavailableError, match=f"process {os.getpid()}") as caught,
            locked(directory, place, stop, polls=2),
        ):
            pass
        assert caught.value.cause == "timeout"
        with locked(directory, place, stop, polls=1):
            pass
    assert mode_of(file.with_name(".config.json.rotator.lock")) == 0o600


def test_waiting_for_a_lock_can_be_ended(file: Path) -> None:
    """A caller that gives up does not leave a thread waiting."""
    place, stop = place_of(file), threading.Event()
    stop.set()
    with (
        opened(place) as directory,
        locked(directory, place, threading.Event()),
        pytest.raises(UnavailableError),
        locked(directory, place, stop, polls=10**6),
    ):
        pass


@pytest.mark.parametrize("content", [b"", b"nonsense", b"12 34"], ids=["empty", "text", "two"])
def test_a_strange_lock_file_is_no_obstacle(file: Path, content: bytes) -> None:
    """Whatever is written in the lock file, its holder is described without it."""
    place, stop = place_of(file), threading.Event()
    with opened(place) as directory, locked(directory, place, stop):
        file.with_name(".config.json.rotator.lock").write_bytes(content)
        with pytest.raises(UnavailableError, match="another process"), locked(directory, place, stop, polls=1):
            pass


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EACCES, PermissionDeniedError),
        (errno.EROFS, PermissionDeniedError),
        (errno.ELOOP, PermissionDeniedError),
        (errno.ENOENT, NotFoundError),
        (errno.ENOSPC, UnavailableError),
        (errno.EDQUOT, UnavailableError),
        (errno.EIO, UnavailableError),
        (None, UnavailableError),
    ],
    ids=str,
)
def test_system_errors_are_translated(number: int | None, expected: type[Exception]) -> None:
    """Each error of the operating system says whether to wait or to call a person, and names the file."""
    error = OSError() if number is None else OSError(number, "c4n4ry")
    with pytest.raises(expected, match=r"/x/config\.json: ") as caught, file_errors("/x/config.json"):
        raise error
    assert "c4n4ry" not in str(caught.value)
