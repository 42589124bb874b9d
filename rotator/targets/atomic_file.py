"""Write a small secret file so that whoever reads it sees the old text or the new one.

The usual way is a temporary file and a rename. A file that is itself a mount point cannot be renamed over; it is
rewritten in place, with a backup beside it from which `heal` repairs what a crash left.

All functions work relative to an open directory (see `rotator.targets.directory`), expect the caller to hold its lock,
and let `OSError` through. Contents are secret.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotator.errors import ConflictError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.targets.directory import Place

MAX_BYTES = 1024 * 1024
"""A configuration file is a few kilobytes; whatever is larger is not one."""
MODE = 0o600

_MOUNT_POINT = frozenset({errno.EBUSY, errno.EXDEV})
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_REWRITE = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was read; two are equal when nobody wrote it in between.

    Args:
        content: All its bytes. Secret.
        identity: Device, inode, size and time of the last write in nanoseconds.
        uid: User ID of its owner.
        gid: Group ID.
    """

    content: bytes = field(repr=False)
    identity: tuple[int, int, int, int]
    uid: int
    gid: int


def read(directory: int, name: str) -> Snapshot | None:
    """Return the file ``name``; None when there is none.

    Raises:
        UnsupportedError: It is not a regular file, or larger than `MAX_BYTES`.
    """
    try:
        descriptor = os.open(name, _READ, dir_fd=directory)
    except FileNotFoundError:
        return None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise UnsupportedError(f"{name} is not a regular file")
        content = _read_all(descriptor)
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise UnsupportedError(f"{name} is larger than {MAX_BYTES} bytes", hint="is it a configuration file at all?")
    return Snapshot(content, _identity(facts), facts.st_uid, facts.st_gid)


def replace(
    directory: int, place: Place, content: bytes, before: Snapshot | None, owner: tuple[int, int] | None = None
) -> None:
    """Put ``content`` in the place of the file, mode 0600, durably.

    Args:
        directory: Descriptor of the directory of ``place``.
        place: The file.
        content: The new bytes. Secret.
        before: What was read; None when there was no file.
        owner: User and group ID; None keeps those of the file, or of the directory for a new file.

    Raises:
        ConflictError: Somebody wrote the file since it was read; nothing was changed.
    """
    temporary = place.sidecar("tmp")
    try:
        _create(directory, temporary, content, owner or _owner(directory, before))
        _refuse_changed(directory, place, before)
        os.rename(temporary, place.name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError as error:
        if error.errno not in _MOUNT_POINT or before is None:
            raise
    else:
        os.fsync(directory)
        return
    finally:
        _remove(directory, temporary)
    overwrite(directory, place, content, before, owner)


def overwrite(
    directory: int, place: Place, content: bytes, before: Snapshot, owner: tuple[int, int] | None = None
) -> None:
    """Rewrite the file in place, keeping its inode, with a backup beside it while it lasts.

    Not atomic for readers that do not lock: for a moment they may see a part of ``content``. Arguments and errors as
    for `replace`, but the file must exist.
    """
    backup = place.sidecar("backup")
    _keep(directory, place, before.content)
    try:
        _refuse_changed(directory, place, before)
        _rewrite(directory, place.name, content, owner)
    except ConflictError:
        _remove(directory, backup)
        raise
    except OSError:
        # No space half-way: put the old text back at once. If even that fails, the backup stays for `heal`.
        with suppress(OSError):
            if read(directory, place.name) != before:
                _rewrite(directory, place.name, before.content, owner)
            _remove(directory, backup)
        raise
    _remove(directory, backup)
    os.fsync(directory)


def heal(directory: int, place: Place, is_whole: Callable[[bytes], bool]) -> None:
    """Repair what a crash in the middle of `overwrite` left: the old text comes back. Safe to repeat.

    Only a backup that this user wrote is trusted.

    Args:
        directory: Descriptor of the directory of ``place``.
        place: The file.
        is_whole: Whether bytes are a complete file. `overwrite` empties the file first, so that a half-written one
            is a beginning of the new text; no beginning of a JSON object is one.
    """
    backup = read(directory, place.sidecar("backup"))
    if backup is None or backup.uid != os.geteuid():
        return
    current = read(directory, place.name)
    if current is not None and not is_whole(current.content):
        _rewrite(directory, place.name, backup.content, None)
    _remove(directory, place.sidecar("backup"))


def tighten(directory: int, name: str, owner: tuple[int, int] | None = None) -> None:
    """Give the file mode 0600, and ``owner`` when there is one, without touching its content. Safe to repeat."""
    descriptor = os.open(name, _READ, dir_fd=directory)
    try:
        _settle(descriptor, owner)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    content = b""
    while len(content) <= MAX_BYTES and (chunk := os.read(descriptor, MAX_BYTES + 1)):
        content += chunk
    return content


def _identity(facts: os.stat_result) -> tuple[int, int, int, int]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def _owner(directory: int, before: Snapshot | None) -> tuple[int, int]:
    if before is not None:
        return before.uid, before.gid
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    # For root: a file in somebody's home is of use only when it is theirs.
    facts = os.fstat(directory)
    return facts.st_uid, facts.st_gid


def _create(directory: int, name: str, content: bytes, owner: tuple[int, int]) -> None:
    """Create ``name`` with ``content``, closed to others before the first byte is in it."""
    _remove(directory, name)
    descriptor = os.open(name, _CREATE, MODE, dir_fd=directory)
    try:
        _settle(descriptor, owner)
        _write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep(directory: int, place: Place, content: bytes) -> None:
    """Write the backup, whole or not at all."""
    temporary = place.sidecar("tmp")
    try:
        _create(directory, temporary, content, (os.geteuid(), os.getegid()))
        os.rename(temporary, place.sidecar("backup"), src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    finally:
        _remove(directory, temporary)


def _rewrite(directory: int, name: str, content: bytes, owner: tuple[int, int] | None) -> None:
    descriptor = os.open(name, _REWRITE, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnsupportedError(f"{name} is not a regular file")
        _settle(descriptor, owner)
        os.ftruncate(descriptor, 0)
        _write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settle(descriptor: int, owner: tuple[int, int] | None) -> None:
    facts = os.fstat(descriptor)
    if stat.S_IMODE(facts.st_mode) != MODE:
        os.fchmod(descriptor, MODE)
    if owner is None or owner == (facts.st_uid, facts.st_gid):
        return
    try:
        os.fchown(descriptor, *owner)
    except PermissionError:
        # The group does not matter at mode 0600; another owner could no longer read the file.
        if owner[0] != facts.st_uid:
            raise


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _refuse_changed(directory: int, place: Place, before: Snapshot | None) -> None:
    if read(directory, place.name) != before:
        raise ConflictError(f"{place.path} was changed by somebody else in between")


def _remove(directory: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
