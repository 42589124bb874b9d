"""Find the directory a file really is in, hold it open, and let one writer in at a time.

Everything that follows is done relative to the open directory, so that nobody can lead a write elsewhere by swapping a
directory for a link while it is under way.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator.errors import NotFoundError, PermissionDeniedError, UnavailableError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from rotator.errors import RotatorError

DIRECTORY_MODE = 0o700
LOCK_POLLS = 200
LOCK_POLL_SECONDS = 0.05
"""Together 10 s: far longer than any write, far shorter than a delivery's deadline."""

_PATH_ONLY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DENIED = {
    errno.EACCES: "check the owner and mode of the file and its directory",
    errno.EPERM: "check the owner and mode of the file and its directory",
    errno.EROFS: "mount the directory writable",
    errno.ELOOP: "a link stands where a file or directory was expected",
    errno.ENOTDIR: "a link or file stands where a directory was expected",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file really is.

    Args:
        directory: Absolute path of its directory, free of links when it was looked at.
        name: Its name in there.
    """

    directory: str
    name: str

    @property
    def path(self) -> str:
        """The file's real path, for messages."""
        return os.path.join(self.directory, self.name)  # noqa: PTH118 - plain text, as everything with dir_fd

    def sidecar(self, suffix: str) -> str:
        """Return the name of a file of ours beside it: hidden, and recognisably ours."""
        return f".{self.name}.rotator.{suffix}"


@contextmanager
def file_errors(path: str) -> Iterator[None]:
    """Translate what the operating system says about ``path``.

    Raises:
        PermissionDeniedError: Not allowed, read-only, or a link in the way.
        NotFoundError: The directory does not exist.
        UnavailableError: No space, quota, I/O error: may pass.
    """
    try:
        yield
    except OSError as error:
        raise _translated(path, error) from error


def locate(path: str, roots: Sequence[str]) -> Place:
    """Follow every link in ``path`` and return where it ends.

    Args:
        path: Absolute path. It may not exist yet.
        roots: Directories that may be written below; absolute, without links.

    Raises:
        PermissionDeniedError: It ends outside of ``roots``.
    """
    real = os.path.realpath(path)
    if not any(os.path.commonpath((real, root)) == root for root in roots):
        raise PermissionDeniedError(
            f"{path} leads to {real}, which is below none of {', '.join(roots)}",
            hint="add its directory to the target's roots if that is intended",
        )
    directory, name = os.path.split(real)
    return Place(directory, name)


def make_directory(place: Place, owner: tuple[int, int] | None) -> None:
    """Create the directory of ``place``, mode 0700, when it is the only one missing. Safe to repeat.

    Args:
        place: The file to come.
        owner: User and group ID of a new directory; None for those of the directory above, as far as we may.
    """
    above, name = os.path.split(place.directory)
    if not name:
        return
    parent = _walk(above)
    try:
        with suppress(FileExistsError):
            os.mkdir(name, DIRECTORY_MODE, dir_fd=parent)
            if os.geteuid() == 0:
                facts = os.fstat(parent)
                uid, gid = owner or (facts.st_uid, facts.st_gid)
                os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
    finally:
        os.close(parent)


@contextmanager
def opened(place: Place) -> Iterator[int]:
    """Hold the directory of ``place`` open and give its descriptor.

    Raises:
        PermissionDeniedError: Everybody may write there and rename files of others.
        OSError: As the system says; a link in the path that was not there before is ENOTDIR.
    """
    path_only = _walk(place.directory)
    try:
        directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=path_only)
    finally:
        os.close(path_only)
    try:
        _refuse_world_writable(directory, place)
        yield directory
    finally:
        os.close(directory)


@contextmanager
def locked(directory: int, place: Place, stop: threading.Event, polls: int = LOCK_POLLS) -> Iterator[None]:
    """Keep other writers of ``place`` out: other threads, other daemons, not ``docker login``, which does not lock.

    The lock file stays: removing it would let two writers lock two different files.

    Args:
        directory: Descriptor of the directory of ``place``.
        place: The file to be written.
        stop: Ends the waiting when set.
        polls: How often the lock is tried, `LOCK_POLL_SECONDS` apart.

    Raises:
        UnavailableError: Somebody held it all the time.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    lock = os.open(place.sidecar("lock"), flags, 0o600, dir_fd=directory)
    try:
        _wait(lock, place, stop, polls)
        _sign(lock)
        yield
    finally:
        os.close(lock)


def _translated(path: str, error: OSError) -> RotatorError:
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    message = f"{path}: {reason}"
    if error.errno in _DENIED:
        return PermissionDeniedError(message, hint=_DENIED[error.errno])
    if error.errno == errno.ENOENT:
        return NotFoundError(message, hint=f"create the directories above {path}; only the last one is made for you")
    return UnavailableError(message, hint="the file was left as it was", cause="io")


def _walk(path: str) -> int:
    """Open ``path`` one component at a time, following no link, and return a descriptor that only names it."""
    current = os.open("/", _PATH_ONLY)
    for part in filter(None, path.split("/")):
        above = current
        try:
            current = os.open(part, _PATH_ONLY, dir_fd=above)
        finally:
            os.close(above)
    return current


def _refuse_world_writable(directory: int, place: Place) -> None:
    mode = os.fstat(directory).st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise PermissionDeniedError(
            f"{place.directory} may be written by everybody, who could replace {place.name}",
            hint=f"chmod o-w {place.directory}",
        )


def _wait(lock: int, place: Place, stop: threading.Event, polls: int) -> None:
    for _ in range(polls):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if stop.wait(LOCK_POLL_SECONDS):
                break
        else:
            return
    raise UnavailableError(
        f"{place.path} is locked by {_holder(lock)}",
        hint=f"see who holds {place.sidecar('lock')} in {place.directory} (fuser, lsof); do not remove it",
        cause="timeout",
    )


def _sign(lock: int) -> None:
    """Note who holds the lock. Only a help for people: a full disk is no reason to fail here."""
    with suppress(OSError):
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)


def _holder(lock: int) -> str:
    text = os.pread(lock, 16, 0).strip()
    return f"process {int(text)}" if text.isdigit() else "another process"
